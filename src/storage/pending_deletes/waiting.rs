//! Deletes that wait for a person, and that person's word.

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::PendingDelete;
use crate::model::ObjectId;
use crate::storage::{Database, StorageError};

/// Deletes that wait for a person: those of a pass that was stopped because of them. What a pass under way has gathered
/// is not among them.
const STOPPED: &str = "NOT confirmed AND EXISTS (SELECT 1 FROM sync_lanes \
                       WHERE sync_lanes.object_type = pending_deletes.object_type \
                       AND sync_lanes.lane = pending_deletes.found_by \
                       AND sync_lanes.status = 'error' AND sync_lanes.pass_cursor IS NULL)";

/// What waits of the type at this moment.
const MARK: &str =
    "SELECT COUNT(*) AS count, MAX(found_at) AS newest FROM pending_deletes WHERE object_type = ? AND";

/// Confirms what waits of a type.
const CONFIRM: &str = "UPDATE pending_deletes SET confirmed = TRUE WHERE object_type = ? AND";

/// How many deletes wait for a person, by type.
///
/// # Errors
/// When the database cannot be read.
pub async fn pending_deletes(database: &Database) -> Result<Vec<(String, u64)>, StorageError> {
    let sql =
        format!("SELECT object_type, COUNT(*) FROM pending_deletes WHERE {STOPPED} GROUP BY object_type");
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql));
    let rows: Result<Vec<(String, i64)>, _> = query.fetch_all(database.pool()).await;
    let rows = rows.map_err(StorageError::query("read the pending deletes"))?;
    Ok(rows.into_iter().map(|(object_type, count)| (object_type, count.unsigned_abs())).collect())
}

/// A delete that waits for a person, as it is stored.
#[derive(FromRow)]
struct Waiting {
    hubspot_id: i64,
    reason: String,
    archived_at: Option<DateTime<Utc>>,
    found_at: DateTime<Utc>,
}

/// Deletes of the type that wait for a person, by id, at most `limit`.
///
/// # Errors
/// When the database cannot be read or a row holds what this version does not know.
pub async fn waiting_deletes(
    database: &Database,
    object_type: &str,
    limit: u32,
) -> Result<Vec<PendingDelete>, StorageError> {
    let sql = format!(
        "SELECT hubspot_id, reason, archived_at, found_at FROM pending_deletes WHERE object_type = ? AND {STOPPED} \
         ORDER BY hubspot_id LIMIT ?"
    );
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(object_type).bind(limit);
    let rows: Result<Vec<Waiting>, _> = query.fetch_all(database.pool()).await;
    let rows = rows.map_err(StorageError::query(format!("read the pending deletes of {object_type}")))?;
    let delete = |Waiting { hubspot_id, reason, archived_at, found_at }| {
        let (table, column, row) = ("pending_deletes", "reason", hubspot_id.to_string());
        let unknown = |value| StorageError::Inconsistent { table, row, column, value };
        let reason = reason.parse().map_err(|()| unknown(reason))?;
        Ok(PendingDelete { id: ObjectId(hubspot_id), reason, archived_at, found_at })
    };
    rows.into_iter().map(delete).collect()
}

/// What tells the deletes of a type that wait for a person from others: each that is found later has a later time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct WaitingMark {
    /// How many there are.
    pub count: i64,
    /// When the last one was found; `None` when there is none.
    pub newest: Option<DateTime<Utc>>,
}

/// What waits for a person of the type.
///
/// # Errors
/// When the database cannot be read.
pub async fn waiting_mark(database: &Database, object_type: &str) -> Result<WaitingMark, StorageError> {
    let sql = format!("{MARK} {STOPPED}");
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(object_type);
    let found = query.fetch_one(database.pool()).await;
    found.map_err(StorageError::query(format!("read the pending deletes of {object_type}")))
}

/// Confirms the deletes of the type that somebody was shown; `false` when others wait by now, and nothing is confirmed.
///
/// # Errors
/// When the database cannot be written.
pub async fn confirm_deletes_as_seen(
    database: &Database,
    object_type: &str,
    seen: WaitingMark,
) -> Result<bool, StorageError> {
    let failed = || StorageError::query(format!("confirm the pending deletes of {object_type}"));
    let mut transaction = database.begin().await?;
    let query = sqlx::query_as(sqlx::AssertSqlSafe(format!("{MARK} {STOPPED} FOR UPDATE"))).bind(object_type);
    let waiting: WaitingMark = query.fetch_one(&mut *transaction).await.map_err(failed())?;
    if waiting != seen {
        return Ok(false);
    }
    let query = sqlx::query(sqlx::AssertSqlSafe(format!("{CONFIRM} {STOPPED}"))).bind(object_type);
    query.execute(&mut *transaction).await.map_err(failed())?;
    transaction.commit().await.map(|()| true).map_err(failed())
}

/// Confirms every delete of the type that waits for a person; returns how many there were.
///
/// # Errors
/// When the database cannot be written.
pub async fn confirm_deletes(database: &Database, object_type: &str) -> Result<u64, StorageError> {
    let query = sqlx::query(sqlx::AssertSqlSafe(format!("{CONFIRM} {STOPPED}"))).bind(object_type);
    let confirmed = query.execute(database.pool()).await;
    confirmed
        .map(|done| done.rows_affected())
        .map_err(StorageError::query(format!("confirm the pending deletes of {object_type}")))
}
