//! One quota: its queue, its gate, its window and its pace.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Permit;
use super::gate::Gate;
use super::headers::RateHeaders;
use super::pacer::Pacer;
use super::window::SlidingWindow;
use crate::hubspot::Priority;

/// Order of service: by priority, then first come first served.
pub(super) type Ticket = (Priority, u64);

/// One quota of the account.
#[derive(Debug)]
pub(super) struct Lane {
    /// The account's limit per interval.
    limit: u32,
    /// Share of the limit we use.
    threshold: f64,
    /// Who waits.
    pub waiting: BTreeMap<Ticket, oneshot::Sender<Permit>>,
    /// Closed by 429s.
    pub gate: Gate,
    /// The hard rule.
    pub window: SlidingWindow,
    /// The pace.
    pacer: Pacer,
    /// What others with the same token use.
    foreign: Option<Foreign>,
}

/// Requests of other programs with the same token, seen in an answer's headers.
#[derive(Debug, Clone, Copy)]
struct Foreign {
    /// How many there were in the window.
    requests: usize,
    /// From then on all of them have left the window.
    expires_at: Instant,
}

/// What a lane can do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The first in the queue may go.
    Grant,
    /// Nothing may go before this instant.
    NotBefore(Instant),
    /// Nothing may go before something happens: a new request or an answer.
    Idle,
}

impl Lane {
    /// A lane for `limit` requests per `interval`, of which the share `threshold` is ours.
    pub fn new(limit: u32, interval: Duration, threshold: f64, now: Instant) -> Self {
        Self {
            limit,
            threshold,
            waiting: BTreeMap::new(),
            gate: Gate::default(),
            window: SlidingWindow::new(interval),
            pacer: Pacer::new(share(limit, threshold), interval, now),
            foreign: None,
        }
    }

    /// The account's limit per interval.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// How many requests of ours may be in the window at `now`; at least 1, so that an answer can tell of better
    /// times.
    pub fn capacity(&self, now: Instant) -> usize {
        let foreign = self.foreign.filter(|foreign| foreign.expires_at > now);
        share(self.limit, self.threshold).saturating_sub(foreign.map_or(0, |foreign| foreign.requests)).max(1)
    }

    /// Takes in an answer's headers while the request's own slot is still held.
    pub fn observe(&mut self, headers: &RateHeaders, now: Instant) {
        let Some(max) = headers.max else { return };
        let interval = headers.interval.unwrap_or(self.window.interval());
        if max != self.limit || interval != self.window.interval() {
            self.limit = max;
            self.window.set_interval(interval);
            self.pacer = Pacer::new(share(max, self.threshold), interval, now);
        }
        if let Some(remaining) = headers.remaining {
            let used = max.saturating_sub(remaining) as usize;
            let requests = used.saturating_sub(self.window.occupied(now));
            self.foreign = Some(Foreign { requests, expires_at: now + interval });
        }
    }

    /// What the lane can do at `now`, gates of the whole account aside. A grant takes a token from the pacer.
    pub fn turn(&mut self, now: Instant) -> Turn {
        if self.waiting.is_empty() {
            return Turn::Idle;
        }
        if let Some((until, _)) = self.gate.closed(now) {
            return Turn::NotBefore(until);
        }
        let capacity = self.capacity(now);
        if self.window.occupied(now) >= capacity {
            let foreign_leaves = self.foreign.map(|foreign| foreign.expires_at).filter(|at| *at > now);
            let room = [self.window.has_room_at(capacity), foreign_leaves].into_iter().flatten().min();
            return room.map_or(Turn::Idle, Turn::NotBefore);
        }
        self.pacer.take(now).map_or_else(|wait| Turn::NotBefore(now + wait), |()| Turn::Grant)
    }
}

/// Our share of a limit: at least 1.
fn share(limit: u32, threshold: f64) -> usize {
    // The epsilon keeps products such as 100 * 0.29 from falling below the whole number they are.
    ((f64::from(limit) * threshold + 1e-9).floor() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    /// Headers of an answer that report a limit of `max` with `remaining` left.
    fn report(max: u32, remaining: u32) -> RateHeaders {
        RateHeaders { max: Some(max), remaining: Some(remaining), ..RateHeaders::default() }
    }

    #[test]
    fn the_share_is_rounded_down_but_never_to_nothing() {
        for (limit, threshold, expected) in
            [(100, 0.9, 90), (190, 0.9, 171), (5, 0.9, 4), (100, 0.29, 29), (1, 0.5, 1), (7, 1.0, 7)]
        {
            assert_eq!(share(limit, threshold), expected);
        }
    }

    #[test]
    fn what_other_apps_use_is_left_to_them_until_it_leaves_the_window() {
        let now = Instant::now();
        let mut lane = Lane::new(100, INTERVAL, 0.9, now);
        lane.window.grant();
        lane.observe(&report(100, 69), now);
        assert_eq!(lane.capacity(now), 60, "31 used, 1 of them ours");
        lane.observe(&report(100, 0), now);
        assert_eq!(lane.capacity(now), 1, "never nothing, or no answer could tell of better times");
        assert_eq!(lane.capacity(now + INTERVAL), 90);
    }

    #[test]
    fn our_own_requests_are_not_taken_for_those_of_others() {
        let now = Instant::now();
        let mut lane = Lane::new(100, INTERVAL, 0.9, now);
        for _ in 0..40 {
            lane.window.grant();
        }
        lane.observe(&report(100, 75), now);
        assert_eq!(lane.capacity(now), 90);
    }

    #[test]
    fn a_reported_limit_replaces_the_configured_one() {
        let now = Instant::now();
        let mut lane = Lane::new(100, INTERVAL, 0.9, now);
        lane.observe(&RateHeaders::default(), now);
        assert_eq!(lane.limit(), 100, "searches report nothing");
        let interval = Some(Duration::from_secs(5));
        lane.observe(&RateHeaders { max: Some(190), interval, ..RateHeaders::default() }, now);
        assert_eq!(
            (lane.limit(), lane.capacity(now), lane.window.interval()),
            (190, 171, Duration::from_secs(5))
        );
    }
}
