//! The claim on the jobs of a batch, kept while it is worked on.

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::LEASE;
use crate::storage::{Job, renew_jobs};
use crate::sync::engine::Engine;

/// Until when the jobs are surely nobody else's; moves on with every renewal.
pub(super) struct Claim(watch::Receiver<Instant>);

impl Claim {
    /// Returns once the jobs may be somebody else's, because they could not be renewed in time.
    pub(super) async fn is_over(&self) {
        loop {
            let until = *self.0.borrow();
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

impl Engine {
    /// Works on jobs that were claimed a moment ago, and keeps them claimed meanwhile.
    pub(super) async fn keep_claimed<T>(&self, jobs: &[Job], work: impl AsyncFnOnce(&Claim) -> T) -> T {
        let (until, claim) = watch::channel(Instant::now() + LEASE);
        let claim = Claim(claim);
        let done = CancellationToken::new();
        let work = async {
            let result = work(&claim).await;
            done.cancel();
            result
        };
        let keep = async {
            loop {
                tokio::select! {
                    () = done.cancelled() => break,
                    () = tokio::time::sleep(LEASE / 3) => {}
                }
                let began = Instant::now();
                // If it fails the jobs may be done twice, which does harm to creations only; those stop in time.
                if renew_jobs(&self.database, jobs, LEASE).await.is_ok() {
                    until.send_replace(began + LEASE);
                }
            }
        };
        tokio::join!(work, keep).0
    }
}
