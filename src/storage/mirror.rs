//! Writing records into their mirror table: read what is there, write only what differs.
//!
//! | The incoming copy is | What happens |
//! | --- | --- |
//! | of a record not in the table | inserted |
//! | older than the stored one | nothing, whatever lane it came by |
//! | equal in content and not newer | nothing |
//! | different, or newer | the row is rewritten |

use std::collections::HashMap;
use std::fmt::Write;

use chrono::{DateTime, Utc};
use sqlx::mysql::MySqlArguments;
use sqlx::query::Query;
use sqlx::{MySql, MySqlConnection, Row};

use super::mirror_schema::TypedColumn;
use super::quarantine::{self, Misfit};
use super::{StorageError, StorageErrorKind};
use crate::clock;
use crate::model::{ContentHash, ObjectId, ObjectType, Record, RejectedRecord};

/// Rows a statement writes, largest first. A fixed set keeps the prepared statements few, whatever the page holds.
const CHUNKS: [usize; 4] = [100, 25, 5, 1];
/// Most bytes of JSON in a statement, far below the smallest usual `max_allowed_packet` (16 MiB).
const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// Largest row: twice that, and a statement would not fit the usual `max_allowed_packet`, which breaks the connection
/// instead of blaming the row.
const ROW_BYTES: usize = 7 * 1024 * 1024;
/// Ids a lookup asks for; shorter lists are padded, so that there is one statement text.
const LOOKUP: usize = 100;

/// Columns besides the typed ones, in the order they are bound.
const CORE_COLUMNS: &[&str] = &[
    "id",
    "hubspot_id",
    "properties_json",
    "hubspot_created_at",
    "hubspot_updated_at",
    "archived",
    "archived_at",
    "content_hash",
    "last_synced_at",
];

/// A mirror table with the typed columns it has.
#[derive(Debug, Clone)]
pub struct MirrorTable {
    object_type: &'static ObjectType,
    columns: Vec<TypedColumn>,
    lookup: String,
    /// One statement for each of [`CHUNKS`].
    upserts: Vec<String>,
}

impl MirrorTable {
    /// Prepares the statements for the table.
    pub(super) fn new(object_type: &ObjectType, columns: Vec<TypedColumn>) -> Self {
        let object_type = ObjectType::named(object_type.name).expect("descriptors are static");
        let lookup = format!(
            "SELECT id, hubspot_id, hubspot_updated_at, content_hash, \
             EXISTS (SELECT 1 FROM quarantine WHERE object_type = '{}') FROM {} WHERE hubspot_id IN ({}) FOR UPDATE",
            object_type.name,
            object_type.table,
            vec!["?"; LOOKUP].join(", ")
        );
        let upserts = CHUNKS.iter().map(|rows| upsert(object_type.table, &columns, *rows)).collect();
        Self { object_type, columns, lookup, upserts }
    }

    /// The type it mirrors.
    pub fn object_type(&self) -> &'static ObjectType {
        self.object_type
    }
}

/// What became of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageOutcome {
    /// Rows written for the first time.
    pub inserted: u64,
    /// Rows rewritten.
    pub updated: u64,
    /// Records that needed nothing.
    pub unchanged: u64,
    /// Rows marked as gone from HubSpot.
    pub deleted: u64,
    /// Records that could not be stored.
    pub quarantined: u64,
}

/// The copy of a record the mirror holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredVersion {
    /// HubSpot's id.
    pub id: ObjectId,
    /// Its version; `None` for a row that never came from HubSpot.
    pub updated_at: Option<DateTime<Utc>>,
}

/// A record to write, with everything that can be computed before rows are locked.
struct Incoming<'r> {
    record: &'r Record,
    hash: ContentHash,
}

/// A row to write: the local key of the row it replaces, `None` for a new one.
struct RowWrite<'r> {
    local_key: Option<i64>,
    incoming: &'r Incoming<'r>,
    json: String,
}

/// What the table holds of a record.
struct Stored {
    local_key: i64,
    updated_at: Option<DateTime<Utc>>,
    hash: Option<Vec<u8>>,
    /// Whether anything of its type lies in quarantine: known here without another round trip.
    quarantine_used: bool,
}

/// Stores a page of records inside the caller's transaction. Idempotent; the order of `records` does not matter.
///
/// A record MariaDB refuses for its values is quarantined and the others go on.
///
/// # Errors
/// When the database fails; the caller's transaction must then be given up.
pub async fn store_records(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    records: &[Record],
    rejected: &[RejectedRecord],
) -> Result<PageOutcome, StorageError> {
    let now = clock::now();
    let incoming = newest_by_id(records);
    let stored = lookup(connection, table, &incoming).await?;
    let mut outcome = PageOutcome::default();
    let (mut new, mut changed, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for candidate in &incoming {
        match decide(candidate, stored.get(&candidate.record.id)) {
            Decision::Insert => new.push(RowWrite::new(None, candidate)),
            Decision::Rewrite(local_key) => changed.push(RowWrite::new(Some(local_key), candidate)),
            Decision::Keep => kept.push(candidate.record.id),
        }
    }
    let mut refused = rejected.to_vec();
    let oversized =
        new.extract_if(.., RowWrite::is_oversized).chain(changed.extract_if(.., RowWrite::is_oversized));
    refused.extend(oversized.map(|write| write.reject("larger than a row can be".to_owned())));
    outcome.inserted = write_all(connection, table, &new, &mut refused, now).await?;
    outcome.updated = write_all(connection, table, &changed, &mut refused, now).await?;
    (outcome.unchanged, outcome.quarantined) = (kept.len() as u64, refused.len() as u64);
    quarantine::record_rejected(connection, table.object_type, &refused, now).await?;
    let used = match stored.values().next() {
        Some(stored) => stored.quarantine_used,
        None => quarantine::is_used(connection, table.object_type).await?,
    };
    if used {
        let written: Vec<_> = new.iter().chain(&changed).map(|write| write.incoming.record.id).collect();
        quarantine::release_healed(connection, table.object_type, &written, &kept, now).await?;
    }
    Ok(outcome)
}

/// What to do with one incoming copy.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Insert,
    Rewrite(i64),
    Keep,
}

/// Compares an incoming copy with the stored one.
fn decide(incoming: &Incoming<'_>, stored: Option<&Stored>) -> Decision {
    let Some(stored) = stored else { return Decision::Insert };
    let version = incoming.record.updated_at;
    let same_content = stored.hash.as_deref() == Some(&incoming.hash.0);
    match stored.updated_at {
        Some(held) if version < held => Decision::Keep,
        Some(held) if version == held && same_content => Decision::Keep,
        // A newer version is written even without a difference: the next search would ask for it again.
        _ => Decision::Rewrite(stored.local_key),
    }
}

/// The newest copy of each record, in id order: two writers that lock rows in one order cannot deadlock.
fn newest_by_id(records: &[Record]) -> Vec<Incoming<'_>> {
    let mut sorted: Vec<_> = records.iter().collect();
    sorted.sort_by_key(|record| (record.id, std::cmp::Reverse(record.updated_at)));
    sorted.dedup_by_key(|record| record.id);
    sorted.into_iter().map(|record| Incoming { record, hash: record.content_hash() }).collect()
}

/// Reads and locks the rows of the incoming records.
async fn lookup(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    incoming: &[Incoming<'_>],
) -> Result<HashMap<ObjectId, Stored>, StorageError> {
    let mut found = HashMap::with_capacity(incoming.len());
    for chunk in incoming.chunks(LOOKUP) {
        let ids = chunk.iter().map(|incoming| incoming.record.id);
        let rows = bind_lookup(&table.lookup, ids).fetch_all(&mut *connection).await;
        let rows =
            rows.map_err(StorageError::query(format!("look up rows of {}", table.object_type.table)))?;
        for row in rows {
            let (id, stored) = stored(&row).map_err(StorageError::query("read a stored row"))?;
            found.insert(id, stored);
        }
    }
    Ok(found)
}

/// Binds up to [`LOOKUP`] ids, repeating the last one to fill the statement.
fn bind_lookup(sql: &str, ids: impl Iterator<Item = ObjectId>) -> Query<'_, MySql, MySqlArguments> {
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
    let (mut bound, mut last) = (0, ObjectId::START);
    for id in ids {
        query = query.bind(id.0);
        (bound, last) = (bound + 1, id);
    }
    (bound..LOOKUP).fold(query, |query, _| query.bind(last.0))
}

/// One row of the lookup.
fn stored(row: &sqlx::mysql::MySqlRow) -> Result<(ObjectId, Stored), sqlx::Error> {
    let stored = Stored {
        local_key: row.try_get(0)?,
        updated_at: row.try_get(2)?,
        hash: row.try_get(3)?,
        quarantine_used: row.try_get(4)?,
    };
    Ok((ObjectId(row.try_get(1)?), stored))
}

/// The versions the mirror holds of the given records; a record it does not hold is left out.
///
/// # Errors
/// When the database cannot be read.
pub async fn stored_versions(
    database: &super::Database,
    table: &MirrorTable,
    ids: &[ObjectId],
) -> Result<Vec<StoredVersion>, StorageError> {
    let sql = table.lookup.replace(" FOR UPDATE", "");
    let mut versions = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(LOOKUP) {
        let rows = bind_lookup(&sql, chunk.iter().copied()).fetch_all(database.pool()).await;
        let rows =
            rows.map_err(StorageError::query(format!("look up rows of {}", table.object_type.table)))?;
        for row in rows {
            let (id, stored) = stored(&row).map_err(StorageError::query("read a stored row"))?;
            versions.push(StoredVersion { id, updated_at: stored.updated_at });
        }
    }
    Ok(versions)
}

impl<'r> RowWrite<'r> {
    /// Renders the JSON once.
    fn new(local_key: Option<i64>, incoming: &'r Incoming<'r>) -> Self {
        let json = serde_json::to_string(&incoming.record.properties).expect("a map of text is valid JSON");
        Self { local_key, incoming, json }
    }

    /// Whether the row is too large for any statement.
    fn is_oversized(&mut self) -> bool {
        self.json.len() > ROW_BYTES
    }

    /// The quarantine entry of the row.
    fn reject(&self, reason: String) -> RejectedRecord {
        RejectedRecord { id: self.incoming.record.id.to_string(), reason, raw: self.json.clone() }
    }
}

/// Writes the rows in chunks; returns how many were written. Refused ones are added to `refused`.
async fn write_all(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    writes: &[RowWrite<'_>],
    refused: &mut Vec<RejectedRecord>,
    now: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let mut written = 0;
    let mut rest = writes;
    while !rest.is_empty() {
        let chunk;
        (chunk, rest) = rest.split_at(chunk_len(rest));
        match write_chunk(connection, table, chunk, now).await {
            Ok(()) => written += chunk.len() as u64,
            // Somebody's value is to blame: find whose. The failed statement itself left nothing behind.
            Err(error) if error.kind() == StorageErrorKind::Data => {
                for write in chunk {
                    match write_chunk(connection, table, std::slice::from_ref(write), now).await {
                        Ok(()) => written += 1,
                        Err(error) if error.kind() == StorageErrorKind::Data => {
                            refused.push(write.reject(refusal(&error)));
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// How many of the rows the next statement takes: one of [`CHUNKS`], and not more bytes than a packet holds.
fn chunk_len(writes: &[RowWrite<'_>]) -> usize {
    let mut bytes = 0;
    let fitting = writes
        .iter()
        .take_while(|write| {
            bytes += 2 * write.json.len();
            bytes <= CHUNK_BYTES
        })
        .count();
    CHUNKS.into_iter().find(|chunk| *chunk <= fitting).unwrap_or(1)
}

/// Why MariaDB refused a row, without the row's values, which its message may quote.
fn refusal(error: &StorageError) -> String {
    match error {
        StorageError::Query { source: sqlx::Error::Database(cause), .. } => {
            format!("MariaDB refused it: error {}", cause.code().unwrap_or_default())
        }
        other => other.to_string(),
    }
}

/// Writes one chunk, whose length is one of [`CHUNKS`], and records the values that do not fit their column.
async fn write_chunk(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    chunk: &[RowWrite<'_>],
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let position =
        CHUNKS.iter().position(|len| *len == chunk.len()).expect("chunk_len yields these lengths only");
    let mut query = sqlx::query(sqlx::AssertSqlSafe(table.upserts[position].as_str()));
    let mut misfits = Vec::new();
    for write in chunk {
        query = bind_row(query, table, write, now, &mut misfits);
    }
    let failed = StorageError::query(format!("write {} row(s) of {}", chunk.len(), table.object_type.table));
    query.execute(&mut *connection).await.map_err(failed)?;
    quarantine::record_misfits(connection, table.object_type, &misfits, now).await
}

/// Binds one row in the order of [`CORE_COLUMNS`] and the typed columns.
fn bind_row<'q>(
    query: Query<'q, MySql, MySqlArguments>,
    table: &MirrorTable,
    write: &'q RowWrite<'_>,
    now: DateTime<Utc>,
    misfits: &mut Vec<Misfit>,
) -> Query<'q, MySql, MySqlArguments> {
    let record = write.incoming.record;
    let mut query = query
        .bind(write.local_key)
        .bind(record.id.0)
        .bind(write.json.as_str())
        .bind(record.created_at)
        .bind(record.updated_at)
        .bind(record.archived)
        .bind(record.archived_at)
        .bind(&write.incoming.hash.0[..])
        .bind(now);
    for column in &table.columns {
        let value = record.properties.get(&column.name).unwrap_or_default();
        query = match column.column_type.convert(value) {
            Ok(text) => query.bind(text),
            Err(reason) => {
                let (property, raw) = (column.name.clone(), value.to_owned());
                misfits.push(Misfit { id: record.id, property, raw, reason });
                query.bind(None::<&str>)
            }
        };
    }
    query
}

/// The statement that writes `rows` rows, new or not. A changed row brings its own local key along, so that no
/// auto-increment value is burnt on it.
///
/// It does without the table's CHECKs, which are there for edits by hand: reading the JSON again to see that it is
/// JSON takes the server a third of the time a row takes altogether, and it comes out of a serializer.
fn upsert(table: &str, columns: &[TypedColumn], rows: usize) -> String {
    let names: Vec<_> =
        CORE_COLUMNS.iter().copied().chain(columns.iter().map(|column| column.name.as_str())).collect();
    let row = format!("({})", vec!["?"; names.len()].join(", "));
    let mut sql = format!(
        "SET STATEMENT check_constraint_checks = OFF FOR \
         INSERT INTO {table} (`{}`) VALUES {} ON DUPLICATE KEY UPDATE ",
        names.join("`, `"),
        vec![row.as_str(); rows].join(", ")
    );
    for (index, name) in names.iter().skip(2).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(sql, "{comma}`{name}` = VALUES(`{name}`)").expect("writing to a String does not fail");
    }
    sql
}

#[cfg(test)]
mod tests;
