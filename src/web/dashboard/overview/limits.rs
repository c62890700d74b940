//! HubSpot's limits as gauges.

use chrono::{DateTime, Utc};

use crate::web::dashboard::moment::Moment;
use crate::web::dashboard::number::grouped;
use crate::web::limits::{Daily, Limiter, Quota};

/// How much of a limit is used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gauge {
    pub(super) name: &'static str,
    pub(super) used: u64,
    /// What may be used at most.
    pub(super) most: u64,
    pub(super) tone: &'static str,
    /// What the bar shows, in words.
    pub(super) amount: String,
    /// What follows, a line each.
    pub(super) notes: Vec<Note>,
}

/// A line below a gauge.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) text: String,
    /// When, after the text.
    pub(super) at: Option<Moment>,
    /// Whether it says that something waits.
    pub(super) is_warning: bool,
}

impl Note {
    /// A line that says how things are.
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), at: None, is_warning: false }
    }

    /// A line that says what waits, and until when.
    fn waiting(text: impl Into<String>, at: Moment) -> Self {
        Self { text: text.into(), at: Some(at), is_warning: true }
    }
}

/// Every limit: those per some seconds, and those per day.
pub(super) fn gauges(limits: &Limiter, now: DateTime<Utc>) -> [Vec<Gauge>; 2] {
    let windows = vec![
        window("Requests", &limits.burst, now),
        window("Searches", &limits.search, now),
        window("Associations", &limits.associations, now),
    ];
    let days = vec![
        day("Requests today", &limits.daily, now),
        day("Associations today", &limits.daily_associations, now),
    ];
    [windows, days]
}

/// A limit per some seconds.
fn window(name: &'static str, quota: &Quota, now: DateTime<Utc>) -> Gauge {
    let (used, most) = (quota.used as u64, quota.capacity as u64);
    let seconds = quota.interval_ms / 1000;
    let per = if seconds == 1 { "a second".to_owned() } else { format!("in {seconds} s") };
    let mut notes = Vec::new();
    if quota.waiting > 0 {
        notes.push(Note::new(format!("{} waiting for their turn", grouped(quota.waiting as u64))));
    }
    if let Some(until) = quota.paused_until {
        notes.push(Note::waiting("HubSpot asked for a pause; goes on", Moment::new(until, now)));
    }
    let tone = if quota.paused_until.is_some() { "warn" } else { "busy" };
    Gauge { name, used, most, tone, amount: format!("{used} of {} {per}", grouped(most)), notes }
}

/// A limit per day.
fn day(name: &'static str, quota: &Daily, now: DateTime<Utc>) -> Gauge {
    let Some((limit, remaining)) = quota.limit.zip(quota.remaining) else {
        let notes = vec![Note::new("HubSpot tells with the first answer")];
        return Gauge { name, used: 0, most: 1, tone: "idle", amount: "not known yet".to_owned(), notes };
    };
    let used = limit.saturating_sub(remaining);
    let mut notes = Vec::new();
    if let Some(until) = quota.paused_until {
        let who = quota.waiting.as_deref().unwrap_or("some requests");
        notes.push(Note::waiting(format!("Running out: {who} wait; go on"), Moment::new(until, now)));
    }
    if let Some(forecast) = quota.forecast {
        notes.push(match forecast.exhausted_at {
            Some(at) => Note::waiting("At this pace it is used up", Moment::new(at, now)),
            None => Note::new(format!(
                "At this pace {} by midnight ({} UTC)",
                grouped(forecast.requests),
                forecast.resets_at.format("%H:%M")
            )),
        });
    }
    let tone =
        match (quota.paused_until.is_some(), quota.forecast.is_some_and(|day| day.exhausted_at.is_some())) {
            (true, _) => "bad",
            (false, true) => "warn",
            (false, false) => "good",
        };
    let amount = format!("{} of {}", grouped(used), grouped(limit));
    Gauge { name, used, most: limit.max(1), tone, amount, notes }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time everything is seen at.
    fn now() -> DateTime<Utc> {
        "2026-07-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_window_tells_how_much_of_it_is_used_and_who_waits() {
        let quota = Quota {
            limit: 190,
            interval_ms: 10_000,
            capacity: 180,
            used: 12,
            waiting: 3,
            paused_until: None,
        };
        let gauge = window("Requests", &quota, now());
        assert_eq!((gauge.amount.as_str(), gauge.used, gauge.most), ("12 of 180 in 10 s", 12, 180));
        assert_eq!(gauge.notes, [Note::new("3 waiting for their turn")]);
        let paused = window("Requests", &Quota { paused_until: Some(now()), waiting: 0, ..quota }, now());
        assert!(paused.notes[0].is_warning && paused.tone == "warn");
    }

    #[test]
    fn a_day_that_is_not_known_yet_says_so() {
        let unknown =
            Daily { limit: None, remaining: None, paused_until: None, waiting: None, forecast: None };
        assert_eq!(day("Requests today", &unknown, now()).amount, "not known yet");
        let used = day(
            "Requests today",
            &Daily { limit: Some(500_000), remaining: Some(480_000), ..unknown },
            now(),
        );
        assert_eq!((used.amount.as_str(), used.tone), ("20,000 of 500,000", "good"));
    }
}
