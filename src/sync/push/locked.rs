//! Rows that somebody else has locked: an editor with an open transaction, who may take hours.
//!
//! Nobody waits for them. What was found out of such a row is forgotten and found out again later, for which its job is put
//! off. The editor may hold the job as well, so that is tried until it succeeds or the claim is over.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::LEASE;
use crate::clock;
use crate::storage::{Job, postpone_jobs};
use crate::sync::engine::Engine;
use crate::sync::error::SyncError;

/// How soon a locked row is looked at again.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(5);
/// How often it is tried to put the jobs off.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The claimed jobs of locked rows that are not put off yet, each with when it is tried and when its claim is over.
#[derive(Debug, Default)]
pub(in crate::sync) struct LockedRows(Mutex<Vec<Left>>);

/// A job that is left alone.
#[derive(Debug)]
struct Left {
    job: Job,
    try_at: Instant,
    claimed_until: Instant,
}

impl LockedRows {
    /// The jobs, which no holder can have left half-changed.
    fn jobs(&self) -> MutexGuard<'_, Vec<Left>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Leaves jobs alone whose rows are locked.
    pub(super) fn leave_locked(&self, jobs: impl IntoIterator<Item = Job>) {
        let now = Instant::now();
        let left = |job| Left { job, try_at: now, claimed_until: now + LEASE };
        self.locked.jobs().extend(jobs.into_iter().map(left));
    }

    /// Puts those jobs off that nobody has locked by now.
    pub(super) async fn put_off_locked(&self) -> Result<(), SyncError> {
        let now = Instant::now();
        let due: Vec<_> = {
            let mut left = self.locked.jobs();
            left.retain(|left| left.claimed_until > now);
            let due = left.iter_mut().filter(|left| left.try_at <= now);
            due.map(|left| {
                left.try_at = now + TRY_AGAIN;
                left.job.clone()
            })
            .collect()
        };
        if due.is_empty() {
            return Ok(());
        }
        let waiting = "its row is locked by somebody's open transaction";
        let put_off = postpone_jobs(&self.database, &due, clock::now() + LOOK_AGAIN, waiting).await?;
        self.locked.jobs().retain(|left| !put_off.contains(&left.job.id));
        Ok(())
    }
}
