//! Starting, stopping and being told to stop.
//!
//! The first SIGTERM or SIGINT asks everything to finish its page and take nothing new; a second one ends the
//! process at once, which is safe too, because every page is one transaction.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::{info, warn};

/// How long a stop may take; below the `TimeoutStopSec` of the service unit.
pub const GRACE: Duration = Duration::from_secs(25);

/// Exit status after a second signal: 128 + SIGINT, as shells report it.
const EXIT_INTERRUPTED: i32 = 130;

/// The tasks of the process and the token that ends them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Lifecycle {
    /// The token that is cancelled when the process should stop.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Runs `task` until it ends by itself; [`Lifecycle::stop`] waits for it.
    #[expect(clippy::disallowed_methods, reason = "the one door through which tasks are spawned")]
    pub fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        tokio::spawn(self.tasks.track_future(task))
    }

    /// Runs `task` for as long as the handle lives: a helper of its owner, for which shutdown need not wait.
    #[expect(clippy::disallowed_methods, reason = "ends with its owner, whom shutdown waits for")]
    pub fn spawn_attached<F>(task: F) -> AbortOnDropHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        AbortOnDropHandle::new(tokio::spawn(task))
    }

    /// Cancels the token on the first signal and ends the process on the second.
    ///
    /// # Errors
    /// When signal handlers cannot be installed.
    pub fn listen_for_signals(&self) -> std::io::Result<()> {
        let mut signals = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
        let shutdown = self.shutdown.clone();
        // Not tracked: it waits for a second signal for as long as the process lives.
        #[expect(clippy::disallowed_methods, reason = "must outlive the tasks that shutdown waits for")]
        tokio::spawn(async move {
            receive(&mut signals).await;
            info!("Stopping: finishing the pages under way; a second signal ends at once");
            shutdown.cancel();
            receive(&mut signals).await;
            warn!("Ending at once; unfinished pages are repeated at the next start");
            std::process::exit(EXIT_INTERRUPTED);
        });
        Ok(())
    }

    /// Asks every task to end and waits for them.
    pub async fn stop(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Does `work`, but once the process should stop, for no longer than [`GRACE`]. `None` when that was not enough:
    /// the process must then end, because what was under way is dropped wherever it was.
    pub async fn within_grace<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let grace = async {
            self.shutdown.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            done = work => Some(done),
            () = grace => {
                warn!("Ending after {} s of grace; what was under way is repeated at the next start", GRACE.as_secs());
                None
            }
        }
    }
}

/// Waits for either signal.
async fn receive([terminate, interrupt]: &mut [Signal; 2]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
