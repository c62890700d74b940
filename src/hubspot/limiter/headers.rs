//! What the headers of an answer say about limits.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Longest wait a hint can ask for. Source: HubSpot, "Error handling": up to 24 hours while an account is moved.
const LONGEST_HINT: Duration = Duration::from_hours(24);

/// The limits an answer reports; missing on searches and, the daily ones, for OAuth apps.
/// Source: HubSpot, "Usage guidelines".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::hubspot) struct RateHeaders {
    /// Requests per interval.
    pub max: Option<u32>,
    /// How many of them are left, other apps with the same token included.
    pub remaining: Option<u32>,
    /// Length of the interval, within 1 to 60 seconds.
    pub interval: Option<Duration>,
    /// Requests per day and how many of them are left.
    pub daily: Option<(u64, u64)>,
}

impl RateHeaders {
    /// Reads the headers; one that is no number, or a limit of 0, counts as missing.
    pub fn read(headers: &HeaderMap) -> Self {
        let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let small = |name| number(name).and_then(|value| u32::try_from(value).ok());
        let interval = number("x-hubspot-ratelimit-interval-milliseconds")
            .filter(|millis| (1000..=60_000).contains(millis))
            .map(Duration::from_millis);
        Self {
            max: small("x-hubspot-ratelimit-max").filter(|max| *max > 0),
            remaining: small("x-hubspot-ratelimit-remaining"),
            interval,
            daily: number("x-hubspot-ratelimit-daily")
                .filter(|limit| *limit > 0)
                .zip(number("x-hubspot-ratelimit-daily-remaining")),
        }
    }
}

/// How long `Retry-After` asks to wait, at most 24 hours; seconds or a date, counted from `clock`.
/// `None` when there is none or it is unreadable.
pub(in crate::hubspot) fn retry_after(headers: &HeaderMap, clock: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse::<f64>() {
        Duration::try_from_secs_f64(seconds).ok()?
    } else {
        let date = DateTime::parse_from_rfc2822(text).ok()?;
        date.signed_duration_since(clock).to_std().unwrap_or_default()
    };
    Some(wait.min(LONGEST_HINT))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    /// Headers from pairs.
    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn limits_are_read_and_nonsense_is_ignored() {
        let read = RateHeaders::read(&headers(&[
            ("x-hubspot-ratelimit-max", "190"),
            ("x-hubspot-ratelimit-remaining", "188"),
            ("x-hubspot-ratelimit-interval-milliseconds", "10000"),
            ("x-hubspot-ratelimit-daily", "625000"),
            ("x-hubspot-ratelimit-daily-remaining", "624000"),
        ]));
        let interval = Some(Duration::from_secs(10));
        let expected =
            RateHeaders { max: Some(190), remaining: Some(188), interval, daily: Some((625_000, 624_000)) };
        assert_eq!(read, expected);

        let nonsense = headers(&[
            ("x-hubspot-ratelimit-max", "0"),
            ("x-hubspot-ratelimit-remaining", "-1"),
            ("x-hubspot-ratelimit-interval-milliseconds", "0"),
            ("x-hubspot-ratelimit-daily", "many"),
        ]);
        assert_eq!(RateHeaders::read(&nonsense), RateHeaders::default());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let clock = "2026-11-22T18:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("999999999", Some(86_400)),
            ("Sun, 22 Nov 2026 18:00:30 GMT", Some(30)),
            ("Sun, 22 Nov 2026 17:00:00 GMT", Some(0)),
            ("-3", None),
            ("soon", None),
        ] {
            let wait = retry_after(&headers(&[("retry-after", text)]), clock);
            assert_eq!(wait, expected.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), clock), None);
    }
}
