//! Patience with the database: what can simply be done again is, for long enough to outlive a restart of the server.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::error::Chain;
use crate::retry::RetryPolicy;
use crate::storage::{StorageError, StorageErrorKind};

/// Tries of one transaction: together about half a minute.
const TRANSACTION: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(200), factor: 2.0, cap: Duration::from_secs(5), tries: 12 };

/// Waits between the attempts of one transaction. The loop stands at the caller:
/// `loop { match attempt().await { Ok(done) => break done, Err(error) => patience.wait(error).await? } }`
pub(super) struct Patience<'p> {
    delays: Box<dyn Iterator<Item = Duration> + Send>,
    stop: &'p CancellationToken,
    what: String,
}

impl<'p> Patience<'p> {
    /// Patience that ends when `stop` is cancelled. `what` begins the sentence "… again in 200 ms".
    pub(super) fn new(stop: &'p CancellationToken, what: String) -> Self {
        Self { delays: Box::new(TRANSACTION.delays()), stop, what }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// `error` itself, when it does not pass by itself, or the tries are used up, or it is time to stop.
    pub(super) async fn wait(&mut self, error: StorageError) -> Result<(), StorageError> {
        let delay = self.delays.next().filter(|_| error.kind() == StorageErrorKind::Transient);
        let Some(delay) = delay else { return Err(error) };
        warn!(error = %Chain(&error), "{} again in {} ms", self.what, delay.as_millis());
        tokio::select! {
            () = self.stop.cancelled() => Err(error),
            () = tokio::time::sleep(delay) => Ok(()),
        }
    }
}
