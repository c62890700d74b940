//! Taking edits back: a type that is not writable any more is an exact copy again.

use chrono::{DateTime, Utc};
use sqlx::{MySqlConnection, QueryBuilder};

use super::MirrorTable;
use super::edited::{EditedRow, RowStatus, RowUpdate, lock_edited, write_row};
use crate::model::ObjectType;
use crate::storage::conflicts::close_open_conflicts;
use crate::storage::{Database, StorageError};

/// Rows of a transaction.
const BATCH: u32 = 100;

/// Whether anything of a type waits to be sent, or for a person.
///
/// # Errors
/// When the database cannot be read.
pub async fn has_edits(database: &Database, object_type: &ObjectType) -> Result<bool, StorageError> {
    let table = object_type.table;
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {table} WHERE sync_status IN ('pending', 'conflict', 'error')) \
         OR EXISTS (SELECT 1 FROM jobs WHERE object_type = ?)"
    );
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(object_type.name);
    let found: Result<bool, _> = query.fetch_one(database.pool()).await;
    found.map_err(StorageError::query(format!("look for edits of {object_type}")))
}

/// Takes some edits back that are not in HubSpot, inside the caller's transaction: their rows hold what HubSpot had last,
/// and the next copy replaces them whatever it is; rows of records that were never made go. Returns how many edits there
/// were, 0 once none is left, and with the last of them go the jobs and the open conflicts of the type.
///
/// # Errors
/// When the database cannot be written.
pub async fn take_back_edits(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let name = table.object_type.table;
    let sql = format!(
        "SELECT id FROM {name} WHERE sync_status IN ('pending', 'conflict', 'error') ORDER BY id LIMIT {BATCH} FOR UPDATE"
    );
    let keys = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *connection).await;
    let keys: Vec<i64> = keys.map_err(StorageError::query(format!("look for edits of {name}")))?;
    if keys.is_empty() {
        close_open_conflicts(connection, table.object_type, actor, now).await?;
        return remove_jobs(connection, table.object_type).await;
    }
    for row in lock_edited(connection, table, &keys).await? {
        take_back(connection, table, &row, now).await?;
    }
    let mut query = QueryBuilder::new("DELETE FROM jobs WHERE kind = 'push' AND object_type = ");
    query.push_bind(table.object_type.name).push(" AND record_id IN (");
    let mut listed = query.separated(", ");
    for key in &keys {
        listed.push_bind(*key);
    }
    query.push(")");
    let removed = query.build().persistent(false).execute(connection).await;
    removed.map_err(StorageError::query(format!("remove jobs of {name}")))?;
    Ok(keys.len() as u64)
}

/// Takes the edit of a locked row back.
async fn take_back(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    row: &EditedRow,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let name = table.object_type.table;
    let sql = if row.hubspot_id.is_some() {
        let update = RowUpdate {
            key: row.key,
            status: RowStatus::Synced,
            content: row.remote.as_ref().unwrap_or(&row.base),
            base: None,
            copy: None,
            archived_at: None,
            error: None,
            has_news: false,
        };
        write_row(connection, table, &update, now).await?;
        // Some of it may have arrived without our knowing.
        format!("UPDATE {name} SET content_hash = NULL, hubspot_updated_at = NULL WHERE id = ?")
    } else {
        format!("DELETE FROM {name} WHERE id = ?")
    };
    let done = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(row.key).execute(connection).await;
    done.map(|_| ()).map_err(StorageError::query(format!("take an edit of {name} back")))
}

/// Removes what is left of jobs: those of rows that were deleted by SQL, which the audit brings back. Returns how many.
async fn remove_jobs(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
) -> Result<u64, StorageError> {
    let removed = sqlx::query("DELETE FROM jobs WHERE object_type = ?").bind(object_type.name);
    let removed = removed.execute(connection).await;
    removed
        .map(|done| done.rows_affected())
        .map_err(StorageError::query(format!("remove jobs of {object_type}")))
}
