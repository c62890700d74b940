//! Errors as every route answers them: `{"error": {"code", "message", "fields"?, "requestId"}}`.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::storage::{StorageError, StorageErrorKind};
use crate::sync::Chain;

/// Seconds after which a request that could not be carried out may be.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// Why a request is not carried out. Becomes a response without a body, which the outermost layer fills in: it knows the
/// id of the request.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    fields: Vec<FieldError>,
    current: Option<Box<RawValue>>,
    /// What the log says of it and the client does not get to know.
    cause: Option<String>,
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct FieldError {
    /// Where it stands in the request, such as `email` or `properties.phone`.
    pub(super) field: String,
    /// What is wrong, or what would be right.
    pub(super) message: String,
}

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody<'a> {
    error: ErrorPart<'a>,
    /// With status 409, the record as it is by now, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    current: Option<&'a RawValue>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ErrorPart<'a> {
    /// A word that does not change, for programs.
    code: &'a str,
    /// A sentence for people.
    message: &'a str,
    /// What is wrong with single fields.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    fields: &'a [FieldError],
    /// Id of the request, as in the header `X-Request-Id` and in the log.
    request_id: &'a str,
}

impl ApiError {
    /// An error with a sentence for people.
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: Vec::new(), current: None, cause: None }
    }

    /// What stands in the path does not exist.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// The request cannot be understood.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// The request does not fit what is the case by now.
    pub(super) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// The request is understood and fields of it are wrong.
    pub(super) fn fields(fields: Vec<FieldError>) -> Self {
        let error =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields", "Some fields are not valid");
        Self { fields, ..error }
    }

    /// One field is wrong.
    pub(super) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// Not now.
    pub(super) fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
    }

    /// A defect of ours; what it is stands in the log.
    pub(super) fn internal(cause: impl Into<String>) -> Self {
        let message = "Something went wrong; the log has more";
        let error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message);
        Self { cause: Some(cause.into()), ..error }
    }

    /// Whether whoever asks may not; else it went wrong otherwise.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    }

    /// The word for programs.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence for people.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong with single fields.
    pub(super) fn wrong_fields(&self) -> &[FieldError] {
        &self.fields
    }

    /// What the log says of it.
    pub(super) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// With another sentence.
    pub(super) fn saying(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// With the record as it is by now.
    pub(super) fn with_current(self, current: Box<RawValue>) -> Self {
        Self { current: Some(current), ..self }
    }

    /// The error of a response that has a status and nothing else, as the router and layers of others make it.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::NOT_FOUND => ("not_found", "There is no such route; /api/docs shows which there are"),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "This route does not know this method"),
            StatusCode::FORBIDDEN => ("cross_origin", "A page of another origin may not do this"),
            StatusCode::BAD_REQUEST => ("bad_request", "The request cannot be read"),
            StatusCode::UNPROCESSABLE_ENTITY => {
                ("invalid_fields", "A field is missing, or is not what it should be")
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("unsupported_media_type", "The body is of another type than this route takes")
            }
            StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "The body is too large"),
            _ => ("error", status.canonical_reason().unwrap_or("The request was not carried out")),
        };
        Self::new(status, code, message)
    }

    /// The body for the request of that id.
    pub(super) fn body(&self, request_id: &str) -> String {
        let error = ErrorPart { code: self.code, message: &self.message, fields: &self.fields, request_id };
        let body = ErrorBody { error, current: self.current.as_deref() };
        serde_json::to_string(&body).expect("texts can be written as JSON")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The database could not be asked. Its words are for the log: they name tables and hosts.
impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        if error.kind() == StorageErrorKind::Transient {
            return Self::unavailable(
                "database_unavailable",
                "The database did not answer in time; try again",
            );
        }
        Self::internal(Chain(&error).to_string())
    }
}
