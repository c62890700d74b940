//! What people see of the queue, and when the next job is due.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row};

use super::{JobKind, JobState, push_ids};
use crate::model::{ObjectId, ObjectType};
use crate::storage::{Database, StorageError};

/// Jobs that a person may want to be done now: dead ones, and those that are put off or wait for another try.
pub(super) const STUCK: &str =
    "(state = 'dead' OR state = 'ready' AND (waiting IS NOT NULL OR last_error IS NOT NULL))";

/// A row of `jobs`. Times are UTC, database clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobEntry {
    /// Its number.
    pub id: i64,
    /// The type of its record.
    pub object_type: String,
    /// What is to be done.
    pub kind: JobKind,
    /// Of a push the id of the row, else the id in HubSpot.
    pub record_id: i64,
    /// Where it stands.
    pub state: JobState,
    /// Not to be done before.
    pub run_at: DateTime<Utc>,
    /// Tries since the last edit, the one under way included.
    pub attempts: u32,
    /// The process that works on it.
    pub locked_by: Option<String>,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// Why it waits although nothing is wrong with it.
    pub waiting: Option<String>,
    /// The first edit.
    pub created_at: DateTime<Utc>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
}

/// How the queue of a type is. Types without a job have no figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueFigures {
    /// The type.
    pub object_type: String,
    /// Jobs that are due or will be, those that wait for another try included.
    pub ready: u64,
    /// Jobs a worker has.
    pub running: u64,
    /// Jobs that are put off although nothing is wrong with them.
    pub waiting: u64,
    /// Jobs that wait for a person.
    pub dead: u64,
    /// Seconds since the first edit of the oldest job that is not dead; `None` when all are.
    pub oldest_seconds: Option<u64>,
}

/// Dead jobs with numbers above `after`, in order, at most `limit`.
///
/// # Errors
/// When the database cannot be read or a row holds what this version does not know.
pub async fn dead_jobs(database: &Database, after: i64, limit: u32) -> Result<Vec<JobEntry>, StorageError> {
    list(database, JobState::Dead, after, limit).await
}

/// Jobs that are put off or wait for another try, with numbers above `after`, in order, at most `limit`.
///
/// # Errors
/// When the database cannot be read or a row holds what this version does not know.
pub async fn held_jobs(database: &Database, after: i64, limit: u32) -> Result<Vec<JobEntry>, StorageError> {
    list(database, JobState::Ready, after, limit).await
}

/// Those of the jobs with these numbers that a person may want to be done now.
///
/// # Errors
/// When the database cannot be read.
pub async fn stuck_among(database: &Database, ids: &[i64]) -> Result<HashSet<i64>, StorageError> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let mut query = QueryBuilder::<MySql>::new(format!("SELECT id FROM jobs WHERE {STUCK} AND id IN "));
    push_ids(&mut query, ids.iter().copied());
    let found = query.build_query_scalar().persistent(false).fetch_all(database.pool()).await;
    let found: Vec<i64> = found.map_err(StorageError::query("look for jobs that are stuck"))?;
    Ok(found.into_iter().collect())
}

/// How many jobs wait for a person.
///
/// # Errors
/// When the database cannot be read.
pub async fn count_dead(database: &Database) -> Result<u64, StorageError> {
    let query = sqlx::query_scalar("SELECT COUNT(*) FROM jobs WHERE state = 'dead'");
    let counted: Result<i64, _> = query.fetch_one(database.pool()).await;
    Ok(counted.map_err(StorageError::query("count dead jobs"))?.unsigned_abs())
}

/// How many jobs a person may want to be done now: dead ones, then those that are held up.
///
/// # Errors
/// When the database cannot be read.
pub async fn count_stuck(database: &Database) -> Result<(u64, u64), StorageError> {
    let sql = format!(
        "SELECT CAST(COALESCE(SUM(state = 'dead'), 0) AS SIGNED), CAST(COALESCE(SUM(state <> 'dead'), 0) AS SIGNED) \
         FROM jobs WHERE {STUCK}"
    );
    let counted = sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(database.pool()).await;
    let (dead, held): (i64, i64) = counted.map_err(StorageError::query("count jobs that are stuck"))?;
    Ok((dead.unsigned_abs(), held.unsigned_abs()))
}

/// The jobs of a state that are [`STUCK`].
async fn list(
    database: &Database,
    state: JobState,
    after: i64,
    limit: u32,
) -> Result<Vec<JobEntry>, StorageError> {
    let sql = format!("SELECT * FROM jobs WHERE state = ? AND {STUCK} AND id > ? ORDER BY id LIMIT ?");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(state.word()).bind(after).bind(limit);
    let rows = query.fetch_all(database.pool()).await.map_err(StorageError::query("list jobs"))?;
    rows.iter().map(from_row).collect()
}

/// The figures of every type that has jobs.
///
/// # Errors
/// When the database cannot be read.
pub async fn queue_figures(database: &Database) -> Result<Vec<QueueFigures>, StorageError> {
    let sql = "SELECT object_type, \
               CAST(SUM(state = 'ready' AND waiting IS NULL) AS SIGNED) AS ready, \
               CAST(SUM(state = 'running') AS SIGNED) AS running, \
               CAST(SUM(state = 'ready' AND waiting IS NOT NULL) AS SIGNED) AS waiting, \
               CAST(SUM(state = 'dead') AS SIGNED) AS dead, \
               TIMESTAMPDIFF(SECOND, MIN(IF(state = 'dead', NULL, created_at)), UTC_TIMESTAMP(3)) AS oldest \
               FROM jobs GROUP BY object_type ORDER BY object_type";
    let failed = || StorageError::query("count jobs");
    let rows = sqlx::query(sql).fetch_all(database.pool()).await.map_err(failed())?;
    let read = |row: &MySqlRow| -> Result<QueueFigures, sqlx::Error> {
        let count = |column| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
        Ok(QueueFigures {
            object_type: row.try_get("object_type")?,
            ready: count("ready")?,
            running: count("running")?,
            waiting: count("waiting")?,
            dead: count("dead")?,
            oldest_seconds: row.try_get::<Option<i64>, _>("oldest")?.map(|age| age.max(0).unsigned_abs()),
        })
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(failed())
}

/// When the earliest job is due that no worker has, in the past if it is overdue; `None` when there is none.
///
/// # Errors
/// When the database cannot be read.
pub async fn next_due(database: &Database) -> Result<Option<DateTime<Utc>>, StorageError> {
    // The earliest of each queue is the first entry of its part of the index, however many jobs there are.
    let sql = "SELECT MIN(earliest) FROM (SELECT MIN(run_at) AS earliest FROM jobs FORCE INDEX (jobs_to_claim) \
               WHERE state = 'ready' GROUP BY state, object_type, kind) AS queues";
    let earliest = sqlx::query_scalar(sql).fetch_one(database.pool()).await;
    earliest.map_err(StorageError::query("look for the next job"))
}

/// Turns a row into a [`JobEntry`].
pub(super) fn from_row(row: &MySqlRow) -> Result<JobEntry, StorageError> {
    let read = || -> Result<_, sqlx::Error> {
        let (kind, state): (String, String) = (row.try_get("kind")?, row.try_get("state")?);
        let entry = JobEntry {
            id: row.try_get("id")?,
            object_type: row.try_get("object_type")?,
            kind: JobKind::Push,
            record_id: row.try_get("record_id")?,
            state: JobState::Ready,
            run_at: row.try_get("run_at")?,
            attempts: row.try_get::<i32, _>("attempts")?.unsigned_abs(),
            locked_by: row.try_get("locked_by")?,
            last_error: row.try_get("last_error")?,
            waiting: row.try_get("waiting")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        };
        Ok((kind, state, entry))
    };
    let (kind, state, entry) = read().map_err(StorageError::query("read a row of jobs"))?;
    let unknown = |column, value| StorageError::Inconsistent {
        table: "jobs",
        row: entry.id.to_string(),
        column,
        value,
    };
    Ok(JobEntry {
        kind: kind.parse().map_err(|()| unknown("kind", kind))?,
        state: state.parse().map_err(|()| unknown("state", state))?,
        ..entry
    })
}

/// The next records behind `after` whose rows were deleted by SQL and whose deletes wait to be sent, in id order; an empty
/// list is the end.
///
/// # Errors
/// When the database cannot be read.
pub async fn deleted_records(
    database: &Database,
    object_type: &ObjectType,
    after: ObjectId,
    limit: usize,
) -> Result<Vec<ObjectId>, StorageError> {
    let sql = "SELECT record_id FROM jobs WHERE object_type = ? AND kind = ? AND record_id > ? AND state <> 'dead' \
               ORDER BY record_id LIMIT ?";
    let query = sqlx::query_scalar(sql).bind(object_type.name).bind(JobKind::Deleted.word());
    let found = query.bind(after.0).bind(limit as i64).fetch_all(database.pool()).await;
    let found: Vec<i64> = found.map_err(StorageError::query(format!("look for deleted {object_type}")))?;
    Ok(found.into_iter().map(ObjectId).collect())
}
