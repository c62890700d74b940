//! A daily limit: one count for all private apps and service keys of the account. Associations have a second one.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use tokio::time::Instant;
use tracing::{info, warn};

use super::gate::PauseReason;
use crate::hubspot::Priority;

/// While background work waits, one of its requests goes through this often to see whether there is room again: the
/// limit may have been raised, or our idea of the account's midnight may be wrong.
const PROBE_INTERVAL: Duration = Duration::from_mins(10);

/// Who has to stop below which share of the day's requests, beyond the reserve: what can best wait stops first.
static FLOORS: [(Priority, f64); 3] =
    [(Priority::Backfill, 0.2), (Priority::Audit, 0.1), (Priority::Webhook, 0.0)];

/// What is known of the daily limit, and the gate it closes for background work.
#[derive(Debug)]
pub(super) struct Daily {
    /// What it counts, in front of "requests": empty for the general limit.
    what: &'static str,
    /// Share of the day's requests background work may use.
    threshold: f64,
    /// Who has to stop when, as in [`FLOORS`].
    floors: &'static [(Priority, f64)],
    /// The account's time zone; the count starts anew at its midnight.
    zone: Tz,
    /// The day's requests, as far as a response told.
    limit: Option<u64>,
    /// How many are left, as far as a response told.
    remaining: Option<u64>,
    /// Set while background work waits.
    closed: Option<Closed>,
}

/// Who waits, why and how long.
#[derive(Debug, Clone, Copy)]
struct Closed {
    /// The most important work that waits; all that is less important does too.
    from: Priority,
    /// The account's midnight, or what HubSpot said instead.
    until: Instant,
    /// When the next probe may go.
    probe_at: Instant,
    /// Reserve reached or limit hit.
    reason: PauseReason,
}

impl Daily {
    /// Nothing known yet; the time zone is UTC until the account says otherwise.
    pub fn new(threshold: f64) -> Self {
        let floors = &FLOORS;
        Self { what: "", threshold, floors, zone: Tz::UTC, limit: None, remaining: None, closed: None }
    }

    /// The same for the limit of requests about associations, which no listing sends.
    pub fn of_associations(threshold: f64) -> Self {
        Self { what: "association ", floors: &FLOORS[1..], ..Self::new(threshold) }
    }

    /// Sets the account's time zone.
    pub fn set_zone(&mut self, zone: Tz) {
        self.zone = zone;
    }

    /// The day's requests, as far as known.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// How many are left, as far as known.
    pub fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    /// Takes in a response's headers. `clock` is the time of day at `now`.
    pub fn observe(&mut self, limit: u64, remaining: u64, now: Instant, clock: DateTime<Utc>) {
        self.limit = Some(limit);
        self.remaining = Some(remaining);
        let share = remaining as f64 / limit.max(1) as f64;
        let reserve = 1.0 - self.threshold;
        let stops = |(_, floor): &&(Priority, f64)| share < reserve + floor;
        match self.floors.iter().rfind(stops) {
            Some((from, _)) => {
                self.close(*from, now + until_midnight(self.zone, clock), now, PauseReason::DailyReserve);
            }
            None if self.closed.take().is_some() => {
                let what = self.what;
                info!(
                    "HubSpot has {remaining} of {limit} {what}requests left today; background work goes on"
                );
            }
            None => {}
        }
    }

    /// HubSpot refused a request because the day's are used up. `hint` is how long it asks to wait, if it says so.
    pub fn exhausted(&mut self, hint: Option<Duration>, now: Instant, clock: DateTime<Utc>) {
        let wait = hint.unwrap_or_else(|| until_midnight(self.zone, clock));
        self.close(Priority::Webhook, now + wait, now, PauseReason::DailyLimit);
    }

    /// Closes the gate for work that is not more important than `from`; says so when others had to wait before.
    fn close(&mut self, from: Priority, until: Instant, now: Instant, reason: PauseReason) {
        if self.closed.is_none_or(|closed| closed.from != from) {
            let (minutes, left) = ((until - now).as_secs() / 60, self.remaining.unwrap_or(0));
            let (who, what) = (waiting(from), self.what);
            warn!(
                "Only {left} of today's HubSpot {what}requests are left; {who} wait, at most {minutes} min"
            );
        }
        self.closed = Some(Closed { from, until, probe_at: now + PROBE_INTERVAL, reason });
    }

    /// When a request of `priority` may go; `None` when it may go at `now`.
    pub fn opens_for(&self, priority: Priority, now: Instant) -> Option<Instant> {
        let closed = self.closed.filter(|closed| priority >= closed.from)?;
        Some(closed.until.min(closed.probe_at)).filter(|at| *at > now)
    }

    /// A request of `priority` goes at `now`; if it is a probe, the next one waits its turn.
    pub fn granted(&mut self, priority: Priority, now: Instant) {
        self.closed = self.closed.filter(|closed| closed.until > now);
        if let Some(closed) = self.closed.as_mut().filter(|closed| priority >= closed.from) {
            closed.probe_at = now + PROBE_INTERVAL;
        }
    }

    /// Until when and why background work waits; `None` when it does not.
    pub fn closed(&self, now: Instant) -> Option<(Instant, PauseReason)> {
        self.closed.filter(|closed| closed.until > now).map(|closed| (closed.until, closed.reason))
    }

    /// Who waits, in words; `None` when nobody does.
    pub fn waiting(&self, now: Instant) -> Option<&'static str> {
        self.closed.filter(|closed| closed.until > now).map(|closed| waiting(closed.from))
    }
}

/// Work that is not more important than `from`, in words.
fn waiting(from: Priority) -> &'static str {
    match from {
        Priority::Backfill => "full listings",
        Priority::Audit => "audits, associations and full listings",
        _ => "all scheduled runs and edits on their way",
    }
}

/// How long until the next midnight in `zone`, seen from `clock`.
fn until_midnight(zone: Tz, clock: DateTime<Utc>) -> Duration {
    let tomorrow = clock.with_timezone(&zone).date_naive() + Days::new(1);
    let mut midnight = tomorrow.and_time(NaiveTime::MIN);
    // Where the clock jumps over midnight the day starts at the end of the gap; where midnight comes twice the
    // later one is the safe guess.
    let start = loop {
        if let Some(start) = zone.from_local_datetime(&midnight).latest() {
            break start;
        }
        midnight += TimeDelta::minutes(15);
    };
    start.signed_duration_since(clock).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hours until midnight in `zone` at `clock`.
    fn hours(zone: Tz, clock: &str) -> f64 {
        until_midnight(zone, clock.parse().unwrap()).as_secs_f64() / 3600.0
    }

    #[test]
    fn midnight_is_the_accounts_and_survives_clock_changes() {
        assert_close(hours(Tz::UTC, "2026-11-22T18:00:00Z"), 6.0);
        assert_close(hours(Tz::America__New_York, "2026-11-22T18:00:00Z"), 11.0);
        // Berlin's days of 23 and 25 hours.
        assert_close(hours(Tz::Europe__Berlin, "2026-03-28T23:00:00Z"), 23.0);
        assert_close(hours(Tz::Europe__Berlin, "2026-10-24T22:00:00Z"), 25.0);
        // Beirut has no midnight on 2026-03-29: 00:00 becomes 01:00. Havana has two on 2026-11-01.
        assert_close(hours(Tz::Asia__Beirut, "2026-03-28T20:00:00Z"), 2.0);
        assert_close(hours(Tz::America__Havana, "2026-10-31T20:00:00Z"), 9.0);
    }

    /// Fails unless the two are equal to a second.
    fn assert_close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1.0 / 3600.0, "{actual} hours, expected {expected}");
    }

    #[test]
    fn the_last_share_of_the_day_is_for_interactive_work() {
        let now = Instant::now();
        let clock: DateTime<Utc> = "2026-11-22T18:00:00Z".parse().unwrap();
        let mut daily = Daily::new(0.9);
        daily.observe(250_000, 25_001, now, clock);
        assert_eq!(daily.opens_for(Priority::Push, now), None);

        daily.observe(250_000, 24_999, now, clock);
        assert_eq!(daily.opens_for(Priority::Interactive, now), None);
        assert_eq!(daily.opens_for(Priority::Webhook, now), Some(now + PROBE_INTERVAL));
        assert_eq!(daily.closed(now), Some((now + Duration::from_hours(6), PauseReason::DailyReserve)));
        assert_eq!(daily.waiting(now), Some("all scheduled runs and edits on their way"));

        daily.observe(500_000, 274_999, now, clock);
        assert_eq!(daily.waiting(now), None);
        assert_eq!(daily.opens_for(Priority::Backfill, now), None, "a raised limit opens the gate");
    }

    #[test]
    fn what_can_best_wait_stops_first() {
        let now = Instant::now();
        let clock: DateTime<Utc> = "2026-11-22T18:00:00Z".parse().unwrap();
        let mut daily = Daily::new(0.9);
        for (remaining, stopped) in [
            (30_000, &[][..]),
            (29_999, &[Priority::Backfill]),
            (20_000, &[Priority::Backfill]),
            (19_999, &[Priority::Audit, Priority::Backfill]),
            (10_000, &[Priority::Audit, Priority::Backfill]),
            (
                9_999,
                &[
                    Priority::Webhook,
                    Priority::Incremental,
                    Priority::Push,
                    Priority::Audit,
                    Priority::Backfill,
                ],
            ),
            (25_000, &[Priority::Backfill]),
            (99_999, &[]),
        ] {
            daily.observe(100_000, remaining, now, clock);
            let priorities = [
                Priority::Interactive,
                Priority::Webhook,
                Priority::Incremental,
                Priority::Push,
                Priority::Audit,
                Priority::Backfill,
            ];
            let waits = |priority: &Priority| daily.opens_for(*priority, now).is_some();
            let waiting: Vec<_> = priorities.into_iter().filter(waits).collect();
            assert_eq!(waiting, stopped, "{remaining} left");
        }
    }

    #[test]
    fn one_probe_goes_every_ten_minutes_and_all_go_after_midnight() {
        let start = Instant::now();
        let clock: DateTime<Utc> = "2026-11-22T23:45:00Z".parse().unwrap();
        let mut daily = Daily::new(0.9);
        daily.exhausted(None, start, clock);
        let probe = start + PROBE_INTERVAL;
        assert_eq!(daily.opens_for(Priority::Backfill, probe), None);
        daily.granted(Priority::Interactive, probe);
        assert_eq!(daily.opens_for(Priority::Backfill, probe), None, "interactive work takes no probe");
        daily.granted(Priority::Backfill, probe);
        let midnight = start + Duration::from_mins(15);
        assert_eq!(daily.opens_for(Priority::Backfill, probe), Some(midnight));
        daily.granted(Priority::Backfill, midnight);
        assert_eq!(daily.opens_for(Priority::Backfill, midnight), None);
        assert_eq!(daily.closed(midnight), None);
    }

    #[test]
    fn a_hint_beats_midnight() {
        let now = Instant::now();
        let mut daily = Daily::new(0.9);
        daily.exhausted(Some(Duration::from_secs(5)), now, "2026-11-22T18:00:00Z".parse().unwrap());
        assert_eq!(daily.opens_for(Priority::Audit, now), Some(now + Duration::from_secs(5)));
    }
}
