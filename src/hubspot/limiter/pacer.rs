//! Pacing: spreads requests over the window instead of spending it in one burst.
//!
//! Alone it would not do: a token bucket that holds `n` and refills `n` per interval admits nearly `2n` in its first
//! interval. The sliding window is the rule; this is manners.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// A clock that shows what it is told, because the limiter's time is passed in.
#[derive(Debug, Clone, Default)]
struct ToldClock {
    /// Nanoseconds since the pacer was made.
    nanos: Arc<AtomicU64>,
}

impl Clock for ToldClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }
}

/// Admits a tenth of a capacity at once and the whole of it per interval.
#[derive(Debug)]
pub(super) struct Pacer {
    /// The token bucket; its rate cannot be changed, so another rate is another pacer.
    bucket: RateLimiter<NotKeyed, InMemoryState, ToldClock, NoOpMiddleware<Duration>>,
    /// The bucket's clock.
    clock: ToldClock,
    /// When the clock showed 0.
    start: Instant,
}

impl Pacer {
    /// A pacer for `capacity` requests per `interval`, full at `now`.
    pub fn new(capacity: usize, interval: Duration, now: Instant) -> Self {
        let capacity = u32::try_from(capacity).unwrap_or(u32::MAX).max(1);
        let burst = NonZeroU32::new(capacity / 10).unwrap_or(NonZeroU32::MIN);
        let period = (interval / capacity).max(Duration::from_nanos(1));
        let quota = Quota::with_period(period).expect("the period is not zero").allow_burst(burst);
        let clock = ToldClock::default();
        Self { bucket: RateLimiter::direct_with_clock(quota, clock.clone()), clock, start: now }
    }

    /// Takes a token, or says how long from `now` until there is one.
    pub fn take(&self, now: Instant) -> Result<(), Duration> {
        let elapsed = now.saturating_duration_since(self.start);
        self.clock.nanos.store(elapsed.as_nanos() as u64, Ordering::Relaxed);
        // At least a millisecond, the resolution of the timer that will wait for it.
        let wait = |until: Duration| until.max(Duration::from_millis(1));
        self.bucket.check().map_err(|not_yet| wait(not_yet.wait_time_from(elapsed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_at_once_then_evenly() {
        let now = Instant::now();
        let pacer = Pacer::new(90, Duration::from_secs(10), now);
        assert_eq!((0..20).take_while(|_| pacer.take(now).is_ok()).count(), 9);
        let wait = pacer.take(now).unwrap_err();
        assert!(wait > Duration::from_millis(100) && wait < Duration::from_millis(120), "{wait:?}");
        assert!(pacer.take(now + wait).is_ok());
        assert!(pacer.take(now + wait).is_err());
    }

    #[test]
    fn the_smallest_capacity_still_passes_one() {
        let now = Instant::now();
        let pacer = Pacer::new(0, Duration::from_secs(1), now);
        assert!(pacer.take(now).is_ok());
        assert!(pacer.take(now).is_err());
    }
}
