//! A gate that HubSpot's answers close for a while.

use serde::Serialize;
use tokio::time::Instant;

/// Why requests wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// HubSpot said that the limit per 10 seconds was hit.
    TenSecondLimit,
    /// HubSpot said that the limit per second was hit.
    SecondLimit,
    /// The rest of the day's requests is kept for interactive work and other apps.
    DailyReserve,
    /// HubSpot said that the day's requests are used up.
    DailyLimit,
    /// HubSpot is moving the account to another region.
    AccountMoving,
}

/// Open, or closed until an instant.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// When it opens by itself, and why it is closed.
    closed: Option<(Instant, PauseReason)>,
}

impl Gate {
    /// Closes the gate until `until`; a gate that is closed for longer stays so.
    pub fn close(&mut self, until: Instant, reason: PauseReason) {
        if self.closed.is_none_or(|(present, _)| present < until) {
            self.closed = Some((until, reason));
        }
    }

    /// When it opens and why it is closed; `None` when it is open at `now`.
    pub fn closed(&self, now: Instant) -> Option<(Instant, PauseReason)> {
        self.closed.filter(|(until, _)| *until > now)
    }
}
