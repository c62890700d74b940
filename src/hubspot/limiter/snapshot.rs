//! The limiter as people see it: in status output, metrics and pages.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::gate::PauseReason;

/// The state of every quota at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimiterSnapshot {
    /// The limit per 10 seconds that counts everything but the others.
    pub burst: QuotaSnapshot,
    /// The limit per second that counts searches.
    pub search: QuotaSnapshot,
    /// The limit per 10 seconds that counts requests about associations.
    pub associations: QuotaSnapshot,
    /// The limit per day that counts everything but associations.
    pub daily: DailySnapshot,
    /// The limit per day that counts associations.
    pub daily_associations: DailySnapshot,
    /// Requests sent since the start.
    pub requests: u64,
    /// How many of them were answered with 429.
    pub throttled: u64,
}

/// One quota with a sliding window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QuotaSnapshot {
    /// The account's limit per interval.
    pub limit: u32,
    /// Length of the interval in milliseconds.
    pub interval_ms: u64,
    /// How much of it is ours now, other apps' use taken off.
    pub capacity: usize,
    /// How much of it we use now.
    pub used: usize,
    /// Requests waiting for a permit.
    pub waiting: usize,
    /// Set while nothing may be sent.
    pub paused: Option<Pause>,
}

/// A daily quota.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DailySnapshot {
    /// The account's limit, `None` until an answer told.
    pub limit: Option<u64>,
    /// How many requests are left of it, `None` until an answer told.
    pub remaining: Option<u64>,
    /// Set while some requests may not be sent.
    pub paused: Option<Pause>,
    /// Whose, in words.
    pub waiting: Option<&'static str>,
}

/// A closed gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// When it opens at the latest.
    pub until: DateTime<Utc>,
    /// Why it is closed.
    pub reason: PauseReason,
}
