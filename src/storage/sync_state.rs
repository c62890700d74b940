//! `sync_state`: how far each type is. One row a type; what the daemon decides from and what people look at.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row};

use super::words::stored_words;
use super::{Database, FailureKind, Lease, StorageError, UpkeepLane};

stored_words! {
    /// Whether something is going on with a type.
    pub enum SyncStatus {
        /// The last run went well and the next has not begun.
        Idle = "idle",
        /// A run is under way.
        Running = "running",
        /// The last run failed; `last_error` says why.
        Error = "error",
    }
}

stored_words! {
    /// What a run sets out to do.
    pub enum RunMode {
        /// List everything.
        Full = "full",
        /// Search for what changed.
        Incremental = "incremental",
        /// Read a small table whole.
        Reference = "reference",
    }
}

stored_words! {
    /// What somebody asked for.
    pub enum RequestedMode {
        /// List everything.
        Full = "full",
        /// Whatever is due: search for changes if possible.
        Incremental = "incremental",
    }
}

/// A row of `sync_state`. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SyncState {
    /// `contacts`, `companies`, `deals`, `deal_pipelines`, `owners`, …
    pub object_type: String,
    /// Whether something is going on.
    pub status: SyncStatus,
    /// Of the current or last run; `None` before the first.
    pub mode: Option<RunMode>,
    /// Start of the last successful run.
    pub last_sync_date: Option<DateTime<Utc>>,
    /// Every change up to here is in the mirror; `None` until the first full listing ended.
    pub watermark: Option<DateTime<Utc>>,
    /// The delayed pass has repeated the searches up to here.
    pub delayed_watermark: Option<DateTime<Utc>>,
    /// Where the full listing under way continues: empty at its start, `None` when none is under way.
    pub backfill_cursor: Option<String>,
    /// Start of the full listing under way, HubSpot's clock.
    pub backfill_started_at: Option<DateTime<Utc>>,
    /// Records in the mirror; during a full listing those listed so far.
    pub records_synced: i64,
    /// Records in HubSpot when last counted.
    pub records_total: Option<i64>,
    /// What went wrong and what to do.
    pub last_error: Option<String>,
    /// When.
    pub last_error_at: Option<DateTime<Utc>>,
    /// The sort of what went wrong; `None` also after a failure of an earlier version.
    pub error_kind: Option<FailureKind>,
    /// Lanes that failed or were stopped, and what to do.
    pub notice: Option<String>,
    /// What waits for the daily request limit, and until when.
    pub waiting: Option<String>,
    /// Failed runs since the last success.
    pub consecutive_failures: i32,
    /// When the next run is due; `None` means at once.
    pub next_run_at: Option<DateTime<Utc>>,
    /// What somebody asked for and no run has answered yet.
    pub requested_mode: Option<RequestedMode>,
    /// When they asked, database clock; names the request.
    pub requested_at: Option<DateTime<Utc>>,
    /// Up to when an audit has proven the mirror equal.
    pub verified_as_of: Option<DateTime<Utc>>,
    /// Records the last audit had to repair.
    pub audit_repairs: i64,
}

#[cfg(test)]
impl SyncState {
    /// A type with ten records that was brought up to date then; `None`: never.
    pub(crate) fn synced(object_type: &str, at: Option<DateTime<Utc>>) -> Self {
        Self {
            object_type: object_type.to_owned(),
            status: SyncStatus::Idle,
            mode: None,
            last_sync_date: at,
            watermark: at,
            delayed_watermark: None,
            backfill_cursor: None,
            backfill_started_at: None,
            records_synced: 10,
            records_total: Some(10),
            last_error: None,
            last_error_at: None,
            error_kind: None,
            notice: None,
            waiting: None,
            consecutive_failures: 0,
            next_run_at: None,
            requested_mode: None,
            requested_at: None,
            verified_as_of: None,
            audit_repairs: 0,
        }
    }
}

/// A run somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What they asked for.
    pub mode: RequestedMode,
    /// When; a later request for the same type has another time.
    pub at: DateTime<Utc>,
}

impl SyncState {
    /// The request nobody has answered yet.
    pub fn request(&self) -> Option<Request> {
        Some(Request { mode: self.requested_mode?, at: self.requested_at? })
    }
}

/// Every row, the freshest type first.
///
/// # Errors
/// When the database cannot be read or a row holds what this version does not know.
pub async fn load_states(database: &Database) -> Result<Vec<SyncState>, StorageError> {
    let rows = sqlx::query("SELECT * FROM sync_state ORDER BY last_sync_date DESC, object_type")
        .fetch_all(database.pool())
        .await
        .map_err(StorageError::query("read sync_state"))?;
    rows.iter().map(from_row).collect()
}

/// Clears the errors of every type that is not among `synced`, and those of its lanes: nobody runs it any more, so no
/// run would clear them. So for lanes that are `off`.
///
/// # Errors
/// When the database cannot be written or the lease is lost.
pub async fn retire_others(
    database: &Database,
    lease: &Lease,
    synced: &[String],
    off: &[UpkeepLane],
) -> Result<(), StorageError> {
    let mut transaction = lease.begin(database).await?;
    for table in ["sync_state", "sync_lanes"] {
        let mut update = QueryBuilder::<MySql>::new(format!(
            "UPDATE {table} SET status = 'idle', last_error = NULL, last_error_at = NULL, error_kind = NULL, \
             consecutive_failures = 0 \
             WHERE status = 'error' AND (object_type NOT IN ("
        ));
        push_words(&mut update, synced.iter().map(String::as_str));
        update.push(")");
        if table == "sync_lanes" && !off.is_empty() {
            update.push(" OR lane IN (");
            push_words(&mut update, off.iter().map(|lane| lane.word()));
            update.push(")");
        }
        update.push(")");
        let updated = update.build().persistent(false).execute(&mut *transaction).await;
        updated.map_err(StorageError::query("clear the errors of what is not synced"))?;
    }
    let forget = "UPDATE sync_state SET notice = NULL WHERE notice IS NOT NULL AND object_type NOT IN \
                  (SELECT object_type FROM sync_lanes WHERE status = 'error')";
    let forgotten = sqlx::query(forget).execute(&mut *transaction).await;
    forgotten.map_err(StorageError::query("clear the notices of what is not synced"))?;
    transaction.commit().await
}

/// Adds bound words to a list.
fn push_words<'w>(query: &mut QueryBuilder<MySql>, words: impl Iterator<Item = &'w str>) {
    let mut list = query.separated(", ");
    for word in words {
        list.push_bind(word.to_owned());
    }
}

/// Shows in every row what waits for the daily request limit, `None` when nothing does.
///
/// # Errors
/// When the database cannot be written or the lease is lost.
pub async fn show_waiting(
    database: &Database,
    lease: &Lease,
    waiting: Option<&str>,
) -> Result<(), StorageError> {
    let mut transaction = lease.begin(database).await?;
    let query = sqlx::query("UPDATE sync_state SET waiting = ?").bind(waiting);
    let shown = query.execute(&mut *transaction).await;
    shown.map_err(StorageError::query("show what waits for the daily limit"))?;
    transaction.commit().await
}

/// Turns a row into a [`SyncState`].
pub(super) fn from_row(row: &MySqlRow) -> Result<SyncState, StorageError> {
    let read = || -> Result<SyncState, sqlx::Error> {
        Ok(SyncState {
            object_type: row.try_get("object_type")?,
            status: SyncStatus::Idle,
            mode: None,
            last_sync_date: row.try_get("last_sync_date")?,
            watermark: row.try_get("watermark")?,
            delayed_watermark: row.try_get("delayed_watermark")?,
            backfill_cursor: row.try_get("backfill_cursor")?,
            backfill_started_at: row.try_get("backfill_started_at")?,
            records_synced: row.try_get("records_synced")?,
            records_total: row.try_get("records_total")?,
            last_error: row.try_get("last_error")?,
            last_error_at: row.try_get("last_error_at")?,
            error_kind: None,
            notice: row.try_get("notice")?,
            waiting: row.try_get("waiting")?,
            consecutive_failures: row.try_get("consecutive_failures")?,
            next_run_at: row.try_get("next_run_at")?,
            requested_mode: None,
            requested_at: row.try_get("requested_at")?,
            verified_as_of: row.try_get("verified_as_of")?,
            audit_repairs: row.try_get("audit_repairs")?,
        })
    };
    let mut state = read().map_err(StorageError::query("read a row of sync_state"))?;
    let name = state.object_type.clone();
    state.status = stored(row, &name, "status")?.unwrap_or(SyncStatus::Idle);
    state.mode = stored(row, &name, "mode")?;
    state.error_kind = stored(row, &name, "error_kind")?;
    state.requested_mode = stored(row, &name, "requested_mode")?;
    Ok(state)
}

/// A column that holds one of a few words.
fn stored<T: FromStr>(
    row: &MySqlRow,
    object_type: &str,
    column: &'static str,
) -> Result<Option<T>, StorageError> {
    let text: Option<String> =
        row.try_get(column).map_err(StorageError::query("read a row of sync_state"))?;
    text.map(|text| text.parse().map_err(|_| inconsistent(object_type, column, text))).transpose()
}

/// The error for a word this version does not know.
fn inconsistent(object_type: &str, column: &'static str, value: String) -> StorageError {
    StorageError::Inconsistent { table: "sync_state", row: object_type.to_owned(), column, value }
}
