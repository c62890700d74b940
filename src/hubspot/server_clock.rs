//! HubSpot's clock, as far as the `Date` headers of its answers show it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock;

/// The resolution of a `Date` header: the true time lies up to this much later.
const RESOLUTION: Duration = Duration::from_secs(1);

/// An anchor older than this gives way to a newer one, so that drift between the clocks cannot add up.
const ANCHOR_LIFETIME: Duration = Duration::from_mins(5);

/// A moment at which HubSpot's clock showed at least a known time.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    /// Our monotonic clock when the answer had arrived.
    at: Instant,
    /// What its `Date` header said.
    date: DateTime<Utc>,
}

impl Anchor {
    /// What HubSpot's clock shows at least at `now`. Counted by the monotonic clock, so a step of the system's
    /// clock does not matter; saturates far in the future.
    fn project(&self, now: Instant) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(now.saturating_duration_since(self.at)).unwrap_or(TimeDelta::MAX);
        self.date.checked_add_signed(passed).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// HubSpot's clock from below: never later than the real one, and usually less than a second behind it.
///
/// A watermark computed from it can never pass records that HubSpot has yet to stamp.
#[derive(Debug, Default)]
pub(super) struct ServerClock {
    /// The best anchor so far; `None` before the first answer.
    anchor: Mutex<Option<Anchor>>,
}

impl ServerClock {
    /// Takes in the `Date` header of an answer that was asked for at `sent` and had arrived at `received`.
    pub fn observe(&self, date: DateTime<Utc>, sent: Instant, received: Instant) {
        let seen = Anchor { at: received, date };
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = anchor.is_some_and(|known| {
            let tighter = known.project(received) > date;
            let fresh = received.saturating_duration_since(known.at) < ANCHOR_LIFETIME;
            // The server read its clock after `sent`, so an anchor ahead of that reading is wrong.
            let possible = known.project(sent) < date + RESOLUTION;
            tighter && fresh && possible
        });
        if !keep {
            *anchor = Some(seen);
        }
    }

    /// HubSpot's time at `at`, `None` before the first answer.
    fn at(&self, at: Instant) -> Option<DateTime<Utc>> {
        let anchor = *self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        anchor.map(|anchor| clock::to_millis(anchor.project(at)))
    }

    /// HubSpot's time now; our own until the first answer.
    pub fn now(&self) -> DateTime<Utc> {
        self.at(Instant::now()).unwrap_or_else(clock::now)
    }

    /// How far HubSpot's clock is ahead of ours, to about a second; `None` before the first answer.
    pub fn skew(&self) -> Option<TimeDelta> {
        self.at(Instant::now()).map(|theirs| theirs - clock::now())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A time of day on the server, in milliseconds after an arbitrary start.
    fn server_time(millis: u64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1_790_000_000_000 + millis as i64)
    }

    /// `at` as a `Date` header shows it.
    fn cut_to_seconds(at: DateTime<Utc>) -> DateTime<Utc> {
        DateTime::from_timestamp(at.timestamp(), 0).unwrap()
    }

    proptest! {
        /// Each answer: time since the one before, the way there, and the way back, in milliseconds.
        #[test]
        fn the_projected_clock_is_never_ahead_of_the_server(
            answers in prop::collection::vec((0_u64..400_000, 0_u64..3_000, 0_u64..3_000), 1..40),
        ) {
            let start = Instant::now();
            let server = ServerClock::default();
            let mut elapsed = 0;
            for (pause, there, back) in answers {
                elapsed += pause;
                let sent = start + Duration::from_millis(elapsed);
                let date = cut_to_seconds(server_time(elapsed + there));
                elapsed += there + back;
                let received = start + Duration::from_millis(elapsed);
                server.observe(date, sent, received);
                let shown = server.at(received).unwrap();
                prop_assert!(shown <= server_time(elapsed));
                let behind = (server_time(elapsed) - shown).num_milliseconds() as u64;
                prop_assert!(behind <= 1_000 + back, "no worse than the answer just seen");
            }
        }
    }

    #[test]
    fn the_best_anchor_is_kept_while_it_is_fresh_and_possible() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let server = ServerClock::default();
        server.observe(server_time(10_000), start, after(0));
        server.observe(server_time(10_000), after(900), after(900));
        assert_eq!(server.at(after(900)), Some(server_time(10_900)), "the later answer knew less");
        server.observe(server_time(5_000), after(1_000), after(1_000));
        assert_eq!(server.at(after(1_000)), Some(server_time(5_000)), "the server's clock was set back");
        server.observe(server_time(305_000), after(301_900), after(301_900));
        assert_eq!(server.at(after(301_900)), Some(server_time(305_000)), "the anchor was too old");
    }

    #[test]
    fn before_the_first_answer_our_own_clock_counts() {
        let server = ServerClock::default();
        assert_eq!(server.skew(), None);
        assert!((server.now() - clock::now()).abs() < TimeDelta::seconds(5));
        server.observe(clock::now() + TimeDelta::hours(1), Instant::now(), Instant::now());
        let skew = server.skew().unwrap();
        assert!((skew - TimeDelta::hours(1)).abs() < TimeDelta::seconds(5), "{skew}");
    }
}
