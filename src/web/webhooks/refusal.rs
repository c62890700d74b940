//! Why a delivery is not taken: the answer, and the name under which it is counted.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::signature::Distrust;
use crate::web::error::ApiError;

/// What a request that is not believed lacks, as an answer with status 401 has to say.
const CHALLENGE: HeaderValue = HeaderValue::from_static("HubSpot-Signature");

/// Why a delivery is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no secret to check signatures with.
    Unconfigured,
    /// It is not HubSpot's.
    Distrusted(Distrust),
    /// The body is too large.
    TooLarge,
    /// The body did not arrive in time, or not whole.
    Broken,
    /// The body is no list.
    Malformed,
    /// Too many at a time.
    Busy,
    /// The database does not take it now.
    NotStored,
}

impl Refusal {
    /// The name under which it is counted; `None` for what says nothing about the request.
    pub(super) fn counted_as(self) -> Option<&'static str> {
        match self {
            Self::Unconfigured | Self::NotStored => None,
            Self::Distrusted(Distrust::Unsigned) => Some("refused_unsigned"),
            Self::Distrusted(Distrust::Stale) => Some("refused_stale"),
            Self::Distrusted(Distrust::Forged) => Some("refused_forged"),
            Self::TooLarge => Some("refused_too_large"),
            Self::Broken => Some("refused_broken"),
            Self::Malformed => Some("refused_malformed"),
            Self::Busy => Some("refused_busy"),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unconfigured => {
                Self::unavailable("webhooks_not_configured", "HUBSPOT_WEBHOOK_SECRET is not set")
            }
            // Not which of the three: that is the log's to say.
            Refusal::Distrusted(_) => {
                Self::new(StatusCode::UNAUTHORIZED, "not_signed", "This is not signed by HubSpot")
            }
            Refusal::TooLarge => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large")
            }
            Refusal::Broken => {
                Self::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body did not arrive in time")
            }
            Refusal::Malformed => Self::bad_request("The body is no list of events"),
            Refusal::Busy => Self::unavailable("busy", "Too much arrives at the moment; send it again"),
            Refusal::NotStored => {
                Self::unavailable("database_unavailable", "The database does not answer; send it again")
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = ApiError::from(self).into_response();
        if matches!(self, Self::Distrusted(_)) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        response
    }
}
