//! The form in which HubSpot stores what it is sent. Source: HubSpot, "Properties".

use crate::clock::{DAY_MS, Millis};
use crate::generate::text::{MOMENTS, moment_text, parse_moment, push_date};

/// A value in stored form.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// As stored.
    pub stored: String,
    /// Sent in a form that only later versions of the API take, which say so.
    pub is_normalized: bool,
}

impl Taken {
    /// A value in a form every version takes.
    pub fn usual(stored: impl Into<String>) -> Self {
        Self { stored: stored.into(), is_normalized: false }
    }
}

/// Why a text is no day.
#[derive(Debug, PartialEq, Eq)]
pub enum NoDay {
    /// Nothing that names a moment.
    Unreadable,
    /// A moment within a day.
    NotMidnight(Millis),
}

/// A decimal number without the zeros that say nothing; `None` for what is no number.
pub fn number(text: &str) -> Option<String> {
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    let digits = text.trim_start_matches(['+', '-']);
    if !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Some(format!("{value}"));
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let is_zero = whole.is_empty() && fraction.is_empty();
    let sign = if text.starts_with('-') && !is_zero { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// A day as `YYYY-MM-DD`: sent so, or as its midnight in UTC; with `tolerant`, as any moment in it or in seconds.
pub fn day(text: &str, tolerant: bool) -> Result<Taken, NoDay> {
    if chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok() {
        return Ok(Taken::usual(text));
    }
    let moment = parse_moment(text).ok_or(NoDay::Unreadable)?;
    if moment.rem_euclid(DAY_MS) == 0 {
        return Ok(Taken::usual(day_text(moment)));
    }
    if !tolerant {
        return Err(NoDay::NotMidnight(moment));
    }
    Ok(Taken { stored: day_text(in_seconds(text).unwrap_or(moment)), is_normalized: true })
}

/// A moment in ISO 8601: sent so, or as epoch milliseconds; with `tolerant`, also in seconds.
pub fn moment(text: &str, tolerant: bool) -> Option<Taken> {
    match in_seconds(text).filter(|_| tolerant) {
        Some(moment) => Some(Taken { stored: moment_text(moment), is_normalized: true }),
        None => parse_moment(text).map(|moment| Taken::usual(moment_text(moment))),
    }
}

/// The day of a moment.
fn day_text(moment: Millis) -> String {
    let mut day = Vec::with_capacity(10);
    push_date(&mut day, moment);
    String::from_utf8_lossy(&day).into_owned()
}

/// The moment a number of epoch seconds stands for: as milliseconds it would lie before March 1973.
fn in_seconds(text: &str) -> Option<Millis> {
    const SECONDS: std::ops::Range<Millis> = 100_000_000..100_000_000_000;
    let seconds: Millis = text.parse().ok().filter(|seconds| SECONDS.contains(seconds))?;
    Some(seconds * 1_000).filter(|moment| MOMENTS.contains(moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_the_zeros_that_say_nothing() {
        for (sent, stored) in [
            ("12.50", "12.5"),
            ("007", "7"),
            ("-0.0", "0"),
            ("+3.0", "3"),
            (".5", "0.5"),
            ("-12.040", "-12.04"),
            ("1e3", "1000"),
            ("12345678901234567890.10", "12345678901234567890.1"),
        ] {
            assert_eq!(number(sent).as_deref(), Some(stored), "{sent}");
        }
        for wrong in ["", "x", "1,5", "NaN", "inf", "1.2.3", "--1"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_day_is_a_day_or_its_midnight_and_only_tolerance_takes_more() {
        assert_eq!(day("2026-01-05", false), Ok(Taken::usual("2026-01-05")));
        assert_eq!(day("1767571200000", false), Ok(Taken::usual("2026-01-05")));
        assert_eq!(day("1767571201000", false), Err(NoDay::NotMidnight(1_767_571_201_000)));
        assert_eq!(day("soon", true), Err(NoDay::Unreadable));
        let normalized = Ok(Taken { stored: "2026-01-05".to_owned(), is_normalized: true });
        for sent in ["1767571201000", "1767571201", "2026-01-05T07:40:35Z"] {
            assert_eq!(day(sent, true), normalized, "{sent}");
        }
    }

    #[test]
    fn a_moment_keeps_its_instant_whatever_its_offset() {
        assert_eq!(moment("2026-01-05T02:00:00+02:00", false), Some(Taken::usual("2026-01-05T00:00:00Z")));
        assert_eq!(moment("1767571200123", false), Some(Taken::usual("2026-01-05T00:00:00.123Z")));
        let seconds = moment("1767571200", true).expect("a number of seconds");
        assert_eq!((seconds.stored.as_str(), seconds.is_normalized), ("2026-01-05T00:00:00Z", true));
        assert_eq!(moment("yesterday", true), None);
    }
}
