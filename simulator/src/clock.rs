//! The one source of time.
//!
//! Wall-clock milliseconds that never run backward, and that a test may move forward without waiting.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = i64;

/// Length of a day in milliseconds.
pub const DAY_MS: Millis = 86_400_000;

/// Wall time at start plus monotonic time since, plus what a test added.
#[derive(Debug)]
pub struct Clock {
    /// Wall time when the clock was made.
    started_at: Millis,
    /// Monotonic time when the clock was made.
    started: Instant,
    /// Milliseconds added by [`Clock::advance`].
    advanced_ms: AtomicI64,
}

impl Clock {
    /// A clock that shows the present.
    #[expect(
        clippy::new_without_default,
        reason = "a default clock would hide that it reads the system time"
    )]
    pub fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            started_at: since_epoch.as_millis() as Millis,
            started: Instant::now(),
            advanced_ms: AtomicI64::new(0),
        }
    }

    /// Milliseconds since the epoch.
    pub fn now(&self) -> Millis {
        self.started_at
            + self.started.elapsed().as_millis() as Millis
            + self.advanced_ms.load(Ordering::Relaxed)
    }

    /// The same without what a test added: the time of clocks elsewhere, which must agree with the times of requests.
    pub fn wall_time(&self) -> Millis {
        self.now() - self.advanced_ms.load(Ordering::Relaxed)
    }

    /// Moves the clock forward, by at most a hundred years; a negative amount is taken as none.
    pub fn advance(&self, by_ms: Millis) {
        const MOST_MS: Millis = 36_525 * DAY_MS;
        self.advanced_ms.fetch_add(by_ms.clamp(0, MOST_MS), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_moves_the_present_and_never_back() {
        let clock = Clock::new();
        let before = clock.now();
        clock.advance(DAY_MS);
        clock.advance(-DAY_MS);
        assert!(clock.now() >= before + DAY_MS);
    }
}
