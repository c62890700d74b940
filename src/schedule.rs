//! Time: a tick a second that wakes the loop which looks for due work.
//!
//! The scheduler only wakes; what is due, what was missed while the process was down and what somebody asked for is
//! read from `sync_state`. So a tick that comes late or twice does no harm, no run overlaps itself, and two daemons
//! see the same truth. Intervals and cron expressions become `next_run_at` when a run ends (`sync::plan`).

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Every second, UTC.
const EVERY_SECOND: &str = "* * * * * *";

/// The scheduler; ticks end when it is shut down.
pub struct Ticker {
    scheduler: JobScheduler,
    tick: Arc<Notify>,
}

impl Ticker {
    /// Starts ticking.
    ///
    /// # Errors
    /// When the scheduler cannot start.
    pub async fn start() -> Result<Self, JobSchedulerError> {
        let tick = Arc::new(Notify::new());
        let scheduler = JobScheduler::new().await?;
        let waker = tick.clone();
        scheduler.add(Job::new(EVERY_SECOND, move |_, _| waker.notify_one())?).await?;
        scheduler.start().await?;
        // Work that is due at start does not wait for the first second.
        tick.notify_one();
        Ok(Self { scheduler, tick })
    }

    /// Waits for the next tick; several missed ones count as one.
    pub async fn tick(&self) {
        self.tick.notified().await;
    }

    /// Ends the ticks.
    ///
    /// # Errors
    /// When the scheduler is gone already.
    pub async fn stop(mut self) -> Result<(), JobSchedulerError> {
        self.scheduler.shutdown().await
    }
}
