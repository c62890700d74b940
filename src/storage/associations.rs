//! `hubspot_associations`: links between records. Read what is there, write only what differs.
//!
//! A row goes by its whole key, so a link never changes into another; it is new, gone, back, or has got another label.
//! What is gone keeps its row with `removed_at`.

mod difference;
mod listing;
mod pair;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, MySqlConnection, QueryBuilder, Row};

use self::difference::{Difference, StoredLink};
pub use self::listing::{LinkedRecord, linked_records};
pub(super) use self::pair::UNLINKED;
pub use self::pair::{KnownPair, PairState, load_pairs, store_pair};
use super::{Database, PageOutcome, StorageError};
use crate::clock;
use crate::model::{Association, AssociationType, ObjectId, ObjectType, TypePair};

/// Most records a statement asks about.
const IDS: usize = 500;
/// Records the statements ask about, smallest first; shorter lists are padded, so that the server knows the statements
/// already.
const PLACES: [usize; 3] = [10, 100, IDS];
/// Rows the statements write, largest first; few sizes for the same reason.
const ROWS: [usize; 3] = [200, 20, 1];

/// Everything HubSpot says of the links of some records, or of one record's links to a range of others.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a> {
    /// The types, in the direction of storage.
    pub pair: TypePair,
    /// Whose links these are; a link of theirs that is stored and not here is gone.
    pub records: &'a [ObjectId],
    /// Their links, in any order; one may be here twice.
    pub associations: &'a [Association],
    /// Only links to records behind this one are here.
    pub after: ObjectId,
    /// Only links to records up to and with this one are here; `None`: to the last.
    pub until: Option<ObjectId>,
}

/// Makes what is stored of the records' links equal to `links` inside the caller's transaction. Idempotent. The
/// outcome counts a link that came back and one with another label as updated.
///
/// A record that counts as deleted, or went into another, has no links on either side, whatever HubSpot said a moment
/// before: nobody would ask again.
///
/// # Errors
/// When the database fails; the caller's transaction must then be given up.
pub async fn store_associations(
    connection: &mut MySqlConnection,
    links: &Links<'_>,
) -> Result<PageOutcome, StorageError> {
    let now = clock::now();
    let (records, sorted) = prepare(connection, links).await?;
    let mut outcome = PageOutcome::default();
    for ids in records.chunks(IDS) {
        let difference = compare(connection, links, ids, of_records(&sorted, ids)).await?;
        write(connection, links.pair, &difference, now).await?;
        outcome = outcome + difference.outcome();
    }
    Ok(outcome)
}

/// Which of the records [`store_associations`] would change a link of, in id order. Writes nothing; what is compared
/// stays as it is until the caller's transaction ends.
///
/// # Errors
/// When the database fails; the caller's transaction must then be given up.
pub async fn differing_associations(
    connection: &mut MySqlConnection,
    links: &Links<'_>,
) -> Result<Vec<ObjectId>, StorageError> {
    let (records, sorted) = prepare(connection, links).await?;
    let mut differing = Vec::new();
    for ids in records.chunks(IDS) {
        let difference = compare(connection, links, ids, of_records(&sorted, ids)).await?;
        differing.extend(difference.to_write.iter().chain(&difference.to_remove).map(|link| link.from));
    }
    differing.sort_unstable();
    differing.dedup();
    Ok(differing)
}

/// The records, and those of their links that are to be stored in key order; each once.
async fn prepare<'a>(
    connection: &mut MySqlConnection,
    links: &Links<'a>,
) -> Result<(Vec<ObjectId>, Vec<&'a Association>), StorageError> {
    let mut records = links.records.to_vec();
    records.sort_unstable();
    records.dedup();
    let mut others: Vec<_> = links.associations.iter().map(|link| link.to).collect();
    others.sort_unstable();
    others.dedup();
    let gone = gone_among(connection, links.pair.from, &records).await?;
    let gone_others = gone_among(connection, links.pair.to, &others).await?;
    let is_live = |link: &&Association| {
        gone.binary_search(&link.from).is_err() && gone_others.binary_search(&link.to).is_err()
    };
    let mut sorted: Vec<_> = links.associations.iter().filter(is_live).collect();
    sorted.sort_unstable();
    sorted.dedup_by_key(|link| key(link));
    Ok((records, sorted))
}

/// The links of a chunk of records: both are in id order, so they lie side by side.
fn of_records<'s, 'a>(sorted: &'s [&'a Association], ids: &[ObjectId]) -> &'s [&'a Association] {
    let (first, last) = (ids[0], ids[ids.len() - 1]);
    let start = sorted.partition_point(|link| link.from < first);
    let end = sorted.partition_point(|link| link.from <= last);
    &sorted[start..end]
}

/// The key of a link within its pair.
fn key(link: &Association) -> (ObjectId, ObjectId, &str, i64) {
    (link.from, link.to, &link.kind.category, link.kind.type_id)
}

/// What differs between the given links of the records and the stored ones.
async fn compare<'a>(
    connection: &mut MySqlConnection,
    links: &Links<'_>,
    ids: &[ObjectId],
    sorted: &'a [&'a Association],
) -> Result<Difference<'a>, StorageError> {
    let Links { pair, after, until, .. } = *links;
    let sql = format!(
        "SELECT from_id, to_id, category, type_id, label, removed_at IS NOT NULL FROM hubspot_associations \
         WHERE from_type = ? AND to_type = ? AND to_id > ? AND to_id <= ? AND from_id IN ({}) \
         ORDER BY from_id, to_id, category, type_id FOR UPDATE",
        places(ids)
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(pair.from.name).bind(pair.to.name);
    let query = query.bind(after.0).bind(until.map_or(i64::MAX, |until| until.0));
    let query = padded(ids).fold(query, |query, id| query.bind(id.0));
    let failed = || StorageError::query(format!("look up the links of {pair}"));
    let mut difference = Difference::new(sorted);
    let mut unreadable = None;
    // Row by row, because a record can have any number of links; to the end whatever a row is like, because a query
    // that is dropped halfway breaks its connection.
    let mut rows = query.fetch(&mut *connection);
    while let Some(row) = rows.try_next().await.map_err(failed())? {
        match stored_link(&row) {
            Ok(link) => difference.take(link),
            Err(error) => unreadable = Some(error),
        }
    }
    drop(rows);
    match unreadable {
        Some(error) => Err(failed()(error)),
        None => Ok(difference.finish()),
    }
}

/// One row of the lookup.
fn stored_link(row: &MySqlRow) -> Result<StoredLink<'_>, sqlx::Error> {
    Ok(StoredLink {
        from: ObjectId(row.try_get(0)?),
        to: ObjectId(row.try_get(1)?),
        category: row.try_get(2)?,
        type_id: row.try_get(3)?,
        label: row.try_get(4)?,
        is_removed: row.try_get(5)?,
    })
}

/// Writes what differs, in key order.
async fn write(
    connection: &mut MySqlConnection,
    pair: TypePair,
    difference: &Difference<'_>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    /// Makes a row what it should be, whatever it was. When it was first seen stays.
    const STORE: &str = " ON DUPLICATE KEY UPDATE label = VALUES(label), is_primary = VALUES(is_primary), \
                         removed_at = VALUES(removed_at)";
    /// Marks a row, which exists: this way the whole key is looked up at once.
    const REMOVE: &str = " ON DUPLICATE KEY UPDATE removed_at = VALUES(removed_at)";
    for (written, removed_at, rest) in
        [(&difference.to_write, None, STORE), (&difference.to_remove, Some(now), REMOVE)]
    {
        let mut left = written.as_slice();
        while let Some(rows) = ROWS.into_iter().find(|rows| *rows <= left.len()) {
            let (chunk, later) = left.split_at(rows);
            left = later;
            let sql = format!(
                "INSERT INTO hubspot_associations (from_type, from_id, to_type, to_id, category, type_id, label, \
                 is_primary, first_seen_at, removed_at) VALUES {}{rest}",
                vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"; rows].join(", ")
            );
            let insert = chunk.iter().fold(sqlx::query(sqlx::AssertSqlSafe(sql)), |query, link| {
                query
                    .bind(pair.from.name)
                    .bind(link.from.0)
                    .bind(pair.to.name)
                    .bind(link.to.0)
                    .bind(link.kind.category.as_str())
                    .bind(link.kind.type_id)
                    .bind(link.kind.label.as_deref().map(stored_label))
                    .bind(link.kind.is_primary())
                    .bind(now)
                    .bind(removed_at)
            });
            let failed = StorageError::query(format!("write the links of {pair}"));
            insert.execute(&mut *connection).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// As much of a label as the column holds, in characters.
const LABEL: usize = 255;

/// A label as it is stored. HubSpot allows far fewer characters, so it is cut only in theory; a text that MariaDB
/// refuses would hold up its pair for good.
fn stored_label(label: &str) -> &str {
    label.char_indices().nth(LABEL).map_or(label, |(end, _)| &label[..end])
}

/// Which of the records count as deleted or were merged into others, in order. Those with a row cannot be deleted or
/// restored before the caller's transaction ends.
async fn gone_among(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    ids: &[ObjectId],
) -> Result<Vec<ObjectId>, StorageError> {
    let table = object_type.table;
    let mut gone = Vec::new();
    for chunk in ids.chunks(IDS) {
        let sql = format!(
            "SELECT hubspot_id, archived FROM {table} WHERE hubspot_id IN ({}) LOCK IN SHARE MODE",
            places(chunk)
        );
        let query = sqlx::query_as(sqlx::AssertSqlSafe(sql));
        let query = padded(chunk).fold(query, |query, id| query.bind(id.0));
        let rows: Result<Vec<(i64, bool)>, _> = query.fetch_all(&mut *connection).await;
        let rows = rows.map_err(StorageError::query(format!("look for deleted rows of {table}")))?;
        gone.extend(rows.into_iter().filter(|(_, archived)| *archived).map(|(id, _)| ObjectId(id)));
        let sql = format!(
            "SELECT old_id FROM hubspot_merges WHERE object_type = ? AND old_id IN ({})",
            places(chunk)
        );
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(object_type.name);
        let query = padded(chunk).fold(query, |query, id| query.bind(id.0));
        let rows: Result<Vec<i64>, _> = query.fetch_all(&mut *connection).await;
        let rows = rows.map_err(StorageError::query(format!("look for merged {object_type}")))?;
        gone.extend(rows.into_iter().map(ObjectId));
    }
    gone.sort_unstable();
    gone.dedup();
    Ok(gone)
}

/// Marks the links of those of the records whose rows count as deleted, inside the caller's transaction.
///
/// # Errors
/// When the database cannot be read or written.
pub async fn remove_associations_of_archived(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    ids: &[ObjectId],
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let gone = gone_among(connection, object_type, ids).await?;
    remove_associations_of(connection, object_type, &gone, now).await.map(|_| ())
}

/// Marks every link of records that no longer exist, from either side, inside the caller's transaction. Idempotent;
/// returns how many there were.
///
/// # Errors
/// When the database cannot be written.
pub async fn remove_associations_of(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    ids: &[ObjectId],
    now: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let mut removed = 0;
    for chunk in ids.chunks(IDS) {
        for (side, list) in
            [(" WHERE from_type = ", " AND from_id IN ("), (" WHERE to_type = ", " AND to_id IN (")]
        {
            let mut update = QueryBuilder::<MySql>::new("UPDATE hubspot_associations SET removed_at = ");
            update.push_bind(now).push(side).push_bind(object_type.name);
            push_ids(&mut update, list, chunk);
            update.push(" AND removed_at IS NULL");
            let updated = update.build().persistent(false).execute(&mut *connection).await;
            let failed = StorageError::query(format!("mark the links of deleted {object_type}"));
            removed += updated.map_err(failed)?.rows_affected();
        }
    }
    Ok(removed)
}

/// Who is linked with `ids` as far as is stored: each of these with each record on the other side.
///
/// # Errors
/// When the database cannot be read.
pub async fn linked_from(
    database: &Database,
    pair: TypePair,
    ids: &[ObjectId],
) -> Result<BTreeSet<(ObjectId, ObjectId)>, StorageError> {
    let mut found = BTreeSet::new();
    for chunk in ids.chunks(IDS) {
        // Left to itself, the optimizer may walk all links of the near side in the order of the primary key.
        let mut select = QueryBuilder::<MySql>::new(
            "SELECT to_id, from_id FROM hubspot_associations FORCE INDEX (hubspot_associations_by_target) WHERE to_type = ",
        );
        select.push_bind(pair.to.name).push(" AND from_type = ").push_bind(pair.from.name);
        push_ids(&mut select, " AND to_id IN (", chunk);
        select.push(" AND removed_at IS NULL");
        let rows: Vec<(i64, i64)> = select
            .build_query_as()
            .persistent(false)
            .fetch_all(database.pool())
            .await
            .map_err(StorageError::query(format!("look up the links of {pair}")))?;
        found.extend(rows.into_iter().map(|(to, from)| (ObjectId(to), ObjectId(from))));
    }
    Ok(found)
}

/// The ids of the next records of a pair's near side in id order: those that are live, and those that have links stored.
///
/// # Errors
/// When the database cannot be read.
pub async fn live_or_linked_ids(
    database: &Database,
    pair: TypePair,
    after: ObjectId,
    most: usize,
) -> Result<Vec<ObjectId>, StorageError> {
    let table = pair.from.table;
    let sql = format!(
        "(SELECT hubspot_id AS id FROM {table} WHERE hubspot_id > ? AND NOT archived ORDER BY hubspot_id LIMIT ?) \
         UNION (SELECT DISTINCT from_id FROM hubspot_associations WHERE from_type = ? AND from_id > ? \
         AND to_type = ? AND removed_at IS NULL ORDER BY from_id LIMIT ?) ORDER BY id LIMIT ?"
    );
    let most = most as u64;
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(after.0).bind(most);
    let query = query.bind(pair.from.name).bind(after.0).bind(pair.to.name).bind(most).bind(most);
    let ids: Vec<i64> = query
        .fetch_all(database.pool())
        .await
        .map_err(StorageError::query(format!("list the ids of {table} and of their links")))?;
    Ok(ids.into_iter().map(ObjectId).collect())
}

/// Placeholders for at most [`IDS`] ids, padded to one of [`PLACES`].
fn places(ids: &[ObjectId]) -> String {
    vec!["?"; size(ids)].join(", ")
}

/// The ids, the last one repeated to fill the places.
fn padded(ids: &[ObjectId]) -> impl Iterator<Item = ObjectId> {
    let last = ids.last().copied().unwrap_or(ObjectId::START);
    ids.iter().copied().chain(std::iter::repeat_n(last, size(ids) - ids.len()))
}

/// How many places the ids take.
fn size(ids: &[ObjectId]) -> usize {
    PLACES.into_iter().find(|size| ids.len() <= *size).expect("callers ask for no more")
}

/// Ends a statement's condition with a list of ids.
fn push_ids(query: &mut QueryBuilder<MySql>, begin: &str, ids: &[ObjectId]) {
    query.push(begin);
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(id.0);
    }
    query.push(")");
}

/// A kind of link as a removed row names it: its label stays what is stored.
fn bare_kind(category: &str, type_id: i64) -> AssociationType {
    AssociationType { category: category.to_owned(), type_id, label: None }
}
