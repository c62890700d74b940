//! What a worker says of the jobs it has claimed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{MySql, MySqlConnection, QueryBuilder};

use super::{Job, lock_held, shortened, update_held, update_these};
use crate::storage::{Database, StorageError};

/// What became of a job whose worker has settled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// What the worker said.
    AsAsked,
    /// It is due again at once with all its tries, because the record was edited since it was claimed.
    EditedSince,
    /// Nothing: its lease was over and it is somebody else's now, or done. The caller rolls back.
    Lost,
}

/// Notes what HubSpot is about to be asked to store for each job, inside the caller's transaction. Returns the ids of the
/// jobs it is noted for: the others are in an editor's hands, or not the caller's any more.
///
/// # Errors
/// When the database cannot be written.
pub async fn note_sent(
    connection: &mut MySqlConnection,
    jobs: &[(&Job, BTreeMap<String, String>)],
) -> Result<Vec<i64>, StorageError> {
    let held = lock_held(connection, jobs.iter().map(|(job, _)| *job)).await?;
    let mut update = QueryBuilder::new("UPDATE jobs FORCE INDEX (jobs_by_id) SET sent = CASE id");
    for (job, sent) in jobs.iter().filter(|(job, _)| held.contains(&job.id)) {
        update.push(" WHEN ").push_bind(job.id).push(" THEN ").push_bind(json!(sent).to_string());
    }
    update.push(" END");
    update_these(connection, update, &held).await?;
    Ok(held)
}

/// The job is done and goes, inside the transaction that stores what came of it. Lock the row before: an editor has the
/// row first and its job next.
///
/// # Errors
/// When the database cannot be written.
pub async fn finish_job(connection: &mut MySqlConnection, job: &Job) -> Result<Settled, StorageError> {
    let done = "DELETE FROM jobs WHERE object_type = ? AND kind = ? AND record_id = ? \
                AND id = ? AND claims = ? AND state = 'running' AND generation = ?";
    settle(connection, job, sqlx::query(done), FORGET).await
}

/// There is more to do of the job: it is due again at once, with all its tries.
///
/// # Errors
/// When the database cannot be written.
pub async fn repeat_job(connection: &mut MySqlConnection, job: &Job) -> Result<Settled, StorageError> {
    let again = "UPDATE jobs SET state = 'ready', attempts = 0, last_error = NULL, sent = NULL, \
                 run_at = UTC_TIMESTAMP(3), locked_by = NULL, lease_until = NULL, updated_at = UTC_TIMESTAMP(3) \
                 WHERE object_type = ? AND kind = ? AND record_id = ? \
                 AND id = ? AND claims = ? AND state = 'running' AND generation = ?";
    settle(connection, job, sqlx::query(again), FORGET).await
}

/// The job failed for a cause that may pass; it is due again at `run_at`.
///
/// # Errors
/// When the database cannot be written.
pub async fn retry_job(
    connection: &mut MySqlConnection,
    job: &Job,
    error: &str,
    run_at: DateTime<Utc>,
) -> Result<Settled, StorageError> {
    let later = "UPDATE jobs SET state = 'ready', last_error = ?, run_at = ?, locked_by = NULL, lease_until = NULL, \
                 updated_at = UTC_TIMESTAMP(3) WHERE object_type = ? AND kind = ? AND record_id = ? \
                 AND id = ? AND claims = ? AND state = 'running' AND generation = ?";
    settle(connection, job, sqlx::query(later).bind(shortened(error)).bind(run_at), KEEP).await
}

/// The job failed for a cause that only a person can remove: it waits until it is [revived](super::revive_jobs), or the
/// record is edited again. What was [sent](note_sent) stays noted: it may have arrived all the same.
///
/// # Errors
/// When the database cannot be written.
pub async fn park_job(
    connection: &mut MySqlConnection,
    job: &Job,
    error: &str,
) -> Result<Settled, StorageError> {
    let parked = "UPDATE jobs SET state = 'dead', last_error = ?, locked_by = NULL, lease_until = NULL, \
                  updated_at = UTC_TIMESTAMP(3) WHERE object_type = ? AND kind = ? AND record_id = ? \
                  AND id = ? AND claims = ? AND state = 'running' AND generation = ?";
    settle(connection, job, sqlx::query(parked).bind(shortened(error)), KEEP).await
}

/// A statement with what is bound to it.
type Statement<'q> = sqlx::query::Query<'q, MySql, sqlx::mysql::MySqlArguments>;

/// What becomes of the note of what was sent, where the record was edited since: it is forgotten with what is known of it
/// now, or kept.
const FORGET: &str = "sent = NULL, ";
const KEEP: &str = "";

/// Runs a statement that ends in the key of the job, its claim and its generation. Where the record was edited since, the
/// job is made ready instead.
async fn settle(
    connection: &mut MySqlConnection,
    job: &Job,
    statement: Statement<'_>,
    sent: &str,
) -> Result<Settled, StorageError> {
    let failed = || StorageError::query(format!("settle a job of {}", job.object_type));
    let settled = of(job, statement).bind(job.generation).execute(&mut *connection).await.map_err(failed())?;
    if settled.rows_affected() > 0 {
        return Ok(Settled::AsAsked);
    }
    // An edit has set the tries to 0 and the time to its own.
    let again = format!(
        "UPDATE jobs SET {sent}state = 'ready', locked_by = NULL, lease_until = NULL, updated_at = UTC_TIMESTAMP(3) \
         WHERE object_type = ? AND kind = ? AND record_id = ? AND id = ? AND claims = ? AND state = 'running'"
    );
    let released = of(job, sqlx::query(sqlx::AssertSqlSafe(again))).execute(connection).await;
    let is_released = released.map_err(failed())?.rows_affected() > 0;
    Ok(if is_released { Settled::EditedSince } else { Settled::Lost })
}

/// Binds the key of the job and its claim.
fn of<'q>(job: &'q Job, statement: Statement<'q>) -> Statement<'q> {
    let statement = statement.bind(&job.object_type).bind(job.kind.word()).bind(job.record_id);
    statement.bind(job.id).bind(job.claims)
}

/// Gives jobs back that were not tried, as at a shutdown; the claim costs no try. Returns the ids of those. Jobs an
/// editor holds in an open transaction stay as they are until their lease is over.
///
/// # Errors
/// When the database cannot be written.
pub async fn give_back_jobs(database: &Database, jobs: &[Job]) -> Result<Vec<i64>, StorageError> {
    let release = |update: &mut QueryBuilder<MySql>| {
        update.push(
            "state = 'ready', attempts = GREATEST(attempts - 1, 0), locked_by = NULL, lease_until = NULL",
        );
    };
    update_held(database, jobs, release).await
}

/// Puts jobs off until `until` for a cause that lies not in them, such as a brake; the claim costs no try. Returns the
/// ids of those. Jobs an editor holds in an open transaction stay as they are until their lease is over.
///
/// # Errors
/// When the database cannot be written.
pub async fn postpone_jobs(
    database: &Database,
    jobs: &[Job],
    until: DateTime<Utc>,
    waiting: &str,
) -> Result<Vec<i64>, StorageError> {
    let put_off = |update: &mut QueryBuilder<MySql>| {
        update.push(
            "state = 'ready', attempts = GREATEST(attempts - 1, 0), locked_by = NULL, lease_until = NULL",
        );
        update.push(", run_at = ").push_bind(until);
        update.push(", waiting = ").push_bind(shortened(waiting).to_owned());
    };
    update_held(database, jobs, put_off).await
}
