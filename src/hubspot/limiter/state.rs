//! What the limiter knows, and its decisions. Time is passed in.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::daily::Daily;
use super::gate::{Gate, PauseReason};
use super::headers::RateHeaders;
use super::lane::{Lane, Ticket, Turn};
use super::snapshot::{DailySnapshot, LimiterSnapshot, Pause, QuotaSnapshot};
use super::{Limits, NoPermit, Permit, Quota, Throttle};
use crate::hubspot::Priority;

/// The search limit counts per second. Source: HubSpot, "Search the CRM".
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);

/// The general limit and that of associations count per ten seconds unless an answer says otherwise.
/// Source: HubSpot, "Usage guidelines" and "Associate records".
const BURST_INTERVAL: Duration = Duration::from_secs(10);

/// How long everything waits when HubSpot moves the account and does not say for how long.
const MOVING_PAUSE: Duration = Duration::from_mins(1);

/// Everything the limiter knows.
#[derive(Debug)]
pub(super) struct State {
    /// [`Quota::Burst`].
    burst: Lane,
    /// [`Quota::Search`].
    search: Lane,
    /// [`Quota::Associations`].
    associations: Lane,
    /// The limit of associations as configured.
    configured_associations: u32,
    /// The day's requests, those about associations apart.
    daily: Daily,
    /// The day's requests about associations.
    daily_associations: Daily,
    /// Closed while HubSpot moves the account.
    account: Gate,
    /// Numbers the tickets, which makes the queue first come first served.
    next_ticket: u64,
    /// Permits used since the start.
    requests: u64,
    /// 429s since the start.
    throttled: u64,
    /// The dispatcher has ended: nobody will be served any more.
    stopped: bool,
}

impl State {
    /// Empty queues and windows.
    pub fn new(limits: Limits, now: Instant) -> Self {
        let Limits { burst, search, associations, threshold } = limits;
        Self {
            burst: Lane::new(burst, BURST_INTERVAL, threshold, now),
            search: Lane::new(search, SEARCH_INTERVAL, threshold, now),
            associations: Lane::new(associations, BURST_INTERVAL, threshold, now),
            configured_associations: associations,
            daily: Daily::new(threshold),
            daily_associations: Daily::of_associations(threshold),
            account: Gate::default(),
            next_ticket: 0,
            requests: 0,
            throttled: 0,
            stopped: false,
        }
    }

    /// The lane of a quota.
    fn lane(&mut self, quota: Quota) -> &mut Lane {
        match quota {
            Quota::Burst => &mut self.burst,
            Quota::Search => &mut self.search,
            Quota::Associations => &mut self.associations,
        }
    }

    /// The day that counts a quota's requests.
    fn day(&mut self, quota: Quota) -> &mut Daily {
        match quota {
            Quota::Burst | Quota::Search => &mut self.daily,
            Quota::Associations => &mut self.daily_associations,
        }
    }

    /// Queues a request; `reply` is dropped when [`State::refusal`] says why there will be no permit.
    pub fn enqueue(
        &mut self,
        quota: Quota,
        priority: Priority,
        reply: oneshot::Sender<Permit>,
        now: Instant,
    ) -> Ticket {
        let ticket = (priority, self.next_ticket);
        self.next_ticket += 1;
        if !self.stopped && !self.is_turned_away(quota, priority, now) {
            self.lane(quota).waiting.insert(ticket, reply);
        }
        ticket
    }

    /// Whether a request of this sort is sent away at `now` instead of waiting for the day to end.
    fn is_turned_away(&mut self, quota: Quota, priority: Priority, now: Instant) -> bool {
        quota == Quota::Associations && self.day(quota).opens_for(priority, now).is_some()
    }

    /// Why a reply was dropped.
    pub fn refusal(&self) -> NoPermit {
        if self.stopped { NoPermit::Stopped } else { NoPermit::DayUsedUp }
    }

    /// Sends everybody away whose day has just ended and who is not to wait for the next one.
    fn turn_away(&mut self, now: Instant) {
        let day = &self.daily_associations;
        self.associations.waiting.retain(|(priority, _), _| day.opens_for(*priority, now).is_none());
    }

    /// Takes a request out of the queue, if it is still there.
    pub fn leave(&mut self, quota: Quota, ticket: Ticket) {
        self.lane(quota).waiting.remove(&ticket);
    }

    /// Serves nobody any more; those who wait are told so.
    pub fn stop(&mut self) {
        self.stopped = true;
        for quota in Quota::ALL {
            self.lane(quota).waiting.clear();
        }
    }

    /// Everybody who may go at `now`, in order of service, with their slots taken.
    pub fn admit(&mut self, now: Instant) -> Admission {
        let mut admission = Admission { granted: Vec::new(), look_again_at: None };
        for quota in Quota::ALL {
            loop {
                match self.turn(quota, now) {
                    Turn::Grant => admission.granted.extend(self.grant(quota, now)),
                    Turn::NotBefore(at) => {
                        admission.look_again_at =
                            Some(admission.look_again_at.map_or(at, |known| known.min(at)));
                        break;
                    }
                    Turn::Idle => break,
                }
            }
        }
        admission
    }

    /// What a lane can do at `now`, every gate considered.
    fn turn(&mut self, quota: Quota, now: Instant) -> Turn {
        let account = self.account.closed(now).map(|(until, _)| until);
        let Some((&(priority, _), _)) = self.lane(quota).waiting.first_key_value() else {
            return Turn::Idle;
        };
        // The first in the queue has the highest priority; if the day's gate stops it, it stops all behind it.
        match account.max(self.day(quota).opens_for(priority, now)) {
            Some(until) => Turn::NotBefore(until),
            None => self.lane(quota).turn(now),
        }
    }

    /// Takes the first out of a queue and a slot for it.
    fn grant(&mut self, quota: Quota, now: Instant) -> Option<(Quota, oneshot::Sender<Permit>)> {
        let lane = self.lane(quota);
        let ((priority, _), reply) = lane.waiting.pop_first()?;
        lane.window.grant();
        self.day(quota).granted(priority, now);
        // Whoever was let into the queue beside a probe would now wait for the next one.
        self.turn_away(now);
        Some((quota, reply))
    }

    /// Whether a granted request may still be sent at `now`; counts it if so.
    pub fn begin(&mut self, quota: Quota, now: Instant) -> bool {
        let is_open = self.account.closed(now).or(self.lane(quota).gate.closed(now)).is_none();
        self.requests += u64::from(is_open);
        is_open
    }

    /// A permit was given back: unused, or after its request was answered, failed or was abandoned.
    pub fn give_back(&mut self, quota: Quota, used: bool, now: Instant) {
        let window = &mut self.lane(quota).window;
        if used {
            window.complete(now);
        } else {
            window.withdraw();
        }
    }

    /// Takes in an answer's headers; `clock` is the time of day at `now`.
    pub fn observe(&mut self, quota: Quota, headers: &RateHeaders, now: Instant, clock: DateTime<Utc>) {
        match quota {
            Quota::Burst => self.burst.observe(headers, now),
            // No document says which limit these answers report. One above ours is another limit, or none that has to
            // be kept to.
            Quota::Associations if headers.max.is_some_and(|max| max <= self.configured_associations) => {
                self.associations.observe(headers, now);
            }
            // Searches have a limit of their own and report none.
            Quota::Search | Quota::Associations => {}
        }
        if let Some((limit, remaining)) = headers.daily {
            self.day(quota).observe(limit, remaining, now, clock);
            self.turn_away(now);
        }
    }

    /// HubSpot refused a request for `throttle`; `hint` is its `Retry-After`.
    pub fn throttle(
        &mut self,
        quota: Quota,
        throttle: Throttle,
        hint: Option<Duration>,
        now: Instant,
        clock: DateTime<Utc>,
    ) {
        if throttle != Throttle::AccountMoving {
            self.throttled += 1;
        }
        let after = |default: Duration| now + hint.unwrap_or(default);
        match throttle {
            Throttle::AccountMoving => self.account.close(after(MOVING_PAUSE), PauseReason::AccountMoving),
            Throttle::Daily => {
                self.day(quota).exhausted(hint, now, clock);
                self.turn_away(now);
            }
            Throttle::TenSecondly => {
                let until = after(self.burst.window.interval());
                // A search that is refused by this name was counted with everything else.
                if quota == Quota::Search {
                    self.burst.gate.close(until, PauseReason::TenSecondLimit);
                }
                self.lane(quota).gate.close(until, PauseReason::TenSecondLimit);
            }
            Throttle::Secondly => {
                self.lane(quota).gate.close(after(SEARCH_INTERVAL), PauseReason::SecondLimit);
            }
            Throttle::Unnamed => {
                let until = after(self.lane(quota).window.interval());
                let reason = match quota {
                    Quota::Burst | Quota::Associations => PauseReason::TenSecondLimit,
                    Quota::Search => PauseReason::SecondLimit,
                };
                self.lane(quota).gate.close(until, reason);
            }
        }
    }

    /// Sets the account's time zone.
    pub fn set_zone(&mut self, zone: Tz) {
        self.daily.set_zone(zone);
        self.daily_associations.set_zone(zone);
    }

    /// The state as people see it; `clock` is the time of day at `now`.
    pub fn snapshot(&mut self, now: Instant, clock: DateTime<Utc>) -> LimiterSnapshot {
        let pause = |(until, reason): (Instant, PauseReason)| {
            let wait = TimeDelta::from_std(until.duration_since(now)).unwrap_or(TimeDelta::MAX);
            Pause { until: clock + wait, reason }
        };
        let account = self.account.closed(now);
        let lane = |lane: &mut Lane| QuotaSnapshot {
            limit: lane.limit(),
            interval_ms: lane.window.interval().as_millis() as u64,
            capacity: lane.capacity(now),
            used: lane.window.occupied(now),
            waiting: lane.waiting.len(),
            paused: account.max(lane.gate.closed(now)).map(pause),
        };
        let day = |daily: &Daily| DailySnapshot {
            limit: daily.limit(),
            remaining: daily.remaining(),
            paused: daily.closed(now).map(pause),
            waiting: daily.waiting(now),
        };
        LimiterSnapshot {
            burst: lane(&mut self.burst),
            search: lane(&mut self.search),
            associations: lane(&mut self.associations),
            daily: day(&self.daily),
            daily_associations: day(&self.daily_associations),
            requests: self.requests,
            throttled: self.throttled,
        }
    }
}

/// The outcome of a look at the queues.
#[derive(Debug)]
pub(super) struct Admission {
    /// Who gets a permit.
    pub granted: Vec<(Quota, oneshot::Sender<Permit>)>,
    /// When somebody else may; `None` when that takes a new request or an answer.
    pub look_again_at: Option<Instant>,
}
