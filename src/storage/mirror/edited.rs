//! Rows that were edited here and are not in step with HubSpot yet.
//!
//! Such a row has another status than `synced`. Its content is ours and its base what both sides last agreed on; what
//! comes from HubSpot meanwhile is set aside beside them, and merging it is the business of the push. Its version and
//! digest are those of the newest copy that came, so that all lanes tell newer from older as they always do.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, MySqlConnection, MySqlExecutor, QueryBuilder, Row};

use super::{Incoming, MirrorTable};
use crate::model::{ObjectId, ObjectType, Properties, Record};
use crate::storage::conflicts::ConflictKind;
use crate::storage::jobs::{JobKind, enqueue_jobs};
use crate::storage::words::stored_words;
use crate::storage::{Database, StorageError};

/// Rows a statement reads or wakes.
const BATCH: usize = 100;

stored_words! {
    /// How a row of a writable type stands to HubSpot: `sync_status`.
    pub enum RowStatus {
        /// Both sides are the same, as far as is known.
        Synced = "synced",
        /// Edited here; to be sent.
        Pending = "pending",
        /// Edited on both sides; a person has to say what counts.
        Conflict = "conflict",
        /// Edited here; HubSpot refuses it, and `sync_error` says why.
        Error = "error",
    }
}

/// A row as the push sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditedRow {
    /// Its local key.
    pub key: i64,
    /// Its record in HubSpot; `None` until it is made there.
    pub hubspot_id: Option<ObjectId>,
    /// How it stands.
    pub status: RowStatus,
    /// Rises with every edit made here and every change that comes from HubSpot.
    pub version: i64,
    /// When it was last edited.
    pub edited_at: Option<DateTime<Utc>>,
    /// Since when the record counts as deleted here; `None` while it is live.
    pub archived_at: Option<DateTime<Utc>>,
    /// What it holds; `None` when it is not an object of plain values.
    pub local: Option<Properties>,
    /// What both sides last agreed on; empty for a row that was made here.
    pub base: Properties,
    /// What HubSpot had when it was last looked at since, `None` when it was not. Of a row without a record, what HubSpot
    /// was asked to make of it without an answer.
    pub remote: Option<Properties>,
}

/// What becomes of a row that was edited.
#[derive(Debug, Clone, Copy)]
pub struct RowUpdate<'a> {
    /// Its local key.
    pub key: i64,
    /// How it stands from now on.
    pub status: RowStatus,
    /// What it holds from now on.
    pub content: &'a Properties,
    /// What both sides agree on, where they do not agree on everything.
    pub base: Option<&'a Properties>,
    /// The copy HubSpot gave, whose id, version and times the row has from now on. Where the row is not in step, the
    /// copy is set aside as well.
    pub copy: Option<&'a Record>,
    /// Whether the record counts as deleted, and since when.
    pub archived_at: Option<DateTime<Utc>>,
    /// Why HubSpot refuses the edit.
    pub error: Option<&'a str>,
    /// Whether it holds what somebody has changed in HubSpot: it is another version then, for whoever has looked at it.
    pub has_news: bool,
}

/// The rows with these keys that are there, in key order, locked for the caller's transaction.
///
/// # Errors
/// When the database cannot be read.
pub async fn lock_edited(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    keys: &[i64],
) -> Result<Vec<EditedRow>, StorageError> {
    lock_rows(connection, table, keys, "FOR UPDATE").await
}

/// The same without those that somebody else has locked.
///
/// # Errors
/// When the database cannot be read.
pub async fn lock_free_edited(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    keys: &[i64],
) -> Result<Vec<EditedRow>, StorageError> {
    lock_rows(connection, table, keys, "FOR UPDATE SKIP LOCKED").await
}

/// The same without locking any, outside of a transaction.
///
/// # Errors
/// When the database cannot be read.
pub async fn edited_rows(
    database: &Database,
    table: &MirrorTable,
    keys: &[i64],
) -> Result<Vec<EditedRow>, StorageError> {
    let name = table.object_type.table;
    let mut found = Vec::with_capacity(keys.len());
    for chunk in keys.chunks(BATCH) {
        found.append(&mut read_rows(database.pool(), name, select(name, chunk, "")).await?);
    }
    Ok(found)
}

/// The rows with these keys that are there, in key order, locked in this way.
async fn lock_rows(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    keys: &[i64],
    lock: &str,
) -> Result<Vec<EditedRow>, StorageError> {
    let name = table.object_type.table;
    let mut found = Vec::with_capacity(keys.len());
    for chunk in keys.chunks(BATCH) {
        found.append(&mut read_rows(&mut *connection, name, select(name, chunk, lock)).await?);
    }
    Ok(found)
}

/// Asks for rows by key.
fn select(table: &str, keys: &[i64], lock: &str) -> QueryBuilder<MySql> {
    let mut query = QueryBuilder::new(format!("{COLUMNS} FROM {table} WHERE id IN ("));
    let mut listed = query.separated(", ");
    for key in keys {
        listed.push_bind(*key);
    }
    query.push(") ORDER BY id ").push(lock);
    query
}

/// Whether the row is there, in whosever hands.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_there(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    key: i64,
) -> Result<bool, StorageError> {
    let name = table.object_type.table;
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {name} WHERE id = ?)");
    let found = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(key).fetch_one(connection).await;
    found.map_err(StorageError::query(format!("look for a row of {name}")))
}

/// Whether somebody else has locked the row of a record. Where there is one and nobody has, it is locked for the caller's
/// transaction.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_row_locked(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    id: ObjectId,
) -> Result<bool, StorageError> {
    let name = table.object_type.table;
    let failed = || StorageError::query(format!("look for a row of {name}"));
    let free = format!("SELECT id FROM {name} WHERE hubspot_id = ? FOR UPDATE SKIP LOCKED");
    let free = sqlx::query(sqlx::AssertSqlSafe(free)).bind(id.0).fetch_optional(&mut *connection).await;
    if free.map_err(failed())?.is_some() {
        return Ok(false);
    }
    let there = format!("SELECT EXISTS (SELECT 1 FROM {name} WHERE hubspot_id = ?)");
    let there = sqlx::query_scalar(sqlx::AssertSqlSafe(there)).bind(id.0).fetch_one(connection).await;
    there.map_err(failed())
}

/// The next rows behind the key `after` that wait to be sent, in key order; an empty list is the end.
///
/// # Errors
/// When the database cannot be read.
pub async fn pending_rows(
    database: &Database,
    table: &MirrorTable,
    after: i64,
    limit: usize,
) -> Result<Vec<EditedRow>, StorageError> {
    let name = table.object_type.table;
    let mut query =
        QueryBuilder::new(format!("{COLUMNS} FROM {name} WHERE sync_status = 'pending' AND id > "));
    query.push_bind(after).push(" ORDER BY id LIMIT ").push_bind(limit as i64);
    read_rows(database.pool(), name, query).await
}

/// Reads the rows a query finds.
async fn read_rows<'e>(
    executor: impl MySqlExecutor<'e>,
    table: &str,
    mut query: QueryBuilder<MySql>,
) -> Result<Vec<EditedRow>, StorageError> {
    let rows = query.build().persistent(false).fetch_all(executor).await;
    let rows: Result<Vec<_>, _> = rows.and_then(|rows| rows.iter().map(edited_row).collect());
    rows.map_err(StorageError::query(format!("read edited rows of {table}")))
}

/// Puts a job for every row that waits to be sent and has none: it was edited by a transaction that was restored from
/// a backup, or its job was deleted by hand. Returns how many.
///
/// # Errors
/// When the database cannot be written.
pub async fn requeue_pending(database: &Database, object_type: &ObjectType) -> Result<u64, StorageError> {
    let name = object_type.table;
    let failed = || StorageError::query(format!("look for edited rows of {name} without a job"));
    let sql = format!(
        "SELECT id FROM {name} WHERE sync_status = 'pending' AND NOT EXISTS (SELECT 1 FROM jobs \
         WHERE object_type = ? AND kind = 'push' AND record_id = {name}.id)"
    );
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(object_type.name);
    let keys: Vec<i64> = query.fetch_all(database.pool()).await.map_err(failed())?;
    for chunk in keys.chunks(BATCH) {
        let mut transaction = database.begin().await?;
        enqueue_jobs(&mut transaction, object_type.name, JobKind::Push, chunk).await?;
        transaction.commit().await.map_err(failed())?;
    }
    Ok(keys.len() as u64)
}

/// Notes in a row what HubSpot is about to be asked to make of it, inside the caller's transaction.
///
/// # Errors
/// When the database cannot be written.
pub async fn note_creation(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    key: i64,
    sent: &Properties,
) -> Result<(), StorageError> {
    let name = table.object_type.table;
    let sql = format!("UPDATE {name} SET remote_properties_json = ? WHERE id = ? AND hubspot_id IS NULL");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(sent.as_json()).bind(key);
    let noted = query.execute(connection).await;
    noted.map(|_| ()).map_err(StorageError::query(format!("note in a row of {name} what is sent")))
}

/// Notes in a row that waits to be sent why it is not.
///
/// # Errors
/// When the database cannot be written.
pub async fn note_error(
    database: &Database,
    object_type: &ObjectType,
    key: i64,
    reason: &str,
) -> Result<(), StorageError> {
    let name = object_type.table;
    let sql = format!(
        "UPDATE {name} SET sync_status = 'error', sync_error = ? WHERE id = ? AND sync_status = 'pending'"
    );
    let noted = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(reason).bind(key).execute(database.pool()).await;
    noted.map(|_| ()).map_err(StorageError::query(format!("note an error in a row of {name}")))
}

/// What is read of an edited row.
const COLUMNS: &str = "SELECT id, hubspot_id, sync_status, version, last_modified_local, \
     IF(archived, COALESCE(archived_at, last_modified_local, updated_at), NULL), properties_json, \
     COALESCE(base_properties_json, properties_json), remote_properties_json";

/// One row.
fn edited_row(row: &MySqlRow) -> Result<EditedRow, sqlx::Error> {
    let (local, base): (String, String) = (row.try_get(6)?, row.try_get(7)?);
    Ok(EditedRow {
        key: row.try_get(0)?,
        hubspot_id: row.try_get::<Option<i64>, _>(1)?.map(ObjectId),
        status: row.try_get::<String, _>(2)?.parse().unwrap_or(RowStatus::Error),
        version: row.try_get(3)?,
        edited_at: row.try_get(4)?,
        archived_at: row.try_get(5)?,
        local: Properties::from_document(&local),
        base: Properties::from_document(&base).unwrap_or_default(),
        remote: row.try_get::<Option<String>, _>(8)?.as_deref().and_then(Properties::from_document),
    })
}

/// Writes what has become of a row, typed columns included, inside the caller's transaction, which has locked it.
///
/// # Errors
/// When the database cannot be written, or refuses a value for an index somebody else has made.
pub async fn write_row(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    update: &RowUpdate<'_>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let name = table.object_type.table;
    let is_synced = update.status == RowStatus::Synced;
    let mut query = QueryBuilder::new(format!("UPDATE {name} SET last_synced_at = "));
    query.push_bind(now);
    query.push(", sync_status = ").push_bind(update.status.word());
    query.push(", sync_error = ").push_bind(update.error);
    query.push(", properties_json = ").push_bind(update.content.as_json());
    query.push(", base_properties_json = ").push_bind(update.base.map(Properties::as_json));
    query.push(", version = version + ").push_bind(update.has_news);
    query.push(", archived = ").push_bind(update.archived_at.is_some());
    query.push(", archived_at = ").push_bind(update.archived_at);
    if let Some(copy) = update.copy {
        query.push(", hubspot_id = ").push_bind(copy.id.0);
        query.push(", hubspot_created_at = ").push_bind(copy.created_at);
        query.push(", hubspot_updated_at = ").push_bind(copy.updated_at);
        query.push(", content_hash = ").push_bind(copy.content_hash().0.to_vec());
    }
    let aside = update.copy.filter(|_| !is_synced).map(|copy| copy.properties.as_json());
    if is_synced || aside.is_some() {
        query.push(", remote_properties_json = ").push_bind(aside);
    }
    for column in &table.columns {
        let value = update.content.get(&column.name).unwrap_or_default();
        // What does not fit stays in the JSON; a copy that comes by the ordinary way names it in quarantine.
        let text = column.column_type.convert(&value).ok().flatten().map(std::borrow::Cow::into_owned);
        query.push(format!(", `{}` = ", column.name)).push_bind(text);
    }
    query.push(" WHERE id = ").push_bind(update.key);
    // Prepared once, for its few forms: closing a statement has no answer, and over TCP the next one would wait for the
    // server's delayed acknowledgement of that, 40 ms a row.
    let written = query.build().execute(connection).await;
    written.map(|_| ()).map_err(StorageError::query(format!("write an edited row of {name}")))
}

/// Sets copies aside that came for rows which were edited here, and has the rows looked at again.
pub(super) async fn set_aside(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    copies: &[(i64, &Incoming<'_>)],
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let name = table.object_type.table;
    for (key, incoming) in copies {
        let record = incoming.record;
        let mut query = QueryBuilder::new(format!("UPDATE {name} SET last_synced_at = "));
        query.push_bind(now);
        // That it lies in the recycle bin is for the push to find out: content there is no newer than what was seen live.
        if !record.archived {
            query.push(", remote_properties_json = ").push_bind(record.properties.as_json());
            query.push(", hubspot_created_at = ").push_bind(record.created_at);
            query.push(", hubspot_updated_at = ").push_bind(record.updated_at);
            query.push(", content_hash = ").push_bind(incoming.hash.0.to_vec());
        }
        query.push(" WHERE id = ").push_bind(*key);
        let written = query.build().persistent(false).execute(&mut *connection).await;
        written.map_err(StorageError::query(format!("set a copy aside in {name}")))?;
    }
    let keys: Vec<_> = copies.iter().map(|(key, _)| *key).collect();
    wake(connection, table.object_type, &keys).await
}

/// Has those of the records looked at again whose rows were edited here: HubSpot has changed, deleted or merged them.
///
/// # Errors
/// When the database cannot be written.
pub(in crate::storage) async fn wake_edited(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    ids: &[ObjectId],
) -> Result<(), StorageError> {
    let name = object_type.table;
    for chunk in ids.chunks(BATCH) {
        let mut query = QueryBuilder::new(format!("SELECT id FROM {name} WHERE hubspot_id IN ("));
        let mut listed = query.separated(", ");
        for id in chunk {
            listed.push_bind(id.0);
        }
        query.push(") AND sync_status <> 'synced' ORDER BY id FOR UPDATE");
        let keys = query.build_query_scalar().persistent(false).fetch_all(&mut *connection).await;
        let keys: Vec<i64> = keys.map_err(StorageError::query(format!("look for edited rows of {name}")))?;
        wake(connection, object_type, &keys).await?;
    }
    Ok(())
}

/// Whether the record has a row whose edits are on their way.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_being_sent(
    database: &Database,
    object_type: &ObjectType,
    id: ObjectId,
) -> Result<bool, StorageError> {
    let name = object_type.table;
    let sql =
        format!("SELECT EXISTS (SELECT 1 FROM {name} WHERE hubspot_id = ? AND sync_status = 'pending')");
    let found = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(id.0).fetch_one(database.pool()).await;
    found.map_err(StorageError::query(format!("look for edits of {name}")))
}

/// Those of the records that have a row somebody has made or edited here.
///
/// # Errors
/// When the database cannot be read.
pub async fn edited_records(
    database: &Database,
    object_type: &ObjectType,
    ids: &[ObjectId],
) -> Result<BTreeSet<ObjectId>, StorageError> {
    let name = object_type.table;
    let mut found = BTreeSet::new();
    for chunk in ids.chunks(BATCH) {
        let mut query =
            QueryBuilder::<MySql>::new(format!("SELECT hubspot_id FROM {name} WHERE hubspot_id IN ("));
        let mut listed = query.separated(", ");
        for id in chunk {
            listed.push_bind(id.0);
        }
        query.push(") AND last_modified_local IS NOT NULL AND NOT archived");
        let ids = query.build_query_scalar().persistent(false).fetch_all(database.pool()).await;
        let ids: Vec<i64> = ids.map_err(StorageError::query(format!("look for edited rows of {name}")))?;
        found.extend(ids.into_iter().map(ObjectId));
    }
    Ok(found)
}

/// Has rows looked at again that wait for a person because HubSpot has deleted or merged their record: it may be back, or
/// the survivor's row in step. Those that somebody has locked are left out.
///
/// # Errors
/// When the database cannot be written.
pub async fn wake_deleted_in_hubspot(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
) -> Result<(), StorageError> {
    let name = object_type.table;
    let sql = format!(
        "SELECT {name}.id FROM {name} JOIN conflicts ON conflicts.row_id = {name}.id \
         WHERE conflicts.status = 'pending' AND conflicts.object_type = ? AND conflicts.kind IN (?, ?) \
         ORDER BY {name}.id FOR UPDATE SKIP LOCKED"
    );
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(object_type.name);
    let query = query.bind(ConflictKind::DeletedInHubSpot.word()).bind(ConflictKind::Merged.word());
    let keys: Result<Vec<i64>, _> = query.fetch_all(&mut *connection).await;
    let keys = keys.map_err(StorageError::query(format!("look for conflicts of {object_type}")))?;
    for chunk in keys.chunks(BATCH) {
        wake(connection, object_type, chunk).await?;
    }
    Ok(())
}

/// Has rows that wait, for a person or for better times, looked at again.
async fn wake(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    keys: &[i64],
) -> Result<(), StorageError> {
    if keys.is_empty() {
        return Ok(());
    }
    let name = object_type.table;
    let mut query = QueryBuilder::new(format!(
        "UPDATE {name} SET sync_status = 'pending' WHERE sync_status <> 'synced' "
    ));
    query.push("AND id IN (");
    let mut listed = query.separated(", ");
    for key in keys {
        listed.push_bind(*key);
    }
    query.push(")");
    let woken = query.build().persistent(false).execute(&mut *connection).await;
    woken.map_err(StorageError::query(format!("wake edited rows of {name}")))?;
    enqueue_jobs(connection, object_type.name, JobKind::Push, keys).await
}
