//! Deciding what a run does, from the state and the clock alone.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use croner::Cron;

use crate::config::{Schedule, SyncConfig};
use crate::hubspot::{RECORD_PAGE, SEARCH_PAGE};
use crate::model::{Cursor, Window};
use crate::storage::{RequestedMode, SyncState};

/// Below this many hits a search is carried through whatever it costs: a listing would hardly be shorter, and a
/// small table would flip between the two.
const LISTING_WORTH_HITS: u64 = 2_000;

/// What a run of a type does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// Go on with the listing under way, `None`: from its start.
    ResumeBackfill(Option<Cursor>),
    /// Begin a full listing.
    StartBackfill(BackfillReason),
    /// Search for what changed in the window.
    Search(Window),
}

/// Why everything is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BackfillReason {
    /// It never was.
    First,
    /// Somebody asked for it.
    Requested,
    /// Too much time has passed since the last run.
    WatermarkTooOld,
    /// So much changed that listing everything takes fewer requests.
    ManyChanges,
}

impl fmt::Display for BackfillReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "first run",
            Self::Requested => "requested",
            Self::WatermarkTooOld => "the last run was too long ago",
            Self::ManyChanges => "so much changed that listing everything is cheaper",
        })
    }
}

/// Decides what a run does. `now` is HubSpot's time.
pub(super) fn plan(
    state: &SyncState,
    requested: Option<RequestedMode>,
    now: DateTime<Utc>,
    config: &SyncConfig,
) -> Plan {
    if let Some(cursor) = &state.backfill_cursor {
        return Plan::ResumeBackfill((!cursor.is_empty()).then(|| Cursor(cursor.clone())));
    }
    let Some(watermark) = state.watermark else { return Plan::StartBackfill(BackfillReason::First) };
    if requested == Some(RequestedMode::Full) {
        return Plan::StartBackfill(BackfillReason::Requested);
    }
    if now - config.max_watermark_age > watermark {
        return Plan::StartBackfill(BackfillReason::WatermarkTooOld);
    }
    Plan::Search(window(watermark, config.overlap, now - config.search_lag))
}

/// The window of a delayed pass, `None` when it is not due yet. It trails behind by the period of the pass, so that
/// whatever the index delivered within that time is found.
pub(super) fn delayed_pass(state: &SyncState, now: DateTime<Utc>, config: &SyncConfig) -> Option<Window> {
    let end = now - config.delayed_pass.max(config.search_lag);
    let done = state.delayed_watermark?;
    (done + config.delayed_pass <= end).then(|| window(done, config.overlap, end))
}

/// From `overlap` before the watermark to `end`; a single instant when the clock has been set back.
fn window(watermark: DateTime<Utc>, overlap: Duration, end: DateTime<Utc>) -> Window {
    let start = watermark - overlap;
    Window { start, end: end.max(start) }
}

/// Whether listing everything takes fewer requests than going on with a search, judged by its first page: of
/// `hits` shown, `stale` have to be read; `total` match altogether; the type has `records`.
pub(super) fn listing_is_cheaper(total: u64, hits: u64, stale: u64, records: u64) -> bool {
    if total < LISTING_WORTH_HITS || hits == 0 {
        return false;
    }
    let to_read = total * stale / hits;
    let search = total.div_ceil(SEARCH_PAGE as u64) + to_read.div_ceil(RECORD_PAGE as u64);
    search > records.div_ceil(RECORD_PAGE as u64)
}

/// When the type is due again after a success: its cron expression, else the interval. Types that share an interval
/// are spread evenly over it: the `index`-th of `count` runs `index / count` of the interval after the first.
pub(super) fn next_run(
    schedule: &Schedule,
    name: &str,
    (index, count): (usize, usize),
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let by_cron = |cron: &Cron| cron.find_next_occurrence(&now, false).ok();
    schedule.cron.get(name).and_then(by_cron).unwrap_or_else(|| {
        let interval = schedule.interval.as_millis() as i64;
        let offset = interval * index as i64 / count.max(1) as i64;
        let wait = interval - (now.timestamp_millis() - offset).rem_euclid(interval);
        now + Duration::from_millis(wait as u64)
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::config::{Config, Environment};

    fn config(pairs: &[(&str, &str)]) -> SyncConfig {
        let required = [("HUBSPOT_ACCESS_TOKEN", "t")];
        let pairs =
            required.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::read(Environment::from_pairs(pairs)).expect("valid").sync
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    fn state(watermark: Option<DateTime<Utc>>) -> SyncState {
        SyncState { delayed_watermark: watermark, ..SyncState::synced("contacts", watermark) }
    }

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn the_first_run_lists_everything() {
        assert_eq!(
            plan(&state(None), None, at(NOW), &config(&[])),
            Plan::StartBackfill(BackfillReason::First)
        );
    }

    #[test]
    fn an_unfinished_listing_goes_on_whatever_was_asked() {
        let mut unfinished = state(Some(at(NOW - 60)));
        for (stored, cursor) in [("", None), ("512", Some(Cursor("512".into())))] {
            unfinished.backfill_cursor = Some(stored.into());
            for requested in [None, Some(RequestedMode::Full), Some(RequestedMode::Incremental)] {
                let plan = plan(&unfinished, requested, at(NOW), &config(&[]));
                assert_eq!(plan, Plan::ResumeBackfill(cursor.clone()));
            }
        }
    }

    #[test]
    fn later_runs_search_from_before_the_watermark_to_behind_now() {
        let plan = plan(&state(Some(at(NOW - 900))), None, at(NOW), &config(&[]));
        assert_eq!(plan, Plan::Search(Window { start: at(NOW - 900 - 300), end: at(NOW - 30) }));
    }

    #[test]
    fn a_full_run_can_be_asked_for_and_follows_a_long_standstill() {
        let (settings, day) = (config(&[]), 86_400);
        let fresh = state(Some(at(NOW - 60)));
        let asked = plan(&fresh, Some(RequestedMode::Full), at(NOW), &settings);
        assert_eq!(asked, Plan::StartBackfill(BackfillReason::Requested));
        let old = plan(&state(Some(at(NOW - 31 * day))), None, at(NOW), &settings);
        assert_eq!(old, Plan::StartBackfill(BackfillReason::WatermarkTooOld));
        assert!(matches!(plan(&state(Some(at(NOW - 29 * day))), None, at(NOW), &settings), Plan::Search(_)));
    }

    #[test]
    fn the_delayed_pass_comes_once_a_period_and_trails_by_one() {
        let settings = config(&[("SYNC_DELAYED_PASS_MINUTES", "60")]);
        let hour = 3600;
        assert_eq!(delayed_pass(&state(Some(at(NOW - 2 * hour + 1))), at(NOW), &settings), None);
        let due = delayed_pass(&state(Some(at(NOW - 2 * hour))), at(NOW), &settings);
        assert_eq!(due, Some(Window { start: at(NOW - 2 * hour - 300), end: at(NOW - hour) }));
        assert_eq!(
            delayed_pass(&state(None), at(NOW), &settings),
            None,
            "before the first listing there is none"
        );
    }

    #[test]
    fn a_listing_replaces_a_search_only_when_it_saves_requests() {
        // Everything changed: 500 searches and 1,000 reads against 1,000 pages.
        assert!(listing_is_cheaper(100_000, 200, 200, 100_000));
        // Everything matches but is known already: 500 searches.
        assert!(!listing_is_cheaper(100_000, 200, 0, 100_000));
        // A tenth changed.
        assert!(!listing_is_cheaper(10_000, 200, 200, 100_000));
        // Too few to matter.
        assert!(!listing_is_cheaper(1_999, 200, 200, 1_999));
    }

    #[test]
    fn types_are_spread_over_the_interval() {
        let schedule = config(&[("SYNC_INTERVAL_MINUTES", "15")]).schedule;
        let midnight = at(NOW - NOW % 86_400);
        let due: Vec<_> =
            (0..3).map(|index| next_run(&schedule, "contacts", (index, 3), midnight) - midnight).collect();
        assert_eq!(due, [TimeDelta::minutes(15), TimeDelta::minutes(5), TimeDelta::minutes(10)]);
    }

    #[test]
    fn a_cron_expression_replaces_the_interval_for_its_type() {
        let schedule = config(&[("SYNC_CRON_DEALS", "30 3 * * *")]).schedule;
        let midnight = at(NOW - NOW % 86_400);
        let deals = next_run(&schedule, "deals", (0, 1), midnight);
        assert_eq!(deals - midnight, TimeDelta::minutes(210));
        let contacts = next_run(&schedule, "contacts", (0, 1), midnight);
        assert_eq!(contacts - midnight, TimeDelta::minutes(15));
    }

    proptest! {
        #[test]
        fn a_window_never_runs_backward_and_always_covers_the_overlap(
            watermark in 0..2_000_000_000_i64, now in 0..2_000_000_000_i64, overlap in 0..86_400_u64,
        ) {
            let window = window(at(watermark), Duration::from_secs(overlap), at(now));
            prop_assert!(window.start <= window.end);
            prop_assert_eq!(window.start, at(watermark - overlap as i64));
        }

        #[test]
        fn consecutive_windows_leave_no_gap(
            watermark in 1_000_000_000..1_900_000_000_i64, steps in prop::collection::vec(1..100_000_i64, 1..20),
        ) {
            let settings = config(&[]);
            let (mut watermark, mut now) = (at(watermark), at(watermark));
            for step in steps {
                now += TimeDelta::seconds(step);
                let Plan::Search(window) = plan(&state(Some(watermark)), None, now, &settings) else {
                    return Err(TestCaseError::fail("a fresh watermark leads to a search"));
                };
                prop_assert!(window.start <= watermark, "nothing between the watermark and the window");
                prop_assert!(window.end <= now - settings.search_lag || window.end == window.start);
                watermark = watermark.max(window.end);
            }
        }

        #[test]
        fn the_next_run_is_always_ahead_and_within_one_interval(
            now in 1_000_000_000_000..2_000_000_000_000_i64, index in 0..10_usize, minutes in 1..1440_u64,
        ) {
            let schedule = config(&[("SYNC_INTERVAL_MINUTES", &minutes.to_string())]).schedule;
            let now = DateTime::from_timestamp_millis(now).expect("in range");
            let wait = next_run(&schedule, "contacts", (index, 10), now) - now;
            prop_assert!(wait > TimeDelta::zero() && wait <= TimeDelta::minutes(minutes as i64));
        }
    }
}
