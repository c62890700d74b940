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
        if state.consecutive_failures > 0 {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A type that was brought up to date so many minutes ago.
    fn state(minutes: i64) -> SyncState {
        SyncState::synced("contacts", Some(now() - TimeDelta::minutes(minutes)))
    }

    /// The same after some failures in a row.
    fn failed(failures: i32, kind: Option<FailureKind>) -> SyncState {
        let last_error = Some("something".to_owned());
        SyncState {
            status: SyncStatus::Error,
            consecutive_failures: failures,
            error_kind: kind,
            last_error,
            ..state(1)
        }
    }

    /// The time everything is judged at.
    fn now() -> DateTime<Utc> {
        "2026-11-23T08:15:00Z".parse().unwrap()
    }

    /// How it stands, with a run every 15 minutes and a bound of an hour.
    fn standing(state: &SyncState) -> Standing {
        let minutes = Duration::from_mins;
        let config =
            AlertConfig { webhook: None, mail: None, after_failures: 3, lag: minutes(60), quiet: minutes(5) };
        Standing::of(state, TimeDelta::minutes(15), &config, now())
    }

    #[test]
    fn a_type_is_in_step_until_a_run_is_overdue() {
        for (minutes, expected) in [
            (0, Standing::InStep),
            (31, Standing::InStep),
            (32, Standing::Late),
            (75, Standing::Late),
            (76, Standing::Behind),
        ] {
            assert_eq!(standing(&state(minutes)), expected, "{minutes} minutes");
        }
    }

    #[test]
    fn a_type_that_was_never_read_whole_is_copied_or_waits_for_it() {
        let fresh = SyncState { watermark: None, last_sync_date: None, ..state(0) };
        assert_eq!(standing(&fresh), Standing::NotBegun);
        let listing = SyncState { backfill_cursor: Some(String::new()), ..fresh.clone() };
        assert_eq!(standing(&listing), Standing::FirstCopy);
        assert_eq!(standing(&SyncState { status: SyncStatus::Running, ..fresh }), Standing::FirstCopy);
        let again = SyncState { backfill_cursor: Some("7".to_owned()), ..state(3) };
        assert_eq!(standing(&again), Standing::InStep, "what is listed again was in step before");
    }

    #[test]
    fn a_failure_waits_for_a_person_when_it_does_not_pass_by_itself() {
        let hubspot = Some(FailureKind::HubSpot);
        assert_eq!(standing(&failed(2, hubspot)), Standing::Retrying);
        assert_eq!(standing(&failed(3, hubspot)), Standing::Failing);
        assert_eq!(standing(&failed(2, None)), Standing::Retrying);
        assert_eq!(standing(&failed(1, Some(FailureKind::AccessDenied))), Standing::Failing);
        assert_eq!(standing(&failed(9, Some(FailureKind::DailyLimit))), Standing::Waiting);
        let running = SyncState { status: SyncStatus::Running, ..failed(3, hubspot) };
        assert_eq!(standing(&running), Standing::Failing, "it fails until a run has succeeded");
    }
}
