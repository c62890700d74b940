//! How one attempt at a call failed, before anybody decided what to do about it.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;

use super::error::{Details, ErrorKind, HubSpotError};
use super::limiter::Throttle;
use super::wire::Malformed;
use super::wire::failure::FailureBody;
use crate::retry::Fault;

/// A locked record stays locked for about this long. Source: HubSpot, "Error handling" (423).
const LOCK_DURATION: Duration = Duration::from_secs(2);

/// HubSpot's status for an account that is being moved to another region; not in any registry.
const ACCOUNT_MOVING: u16 = 477;

/// How one attempt failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The daemon is stopping, and nothing was sent.
    Cancelled,
    /// The daemon is stopping, and the answer was not waited for.
    Abandoned,
    /// It was not sent: the day's requests of its sort are used up.
    DayUsedUp,
    /// No complete answer.
    Connection(reqwest::Error),
    /// A status that is not a success.
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// What the body says.
        body: FailureBody,
        /// `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// An answer with more bytes than are taken.
    TooLarge {
        /// HTTP status.
        status: StatusCode,
        /// How many are.
        most: usize,
        /// What HubSpot's support asks for.
        correlation_id: Option<String>,
    },
    /// A success status with a body that is not what it should be.
    Malformed {
        /// HTTP status.
        status: StatusCode,
        /// What is wrong with the body.
        flaw: Malformed,
        /// What HubSpot's support asks for.
        correlation_id: Option<String>,
    },
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        // The query holds hundreds of property names.
        Self::Connection(error.without_url())
    }
}

impl Failure {
    /// The row of the retry table; `None` where another try would end in the same way.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Cancelled | Self::Abandoned | Self::DayUsedUp | Self::TooLarge { .. } => None,
            Self::Connection(error) if error.is_connect() => Some(Fault::Unreachable),
            Self::Connection(_) => Some(Fault::Connection),
            Self::Refused { status, body, .. } => Some(Fault::Status(meaning(*status, body).as_u16())),
            Self::Malformed { .. } => Some(Fault::Malformed),
        }
    }

    /// The shortest wait HubSpot asks for, if it asks.
    pub fn hint(&self) -> Option<Duration> {
        match self {
            Self::Refused { status, body, retry_after } if meaning(*status, body) == StatusCode::LOCKED => {
                Some(retry_after.unwrap_or_default().max(LOCK_DURATION))
            }
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Cancelled
            | Self::Abandoned
            | Self::DayUsedUp
            | Self::Connection(_)
            | Self::TooLarge { .. }
            | Self::Malformed { .. } => None,
        }
    }

    /// Which limit a refusal for the rate names.
    pub fn throttle(&self) -> Throttle {
        match self {
            Self::Refused { status, .. } if status.as_u16() == ACCOUNT_MOVING => Throttle::AccountMoving,
            Self::Refused { body, .. } => Throttle::named(body.policy_name.as_deref()),
            Self::Cancelled
            | Self::Abandoned
            | Self::DayUsedUp
            | Self::Connection(_)
            | Self::TooLarge { .. }
            | Self::Malformed { .. } => Throttle::Unnamed,
        }
    }

    /// HTTP status, `None` when no answer arrived.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } | Self::TooLarge { status, .. } | Self::Malformed { status, .. } => {
                Some(status.as_u16())
            }
            Self::Cancelled | Self::Abandoned | Self::DayUsedUp | Self::Connection(_) => None,
        }
    }

    /// What HubSpot's support asks for.
    pub fn correlation_id(&self) -> Option<&str> {
        match self {
            Self::Refused { body, .. } => body.correlation_id.as_deref(),
            Self::TooLarge { correlation_id, .. } | Self::Malformed { correlation_id, .. } => {
                correlation_id.as_deref()
            }
            Self::Cancelled | Self::Abandoned | Self::DayUsedUp | Self::Connection(_) => None,
        }
    }

    /// What it means once nobody tries again.
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Cancelled | Self::Abandoned => ErrorKind::Cancelled,
            Self::DayUsedUp => ErrorKind::DailyLimit,
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::Connection(error) if error.is_builder() => ErrorKind::Configuration,
            Self::Connection(_) => ErrorKind::Unavailable,
            Self::Refused { status, body, .. } => kind_of_refusal(meaning(*status, body).as_u16(), body),
            Self::Malformed { .. } => ErrorKind::Protocol,
        }
    }

    /// Whether HubSpot may have done what it was asked: it said neither so nor the contrary.
    fn is_in_doubt(&self) -> bool {
        match self {
            Self::Cancelled | Self::DayUsedUp => false,
            Self::Connection(error) => !error.is_connect() && !error.is_builder(),
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::REQUEST_TIMEOUT
            }
            Self::Abandoned | Self::TooLarge { .. } | Self::Malformed { .. } => true,
        }
    }

    /// The error a call ends with after `attempts` requests in `elapsed`.
    pub fn into_error(self, operation: String, attempts: u32, elapsed: Duration) -> HubSpotError {
        let kind = self.kind();
        let mut details = Details {
            operation,
            in_doubt: self.is_in_doubt(),
            status: self.status(),
            correlation_id: self.correlation_id().map(str::to_owned),
            attempts,
            elapsed,
            ..Details::default()
        };
        match self {
            Self::Cancelled | Self::Abandoned => STOPPING.clone_into(&mut details.message),
            Self::DayUsedUp => USED_UP.clone_into(&mut details.message),
            Self::TooLarge { most, .. } => details.message = too_large(most),
            Self::Connection(error) => {
                describe_connection(&error).clone_into(&mut details.message);
                details.source = Some(error.into());
            }
            Self::Refused { status, body, .. } => {
                details.message = refusal_text(status.as_u16(), &body);
                details.category = body.category;
                details.existing = body.existing;
                details.properties = body.properties;
            }
            Self::Malformed { flaw, .. } => {
                details.message = format!("the answer is not what it should be: {flaw}");
            }
        }
        HubSpotError::new(kind, details)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled | Self::Abandoned => f.write_str(STOPPING),
            Self::DayUsedUp => f.write_str(USED_UP),
            Self::TooLarge { most, .. } => f.write_str(&too_large(*most)),
            Self::Connection(error) => f.write_str(describe_connection(error)),
            Self::Refused { status, body, .. } => {
                write!(f, "HubSpot answered {}", status.as_u16())?;
                let text = refusal_text(status.as_u16(), body);
                if text.is_empty() { Ok(()) } else { write!(f, ": {text}") }
            }
            Self::Malformed { status, flaw, .. } => {
                write!(
                    f,
                    "HubSpot answered {} with a body that is not what it should be: {flaw}",
                    status.as_u16()
                )
            }
        }
    }
}

/// Why a request has no answer any more.
const STOPPING: &str = "the daemon is stopping";

/// Why a request is not even sent.
const USED_UP: &str = "today's requests of this sort are used up";

/// What is wrong with an answer of more than `most` bytes.
fn too_large(most: usize) -> String {
    format!("the answer is larger than {} MiB", most / 1024 / 1024)
}

/// The status that says what a refusal means: a lock on a unique value may come as a bad request.
fn meaning(status: StatusCode, body: &FailureBody) -> StatusCode {
    if status == StatusCode::BAD_REQUEST && body.is_lock() { StatusCode::LOCKED } else { status }
}

/// What a status means once nobody tries again.
fn kind_of_refusal(status: u16, body: &FailureBody) -> ErrorKind {
    match status {
        400 if body.message.contains("Unable to infer object type") => ErrorKind::UnknownType,
        401 => ErrorKind::TokenRejected,
        403 => ErrorKind::ScopeMissing,
        // A page of HTML means that the path does not exist. Source: live runs with and without an Accept header.
        404 if body.is_json || body.is_empty => ErrorKind::NotFound,
        408 | 423 | ACCOUNT_MOVING | 500..=599 => ErrorKind::Unavailable,
        429 if body.policy_name.as_deref() == Some("DAILY") => ErrorKind::DailyLimit,
        429 => ErrorKind::RateLimited,
        _ => ErrorKind::BadRequest,
    }
}

/// HubSpot's message, with what a status alone tells where the message does not.
fn refusal_text(status: u16, body: &FailureBody) -> String {
    match status {
        404 | 405 if !body.is_json && (status == 405 || !body.is_empty) => {
            "this path does not exist: HUBSPOT_BASE_URL or HUBSPOT_API_VERSION is wrong".to_owned()
        }
        300..=399 => "redirects are not followed: HUBSPOT_BASE_URL is wrong".to_owned(),
        414 => "the URL is too long".to_owned(),
        _ => body.message.clone(),
    }
}

/// What became of a request without a complete answer; the cause is in the error's chain.
fn describe_connection(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no complete answer in time"
    } else if error.is_connect() {
        "no connection to HubSpot"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else if error.is_builder() {
        "the request cannot be formed"
    } else {
        "the connection broke"
    }
}
