//! The hard rule: exact counting over a sliding window.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Added to the window for the difference between our timers and HubSpot's.
const MARGIN: Duration = Duration::from_millis(20);

/// Slots for the requests HubSpot may be counting right now.
///
/// Somewhere between the moment a request is granted and the moment its answer arrives, HubSpot counts it; we cannot
/// know when. So a slot is held from the grant until one interval after the answer: whichever moment HubSpot chose,
/// all requests inside any one of its windows hold slots at the same time. Never more slots than the capacity
/// therefore means never more requests in a window, however latency varies.
///
/// Time is passed in, so that the arithmetic can be tested without waiting.
#[derive(Debug)]
pub(super) struct SlidingWindow {
    /// Length of HubSpot's window.
    interval: Duration,
    /// Granted and not yet answered.
    in_flight: usize,
    /// When the answers arrived whose slots are still held, oldest first.
    answered: VecDeque<Instant>,
}

impl SlidingWindow {
    /// An empty window of `interval`.
    pub fn new(interval: Duration) -> Self {
        Self { interval, in_flight: 0, answered: VecDeque::new() }
    }

    /// Length of HubSpot's window.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Changes the length; slots held already stay for the new length.
    pub fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    /// Slots held at `now`.
    pub fn occupied(&mut self, now: Instant) -> usize {
        let hold = self.interval + MARGIN;
        while self.answered.front().is_some_and(|answered| *answered + hold <= now) {
            self.answered.pop_front();
        }
        self.in_flight + self.answered.len()
    }

    /// Takes a slot.
    pub fn grant(&mut self) {
        self.in_flight += 1;
    }

    /// The request was answered, failed or was abandoned at `now`: its slot stays for one more interval.
    pub fn complete(&mut self, now: Instant) {
        debug_assert!(self.in_flight > 0, "a request completes once");
        self.in_flight = self.in_flight.saturating_sub(1);
        self.answered.push_back(now);
    }

    /// The request was never sent: its slot is free at once.
    pub fn withdraw(&mut self) {
        debug_assert!(self.in_flight > 0, "a request is withdrawn once");
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// When fewer than `capacity` slots will be held if nothing else is granted; `None` when that takes an answer to
    /// a request in flight.
    pub fn has_room_at(&self, capacity: usize) -> Option<Instant> {
        let held = self.in_flight + self.answered.len();
        let surplus = (held + 1).saturating_sub(capacity);
        let last_to_leave = self.answered.get(surplus.checked_sub(1)?)?;
        Some(*last_to_leave + self.interval + MARGIN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    #[test]
    fn a_slot_is_held_until_an_interval_after_the_answer() {
        let start = Instant::now();
        let mut window = SlidingWindow::new(INTERVAL);
        window.grant();
        let later = start + Duration::from_mins(1);
        assert_eq!(window.occupied(later), 1, "an unanswered request is counted however long it takes");
        assert_eq!(window.has_room_at(1), None);
        window.complete(later);
        assert_eq!(window.occupied(later + INTERVAL), 1);
        assert_eq!(window.has_room_at(1), Some(later + INTERVAL + MARGIN));
        assert_eq!(window.occupied(later + INTERVAL + MARGIN), 0);
    }

    #[test]
    fn a_request_that_was_never_sent_holds_nothing() {
        let mut window = SlidingWindow::new(INTERVAL);
        window.grant();
        window.withdraw();
        assert_eq!(window.occupied(Instant::now()), 0);
    }

    #[test]
    fn room_for_a_smaller_capacity_comes_when_enough_slots_have_left() {
        let start = Instant::now();
        let mut window = SlidingWindow::new(INTERVAL);
        for second in 0..4 {
            window.grant();
            window.complete(start + Duration::from_secs(second));
        }
        let leaves = |second| Some(start + Duration::from_secs(second) + INTERVAL + MARGIN);
        assert_eq!(window.has_room_at(4), leaves(0));
        assert_eq!(window.has_room_at(2), leaves(2));
        window.grant();
        assert_eq!(window.has_room_at(1), None);
    }

    /// A request of a simulated run: wait before asking, time until the answer, and the share of that time after
    /// which HubSpot counts it.
    type Request = (u64, u64, f64);

    /// Plays `requests` against a window of `capacity`; returns when HubSpot counted each of them.
    fn play(capacity: usize, requests: &[Request]) -> Vec<Duration> {
        let start = Instant::now();
        let mut window = SlidingWindow::new(INTERVAL);
        let mut now = start;
        let mut open: Vec<Instant> = Vec::new();
        let mut counted = Vec::new();
        for (wait_ms, latency_ms, share) in requests {
            now += Duration::from_millis(*wait_ms);
            loop {
                open.sort_unstable();
                while open.first().is_some_and(|answer| *answer <= now) {
                    window.complete(open.remove(0));
                }
                if window.occupied(now) < capacity {
                    break;
                }
                let next_answer = open.first().copied();
                now = [window.has_room_at(capacity), next_answer].into_iter().flatten().min().unwrap();
            }
            window.grant();
            let latency = Duration::from_millis(*latency_ms);
            open.push(now + latency);
            counted.push(now + latency.mul_f64(*share) - start);
        }
        counted.sort_unstable();
        counted
    }

    proptest! {
        /// Wherever between grant and answer each request is counted, and however latency varies, no window of the
        /// server holds more requests than the capacity.
        #[test]
        fn no_window_of_the_server_ever_exceeds_the_capacity(
            capacity in 1_usize..12,
            requests in prop::collection::vec((0_u64..1500, 0_u64..30_000, 0.0..=1.0), 1..120),
        ) {
            let counted = play(capacity, &requests);
            for run in counted.windows(capacity + 1) {
                prop_assert!(run[0] + INTERVAL < run[capacity], "{} requests within {:?}", capacity + 1, run);
            }
        }
    }
}
