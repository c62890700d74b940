//! Patience with the database: what can simply be done again is, for long enough to outlive a restart of the server.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::error::{Chain, SyncError};
use crate::retry::RetryPolicy;
use crate::storage::{StorageError, StorageErrorKind};

/// Tries of one transaction, about half a minute where MariaDB refuses each at once.
const TRANSACTION: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(200), factor: 2.0, cap: Duration::from_secs(5), tries: 12 };
/// No other attempt begins so long after the first failure: where each waits for a connection in vain, twelve take
/// minutes, in which nobody learns what is wrong.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits between the attempts of one transaction. The loop stands at the caller:
/// `loop { match attempt().await { Ok(done) => break done, Err(error) => patience.wait(error).await? } }`
pub(super) struct Patience<'p> {
    delays: Box<dyn Iterator<Item = Duration> + Send>,
    stop: &'p CancellationToken,
    what: String,
    /// When the first attempt had failed.
    first_failure: Option<Instant>,
}

impl<'p> Patience<'p> {
    /// Patience that ends when `stop` is cancelled. `what` begins the sentence "… again in 200 ms".
    pub(super) fn new(stop: &'p CancellationToken, what: String) -> Self {
        Self { delays: Box::new(TRANSACTION.delays()), stop, what, first_failure: None }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// `error` itself, when it does not pass by itself or the tries are used up. [`SyncError::Stopped`] when it is time
    /// to stop: what another attempt might have done is no failure.
    pub(super) async fn wait(&mut self, error: StorageError) -> Result<(), SyncError> {
        if error.kind() != StorageErrorKind::Transient {
            return Err(error.into());
        }
        if self.stop.is_cancelled() {
            return Err(SyncError::Stopped);
        }
        let tried = self.first_failure.get_or_insert_with(Instant::now).elapsed();
        let Some(delay) = self.delays.next().filter(|_| tried < LONGEST) else { return Err(error.into()) };
        warn!(error = %Chain(&error), "{} again in {} ms", self.what, delay.as_millis());
        tokio::select! {
            () = self.stop.cancelled() => Err(SyncError::Stopped),
            () = tokio::time::sleep(delay) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a wait says about an error, in a process that was told to stop or not.
    async fn wait(error: StorageError, stopping: bool) -> Result<(), SyncError> {
        let stop = CancellationToken::new();
        if stopping {
            stop.cancel();
        }
        Patience::new(&stop, "Trying".to_owned()).wait(error).await
    }

    /// An error of a server that is not there.
    fn passing() -> StorageError {
        StorageError::passing("read")
    }

    #[tokio::test]
    async fn told_to_stop_a_passing_error_is_no_failure() {
        assert!(matches!(wait(passing(), true).await, Err(SyncError::Stopped)));
        assert!(wait(passing(), false).await.is_ok());
    }

    #[tokio::test]
    async fn an_error_that_does_not_pass_is_reported_even_then() {
        let lost = || StorageError::LeaseLost("account".to_owned());
        for stopping in [false, true] {
            assert!(matches!(wait(lost(), stopping).await, Err(SyncError::Storage(_))));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_that_take_long_themselves_are_fewer() {
        let stop = CancellationToken::new();
        let mut patience = Patience::new(&stop, "Trying".to_owned());
        let mut attempts = 1;
        while patience.wait(passing()).await.is_ok() {
            attempts += 1;
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        assert!((3..=5).contains(&attempts), "{attempts}");
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait() {
        let stop = CancellationToken::new();
        let mut patience = Patience::new(&stop, "Trying".to_owned());
        // Past the short waits, so that the stop comes in the middle of one.
        patience.delays = Box::new(std::iter::repeat(Duration::from_hours(1)));
        let (waited, ()) = tokio::join!(patience.wait(passing()), async { stop.cancel() });
        assert!(matches!(waited, Err(SyncError::Stopped)));
    }
}
