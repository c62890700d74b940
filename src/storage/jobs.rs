//! `jobs`: what is left to do in HubSpot, one row a record, whatever edits came since.
//!
//! An edit puts its job in the transaction that makes it ([`enqueue_sql`]). A worker claims jobs under a lease, works on
//! them outside of any transaction, and settles each in the transaction that stores what came of it. A worker that has
//! died leaves its jobs behind until their lease is over ([`rescue_jobs`]); one that was only slow finds them claimed by
//! somebody else, told by `claims`, and settles nothing.
//!
//! People edit in transactions of their own, at any isolation level, and leave them open. Whoever edits a record holds
//! its job, so nothing here waits for a locked job but the functions that settle a single one, whose row the same person
//! holds anyway. Times are the database's, because two processes and every editor must agree on them.

mod figures;
mod rescue;
mod settle;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, MySqlConnection, QueryBuilder, Row};

use super::words::stored_words;
use super::{Database, StorageError};

pub use figures::{
    JobEntry, QueueFigures, count_dead, count_stuck, dead_jobs, deleted_records, held_jobs, next_due,
    queue_figures, stuck_among,
};
pub use rescue::{Chosen, Rescued, rescue_jobs, revive_job, revive_jobs};
pub use settle::{
    Settled, finish_job, give_back_jobs, note_sent, park_job, postpone_jobs, repeat_job, retry_job,
};

/// Jobs a statement reads or writes.
const BATCH: usize = 500;
/// Most bytes of a reason that are kept: far more than anybody reads, far less than a TEXT holds.
const KEPT_BYTES: usize = 4096;

stored_words! {
    /// What is to be done.
    pub enum JobKind {
        /// Bring a row in step with HubSpot.
        Push = "push",
        /// A row was deleted by SQL.
        Deleted = "deleted",
    }
}

stored_words! {
    /// Where a job stands.
    pub enum JobState {
        /// It is to be done as soon as it is due.
        Ready = "ready",
        /// A worker has it.
        Running = "running",
        /// It waits for a person.
        Dead = "dead",
    }
}

/// A job in the hands of the worker that claimed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its number.
    pub id: i64,
    /// The type of its record.
    pub object_type: String,
    /// What is to be done.
    pub kind: JobKind,
    /// Of a push the id of the row, else the id in HubSpot.
    pub record_id: i64,
    /// The edits it stands for: the last one known when it was claimed.
    pub generation: i64,
    /// Tries since the last edit, this one included.
    pub attempts: u32,
    /// The first of those edits, database clock.
    pub created_at: DateTime<Utc>,
    /// What an earlier try has asked HubSpot to store, without a known end: values by name, empty to clear one.
    pub sent: BTreeMap<String, String>,
    /// How often it was claimed, this time included; tells this claim from every other one.
    claims: i64,
}

impl Job {
    /// Whether it was claimed before and not done: some of it may have been done all the same.
    pub fn was_tried(&self) -> bool {
        self.claims > 1
    }

    /// A job as it is from its claim on.
    fn claimed(row: &MySqlRow, object_type: &str, kind: JobKind) -> Result<Self, sqlx::Error> {
        let sent: Option<String> = row.try_get("sent")?;
        Ok(Self {
            id: row.try_get("id")?,
            object_type: object_type.to_owned(),
            kind,
            record_id: row.try_get("record_id")?,
            generation: row.try_get("generation")?,
            attempts: row.try_get::<i32, _>("attempts")?.unsigned_abs() + 1,
            created_at: row.try_get("created_at")?,
            sent: sent.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
            claims: row.try_get::<i64, _>("claims")? + 1,
        })
    }
}

/// The statement that puts a job, or tells the one that is there of another edit. The arguments are SQL expressions: `?`
/// each, or what a trigger knows. It takes no lock but that of the job itself, also under REPEATABLE READ.
///
/// The database sets the times by UTC, because the session of an editor may have any time zone.
pub(super) fn enqueue_sql(object_type: &str, kind: &str, record_id: &str) -> String {
    format!(
        "INSERT INTO jobs (object_type, kind, record_id, run_at, created_at, updated_at) \
         VALUES ({object_type}, {kind}, {record_id}, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), UTC_TIMESTAMP(3)) \
         ON DUPLICATE KEY UPDATE generation = generation + 1, attempts = 0, last_error = NULL, waiting = NULL, \
         state = IF(state = 'running', 'running', 'ready'), run_at = UTC_TIMESTAMP(3), updated_at = UTC_TIMESTAMP(3)"
    )
}

/// Puts a job for each record, inside the caller's transaction.
///
/// # Errors
/// When the database cannot be written.
pub async fn enqueue_jobs(
    connection: &mut MySqlConnection,
    object_type: &str,
    kind: JobKind,
    record_ids: &[i64],
) -> Result<(), StorageError> {
    let sql = enqueue_sql("?", "?", "?");
    let mut record_ids = record_ids.to_vec();
    record_ids.sort_unstable();
    for record_id in record_ids {
        let query = sqlx::query(sqlx::AssertSqlSafe(sql.as_str()));
        let query = query.bind(object_type).bind(kind.word()).bind(record_id);
        let queued = query.execute(&mut *connection).await;
        queued.map_err(StorageError::query(format!("put a job for {object_type}")))?;
    }
    Ok(())
}

/// Takes up to `limit` jobs that are due, those that have waited longest first. Until `lease` is over they are
/// `worker`'s.
///
/// # Errors
/// When the database cannot be written. Should the commit fail, whatever was claimed is [rescued](rescue_jobs) in time.
pub async fn claim_jobs(
    database: &Database,
    worker: &str,
    object_type: &str,
    kind: JobKind,
    limit: u32,
    lease: Duration,
) -> Result<Vec<Job>, StorageError> {
    let failed = || StorageError::query(format!("claim jobs of {object_type}"));
    // Any other index would lock rows behind the last one returned.
    let sql = "SELECT id, record_id, generation, attempts, claims, created_at, sent \
               FROM jobs FORCE INDEX (jobs_to_claim) \
               WHERE state = 'ready' AND object_type = ? AND kind = ? AND run_at <= UTC_TIMESTAMP(3) \
               ORDER BY run_at, id LIMIT ? FOR UPDATE SKIP LOCKED";
    let mut transaction = database.begin().await?;
    let query = sqlx::query(sql).bind(object_type).bind(kind.word()).bind(limit);
    let rows = query.fetch_all(&mut *transaction).await.map_err(failed())?;
    let read = |row: &MySqlRow| Job::claimed(row, object_type, kind);
    let jobs = rows.iter().map(read).collect::<Result<Vec<_>, _>>().map_err(failed())?;
    if !jobs.is_empty() {
        let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
        let mut update = QueryBuilder::new(
            "UPDATE jobs FORCE INDEX (jobs_by_id) SET state = 'running', attempts = attempts + 1, \
             claims = claims + 1, waiting = NULL, updated_at = UTC_TIMESTAMP(3), locked_by = ",
        );
        update.push_bind(worker);
        push_lease(update.push(", lease_until = "), lease);
        update_these(&mut transaction, update, &ids).await?;
    }
    transaction.commit().await.map_err(failed())?;
    Ok(jobs)
}

/// Extends the lease of the jobs to `lease` from now. Returns the ids of those that are not the caller's any more.
///
/// # Errors
/// When the database cannot be written; the jobs may still be the caller's then.
pub async fn renew_jobs(
    database: &Database,
    jobs: &[Job],
    lease: Duration,
) -> Result<Vec<i64>, StorageError> {
    let extend = |update: &mut QueryBuilder<MySql>| {
        push_lease(update.push("lease_until = "), lease);
    };
    update_held(database, jobs, extend).await?;
    let mut lost = Vec::new();
    for chunk in jobs.chunks(BATCH) {
        let mut query = QueryBuilder::new("SELECT id, claims FROM jobs WHERE state = 'running' AND id IN ");
        push_ids(&mut query, chunk.iter().map(|job| job.id));
        let held: Result<Vec<(i64, i64)>, _> =
            query.build_query_as().persistent(false).fetch_all(database.pool()).await;
        let held = held.map_err(StorageError::query("look for jobs under a lease"))?;
        lost.extend(chunk.iter().filter(|job| !held.contains(&(job.id, job.claims))).map(|job| job.id));
    }
    Ok(lost)
}

/// Sets columns of those of the jobs that are still in the hands of who claimed them, without waiting for one that
/// somebody has locked. Returns the ids of those.
async fn update_held(
    database: &Database,
    jobs: &[Job],
    set: impl Fn(&mut QueryBuilder<MySql>),
) -> Result<Vec<i64>, StorageError> {
    let mut updated = Vec::with_capacity(jobs.len());
    for chunk in jobs.chunks(BATCH) {
        let mut transaction = database.begin().await?;
        let held = lock_held(&mut transaction, chunk).await?;
        let mut update =
            QueryBuilder::new("UPDATE jobs FORCE INDEX (jobs_by_id) SET updated_at = UTC_TIMESTAMP(3), ");
        set(&mut update);
        update_these(&mut transaction, update, &held).await?;
        transaction.commit().await.map_err(StorageError::query("update claimed jobs"))?;
        updated.extend(held);
    }
    Ok(updated)
}

/// Locks those of the jobs that are still in the hands of who claimed them and that nobody else has locked; returns their
/// ids.
async fn lock_held<'j>(
    connection: &mut MySqlConnection,
    jobs: impl IntoIterator<Item = &'j Job>,
) -> Result<Vec<i64>, StorageError> {
    let claimed: Vec<_> = jobs.into_iter().map(|job| (job.id, job.claims)).collect();
    if claimed.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::new(
        "SELECT id, claims FROM jobs FORCE INDEX (jobs_by_id) WHERE state = 'running' AND id IN ",
    );
    push_ids(&mut query, claimed.iter().map(|(id, _)| *id));
    query.push(" FOR UPDATE SKIP LOCKED");
    let found: Result<Vec<(i64, i64)>, _> =
        query.build_query_as().persistent(false).fetch_all(connection).await;
    let found = found.map_err(StorageError::query("lock claimed jobs"))?;
    Ok(claimed.into_iter().filter(|job| found.contains(job)).map(|(id, _)| id).collect())
}

/// Runs an update on jobs that the transaction has locked.
async fn update_these(
    transaction: &mut MySqlConnection,
    mut update: QueryBuilder<MySql>,
    ids: &[i64],
) -> Result<(), StorageError> {
    if ids.is_empty() {
        return Ok(());
    }
    update.push(" WHERE id IN ");
    push_ids(&mut update, ids.iter().copied());
    let updated = update.build().persistent(false).execute(transaction).await;
    updated.map(|_| ()).map_err(StorageError::query("update jobs"))
}

/// Adds a list of numbers in parentheses; there must be one at least.
fn push_ids(query: &mut QueryBuilder<MySql>, ids: impl Iterator<Item = i64>) {
    query.push("(");
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(id);
    }
    query.push(")");
}

/// Adds the end of a lease that begins now.
fn push_lease(query: &mut QueryBuilder<MySql>, lease: Duration) {
    query.push("UTC_TIMESTAMP(3) + INTERVAL ").push_bind(lease.as_micros() as i64).push(" MICROSECOND");
}

/// As much of a reason as is kept.
pub(super) fn shortened(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(KEPT_BYTES)]
}
