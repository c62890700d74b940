//! The limiter as a whole: its decisions in virtual time, its task in real time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::pin::pin;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use tokio::sync::oneshot::Receiver;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::timeout;

use super::*;

/// Limits of the smallest account and our usual share.
const LIMITS: Limits = Limits { burst: 100, search: 5, associations: 150, threshold: 0.9 };

/// Limits that let one request through at a time.
const ONE_AT_A_TIME: Limits = Limits { burst: 1, search: 1, associations: 1, threshold: 1.0 };

/// A slot of [`Quota::Burst`] is free this long after its answer.
const HELD: Duration = Duration::from_millis(10_020);

/// Six hours before midnight UTC.
fn clock() -> DateTime<Utc> {
    "2026-11-22T18:00:00Z".parse().unwrap()
}

/// The limiter's decisions in virtual time, for labelled requests.
struct Bench {
    state: State,
    now: Instant,
    waiting: Vec<(&'static str, Receiver<Permit>)>,
}

impl Bench {
    /// An idle limiter.
    fn new(limits: Limits) -> Self {
        let now = Instant::now();
        Self { state: State::new(limits, now), now, waiting: Vec::new() }
    }

    /// Queues a request.
    fn ask(&mut self, quota: Quota, priority: Priority, label: &'static str) -> Ticket {
        let (reply, permit) = oneshot::channel();
        self.waiting.push((label, permit));
        self.state.enqueue(quota, priority, reply, self.now)
    }

    /// Lets time pass.
    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Who may go now. Their requests are answered at once.
    fn admit(&mut self) -> Vec<&'static str> {
        // Dropping the replies closes the channels of those who were admitted.
        for (quota, _) in self.state.admit(self.now).granted {
            self.state.give_back(quota, true, self.now);
        }
        let is_admitted = |(_, permit): &mut (_, Receiver<Permit>)| {
            permit.try_recv().is_err_and(|error| error == TryRecvError::Closed)
        };
        self.waiting.extract_if(.., is_admitted).map(|(label, _)| label).collect()
    }

    /// HubSpot refuses a request for its rate.
    fn throttle(&mut self, quota: Quota, throttle: Throttle, hint: Option<Duration>) {
        self.state.throttle(quota, throttle, hint, self.now, clock());
    }

    /// An answer reports the day's requests.
    fn report_day(&mut self, limit: u64, remaining: u64) {
        let headers = RateHeaders { daily: Some((limit, remaining)), ..RateHeaders::default() };
        self.state.observe(Quota::Search, &headers, self.now, clock());
    }
}

#[test]
fn priorities_go_first_and_equals_in_order_of_arrival() {
    let mut bench = Bench::new(ONE_AT_A_TIME);
    for (priority, label) in [
        (Priority::Backfill, "backfill"),
        (Priority::Incremental, "incremental 1"),
        (Priority::Interactive, "interactive"),
        (Priority::Incremental, "incremental 2"),
        (Priority::Audit, "audit"),
        (Priority::Webhook, "webhook"),
        (Priority::Push, "push"),
    ] {
        bench.ask(Quota::Burst, priority, label);
    }
    let mut served = Vec::new();
    for _ in 0..7 {
        served.append(&mut bench.admit());
        bench.pass(HELD);
    }
    let expected = ["interactive", "webhook", "incremental 1", "incremental 2", "push", "audit", "backfill"];
    assert_eq!(served, expected);
}

#[test]
fn whoever_leaves_the_queue_is_passed_over_and_holds_nothing() {
    let mut bench = Bench::new(ONE_AT_A_TIME);
    let impatient = bench.ask(Quota::Burst, Priority::Interactive, "impatient");
    bench.ask(Quota::Burst, Priority::Backfill, "patient");
    bench.state.leave(Quota::Burst, impatient);
    bench.waiting.remove(0);
    assert_eq!(bench.admit(), ["patient"]);
    assert_eq!(bench.state.snapshot(bench.now, clock()).burst.used, 1);
}

#[test]
fn searches_have_a_lane_of_their_own() {
    let mut bench = Bench::new(ONE_AT_A_TIME);
    bench.ask(Quota::Burst, Priority::Audit, "list 1");
    bench.ask(Quota::Burst, Priority::Audit, "list 2");
    bench.ask(Quota::Search, Priority::Audit, "search 1");
    bench.ask(Quota::Search, Priority::Audit, "search 2");
    assert_eq!(bench.admit(), ["list 1", "search 1"]);
    bench.pass(Duration::from_millis(1_020));
    assert_eq!(bench.admit(), ["search 2"], "a search slot is free after a second");
    bench.pass(HELD);
    assert_eq!(bench.admit(), ["list 2"]);
}

#[test]
fn associations_have_a_lane_and_a_day_of_their_own() {
    let mut bench = Bench::new(ONE_AT_A_TIME);
    bench.ask(Quota::Associations, Priority::Audit, "links 1");
    bench.ask(Quota::Associations, Priority::Audit, "links 2");
    bench.ask(Quota::Burst, Priority::Audit, "list 1");
    assert_eq!(bench.admit(), ["links 1", "list 1"]);
    bench.pass(HELD);
    assert_eq!(bench.admit(), ["links 2"]);

    let mut bench = Bench::new(LIMITS);
    bench.report_day(1000, 0);
    bench.ask(Quota::Associations, Priority::Audit, "links 3");
    bench.ask(Quota::Burst, Priority::Audit, "list 2");
    assert_eq!(bench.admit(), ["links 3"], "the general day says nothing of associations");
    let snapshot = bench.state.snapshot(bench.now, clock());
    assert_eq!((snapshot.associations.limit, snapshot.associations.used), (150, 1));
    assert_eq!(snapshot.daily_associations.paused, None);
}

#[test]
fn association_work_is_turned_away_while_its_day_is_used_up() {
    let mut bench = Bench::new(LIMITS);
    bench.ask(Quota::Associations, Priority::Audit, "queued");
    bench.throttle(Quota::Associations, Throttle::Daily, None);
    bench.ask(Quota::Associations, Priority::Audit, "late");
    assert_eq!(bench.admit(), ["queued", "late"], "both channels are closed");
    assert_eq!(bench.state.refusal(), NoPermit::DayUsedUp);
    let snapshot = bench.state.snapshot(bench.now, clock());
    assert_eq!((snapshot.associations.used, snapshot.associations.waiting), (0, 0));
    assert_eq!(snapshot.daily_associations.paused.unwrap().reason, PauseReason::DailyLimit);
    assert_eq!(snapshot.daily.paused, None);

    bench.ask(Quota::Associations, Priority::Interactive, "person");
    bench.ask(Quota::Burst, Priority::Backfill, "list");
    assert_eq!(bench.admit(), ["person", "list"], "these are none of its business");
    bench.pass(Duration::from_mins(10));
    bench.ask(Quota::Associations, Priority::Audit, "probe");
    bench.ask(Quota::Associations, Priority::Audit, "after the probe");
    assert_eq!(bench.admit(), ["probe", "after the probe"], "the second is turned away");
    assert_eq!(bench.state.snapshot(bench.now, clock()).associations.used, 1, "the person's slot has left");
}

#[test]
fn answers_about_associations_lower_their_limit_and_never_raise_it() {
    let mut bench = Bench::new(LIMITS);
    for (max, expected) in [(190, 150), (100, 100), (120, 120), (151, 120)] {
        let headers = RateHeaders { max: Some(max), ..RateHeaders::default() };
        bench.state.observe(Quota::Associations, &headers, bench.now, clock());
        let snapshot = bench.state.snapshot(bench.now, clock());
        assert_eq!((snapshot.associations.limit, snapshot.burst.limit), (expected, 100), "{max}");
    }
}

#[test]
fn each_refusal_closes_the_gate_it_names_for_as_long_as_it_says() {
    let seconds = Duration::from_secs;
    for (quota, throttle, hint, burst_waits, search_waits) in [
        (Quota::Burst, Throttle::TenSecondly, None, 10, 0),
        (Quota::Search, Throttle::TenSecondly, None, 10, 10),
        (Quota::Search, Throttle::Secondly, None, 0, 1),
        (Quota::Search, Throttle::Secondly, Some(3), 0, 3),
        (Quota::Burst, Throttle::Unnamed, None, 10, 0),
        (Quota::Search, Throttle::Unnamed, None, 0, 1),
        (Quota::Burst, Throttle::TenSecondly, Some(2), 2, 0),
        (Quota::Burst, Throttle::AccountMoving, None, 60, 60),
        (Quota::Search, Throttle::AccountMoving, Some(3600), 3600, 3600),
        (Quota::Associations, Throttle::TenSecondly, None, 0, 0),
    ] {
        for (asked, waits) in [(Quota::Burst, burst_waits), (Quota::Search, search_waits)] {
            let mut bench = Bench::new(LIMITS);
            bench.throttle(quota, throttle, hint.map(seconds));
            bench.ask(asked, Priority::Interactive, "request");
            if waits > 0 {
                bench.pass(Duration::from_millis(waits * 1000 - 1));
                assert!(
                    bench.admit().is_empty(),
                    "{quota:?} {throttle:?} {hint:?}: {asked:?} goes too early"
                );
                bench.pass(Duration::from_millis(1));
            }
            assert_eq!(
                bench.admit(),
                ["request"],
                "{quota:?} {throttle:?} {hint:?}: {asked:?} goes too late"
            );
        }
    }
}

#[test]
fn a_shorter_refusal_does_not_open_a_gate_early() {
    let mut bench = Bench::new(LIMITS);
    bench.throttle(Quota::Burst, Throttle::TenSecondly, None);
    bench.throttle(Quota::Burst, Throttle::TenSecondly, Some(Duration::from_secs(1)));
    bench.ask(Quota::Burst, Priority::Interactive, "request");
    bench.pass(Duration::from_secs(9));
    assert!(bench.admit().is_empty());
}

#[test]
fn a_permit_granted_just_before_the_gate_closed_is_not_used() {
    let mut bench = Bench::new(LIMITS);
    assert!(bench.state.begin(Quota::Burst, bench.now));
    bench.throttle(Quota::Search, Throttle::Secondly, None);
    assert!(bench.state.begin(Quota::Burst, bench.now));
    assert!(!bench.state.begin(Quota::Search, bench.now));
    bench.throttle(Quota::Search, Throttle::AccountMoving, None);
    assert!(!bench.state.begin(Quota::Burst, bench.now));
    assert_eq!(bench.state.snapshot(bench.now, clock()).requests, 2);
}

#[test]
fn the_daily_reserve_is_for_interactive_work_in_both_lanes() {
    let mut bench = Bench::new(LIMITS);
    bench.report_day(1000, 99);
    bench.ask(Quota::Burst, Priority::Webhook, "webhook");
    bench.ask(Quota::Burst, Priority::Interactive, "person");
    bench.ask(Quota::Search, Priority::Incremental, "search");
    assert_eq!(bench.admit(), ["person"]);
    let paused = bench.state.snapshot(bench.now, clock()).daily.paused.unwrap();
    let midnight = "2026-11-23T00:00:00Z".parse().unwrap();
    assert_eq!(paused, Pause { until: midnight, reason: PauseReason::DailyReserve });

    bench.report_day(1000, 100);
    assert_eq!(bench.admit(), ["webhook", "search"], "an answer that reports more opens the gate");
}

#[test]
fn an_exhausted_day_is_probed_every_ten_minutes_until_midnight_there() {
    let mut bench = Bench::new(LIMITS);
    bench.state.set_zone(Tz::Europe__Berlin);
    bench.throttle(Quota::Burst, Throttle::Daily, None);
    for label in ["first", "second", "third", "fourth"] {
        bench.ask(Quota::Burst, Priority::Backfill, label);
    }
    bench.pass(Duration::from_mins(10) - Duration::from_millis(1));
    assert!(bench.admit().is_empty());
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.admit(), ["first"]);
    bench.pass(Duration::from_mins(10));
    assert_eq!(bench.admit(), ["second"]);
    // 18:00 UTC is 19:00 in Berlin: the day ends five hours later.
    bench.pass(Duration::from_hours(5) - Duration::from_mins(20));
    assert_eq!(bench.admit(), ["third", "fourth"]);
}

#[test]
fn a_stopped_limiter_turns_everybody_away() {
    let mut bench = Bench::new(LIMITS);
    bench.ask(Quota::Burst, Priority::Audit, "before");
    bench.state.stop();
    bench.ask(Quota::Burst, Priority::Audit, "after");
    assert_eq!(bench.admit(), ["before", "after"], "both channels are closed");
    assert_eq!(bench.state.snapshot(bench.now, clock()).burst.used, 0);
}

#[test]
fn refusals_and_gates_show_in_the_snapshot() {
    let mut bench = Bench::new(LIMITS);
    bench.throttle(Quota::Burst, Throttle::TenSecondly, None);
    bench.ask(Quota::Burst, Priority::Audit, "request");
    let snapshot = bench.state.snapshot(bench.now, clock());
    let until = "2026-11-22T18:00:10Z".parse().unwrap();
    assert_eq!(snapshot.burst.paused, Some(Pause { until, reason: PauseReason::TenSecondLimit }));
    assert_eq!((snapshot.burst.limit, snapshot.burst.capacity, snapshot.burst.waiting), (100, 90, 1));
    assert_eq!((snapshot.search.limit, snapshot.search.capacity, snapshot.search.paused), (5, 4, None));
    assert_eq!(snapshot.throttled, 1);
}

/// When the server counts the requests of a lane that always has work, with answers after `latency`.
fn saturate(quota: Quota, latency: Duration, length: Duration) -> Vec<Duration> {
    let start = Instant::now();
    let mut state = State::new(LIMITS, start);
    let mut answers: BinaryHeap<Reverse<Instant>> = BinaryHeap::new();
    let mut counted = Vec::new();
    let mut now = start;
    while now < start + length {
        while answers.peek().is_some_and(|Reverse(at)| *at <= now) {
            answers.pop();
            state.give_back(quota, true, now);
        }
        state.enqueue(quota, Priority::Backfill, oneshot::channel().0, now);
        let admission = state.admit(now);
        for _ in &admission.granted {
            answers.push(Reverse(now + latency));
            counted.push(now + latency / 2 - start);
        }
        if admission.granted.is_empty() {
            let next_answer = answers.peek().map(|Reverse(at)| *at);
            now = [admission.look_again_at, next_answer].into_iter().flatten().min().unwrap();
        }
    }
    counted
}

#[test]
fn sustained_work_uses_the_share_and_never_more() {
    let latency = Duration::from_millis(150);
    let seconds = 120;
    for (quota, interval, limit, capacity, least_use) in [
        (Quota::Burst, Duration::from_secs(10), 100, 90, 0.85),
        (Quota::Search, Duration::from_secs(1), 5, 4, 0.65),
    ] {
        let counted = saturate(quota, latency, Duration::from_secs(seconds));
        for run in counted.windows(capacity + 1) {
            assert!(run[0] + interval < run[capacity], "{quota:?}: more than {capacity} within {run:?}");
        }
        let possible = f64::from(limit) * seconds as f64 / interval.as_secs_f64();
        let used = counted.len() as f64 / possible;
        assert!(used >= least_use, "{quota:?}: only {:.1} % of the limit used", used * 100.0);
    }
}

/// Longest a test waits for something that should happen at once.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_waiter_that_gives_up_costs_no_slot() {
    let limiter = Limiter::start(ONE_AT_A_TIME, &CancellationToken::new());
    let held = limiter.acquire(Quota::Search, Priority::Audit).await.unwrap();
    let waiting = limiter.acquire(Quota::Search, Priority::Interactive);
    assert!(timeout(Duration::from_millis(20), waiting).await.is_err());
    assert_eq!(limiter.snapshot().search.waiting, 0);
    drop(held);
    timeout(PATIENCE, limiter.acquire(Quota::Search, Priority::Backfill)).await.unwrap().unwrap();
    assert_eq!(limiter.snapshot().requests, 2);
}

#[tokio::test]
async fn a_permit_nobody_took_frees_its_slot_at_once() {
    let limiter = Limiter::start(ONE_AT_A_TIME, &CancellationToken::new());
    limiter.shared.state().enqueue(Quota::Burst, Priority::Audit, oneshot::channel().0, Instant::now());
    limiter.shared.changed.notify_one();
    let served = async {
        while limiter.snapshot().burst.waiting > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, served).await.unwrap();
    assert_eq!(limiter.snapshot().burst.used, 0);
    assert_eq!(limiter.snapshot().requests, 0);
}

#[tokio::test]
async fn a_permit_that_arrives_at_a_closed_gate_is_given_back_and_waited_for_again() {
    let limiter = Limiter::start(LIMITS, &CancellationToken::new());
    let mut permit = pin!(limiter.acquire(Quota::Burst, Priority::Audit));
    assert!(permit.as_mut().now_or_never().is_none(), "the dispatcher has not run yet");
    while limiter.snapshot().burst.waiting > 0 {
        tokio::task::yield_now().await;
    }
    let pause = Duration::from_millis(100);
    let closed_at = Instant::now();
    limiter.throttle(Quota::Burst, Throttle::TenSecondly, Some(pause));
    let _permit = timeout(PATIENCE, permit).await.unwrap().unwrap();
    assert!(closed_at.elapsed() >= pause, "{:?}", closed_at.elapsed());
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.requests, snapshot.burst.used), (1, 1), "the permit not used holds no slot");
}

#[tokio::test]
async fn shutdown_ends_every_wait() {
    let shutdown = CancellationToken::new();
    let limiter = Limiter::start(ONE_AT_A_TIME, &shutdown);
    let _held = limiter.acquire(Quota::Burst, Priority::Audit).await.unwrap();
    shutdown.cancel();
    let waited = timeout(PATIENCE, limiter.acquire(Quota::Burst, Priority::Audit)).await.unwrap();
    assert_eq!(waited.unwrap_err(), NoPermit::Stopped);
}
