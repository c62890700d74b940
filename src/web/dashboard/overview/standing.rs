//! How a type stands, as a pure function of its row and of the settings.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::AlertConfig;
use crate::storage::{FailureKind, SyncState, SyncStatus};

/// What a type may be behind beyond its schedule and still count as in step: how long a run may take.
const RUN: TimeDelta = TimeDelta::minutes(1);

/// How a type stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing of it was read yet.
    NotBegun,
    /// It is read whole for the first time.
    FirstCopy,
    /// What HubSpot has is here, as of the last run.
    InStep,
    /// A run is overdue, by less than is a problem.
    Late,
    /// It is further behind than its schedule explains.
    Behind,
    /// The last run failed and is tried again by itself.
    Retrying,
    /// The day's requests are used up.
    Waiting,
    /// Runs fail, and a person has to look.
    Failing,
}

impl Standing {
    /// How the type of that row stands at `now`, whose runs are `period` apart.
    pub(super) fn of(state: &SyncState, period: TimeDelta, config: &AlertConfig, now: DateTime<Utc>) -> Self {
        if state.consecutive_failures > 0 && (state.status == SyncStatus::Error || state.last_error.is_some())
        {
            return match state.error_kind {
                Some(FailureKind::DailyLimit) => Self::Waiting,
                kind if needs_a_person(kind) => Self::Failing,
                _ if state.consecutive_failures.unsigned_abs() >= config.after_failures => Self::Failing,
                _ => Self::Retrying,
            };
        }
        let Some(since) = as_of(state) else {
            let has_begun = state.backfill_cursor.is_some() || state.status == SyncStatus::Running;
            return if has_begun { Self::FirstCopy } else { Self::NotBegun };
        };
        let (lag, bound) = (now - since, TimeDelta::seconds(config.lag.as_secs() as i64));
        match () {
            () if lag > period + bound => Self::Behind,
            () if lag > period * 2 + RUN => Self::Late,
            () => Self::InStep,
        }
    }

    /// In a word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NotBegun => "not begun",
            Self::FirstCopy => "first copy",
            Self::InStep => "in step",
            Self::Late => "late",
            Self::Behind => "behind",
            Self::Retrying => "tried again",
            Self::Waiting => "waits for midnight",
            Self::Failing => "failing",
        }
    }

    /// In a colour.
    pub(super) fn tone(self) -> &'static str {
        match self {
            Self::NotBegun => "idle",
            Self::FirstCopy => "busy",
            Self::InStep => "good",
            Self::Late | Self::Retrying | Self::Waiting => "warn",
            Self::Behind | Self::Failing => "bad",
        }
    }
}

/// Up to when every change is here; `None` before the type was first read whole.
pub(super) fn as_of(state: &SyncState) -> Option<DateTime<Utc>> {
    state.watermark.or(state.last_sync_date)
}

/// Whether a failure of this sort does not pass by itself.
fn needs_a_person(kind: Option<FailureKind>) -> bool {
    match kind {
        Some(
            FailureKind::TokenRejected
            | FailureKind::AccessDenied
            | FailureKind::TypeRefused
            | FailureKind::Account
            | FailureKind::TooManyDeletes
            | FailureKind::Configuration
            | FailureKind::Defect,
        ) => true,
        Some(FailureKind::DailyLimit | FailureKind::HubSpot | FailureKind::Database) | None => false,
    }
}
