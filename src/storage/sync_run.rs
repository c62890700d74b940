//! `sync_runs`: what every run did.

mod listing;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::MySqlConnection;

use super::words::stored_words;
use super::{Database, Lease, PageOutcome, StorageError, UpkeepLane};
use crate::model::Window;

pub use listing::{Run, RunFilter, latest_runs, list_runs};

/// How long finished runs are kept.
const KEPT: TimeDelta = TimeDelta::days(90);

stored_words! {
    /// The way a run finds records: as a regular run, or as one of [`UpkeepLane`].
    pub enum Lane {
        /// Listing everything.
        Backfill = "backfill",
        /// Searching a window of modification time.
        Incremental = "incremental",
        /// Searching an older window again, for what the index delivered late.
        Delayed = "delayed",
        /// Reading a small table whole.
        Reference = "reference",
        /// Listing the recycle bin.
        Archive = "archive",
        /// Listing the values of properties that stored records lack.
        Fill = "fill",
        /// Reading links between records.
        Associations = "associations",
        /// Comparing the mirror with a listing.
        Audit = "audit",
    }
}

stored_words! {
    /// Why a run began.
    pub enum Trigger {
        /// Its time had come.
        Schedule = "schedule",
        /// Somebody asked.
        Request = "request",
    }
}

stored_words! {
    /// How a run ended.
    pub enum Outcome {
        /// It did all it set out to do.
        Succeeded = "succeeded",
        /// It gave up; `error` says why.
        Failed = "failed",
        /// It was told to stop, or its process died.
        Interrupted = "interrupted",
    }
}

impl From<UpkeepLane> for Lane {
    fn from(lane: UpkeepLane) -> Self {
        match lane {
            UpkeepLane::Archive => Self::Archive,
            UpkeepLane::Fill => Self::Fill,
            UpkeepLane::Associations => Self::Associations,
            UpkeepLane::Audit => Self::Audit,
        }
    }
}

impl Lane {
    /// Whether it is one of [`UpkeepLane`].
    fn is_upkeep(self) -> bool {
        UpkeepLane::ALL.iter().any(|&lane| Self::from(lane) == self)
    }
}

/// A run that is about to begin.
#[derive(Debug, Clone, Copy)]
pub struct NewRun<'a> {
    /// As in `sync_state`.
    pub object_type: &'a str,
    /// How it finds records.
    pub lane: Lane,
    /// Why it began.
    pub trigger: Trigger,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// The window it searches; `None` for listings.
    pub window: Option<Window>,
}

/// The figures of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunCounts {
    /// Records HubSpot showed.
    pub fetched: u64,
    /// What became of them.
    pub outcome: PageOutcome,
    /// Requests sent.
    pub requests: u64,
}

impl RunCounts {
    /// Adds a page.
    pub fn add(&mut self, fetched: u64, page: PageOutcome) {
        self.fetched += fetched;
        self.outcome.inserted += page.inserted;
        self.outcome.updated += page.updated;
        self.outcome.unchanged += page.unchanged;
        self.outcome.deleted += page.deleted;
        self.outcome.quarantined += page.quarantined;
    }
}

/// Records the beginning of a run and returns its id. Lets go of runs older than 90 days, and closes one of the same
/// type whose end could not be recorded: a type has one regular run and one of each upkeep lane at a time.
///
/// # Errors
/// When the database cannot be written.
pub async fn start_run(database: &Database, run: &NewRun<'_>) -> Result<u64, StorageError> {
    let failed = || StorageError::query(format!("record a run of {}", run.object_type));
    sqlx::query("DELETE FROM sync_runs WHERE started_at < ? ORDER BY started_at LIMIT 100")
        .bind(run.started_at - KEPT)
        .execute(database.pool())
        .await
        .map_err(failed())?;
    let upkeep: Vec<_> = UpkeepLane::ALL.iter().map(|lane| format!("'{lane}'")).collect();
    let sql = format!(
        "UPDATE sync_runs SET outcome = 'interrupted', finished_at = ? WHERE object_type = ? AND outcome = 'running' \
         AND IF(?, lane = ?, lane NOT IN ({}))",
        upkeep.join(", ")
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(run.started_at)
        .bind(run.object_type)
        .bind(run.lane.is_upkeep())
        .bind(run.lane.word())
        .execute(database.pool())
        .await
        .map_err(failed())?;
    let inserted = sqlx::query(
        "INSERT INTO sync_runs (object_type, lane, triggered_by, started_at, window_start, window_end) \
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(run.object_type)
    .bind(run.lane.word())
    .bind(run.trigger.word())
    .bind(run.started_at)
    .bind(run.window.map(|window| window.start))
    .bind(run.window.map(|window| window.end))
    .execute(database.pool())
    .await
    .map_err(failed())?;
    Ok(inserted.last_insert_id())
}

/// Writes the figures so far, inside the transaction of the page they include, so that a killed run still tells.
///
/// # Errors
/// When the database cannot be written.
pub async fn count_page(
    connection: &mut MySqlConnection,
    run_id: u64,
    counts: &RunCounts,
) -> Result<(), StorageError> {
    sqlx::query(
        "UPDATE sync_runs SET fetched = ?, inserted = ?, updated = ?, unchanged = ?, deleted = ?, \
         quarantined = ?, requests = ? WHERE run_id = ?",
    )
    .bind(counts.fetched)
    .bind(counts.outcome.inserted)
    .bind(counts.outcome.updated)
    .bind(counts.outcome.unchanged)
    .bind(counts.outcome.deleted)
    .bind(counts.outcome.quarantined)
    .bind(counts.requests)
    .bind(run_id)
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(StorageError::query("count a page"))
}

/// Records the end of a run with its final figures. Idempotent.
///
/// # Errors
/// When the database cannot be written.
pub async fn finish_run(
    database: &Database,
    run_id: u64,
    outcome: Outcome,
    counts: &RunCounts,
    error: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let mut transaction = database.begin().await?;
    count_page(&mut transaction, run_id, counts).await?;
    let failed = || StorageError::query("record the end of a run");
    sqlx::query("UPDATE sync_runs SET outcome = ?, error = ?, finished_at = ? WHERE run_id = ?")
        .bind(outcome.word())
        .bind(error)
        .bind(now)
        .bind(run_id)
        .execute(&mut *transaction)
        .await
        .map_err(failed())?;
    transaction.commit().await.map_err(failed())
}

/// Records what an audit found: in its run, and in `sync_state` of its type up to when the mirror is `verified`, if it
/// is, and how many records were `repaired`, if any was to be.
///
/// # Errors
/// When the database cannot be written or the lease is lost.
pub async fn record_audit(
    database: &Database,
    lease: &Lease,
    (object_type, run_id): (&str, u64),
    report: &Value,
    verified: Option<DateTime<Utc>>,
    repaired: Option<u64>,
) -> Result<(), StorageError> {
    let failed = || StorageError::query(format!("record the audit of {object_type}"));
    let mut transaction = lease.begin(database).await?;
    sqlx::query("UPDATE sync_runs SET report = ? WHERE run_id = ?")
        .bind(report.to_string())
        .bind(run_id)
        .execute(&mut *transaction)
        .await
        .map_err(failed())?;
    sqlx::query(
        "UPDATE sync_state SET verified_as_of = COALESCE(?, verified_as_of), \
         audit_repairs = COALESCE(?, audit_repairs) WHERE object_type = ?",
    )
    .bind(verified)
    .bind(repaired)
    .bind(object_type)
    .execute(&mut *transaction)
    .await
    .map_err(failed())?;
    transaction.commit().await
}

/// The id of the newest run, 0 before the first.
///
/// # Errors
/// When the database cannot be read.
pub async fn last_run(database: &Database) -> Result<i64, StorageError> {
    let query = sqlx::query_scalar("SELECT COALESCE(MAX(run_id), 0) FROM sync_runs");
    query.fetch_one(database.pool()).await.map_err(StorageError::query("look for the newest run"))
}

/// What the newest audit of a type found that began after the run `after`; `None` when there is none.
///
/// # Errors
/// When the database cannot be read.
pub async fn load_report(
    database: &Database,
    object_type: &str,
    after: i64,
) -> Result<Option<Value>, StorageError> {
    let sql = "SELECT report FROM sync_runs WHERE object_type = ? AND run_id > ? AND report IS NOT NULL \
               ORDER BY run_id DESC LIMIT 1";
    let query = sqlx::query_scalar(sql).bind(object_type).bind(after);
    query
        .fetch_optional(database.pool())
        .await
        .map_err(StorageError::query(format!("read the audit of {object_type}")))
}

/// Closes runs that a dead process left open. Call it only with the lease in hand.
///
/// # Errors
/// When the database cannot be written.
pub async fn interrupt_open_runs(database: &Database, now: DateTime<Utc>) -> Result<u64, StorageError> {
    let failed = || StorageError::query("close the runs of a dead process");
    for sql in [
        "UPDATE sync_state SET status = 'idle' WHERE status = 'running'",
        "UPDATE sync_lanes SET status = 'idle' WHERE status = 'running'",
    ] {
        sqlx::query(sql).execute(database.pool()).await.map_err(failed())?;
    }
    sqlx::query("UPDATE sync_runs SET outcome = 'interrupted', finished_at = ? WHERE outcome = 'running'")
        .bind(now)
        .execute(database.pool())
        .await
        .map(|done| done.rows_affected())
        .map_err(failed())
}
