//! The steps of a run, as its row in `sync_state` tells them.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::sync_state::{Request, RequestedMode, RunMode, SyncState, from_row};
use super::{Database, Lease, RunFailure, StorageError};
use crate::model::Cursor;

/// The row of one type, in the hands of the process that holds the lease; without it nothing is written. Each method
/// is one step of a run; the ones that take a connection belong into the transaction that stored what they tell.
#[derive(Debug, Clone)]
pub struct StateRow {
    database: Database,
    lease: Lease,
    object_type: String,
}

impl StateRow {
    /// The row of `object_type`.
    pub fn new(database: Database, lease: Lease, object_type: impl Into<String>) -> Self {
        Self { database, lease, object_type: object_type.into() }
    }

    /// Reads it, making it first where there is none.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn load(&self) -> Result<SyncState, StorageError> {
        load_state(&self.database, &self.object_type).await
    }

    /// A run begins.
    ///
    /// # Errors
    /// When the database cannot be written or the lease is lost; the same holds for every other step.
    pub async fn begin(&self, mode: RunMode) -> Result<(), StorageError> {
        let sql = "UPDATE sync_state SET status = 'running', mode = ? WHERE object_type = ?";
        self.execute(sqlx::query(sql).bind(mode.word())).await
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

    /// The run that began at `started_at` went well. `records` replaces the count where the run learnt it. The request
    /// it answers, if any, is done; a later one stays.
    ///
    /// # Errors
    /// As [`StateRow::begin`].
    pub async fn succeed(
        &self,
        started_at: DateTime<Utc>,
        next_run_at: DateTime<Utc>,
        records: Option<u64>,
        answered: Option<Request>,
    ) -> Result<(), StorageError> {
        let sql = "UPDATE sync_state SET status = 'idle', last_sync_date = ?, next_run_at = ?, \
                   records_synced = COALESCE(?, records_synced), records_total = COALESCE(?, records_total), \
                   last_error = NULL, last_error_at = NULL, error_kind = NULL, consecutive_failures = 0, \
                   requested_mode = IF(requested_at <=> ?, NULL, requested_mode), \
                   requested_at = IF(requested_mode IS NULL, NULL, requested_at) WHERE object_type = ?";
        let query = sqlx::query(sql).bind(started_at).bind(next_run_at).bind(records).bind(records);
        self.execute(query.bind(answered.map(|request| request.at))).await
    }

    /// The run failed, and with it whatever was asked for.
    ///
    /// # Errors
    /// As [`StateRow::begin`].
    pub async fn fail(
        &self,
        failure: &RunFailure,
        now: DateTime<Utc>,
        next_run_at: DateTime<Utc>,
    ) -> Result<(), StorageError> {
        let sql = "UPDATE sync_state SET status = 'error', last_error = ?, error_kind = ?, last_error_at = ?, \
                   next_run_at = ?,                    consecutive_failures = consecutive_failures + 1, requested_mode = NULL, requested_at = NULL \
                   WHERE object_type = ?";
        let query = sqlx::query(sql).bind(&failure.report).bind(failure.kind.word());
        self.execute(query.bind(now).bind(next_run_at)).await
    }

    /// There is nothing left to do under this name: the row goes.
    ///
    /// # Errors
    /// As [`StateRow::begin`].
    pub async fn remove(&self) -> Result<(), StorageError> {
        self.execute(sqlx::query("DELETE FROM sync_state WHERE object_type = ?")).await
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
        let mut transaction = self.lease.begin(&self.database).await?;
        let updated = query.bind(&self.object_type).execute(&mut *transaction).await;
        updated.map_err(StorageError::query(format!("update the state of {}", self.object_type)))?;
        transaction.commit().await
    }
}

/// Reads the row of a type, making it first where there is none.
async fn load_state(database: &Database, object_type: &str) -> Result<SyncState, StorageError> {
    let failed = || StorageError::query(format!("read the state of {object_type}"));
    sqlx::query("INSERT IGNORE INTO sync_state (object_type) VALUES (?)")
        .bind(object_type)
        .execute(database.pool())
        .await
        .map_err(failed())?;
    let row = sqlx::query("SELECT * FROM sync_state WHERE object_type = ?")
        .bind(object_type)
        .fetch_one(database.pool())
        .await
        .map_err(failed())?;
    from_row(&row)
}

/// Asks the process that holds the lease for a run; it looks every second. A full run asked for earlier stays a full
/// run.
///
/// # Errors
/// When the database cannot be written.
pub async fn request_run(
    database: &Database,
    object_type: &str,
    mode: RequestedMode,
) -> Result<(), StorageError> {
    load_state(database, object_type).await?;
    // The time names the request, so it must rise even within a millisecond.
    let sql = "UPDATE sync_state SET requested_mode = IF(requested_mode = 'full', 'full', ?), \
               requested_at = GREATEST(UTC_TIMESTAMP(3), COALESCE(requested_at + INTERVAL 1000 MICROSECOND, UTC_TIMESTAMP(3))) \
               WHERE object_type = ?";
    sqlx::query(sql)
        .bind(mode.word())
        .bind(object_type)
        .execute(database.pool())
        .await
        .map(|_| ())
        .map_err(StorageError::query(format!("ask for a run of {object_type}")))
}
