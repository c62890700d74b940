//! Why a run failed, and when the next one makes sense.

use std::fmt;
use std::time::Duration;

use super::Subject;
use crate::hubspot::{ErrorKind, HubSpotError};
use crate::storage::{FailureKind, RunFailure, StorageError, StorageErrorKind};

/// Wait before a run is repeated that failed for a passing reason; doubles with every failure in a row.
const FIRST_RETRY: Duration = Duration::from_secs(5);

/// A run could not do all it set out to do.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// HubSpot did not give what was asked for.
    #[error(transparent)]
    HubSpot(#[from] HubSpotError),
    /// MariaDB did not take or give what it should.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// HubSpot listed no property at all. Going on would empty every row.
    #[error("HubSpot lists no properties of {0}")]
    EmptyCatalogue(&'static str),
    /// The token has not proven to belong to the account the database mirrors; the reason was logged and recorded when
    /// it was asked.
    #[error("the HubSpot account is not verified")]
    Unverified,
    /// The token belongs to another account than the configuration says.
    #[error("HUBSPOT_PORTAL_ID is {expected}, but the token is for account {given}")]
    UnexpectedAccount {
        /// The configured account.
        expected: i64,
        /// The account of the token.
        given: i64,
    },
    /// So many records are gone from HubSpot that a mistake is more likely. Nothing was marked.
    #[error(
        "HubSpot shows {pending} of {live} {object_type} as deleted, more than MAX_DELETE_SHARE allows; no row was changed"
    )]
    TooManyDeletes {
        /// The type.
        object_type: &'static str,
        /// Rows that would be marked.
        pending: u64,
        /// Rows that are live.
        live: u64,
    },
    /// HubSpot does not let the records of the type be read; what belongs to them waits.
    #[error("HubSpot does not let {0} be read")]
    TypeRefused(&'static str),
    /// The run panicked.
    #[error("syncing {0} ended in a defect of this program; the log has its words")]
    Panicked(Subject),
    /// The daemon is stopping.
    #[error("stopped before it was done")]
    Stopped,
}

/// When it makes sense to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextTry {
    /// It passes by itself.
    Soon,
    /// A person has to act first, so the usual rhythm is enough.
    NextInterval,
    /// Nothing failed; this process is just not the one to go on.
    Elsewhere,
}

impl SyncError {
    /// The table of what a failed run means. Calls and pages were retried already.
    pub(super) fn next_try(&self) -> NextTry {
        match self {
            Self::Stopped => NextTry::Elsewhere,
            Self::EmptyCatalogue(_)
            | Self::Unverified
            | Self::Panicked(_)
            | Self::TooManyDeletes { .. }
            | Self::TypeRefused(_)
            | Self::UnexpectedAccount { .. } => NextTry::NextInterval,
            Self::HubSpot(error) => match error.kind() {
                ErrorKind::RateLimited | ErrorKind::Unavailable | ErrorKind::Protocol => NextTry::Soon,
                ErrorKind::TokenRejected
                | ErrorKind::ScopeMissing
                | ErrorKind::UnknownType
                | ErrorKind::NotFound
                | ErrorKind::BadRequest
                | ErrorKind::DailyLimit
                | ErrorKind::TooLarge
                | ErrorKind::Configuration => NextTry::NextInterval,
                ErrorKind::Cancelled => NextTry::Elsewhere,
            },
            Self::Storage(error) => match error.kind() {
                StorageErrorKind::Transient => NextTry::Soon,
                StorageErrorKind::Data | StorageErrorKind::Permanent => NextTry::NextInterval,
                StorageErrorKind::LeaseLost => NextTry::Elsewhere,
            },
        }
    }

    /// Whether HubSpot does not let this be read: a scope is missing, or the account has no such type.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::TypeRefused(_) => true,
            Self::HubSpot(error) => {
                matches!(error.kind(), ErrorKind::ScopeMissing | ErrorKind::UnknownType | ErrorKind::NotFound)
            }
            _ => false,
        }
    }

    /// Whether HubSpot does not answer a question about links of two types, but may answer those about other types. Asking
    /// again at once would not help.
    pub(super) fn refuses_pair(&self) -> bool {
        let is_about_the_question =
            |error: &HubSpotError| matches!(error.kind(), ErrorKind::BadRequest | ErrorKind::TooLarge);
        self.is_refusal() || matches!(self, Self::HubSpot(error) if is_about_the_question(error))
    }

    /// Whether the day's requests are used up.
    pub(super) fn is_daily_limit(&self) -> bool {
        matches!(self, Self::HubSpot(error) if error.kind() == ErrorKind::DailyLimit)
    }

    /// Whether nothing failed, and this process is just not the one to go on: it stops, or another one leads.
    pub fn ends_here(&self) -> bool {
        self.next_try() == NextTry::Elsewhere
    }

    /// What a person should do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::HubSpot(error) => error.advice(),
            Self::Storage(error) => error.advice(),
            Self::EmptyCatalogue(_) => "Check that the token has the crm.schemas read scope of this type.",
            Self::Unverified => "See the error of the account check.",
            Self::UnexpectedAccount { .. } => "Use the token of that account, or correct HUBSPOT_PORTAL_ID.",
            Self::TooManyDeletes { .. } => {
                "If they were really deleted, run `hubspot-connector deletes confirm` with the type; table pending_deletes \
                 lists them."
            }
            Self::TypeRefused(_) => "See the error of that type.",
            Self::Panicked(_) => "Report it; the next run goes on from the last stored page.",
            Self::Stopped => "Nothing to do: the next start continues.",
        }
    }

    /// Its sort, for whoever cannot read.
    fn failure_kind(&self) -> FailureKind {
        match self {
            Self::HubSpot(error) => match error.kind() {
                ErrorKind::TokenRejected => FailureKind::TokenRejected,
                ErrorKind::ScopeMissing | ErrorKind::UnknownType | ErrorKind::NotFound => {
                    FailureKind::AccessDenied
                }
                ErrorKind::DailyLimit => FailureKind::DailyLimit,
                ErrorKind::Configuration => FailureKind::Configuration,
                ErrorKind::RateLimited
                | ErrorKind::Unavailable
                | ErrorKind::Protocol
                | ErrorKind::BadRequest
                | ErrorKind::TooLarge
                | ErrorKind::Cancelled => FailureKind::HubSpot,
            },
            Self::Storage(StorageError::WrongAccount { .. })
            | Self::UnexpectedAccount { .. }
            | Self::Unverified => FailureKind::Account,
            Self::Storage(_) => FailureKind::Database,
            Self::EmptyCatalogue(_) => FailureKind::AccessDenied,
            Self::TypeRefused(_) => FailureKind::TypeRefused,
            Self::TooManyDeletes { .. } => FailureKind::TooManyDeletes,
            Self::Panicked(_) => FailureKind::Defect,
            Self::Stopped => FailureKind::HubSpot,
        }
    }

    /// What the row of a run tells that failed.
    pub(super) fn failure(&self) -> RunFailure {
        RunFailure { kind: self.failure_kind(), report: self.report() }
    }

    /// The whole chain of causes and what to do, for `sync_state.last_error` and the log.
    pub fn report(&self) -> String {
        format!("{}. {}", Chain(self), self.advice())
    }
}

/// Shows an error with all its causes.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        let mut said = self.0.to_string();
        while let Some(error) = cause {
            let words = error.to_string();
            // Some libraries repeat the cause in the error itself.
            if !said.contains(&words) {
                write!(f, ": {words}")?;
            }
            said = words;
            cause = error.source();
        }
        Ok(())
    }
}

/// How long to wait after `failures` failed runs in a row, for an error that passes; at most `interval`.
pub(super) fn soon(failures: u32, interval: Duration) -> Duration {
    (FIRST_RETRY * 2_u32.saturating_pow(failures.saturating_sub(1).min(16))).min(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_failures_wait_longer_but_never_longer_than_the_interval() {
        let interval = Duration::from_mins(15);
        let waits: Vec<_> = (1..=9).map(|failures| soon(failures, interval).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 900]);
        assert_eq!(soon(u32::MAX, interval), interval);
    }
}
