//! The limiter: every request to HubSpot has a permit from here, and no two requests can break a limit together.
//!
//! ```text
//!  acquire ──> queue (priority, then first come) ──> gates ──> sliding window ──> pacer ──> permit
//!                                                     ^              ^
//!                                  429, 477, daily headers     Max / Remaining headers
//! ```
//!
//! Three lanes work side by side, because HubSpot counts them apart: [`Quota::Search`] for searches,
//! [`Quota::Associations`] for links between records, [`Quota::Burst`] for everything else. The daily limit counts the
//! first and the last; associations have a day of their own. One task serves the queues; all state is behind one lock
//! that is never held across an await.
//!
//! While its day is used up, association work is turned away instead of queued until midnight: it is a part of runs
//! that have other things to do.

mod daily;
mod gate;
mod headers;
mod lane;
mod pacer;
mod snapshot;
mod state;
mod window;

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono_tz::Tz;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::gate::PauseReason;
pub(super) use self::headers::{RateHeaders, retry_after};
use self::lane::Ticket;
pub use self::snapshot::{DailySnapshot, LimiterSnapshot, Pause, QuotaSnapshot};
use self::state::State;
use super::Priority;
use crate::clock;

/// Which limit counts a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quota {
    /// Requests per 10 seconds: everything but the others.
    Burst,
    /// Searches per second.
    Search,
    /// Requests about associations per 10 seconds.
    Associations,
}

impl Quota {
    /// Every quota.
    const ALL: [Self; 3] = [Self::Burst, Self::Search, Self::Associations];
}

/// The account's limits as configured; answers override the first and may lower the third.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Requests per 10 seconds.
    pub burst: u32,
    /// Searches per second.
    pub search: u32,
    /// Requests about associations per 10 seconds.
    pub associations: u32,
    /// Share of each limit, the daily one included, that is ours.
    pub threshold: f64,
}

/// Why HubSpot refused a request that was in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Throttle {
    /// 429 `TEN_SECONDLY_ROLLING`.
    TenSecondly,
    /// 429 `SECONDLY`.
    Secondly,
    /// 429 `DAILY`.
    Daily,
    /// 429 under another name or none.
    Unnamed,
    /// 477: the account is being moved to another region.
    AccountMoving,
}

impl Throttle {
    /// The reason behind a 429 with this `policyName`.
    pub fn named(policy: Option<&str>) -> Self {
        match policy {
            Some("TEN_SECONDLY_ROLLING") => Self::TenSecondly,
            Some("SECONDLY") => Self::Secondly,
            Some("DAILY") => Self::Daily,
            Some(_) | None => Self::Unnamed,
        }
    }
}

/// Why there will be no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPermit {
    /// The limiter has stopped.
    Stopped,
    /// The day of a quota that is not waited for is used up, or what is left of it is for interactive work.
    DayUsedUp,
}

/// Hands out permits. Its task ends with the shutdown token or when the limiter is dropped.
#[derive(Debug)]
pub(super) struct Limiter {
    /// What the task and the permits share with it.
    shared: Arc<Shared>,
    /// Ends the task.
    _task: DropGuard,
}

/// What the limiter, its task and its permits share.
#[derive(Debug)]
struct Shared {
    /// Queues, windows and gates.
    state: Mutex<State>,
    /// Rung when the task should look at the queues again.
    changed: Notify,
}

impl Shared {
    /// The state. A panic under the lock leaves it usable: each change is a single step.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limiter {
    /// Starts the task that serves the queues.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    #[expect(
        clippy::disallowed_methods,
        reason = "ends with the token; holds nothing that shutdown must wait for"
    )]
    pub fn start(limits: Limits, shutdown: &CancellationToken) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(limits, Instant::now())),
            changed: Notify::new(),
        });
        let end = shutdown.child_token();
        tokio::spawn(dispatch(Arc::clone(&shared), end.clone()));
        Self { shared, _task: end.drop_guard() }
    }

    /// Waits for a permit; the request must be sent at once. Dropping the future gives up the place in the queue and
    /// loses no slot.
    pub async fn acquire(&self, quota: Quota, priority: Priority) -> Result<Permit, NoPermit> {
        loop {
            let mut permit = self.queue(quota, priority).await?;
            // A gate may have closed while the permit was on its way here.
            if self.shared.state().begin(quota, Instant::now()) {
                permit.used = true;
                return Ok(permit);
            }
        }
    }

    /// Waits in the queue.
    async fn queue(&self, quota: Quota, priority: Priority) -> Result<Permit, NoPermit> {
        let (reply, permit) = oneshot::channel();
        let ticket = self.shared.state().enqueue(quota, priority, reply, Instant::now());
        let _place = Place { shared: &self.shared, quota, ticket };
        self.shared.changed.notify_one();
        permit.await.map_err(|_| self.shared.state().refusal())
    }

    /// Takes in an answer's headers; to be called before the request's permit is dropped.
    pub fn observe(&self, quota: Quota, headers: &RateHeaders) {
        self.shared.state().observe(quota, headers, Instant::now(), clock::now());
        self.shared.changed.notify_one();
    }

    /// HubSpot refused a request; `hint` is its `Retry-After`.
    pub fn throttle(&self, quota: Quota, throttle: Throttle, hint: Option<Duration>) {
        self.shared.state().throttle(quota, throttle, hint, Instant::now(), clock::now());
        self.shared.changed.notify_one();
    }

    /// Sets the account's time zone, by whose midnight the daily limit starts anew.
    pub fn set_zone(&self, zone: Tz) {
        self.shared.state().set_zone(zone);
    }

    /// The state as people see it.
    pub fn snapshot(&self) -> LimiterSnapshot {
        self.shared.state().snapshot(Instant::now(), clock::now())
    }
}

/// The right to send one request, to be dropped when its answer is there: its slot is free one interval later.
#[derive(Debug)]
pub(super) struct Permit {
    /// Where to give it back.
    shared: Arc<Shared>,
    /// Which limit counts it.
    quota: Quota,
    /// Whether anybody took it; a slot that nobody took is free at once.
    used: bool,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.state().give_back(self.quota, self.used, Instant::now());
        self.shared.changed.notify_one();
    }
}

/// A place in the queue, left when its holder stops waiting.
struct Place<'a> {
    /// Where the queue is.
    shared: &'a Shared,
    /// Which queue.
    quota: Quota,
    /// Which place.
    ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.state().leave(self.quota, self.ticket);
    }
}

/// Serves the queues until `end`.
async fn dispatch(shared: Arc<Shared>, end: CancellationToken) {
    loop {
        let admission = shared.state().admit(Instant::now());
        for (quota, reply) in admission.granted {
            let permit = Permit { shared: Arc::clone(&shared), quota, used: false };
            // Nobody there any more: the permit comes back in the error and is dropped, which frees its slot.
            drop(reply.send(permit));
        }
        let timer = async {
            match admission.look_again_at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = end.cancelled() => break,
            () = shared.changed.notified() => {}
            () = timer => {}
        }
    }
    shared.state().stop();
}

#[cfg(test)]
mod tests;
