//! Whose data this is: before anything is written, the token must prove to belong to the account the database mirrors.

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;
use tracing::{error, info};

use super::Subject;
use super::engine::Engine;
use super::error::{NextTry, SyncError, soon};
use crate::clock;
use crate::hubspot::Priority;
use crate::storage::{RunFailure, StorageError, bind_account};

/// What is known of the token's account. Locked while HubSpot is asked, so that runs that begin together ask once.
pub(super) type AccountCheck = Mutex<Standing>;

/// The state of an [`AccountCheck`].
#[derive(Debug, Default)]
pub(super) struct Standing {
    verified: bool,
    /// Checks failed so far in a row.
    failures: u32,
    /// How the last check failed; `None` when it did not.
    refusal: Option<Refusal>,
}

/// A check that failed.
#[derive(Debug)]
struct Refusal {
    /// Why, and what to do.
    failure: RunFailure,
    /// No further check before this.
    retry_at: DateTime<Utc>,
}

impl Engine {
    /// Whether runs may begin. Asks HubSpot once, and after a failure again only when that makes sense; the failure
    /// then stands in `sync_state` of every type, and whatever was asked for has failed with it; so has the run of
    /// `subject` that is asked for before the next check.
    pub(super) async fn verify_account(&self, subject: Subject) -> bool {
        let mut standing = self.account.lock().await;
        if standing.verified {
            return true;
        }
        if let Some(refusal) = standing.refusal.as_ref().filter(|refusal| clock::now() < refusal.retry_at) {
            // A database that cannot be written is reported by the loop, and the request stays for the next run.
            self.refuse_request(subject, refusal).await.ok();
            return false;
        }
        match self.check_account().await {
            Ok(()) => standing.verified = true,
            Err(error) => self.refuse(&error, &mut standing).await,
        }
        standing.verified
    }

    /// Reads the account and binds the database to it.
    ///
    /// # Errors
    /// When the token is not accepted, or belongs to another account than the database or the configuration says.
    async fn check_account(&self) -> Result<(), SyncError> {
        let account = self.hubspot.account(Priority::Interactive).await?;
        let given = account.portal_id;
        if let Some(expected) = self.config.portal_id.filter(|expected| *expected != given) {
            return Err(SyncError::UnexpectedAccount { expected, given });
        }
        bind_account(&self.database, &account).await?;
        self.hubspot.set_time_zone(&account.time_zone);
        info!(
            portal.id = account.portal_id,
            "HubSpot account {} ({}, time zone {})",
            account.portal_id,
            account.account_type,
            account.time_zone
        );
        Ok(())
    }

    /// Logs why nothing can run, and says so in every row of `sync_state`.
    async fn refuse(&self, error: &SyncError, standing: &mut Standing) {
        let (failure, now) = (error.failure(), clock::now());
        let wait = match error.next_try() {
            NextTry::Elsewhere => return,
            NextTry::Soon => soon(standing.failures + 1, self.config.schedule.interval),
            NextTry::NextInterval => self.config.schedule.interval,
        };
        let retry_at = now + wait;
        standing.failures += 1;
        error!(
            error = failure.report,
            "Nothing can be synced; trying again at {}",
            retry_at.format("%H:%M:%S UTC")
        );
        let refusal = standing.refusal.insert(Refusal { failure, retry_at });
        for subject in self.subjects() {
            let state = self.state_row(subject);
            let recorded = async {
                state.load().await?;
                state.fail(&refusal.failure, now, retry_at).await
            };
            if recorded.await.is_err() {
                // The database is the problem then, and the loop reports it.
                return;
            }
        }
    }

    /// Answers what was asked for since the check failed, if anything was: whoever asked is waiting.
    ///
    /// # Errors
    /// When the database cannot be written.
    async fn refuse_request(&self, subject: Subject, refusal: &Refusal) -> Result<(), StorageError> {
        let state = self.state_row(subject);
        if state.load().await?.request().is_none() {
            return Ok(());
        }
        state.fail(&refusal.failure, clock::now(), refusal.retry_at).await
    }
}
