//! Jobs that come back: those of workers that are gone, and those a person wants to be tried again.

use sqlx::{MySql, MySqlConnection, QueryBuilder};

use super::figures::{JobEntry, STUCK, from_row};
use super::{BATCH, JobState, push_ids, update_these};
use crate::storage::idempotency::{Remembered, remember};
use crate::storage::{Database, StorageError};

/// What became of the jobs of workers that are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Jobs that are due again.
    pub returned: u64,
    /// Jobs that had been tried as often as they may and are dead now, as they were found.
    pub parked: Vec<JobEntry>,
}

/// Takes the jobs back whose worker is gone: their lease is over, or they are in other hands than those of the `only`
/// worker there can be now. The try counts, because the job may be what it died of.
///
/// # Errors
/// When the database cannot be written.
pub async fn rescue_jobs(
    database: &Database,
    only: Option<&str>,
    max_attempts: u32,
) -> Result<Rescued, StorageError> {
    let mut rescued = Rescued::default();
    loop {
        let found = find_abandoned(database, only).await?;
        if found.is_empty() {
            return Ok(rescued);
        }
        let mut transaction = database.begin().await?;
        let abandoned = lock_abandoned(&mut transaction, only, &found).await?;
        let is_last = found.len() < BATCH || abandoned.is_empty();
        let (dead, ready): (Vec<_>, Vec<_>) =
            abandoned.into_iter().partition(|job| job.attempts >= max_attempts);
        for (state, jobs) in [(JobState::Dead, &dead), (JobState::Ready, &ready)] {
            let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
            let mut update = QueryBuilder::new("UPDATE jobs FORCE INDEX (jobs_by_id) SET state = ");
            update.push_bind(state.word());
            update.push(", run_at = UTC_TIMESTAMP(3), updated_at = UTC_TIMESTAMP(3), lease_until = NULL, ");
            update.push("last_error = CONCAT('lost with the process that worked on it, ', locked_by), locked_by = NULL");
            update_these(&mut transaction, update, &ids).await?;
        }
        transaction.commit().await.map_err(StorageError::query(RESCUE))?;
        rescued.returned += ready.len() as u64;
        rescued.parked.extend(dead);
        if is_last {
            return Ok(rescued);
        }
    }
}

/// What fails when a rescue does.
const RESCUE: &str = "rescue the jobs of a worker that is gone";

/// A job whose worker is gone. What follows is the only worker there can be; where that is NULL, only the lease counts.
const ABANDONED: &str = "state = 'running' AND (lease_until < UTC_TIMESTAMP(3) OR locked_by <> ";

/// The first jobs whose worker is gone. Nothing is locked: a lock would be in the way of a worker that lives.
async fn find_abandoned(database: &Database, only: Option<&str>) -> Result<Vec<i64>, StorageError> {
    let mut query = QueryBuilder::<MySql>::new("SELECT id FROM jobs FORCE INDEX (jobs_to_claim) WHERE ");
    query.push(ABANDONED).push_bind(only).push(") LIMIT ").push_bind(BATCH as i64);
    let found = query.build_query_scalar().fetch_all(database.pool()).await;
    found.map_err(StorageError::query(RESCUE))
}

/// Those of the jobs whose worker is still gone, locked.
async fn lock_abandoned(
    transaction: &mut MySqlConnection,
    only: Option<&str>,
    ids: &[i64],
) -> Result<Vec<JobEntry>, StorageError> {
    let mut query = QueryBuilder::<MySql>::new("SELECT * FROM jobs FORCE INDEX (jobs_by_id) WHERE id IN ");
    push_ids(&mut query, ids.iter().copied());
    query.push(" AND ").push(ABANDONED).push_bind(only).push(") FOR UPDATE SKIP LOCKED");
    let rows = query.build().persistent(false).fetch_all(transaction).await;
    rows.map_err(StorageError::query(RESCUE))?.iter().map(from_row).collect()
}

/// Which jobs are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen<'a> {
    /// These, by their numbers.
    Ids(&'a [i64]),
    /// All that there are.
    All,
}

/// Makes jobs due now, with all their tries, that are dead, were put off, or wait for another try. Returns how many.
///
/// # Errors
/// When the database cannot be written.
pub async fn revive_jobs(database: &Database, chosen: Chosen<'_>) -> Result<u64, StorageError> {
    let chunks: Vec<Option<&[i64]>> = match chosen {
        Chosen::Ids(ids) => ids.chunks(BATCH).map(Some).collect(),
        Chosen::All => vec![None],
    };
    let mut revived = 0;
    for ids in chunks {
        loop {
            let mut transaction = database.begin().await?;
            let count = revive_some(&mut transaction, ids).await?;
            transaction.commit().await.map_err(StorageError::query(REVIVING))?;
            revived += count;
            if count < BATCH as u64 {
                break;
            }
        }
    }
    Ok(revived)
}

/// What is done by [`revive_jobs`], for errors.
const REVIVING: &str = "make jobs due again";

/// The same for one job, with a note of it in the same transaction. Returns whether it is due now; the note is kept then only.
///
/// # Errors
/// As [`revive_jobs`], and when the note is there already.
pub async fn revive_job(
    database: &Database,
    id: i64,
    note: Option<&Remembered>,
) -> Result<bool, StorageError> {
    let mut transaction = database.begin().await?;
    // The note first: somebody else with the same one is waited for, and not taken for an edit of the job.
    if let Some(note) = note {
        remember(&mut transaction, note).await?;
    }
    if revive_some(&mut transaction, Some(&[id])).await? == 0 {
        return Ok(false);
    }
    transaction.commit().await.map_err(StorageError::query(REVIVING))?;
    Ok(true)
}

/// A part of [`revive_jobs`]; what it has revived is not found again. A job that is locked is being edited, which revives
/// it as well.
async fn revive_some(connection: &mut MySqlConnection, ids: Option<&[i64]>) -> Result<u64, StorageError> {
    let mut query = QueryBuilder::new(format!("SELECT id FROM jobs WHERE {STUCK}"));
    if let Some(ids) = ids {
        query.push(" AND id IN ");
        push_ids(&mut query, ids.iter().copied());
    }
    query.push(" LIMIT ").push_bind(BATCH as i64).push(" FOR UPDATE SKIP LOCKED");
    let found = query.build_query_scalar().persistent(false).fetch_all(&mut *connection).await;
    let found: Vec<i64> = found.map_err(StorageError::query(REVIVING))?;
    let update = QueryBuilder::new(
        "UPDATE jobs FORCE INDEX (jobs_by_id) SET state = 'ready', run_at = UTC_TIMESTAMP(3), attempts = 0, \
         last_error = NULL, waiting = NULL, updated_at = UTC_TIMESTAMP(3)",
    );
    update_these(connection, update, &found).await?;
    Ok(found.len() as u64)
}
