//! Times in words.

use chrono::{DateTime, TimeDelta, Utc};

/// A time as a page shows it. `moment.html` has the macro that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    at: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Moment {
    /// `at`, seen from `now`.
    pub(super) fn new(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self { at, now }
    }

    /// For machines.
    pub(super) fn iso(&self) -> String {
        self.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    }

    /// To the second, for people.
    pub(super) fn exact(&self) -> String {
        self.at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
    }

    /// How long ago it was, or how soon it will be.
    pub(super) fn words(&self) -> String {
        let (past, length) = (self.at <= self.now, (self.now - self.at).abs());
        match span(length) {
            None => "just now".to_owned(),
            Some(span) if past => format!("{span} ago"),
            Some(span) => format!("in {span}"),
        }
    }
}

/// Days of a month and of a year, about.
const MONTH: i64 = 30;
const YEAR: i64 = 365;

/// A length of time in its largest unit; `None` when it is hardly one.
pub(super) fn span(length: TimeDelta) -> Option<String> {
    let (seconds, minutes, hours, days) =
        (length.num_seconds(), length.num_minutes(), length.num_hours(), length.num_days());
    match () {
        () if seconds < 2 => None,
        () if minutes < 2 => Some(format!("{seconds} s")),
        () if hours < 2 => Some(format!("{minutes} min")),
        () if days < 2 => Some(format!("{hours} h")),
        () if days < 2 * MONTH => Some(format!("{days} days")),
        () if days < 2 * YEAR => Some(format!("{} months", days / MONTH)),
        () => Some(format!("{} years", days / YEAR)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_largest_unit() {
        let now: DateTime<Utc> = "2026-07-01T12:00:00Z".parse().unwrap();
        for (seconds, words) in [
            (0, "just now"),
            (-1, "just now"),
            (-5, "5 s ago"),
            (-119, "119 s ago"),
            (-120, "2 min ago"),
            (-7_200, "2 h ago"),
            (-172_800, "2 days ago"),
            (-59 * 86_400, "59 days ago"),
            (-60 * 86_400, "2 months ago"),
            (-729 * 86_400, "24 months ago"),
            (-730 * 86_400, "2 years ago"),
            (30, "in 30 s"),
            (600, "in 10 min"),
        ] {
            assert_eq!(Moment::new(now + TimeDelta::seconds(seconds), now).words(), words);
        }
        assert_eq!(Moment::new(now, now).exact(), "2026-07-01 12:00:00 UTC");
    }
}
