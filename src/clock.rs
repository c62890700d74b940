//! Where the time comes from.
//!
//! Leases alone use the database's clock, because two daemons on two machines must agree on them.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// The current time, to the millisecond: what `DATETIME(3)` stores and what HubSpot stamps.
#[expect(clippy::disallowed_methods, reason = "the one door to the system clock")]
pub fn now() -> DateTime<Utc> {
    to_millis(Utc::now())
}

/// `at` cut to whole milliseconds, so that it equals what comes back from the database.
pub fn to_millis(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(at)
}
