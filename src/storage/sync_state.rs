//! `sync_state`: how far each type is. One row a type; what the daemon decides from and what people look at.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::mysql::MySqlRow;
use sqlx::{MySqlConnection, Row};

use super::{Database, StorageError};
use crate::model::Cursor;

/// Whether something is going on with a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncStatus {
    /// The last run went well and the next has not begun.
    Idle,
    /// A run is under way.
    Running,
    /// The last run failed; `last_error` says why.
    Error,
}

/// What a run sets out to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunMode {
    /// List everything.
    Full,
    /// Search for what changed.
    Incremental,
    /// Read a small table whole.
    Reference,
}

/// What somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestedMode {
    /// List everything.
    Full,
    /// Whatever is due: search for changes if possible.
    Incremental,
}

impl RunMode {
    /// As stored.
    pub fn text(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
            Self::Reference => "reference",
        }
    }
}

impl RequestedMode {
    /// As stored.
    fn text(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
        }
    }
}

impl FromStr for SyncStatus {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [("idle", Self::Idle), ("running", Self::Running), ("error", Self::Error)]
            .into_iter()
            .find_map(|(stored, status)| (stored == text).then_some(status))
            .ok_or(())
    }
}

impl FromStr for RunMode {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let modes = [Self::Full, Self::Incremental, Self::Reference];
        modes.into_iter().find(|mode| mode.text() == text).ok_or(())
    }
}

impl FromStr for RequestedMode {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Full, Self::Incremental].into_iter().find(|mode| mode.text() == text).ok_or(())
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
    /// Failed runs since the last success.
    pub consecutive_failures: i32,
    /// When the next run is due; `None` means at once.
    pub next_run_at: Option<DateTime<Utc>>,
    /// What somebody asked for and nobody has begun.
    pub requested_mode: Option<RequestedMode>,
    /// When they asked.
    pub requested_at: Option<DateTime<Utc>>,
    /// Up to when an audit has proven the mirror equal.
    pub verified_as_of: Option<DateTime<Utc>>,
    /// Records the last audit had to repair.
    pub audit_repairs: i64,
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

/// Turns a row into a [`SyncState`].
fn from_row(row: &MySqlRow) -> Result<SyncState, StorageError> {
    let failed = || StorageError::query("read a row of sync_state");
    let object_type: String = row.try_get("object_type").map_err(failed())?;
    let status = stored(row, &object_type, "status")?;
    Ok(SyncState {
        status: status.ok_or_else(|| inconsistent(&object_type, "status", String::new()))?,
        mode: stored(row, &object_type, "mode")?,
        last_sync_date: row.try_get("last_sync_date").map_err(failed())?,
        watermark: row.try_get("watermark").map_err(failed())?,
        delayed_watermark: row.try_get("delayed_watermark").map_err(failed())?,
        backfill_cursor: row.try_get("backfill_cursor").map_err(failed())?,
        backfill_started_at: row.try_get("backfill_started_at").map_err(failed())?,
        records_synced: row.try_get("records_synced").map_err(failed())?,
        records_total: row.try_get("records_total").map_err(failed())?,
        last_error: row.try_get("last_error").map_err(failed())?,
        last_error_at: row.try_get("last_error_at").map_err(failed())?,
        consecutive_failures: row.try_get("consecutive_failures").map_err(failed())?,
        next_run_at: row.try_get("next_run_at").map_err(failed())?,
        requested_mode: stored(row, &object_type, "requested_mode")?,
        requested_at: row.try_get("requested_at").map_err(failed())?,
        verified_as_of: row.try_get("verified_as_of").map_err(failed())?,
        audit_repairs: row.try_get("audit_repairs").map_err(failed())?,
        object_type,
    })
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

/// The row of one type. Each method is one step of a run; the ones that take a connection belong into the
/// transaction that stored what they tell.
#[derive(Debug, Clone)]
pub struct StateRow {
    database: Database,
    object_type: String,
}

impl StateRow {
    /// The row of `object_type`.
    pub fn new(database: Database, object_type: impl Into<String>) -> Self {
        Self { database, object_type: object_type.into() }
    }

    /// Reads it, making it first where there is none.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn load(&self) -> Result<SyncState, StorageError> {
        let failed = || StorageError::query(format!("read the state of {}", self.object_type));
        sqlx::query("INSERT IGNORE INTO sync_state (object_type) VALUES (?)")
            .bind(&self.object_type)
            .execute(self.database.pool())
            .await
            .map_err(failed())?;
        let row = sqlx::query("SELECT * FROM sync_state WHERE object_type = ?")
            .bind(&self.object_type)
            .fetch_one(self.database.pool())
            .await
            .map_err(failed())?;
        from_row(&row)
    }

    /// Asks for a run; the daemon looks every second.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn request(&self, mode: RequestedMode, now: DateTime<Utc>) -> Result<(), StorageError> {
        self.load().await?;
        self.execute(
            sqlx::query("UPDATE sync_state SET requested_mode = ?, requested_at = ? WHERE object_type = ?")
                .bind(mode.text())
                .bind(now),
        )
        .await
    }

    /// A run begins; it answers the request there may be.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn begin(&self, mode: RunMode) -> Result<(), StorageError> {
        let sql = "UPDATE sync_state SET status = 'running', mode = ?, requested_mode = NULL, requested_at = NULL \
                   WHERE object_type = ?";
        self.execute(sqlx::query(sql).bind(mode.text())).await
    }

    /// A full listing begins. `started_at` is HubSpot's time; `total` the records to expect, where
    /// they could be counted.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn begin_backfill(
        &self,
        started_at: DateTime<Utc>,
        total: Option<u64>,
    ) -> Result<(), StorageError> {
        let sql = "UPDATE sync_state SET mode = 'full', backfill_cursor = '', backfill_started_at = ?, \
                   records_synced = 0, records_total = COALESCE(?, records_total) WHERE object_type = ?";
        self.execute(sqlx::query(sql).bind(started_at).bind(total)).await
    }

    /// A page of the listing is stored. `next` is where the listing continues; without it the listing is complete
    /// and its start becomes the watermark. `listed` counts from the start of the listing, so that a page whose
    /// commit was lost can be stored again.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn advance_backfill(
        &self,
        transaction: &mut MySqlConnection,
        next: Option<&Cursor>,
        listed: u64,
    ) -> Result<(), StorageError> {
        let failed = StorageError::query(format!("record the progress of {}", self.object_type));
        let query = match next {
            Some(cursor) => sqlx::query(
                "UPDATE sync_state SET records_synced = ?, backfill_cursor = ? WHERE object_type = ?",
            )
            .bind(listed)
            .bind(&cursor.0),
            // Assignments are made from left to right, so the second one sees the first. A repeated last page finds
            // the listing closed and changes nothing.
            None => sqlx::query(
                "UPDATE sync_state SET records_synced = ?, records_total = records_synced, \
                 watermark = GREATEST(COALESCE(watermark, backfill_started_at), \
                                      COALESCE(backfill_started_at, watermark)), \
                 delayed_watermark = GREATEST(COALESCE(delayed_watermark, watermark), watermark), \
                 backfill_cursor = NULL, backfill_started_at = NULL WHERE object_type = ?",
            )
            .bind(listed),
        };
        query.bind(&self.object_type).execute(transaction).await.map(|_| ()).map_err(failed)
    }

    /// A page found by search is stored: so many records more.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn count_inserted(
        &self,
        transaction: &mut MySqlConnection,
        inserted: u64,
    ) -> Result<(), StorageError> {
        if inserted == 0 {
            return Ok(());
        }
        let sql = "UPDATE sync_state SET records_synced = records_synced + ?, \
                   records_total = GREATEST(COALESCE(records_total, 0), records_synced) WHERE object_type = ?";
        sqlx::query(sql)
            .bind(inserted)
            .bind(&self.object_type)
            .execute(transaction)
            .await
            .map(|_| ())
            .map_err(StorageError::query("count new records"))
    }

    /// Everything up to `to` is stored. Never moves backward.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn advance_watermark(
        &self,
        transaction: &mut MySqlConnection,
        to: DateTime<Utc>,
    ) -> Result<(), StorageError> {
        self.advance("watermark", transaction, to).await
    }

    /// The delayed pass has come to `to`. Never moves backward.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn advance_delayed_watermark(
        &self,
        transaction: &mut MySqlConnection,
        to: DateTime<Utc>,
    ) -> Result<(), StorageError> {
        self.advance("delayed_watermark", transaction, to).await
    }

    /// Moves one of the two watermarks forward.
    async fn advance(
        &self,
        column: &str,
        transaction: &mut MySqlConnection,
        to: DateTime<Utc>,
    ) -> Result<(), StorageError> {
        let sql = format!(
            "UPDATE sync_state SET {column} = GREATEST(COALESCE({column}, ?), ?) WHERE object_type = ?"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(to)
            .bind(to)
            .bind(&self.object_type)
            .execute(transaction)
            .await
            .map(|_| ())
            .map_err(StorageError::query(format!("move the {column} of {}", self.object_type)))
    }

    /// The run that began at `started_at` went well. `records` replaces the count where the run learnt it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn succeed(
        &self,
        started_at: DateTime<Utc>,
        next_run_at: DateTime<Utc>,
        records: Option<u64>,
    ) -> Result<(), StorageError> {
        let sql = "UPDATE sync_state SET status = 'idle', last_sync_date = ?, next_run_at = ?, \
                   records_synced = COALESCE(?, records_synced), records_total = COALESCE(?, records_total), \
                   last_error = NULL, last_error_at = NULL, consecutive_failures = 0 WHERE object_type = ?";
        self.execute(sqlx::query(sql).bind(started_at).bind(next_run_at).bind(records).bind(records)).await
    }

    /// The run failed.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn fail(
        &self,
        error: &str,
        now: DateTime<Utc>,
        next_run_at: DateTime<Utc>,
    ) -> Result<(), StorageError> {
        let sql = "UPDATE sync_state SET status = 'error', last_error = ?, last_error_at = ?, next_run_at = ?, \
                   consecutive_failures = consecutive_failures + 1 WHERE object_type = ?";
        self.execute(sqlx::query(sql).bind(error).bind(now).bind(next_run_at)).await
    }

    /// The run was told to stop before it was done; it is due again at once.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn interrupt(&self) -> Result<(), StorageError> {
        self.execute(sqlx::query(
            "UPDATE sync_state SET status = 'idle', next_run_at = NULL WHERE object_type = ?",
        ))
        .await
    }

    /// Puts the next run no later than `latest`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn bring_forward(&self, latest: DateTime<Utc>) -> Result<(), StorageError> {
        let sql = "UPDATE sync_state SET next_run_at = LEAST(next_run_at, ?) WHERE object_type = ?";
        self.execute(sqlx::query(sql).bind(latest)).await
    }

    /// Runs an update whose last parameter is the type.
    async fn execute(
        &self,
        query: sqlx::query::Query<'_, sqlx::MySql, sqlx::mysql::MySqlArguments>,
    ) -> Result<(), StorageError> {
        query
            .bind(&self.object_type)
            .execute(self.database.pool())
            .await
            .map(|_| ())
            .map_err(StorageError::query(format!("update the state of {}", self.object_type)))
    }
}
