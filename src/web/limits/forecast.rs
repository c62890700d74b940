//! How the day's requests will last.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use utoipa::ToSchema;

/// How long the pace of a day says nothing of it.
const EARLY: TimeDelta = TimeDelta::minutes(15);

/// How the day will end at the pace so far, of all apps of the account together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::web) struct Forecast {
    /// Requests by the end of the day.
    pub(in crate::web) requests: u64,
    /// When the limit will be reached, if it will be before the day ends.
    pub(in crate::web) exhausted_at: Option<DateTime<Utc>>,
    /// When the day ends: at midnight in the account's time zone.
    pub(in crate::web) resets_at: DateTime<Utc>,
}

/// The forecast at `now` for a limit of which so much remains. `None` when the time zone is not known, or it is too early
/// to tell.
pub(super) fn forecast(limit: u64, remaining: u64, time_zone: &str, now: DateTime<Utc>) -> Option<Forecast> {
    let zone: Tz = time_zone.parse().ok()?;
    let today = now.with_timezone(&zone).date_naive();
    let (begins_at, resets_at) = (midnight(zone, today)?, midnight(zone, today.succ_opt()?)?);
    let elapsed = now - begins_at;
    if elapsed < EARLY {
        return None;
    }
    let used = limit.saturating_sub(remaining) as f64;
    let milliseconds = |time: TimeDelta| time.num_milliseconds() as f64;
    let pace = used / milliseconds(elapsed);
    // At no pace at all it lasts for ever, which is no time.
    let lasts = remaining as f64 / pace;
    let lasts = (lasts < milliseconds(resets_at - now)).then(|| TimeDelta::milliseconds(lasts as i64));
    let requests = pace * milliseconds(resets_at - begins_at);
    Some(Forecast {
        requests: requests.round() as u64,
        exhausted_at: lasts.map(|lasts| now + lasts),
        resets_at,
    })
}

/// When a day begins. Where the clocks skip midnight, it does with the first hour there is.
fn midnight(zone: Tz, day: NaiveDate) -> Option<DateTime<Utc>> {
    let mut hours = (0..3).map(|hour| day.and_time(NaiveTime::MIN) + TimeDelta::hours(hour));
    hours.find_map(|hour| zone.from_local_datetime(&hour).earliest()).map(|start| start.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An instant.
    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_steady_pace_goes_on_until_midnight_of_the_account() {
        // Noon in Berlin, in summer.
        let noon = at("2026-07-01T10:00:00Z");
        let forecast = forecast(1_000, 700, "Europe/Berlin", noon).unwrap();
        assert_eq!(forecast.requests, 600);
        assert_eq!((forecast.exhausted_at, forecast.resets_at), (None, at("2026-07-01T22:00:00Z")));
    }

    #[test]
    fn a_pace_that_is_too_high_ends_before_the_day_does() {
        let noon = at("2026-07-01T12:00:00Z");
        let forecast = forecast(1_000, 250, "UTC", noon).unwrap();
        assert_eq!(forecast.requests, 1_500);
        assert_eq!(forecast.exhausted_at, Some(at("2026-07-01T16:00:00Z")));
    }

    #[test]
    fn without_a_request_nothing_runs_out() {
        let forecast = forecast(1_000, 1_000, "UTC", at("2026-07-01T12:00:00Z")).unwrap();
        assert_eq!((forecast.requests, forecast.exhausted_at), (0, None));
    }

    #[test]
    fn nothing_is_said_early_in_the_day_or_without_its_zone() {
        assert_eq!(forecast(1_000, 900, "UTC", at("2026-07-01T00:10:00Z")), None);
        assert_eq!(forecast(1_000, 900, "Atlantis", at("2026-07-01T12:00:00Z")), None);
    }

    #[test]
    fn a_day_without_midnight_begins_with_its_first_hour() {
        // In Beirut the clocks went from 24:00 to 01:00.
        let zone: Tz = "Asia/Beirut".parse().unwrap();
        let day = NaiveDate::from_ymd_opt(2022, 3, 27).unwrap();
        assert_eq!(midnight(zone, day), Some(at("2022-03-26T22:00:00Z")));
    }
}
