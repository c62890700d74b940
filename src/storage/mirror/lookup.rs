//! What the mirror holds of given records.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::query::Query;
use sqlx::{MySql, MySqlConnection, Row};

use super::{Incoming, MirrorTable};
use crate::model::{ObjectId, ObjectType};
use crate::storage::{Database, StorageError};

/// Ids a lookup asks for, smallest first; shorter lists are padded, so that there are only two statement texts.
const SIZES: [usize; 2] = [100, 200];

/// The statements that look rows up by their ids in HubSpot.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    table: &'static str,
    /// One for each of [`SIZES`].
    statements: [String; 2],
}

/// What the table holds of a record.
#[expect(clippy::struct_excessive_bools, reason = "each is a column of the answer")]
pub(super) struct Stored {
    pub(super) local_key: i64,
    pub(super) updated_at: Option<DateTime<Utc>>,
    pub(super) synced_at: Option<DateTime<Utc>>,
    pub(super) hash: Option<Vec<u8>>,
    /// Whether the record is deleted in HubSpot, as far as is known. A row that was deleted here is not, until that is
    /// sent.
    pub(super) archived: bool,
    pub(super) archived_at: Option<DateTime<Utc>>,
    /// Whether the row was edited here and is not in step yet.
    pub(super) edited: bool,
    /// Whether anything of its type lies in quarantine: known here without another round trip.
    pub(super) quarantine_used: bool,
    /// Whether any delete of its type waits.
    pub(super) deletes_wait: bool,
    /// Whether any record of its type was ever merged.
    pub(super) merges_used: bool,
}

/// The copy of a record the mirror holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredVersion {
    /// HubSpot's id.
    pub id: ObjectId,
    /// Its version; `None` for a row that never came from HubSpot.
    pub updated_at: Option<DateTime<Utc>>,
    /// When it was written.
    pub synced_at: Option<DateTime<Utc>>,
    /// Whether it counts as deleted.
    pub archived: bool,
    /// Since when.
    pub archived_at: Option<DateTime<Utc>>,
    /// Whether the row was edited here and is not in step yet.
    pub edited: bool,
}

impl Lookup {
    /// The statements for the type's table.
    pub(super) fn new(object_type: &'static ObjectType) -> Self {
        let ObjectType { name, table, .. } = *object_type;
        let gone = is_gone(object_type);
        let sql = |ids| {
            format!(
                "SELECT id, hubspot_id, hubspot_updated_at, content_hash, last_synced_at, \
                 {gone}, IF(sync_status = 'synced', archived_at, NULL), \
                 sync_status <> 'synced', EXISTS (SELECT 1 FROM quarantine WHERE object_type = '{name}'), \
                 EXISTS (SELECT 1 FROM pending_deletes WHERE object_type = '{name}'), \
                 EXISTS (SELECT 1 FROM hubspot_merges WHERE object_type = '{name}') \
                 FROM {table} WHERE hubspot_id IN ({}) FOR UPDATE",
                vec!["?"; ids].join(", ")
            )
        };
        Self { table, statements: SIZES.map(sql) }
    }

    /// Reads and locks the rows of the incoming records.
    pub(super) async fn lock(
        &self,
        connection: &mut MySqlConnection,
        incoming: &[Incoming<'_>],
    ) -> Result<HashMap<ObjectId, Stored>, StorageError> {
        let mut found = HashMap::with_capacity(incoming.len());
        for chunk in incoming.chunks(SIZES[1]) {
            let ids = chunk.iter().map(|incoming| incoming.record.id);
            let rows = bind(self.statement(chunk.len()), ids).fetch_all(&mut *connection).await;
            found.extend(self.read(rows)?);
        }
        Ok(found)
    }

    /// The statement for up to so many ids.
    fn statement(&self, ids: usize) -> &str {
        if ids <= SIZES[0] { &self.statements[0] } else { &self.statements[1] }
    }

    /// The rows a statement found.
    fn read(
        &self,
        rows: Result<Vec<MySqlRow>, sqlx::Error>,
    ) -> Result<Vec<(ObjectId, Stored)>, StorageError> {
        let rows = rows.map_err(StorageError::query(format!("look up rows of {}", self.table)))?;
        let read = rows.iter().map(stored).collect::<Result<_, _>>();
        read.map_err(StorageError::query("read a stored row"))
    }
}

/// The versions the mirror holds of the given records; a record it does not hold is left out.
///
/// # Errors
/// When the database cannot be read.
pub async fn stored_versions(
    database: &Database,
    table: &MirrorTable,
    ids: &[ObjectId],
) -> Result<Vec<StoredVersion>, StorageError> {
    let mut versions = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(SIZES[1]) {
        let sql = table.lookup.statement(chunk.len()).replace(" FOR UPDATE", "");
        let rows = bind(&sql, chunk.iter().copied()).fetch_all(database.pool()).await;
        let found = table.lookup.read(rows)?.into_iter();
        versions.extend(found.map(|(id, stored)| {
            let Stored { updated_at, synced_at, archived, archived_at, edited, .. } = stored;
            StoredVersion { id, updated_at, synced_at, archived, archived_at, edited }
        }));
    }
    Ok(versions)
}

/// The local keys of the rows of these records; a record without a row is left out.
///
/// # Errors
/// When the database cannot be read.
pub async fn rows_of_records(
    database: &Database,
    table: &MirrorTable,
    ids: &[ObjectId],
) -> Result<HashMap<ObjectId, i64>, StorageError> {
    let mut keys = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(SIZES[1]) {
        let sql = table.lookup.statement(chunk.len()).replace(" FOR UPDATE", "");
        let rows = bind(&sql, chunk.iter().copied()).fetch_all(database.pool()).await;
        keys.extend(table.lookup.read(rows)?.into_iter().map(|(id, stored)| (id, stored.local_key)));
    }
    Ok(keys)
}

/// The highest id in HubSpot of any row that was created there before `created`; [`ObjectId::START`] when there is none.
/// Survivors of merges do not count: their id is newer than their time of creation.
///
/// # Errors
/// When the database cannot be read.
pub async fn newest_id(
    database: &Database,
    table: &MirrorTable,
    created: DateTime<Utc>,
) -> Result<ObjectId, StorageError> {
    let name = table.object_type.table;
    let sql = format!(
        "SELECT COALESCE((SELECT hubspot_id FROM {name} WHERE hubspot_created_at < ? AND NOT EXISTS \
         (SELECT 1 FROM hubspot_merges WHERE object_type = ? AND survivor_id = {name}.hubspot_id) \
         ORDER BY hubspot_id DESC LIMIT 1), 0)"
    );
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(created).bind(table.object_type.name);
    let newest = query.fetch_one(database.pool()).await;
    newest.map(ObjectId).map_err(StorageError::query(format!("look for the newest row of {name}")))
}

/// The next rows behind `after`, up to `to`, that count as deleted since `since` or later and are not known to be gone
/// from the recycle bin: at most `limit`, in id order, each with that time. A row that was merged into another is left
/// out as long as the other has a row and is not gone itself: it has the fate of its survivor.
///
/// # Errors
/// When the database cannot be read.
pub async fn archived_rows(
    database: &Database,
    table: &MirrorTable,
    (after, to): (ObjectId, ObjectId),
    since: DateTime<Utc>,
    limit: usize,
) -> Result<Vec<(ObjectId, DateTime<Utc>)>, StorageError> {
    let name = table.object_type.table;
    let sql = format!(
        "SELECT hubspot_id, archived_at FROM {name} WHERE archived = TRUE AND hubspot_id > ? AND hubspot_id <= ? \
         AND purged_at IS NULL AND sync_status = 'synced' AND archived_at >= ? AND NOT EXISTS \
         (SELECT 1 FROM hubspot_merges JOIN {name} AS survivor ON survivor.hubspot_id = hubspot_merges.survivor_id \
         WHERE object_type = ? AND old_id = {name}.hubspot_id AND survivor.purged_at IS NULL) \
         ORDER BY hubspot_id LIMIT ?"
    );
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(after.0).bind(to.0).bind(since);
    let rows: Result<Vec<(i64, DateTime<Utc>)>, _> =
        query.bind(table.object_type.name).bind(limit as i64).fetch_all(database.pool()).await;
    let rows = rows.map_err(StorageError::query(format!("read the archived rows of {name}")))?;
    Ok(rows.into_iter().map(|(id, archived_at)| (ObjectId(id), archived_at)).collect())
}

/// The condition that HubSpot is known to have deleted the record of a row. One that was edited here says so in its
/// conflict alone.
pub(super) fn is_gone(object_type: &ObjectType) -> String {
    let ObjectType { name, table, .. } = object_type;
    format!(
        "IF(sync_status = 'synced', archived, sync_status = 'conflict' AND EXISTS (SELECT 1 FROM conflicts \
         WHERE object_type = '{name}' AND row_id = {table}.id AND status = 'pending' AND kind IN ('deleted_in_hubspot', 'merged_in_hubspot')))"
    )
}

/// Binds the ids, repeating the last one to fill the statement.
fn bind(sql: &str, ids: impl ExactSizeIterator<Item = ObjectId> + Clone) -> Query<'_, MySql, MySqlArguments> {
    let size = SIZES.into_iter().find(|size| ids.len() <= *size).expect("callers ask for no more");
    let padding = std::iter::repeat_n(ids.clone().last().unwrap_or(ObjectId::START), size - ids.len());
    ids.chain(padding).fold(sqlx::query(sqlx::AssertSqlSafe(sql)), |query, id| query.bind(id.0))
}

/// One row of a lookup.
fn stored(row: &MySqlRow) -> Result<(ObjectId, Stored), sqlx::Error> {
    let stored = Stored {
        local_key: row.try_get(0)?,
        updated_at: row.try_get(2)?,
        hash: row.try_get(3)?,
        synced_at: row.try_get(4)?,
        archived: row.try_get(5)?,
        archived_at: row.try_get(6)?,
        edited: row.try_get(7)?,
        quarantine_used: row.try_get(8)?,
        deletes_wait: row.try_get(9)?,
        merges_used: row.try_get(10)?,
    };
    Ok((ObjectId(row.try_get(1)?), stored))
}
