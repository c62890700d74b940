//! What can go wrong with a call, in words for an operator and in kinds for the code.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::refusal::RefusedProperty;
use crate::model::ObjectId;

/// What a failed call means for the caller. Everything that can be retried inside a run was retried already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 401: HubSpot does not accept the token.
    TokenRejected,
    /// 403: the token lacks a scope, or the account's plan lacks the feature.
    ScopeMissing,
    /// 400 "Unable to infer object type", or 404 for a schema: the account has no such object type.
    UnknownType,
    /// 404 in HubSpot's own format.
    NotFound,
    /// Any other refusal, a wrong path among them.
    BadRequest,
    /// The account's requests of the day are used up.
    DailyLimit,
    /// 429s outlasted the tries.
    RateLimited,
    /// HubSpot cannot be reached or failed with a server error, several times.
    Unavailable,
    /// A success status with a body that is not what it should be, several times.
    Protocol,
    /// The answer is larger than is taken.
    TooLarge,
    /// The daemon is stopping.
    Cancelled,
    /// The client cannot be built or a request cannot be formed from the configuration.
    Configuration,
}

impl ErrorKind {
    /// What an operator does about it, one sentence.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::TokenRejected => {
                "Put a valid private app token or service key into HUBSPOT_ACCESS_TOKEN and restart."
            }
            Self::ScopeMissing => {
                "Grant the named scopes to the app or key in HubSpot, or take the type out of SYNC_OBJECTS, or only out of \
                 WRITABLE_OBJECTS when it is about writing."
            }
            Self::UnknownType => {
                "Correct the type in SYNC_OBJECTS, or switch the object type on in the HubSpot account."
            }
            Self::NotFound => {
                "Nothing to do when a record was deleted; otherwise correct the type in SYNC_OBJECTS, or switch it on in \
                 the HubSpot account."
            }
            Self::BadRequest => {
                "Check HUBSPOT_BASE_URL and HUBSPOT_API_VERSION, and report the correlation id if they are right."
            }
            Self::DailyLimit => {
                "Wait for midnight in the account's time zone; if it happens often, sync less often or buy a higher limit."
            }
            Self::RateLimited => {
                "Another app uses up the account's request limit: lower RATE_LIMIT_THRESHOLD or slow the other app down."
            }
            Self::Unavailable => {
                "Nothing to do if it passes (the next run tries again); check the network and status.hubspot.com."
            }
            Self::Protocol => {
                "Check that nothing between this machine and HubSpot alters answers, such as a proxy or login page."
            }
            Self::TooLarge => "Report it: no answer HubSpot is known to give is that large.",
            Self::Cancelled => "Nothing to do: the daemon is stopping and the next start continues.",
            Self::Configuration => "Correct HUBSPOT_BASE_URL or HUBSPOT_ACCESS_TOKEN and restart.",
        }
    }
}

/// A call to HubSpot that failed for good.
///
/// Holds no record contents and no token, so it can be logged and stored as it is.
#[derive(Debug)]
pub struct HubSpotError {
    /// What it means.
    kind: ErrorKind,
    /// Everything else; boxed because results carry it by value.
    details: Box<Details>,
}

/// The circumstances of a failure.
#[derive(Debug, Default)]
pub(super) struct Details {
    /// What was attempted, such as `list contacts`.
    pub operation: String,
    /// HTTP status; `None` when no answer arrived.
    pub status: Option<u16>,
    /// HubSpot's own class of error, such as `MISSING_SCOPES`.
    pub category: Option<String>,
    /// HubSpot's message or our description, at most 300 characters; may be empty.
    pub message: String,
    /// The record that has what a refused write would have taken.
    pub existing: Option<ObjectId>,
    /// The properties HubSpot names in a refused write.
    pub properties: Vec<RefusedProperty>,
    /// Whether HubSpot may have done it nevertheless.
    pub in_doubt: bool,
    /// What HubSpot's support asks for.
    pub correlation_id: Option<String>,
    /// How often the request was sent.
    pub attempts: u32,
    /// From the first wait for a permit to the failure.
    pub elapsed: Duration,
    /// The error underneath.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl HubSpotError {
    /// A failure of `kind` with its circumstances.
    pub(super) fn new(kind: ErrorKind, details: Details) -> Self {
        Self { kind, details: Box::new(details) }
    }

    /// The configuration does not allow a client; `message` says why.
    pub(crate) fn configuration(message: &str, source: Option<Box<dyn Error + Send + Sync>>) -> Self {
        let (operation, message) = ("set up the HubSpot client".to_owned(), message.to_owned());
        Self::new(ErrorKind::Configuration, Details { operation, message, source, ..Details::default() })
    }

    /// The same, where what was not found is an object type.
    #[must_use]
    pub(super) fn of_a_type(mut self) -> Self {
        if self.kind == ErrorKind::NotFound {
            self.kind = ErrorKind::UnknownType;
        }
        self
    }

    /// What it means for the caller.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What an operator does about it, one sentence.
    pub fn advice(&self) -> &'static str {
        self.kind.advice()
    }

    /// HTTP status, `None` when no answer arrived.
    pub fn status(&self) -> Option<u16> {
        self.details.status
    }

    /// HubSpot's own class of error, such as `MISSING_SCOPES`.
    pub fn category(&self) -> Option<&str> {
        self.details.category.as_deref()
    }

    /// HubSpot's message or our description, at most 300 characters; may be empty.
    pub fn message(&self) -> &str {
        &self.details.message
    }

    /// The record that has what a refused write would have taken, where HubSpot names it.
    pub(super) fn existing(&self) -> Option<ObjectId> {
        self.details.existing
    }

    /// The properties HubSpot names in a refused write.
    pub(super) fn properties(&self) -> &[RefusedProperty] {
        &self.details.properties
    }

    /// Whether HubSpot may have done what it was asked by the last try, although that failed: the answer was lost, or
    /// says nothing of it.
    pub fn is_in_doubt(&self) -> bool {
        self.details.in_doubt
    }

    /// What HubSpot's support asks for.
    pub fn correlation_id(&self) -> Option<&str> {
        self.details.correlation_id.as_deref()
    }

    /// How often the request was sent.
    pub fn attempts(&self) -> u32 {
        self.details.attempts
    }

    /// From the first wait for a permit to the failure.
    pub fn elapsed(&self) -> Duration {
        self.details.elapsed
    }
}

impl fmt::Display for HubSpotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { operation, status, category, message, correlation_id, attempts, elapsed, .. } =
            &*self.details;
        write!(f, "could not {operation}")?;
        match (status, category) {
            (Some(status), Some(category)) => write!(f, ": HubSpot answered {status} {category}")?,
            (Some(status), None) => write!(f, ": HubSpot answered {status}")?,
            (None, _) => {}
        }
        if !message.is_empty() {
            write!(f, ": {message}")?;
        }
        let noun = if *attempts == 1 { "attempt" } else { "attempts" };
        match correlation_id {
            Some(id) => {
                write!(f, " ({attempts} {noun} in {:.1} s, correlation id {id})", elapsed.as_secs_f64())
            }
            None if *attempts > 0 => write!(f, " ({attempts} {noun} in {:.1} s)", elapsed.as_secs_f64()),
            None => Ok(()),
        }
    }
}

impl Error for HubSpotError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.details.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
