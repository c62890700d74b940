//! How a run ended: said in the log and recorded in `sync_state`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tracing::{debug, error, info, warn};

use super::Subject;
use super::engine::Engine;
use super::error::{Chain, NextTry, SyncError, soon};
use crate::clock;
use crate::storage::{Request, StateRow, StorageError, StorageErrorKind};

/// Pause between two attempts to record how a run ended while the database is away.
const RECORD_RETRY: Duration = Duration::from_secs(1);

impl Engine {
    /// Logs and records how the run ended, for as long as it takes: a state that still says `running` would be a lie.
    pub(super) async fn record(
        &self,
        subject: Subject,
        state: &StateRow,
        started_at: DateTime<Utc>,
        request: Option<Request>,
        result: &Result<Option<u64>, SyncError>,
    ) {
        let is_known = self.note_access(subject, result);
        if let Err(error) = result {
            log_failure(subject, error, is_known);
        }
        let what = format!("Failed to record the run of {subject}");
        while !self
            .is_recorded(&what, self.try_record(subject, state, started_at, request, result).await)
            .await
        {}
    }

    /// Whether nothing is left to write down: it is written, or the row is another process's now, or it never will be,
    /// which is logged as `what`. While the database is away, pauses and asks for another attempt.
    pub(super) async fn is_recorded(&self, what: &str, attempt: Result<(), StorageError>) -> bool {
        let Err(error) = attempt else { return true };
        match error.kind() {
            // Stopping with the database away: the next start tidies up.
            StorageErrorKind::Transient => self.pause(RECORD_RETRY).await.is_err(),
            StorageErrorKind::LeaseLost => true,
            StorageErrorKind::Data | StorageErrorKind::Permanent => {
                error!(error = %Chain(&error), "{what}");
                true
            }
        }
    }

    /// One attempt of [`Engine::record`].
    async fn try_record(
        &self,
        subject: Subject,
        state: &StateRow,
        started_at: DateTime<Utc>,
        request: Option<Request>,
        result: &Result<Option<u64>, SyncError>,
    ) -> Result<(), StorageError> {
        let now = clock::now();
        let regular = self.next_run(subject, now);
        let error = match result {
            // The type it has become known as has a row of its own.
            Ok(_) if matches!(subject, Subject::Schema(_)) => return state.remove().await,
            Ok(records) => return state.succeed(started_at, regular, *records, request).await,
            Err(error) => error,
        };
        match error.next_try() {
            NextTry::Elsewhere => state.interrupt().await,
            // Told to stop, nobody would have given up yet.
            NextTry::Soon if self.stop.is_cancelled() => state.interrupt().await,
            NextTry::NextInterval => state.fail(&error.failure(), now, regular).await,
            NextTry::Soon => {
                let failures = state.load().await?.consecutive_failures.unsigned_abs() + 1;
                let retry = now + soon(failures, self.config.schedule.interval);
                state.fail(&error.failure(), now, retry.min(regular)).await
            }
        }
    }

    /// Records that a run panicked, which is a defect of this program; what it had stored stays.
    pub async fn record_panic(&self, subject: Subject) {
        let result = Err(SyncError::Panicked(subject));
        self.record(subject, &self.state_row(subject), clock::now(), None, &result).await;
    }
}

/// One line, as loud as it matters; hardly any for what the log has said before.
fn log_failure(subject: Subject, error: &SyncError, is_known: bool) {
    match error.next_try() {
        _ if is_known => debug!(%subject, error = error.report(), "Failed to sync {subject}, as before"),
        NextTry::Elsewhere => info!(%subject, "Stopped syncing {subject}"),
        NextTry::Soon => {
            warn!(%subject, error = error.report(), "Failed to sync {subject}, trying again soon");
        }
        NextTry::NextInterval => error!(%subject, error = error.report(), "Failed to sync {subject}"),
    }
}
