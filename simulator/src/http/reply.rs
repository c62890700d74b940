//! Answers and HubSpot's error bodies.
//!
//! Source: HubSpot, "Handling errors"; wordings as published by people who met them.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::limits::Policy;

/// As HubSpot writes it, without a space.
const JSON: &str = "application/json;charset=utf-8";

/// What the web server in front answers with.
const HTML: &str = "text/html;charset=iso-8859-1";

/// What an answer carries.
pub enum Payload {
    /// All of it.
    Whole(Bytes),
    /// In pieces, made while sending.
    Stream(BoxStream<'static, Bytes>),
}

/// An answer before it is sent.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Type of the body.
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub payload: Payload,
    /// Names the request in body and header.
    pub correlation_id: Uuid,
}

impl Reply {
    /// An answer with a body of some type.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type,
            headers: Vec::new(),
            payload: Payload::Whole(body.into()),
            correlation_id: Uuid::now_v7(),
        }
    }

    /// JSON that is already text.
    pub fn json_text(status: u16, body: Vec<u8>) -> Self {
        Self::new(status, JSON, body)
    }

    /// A JSON document.
    pub fn json(status: u16, document: &Value) -> Self {
        Self::json_text(status, document.to_string().into_bytes())
    }

    /// Lines of JSON, made while sending.
    pub fn lines(stream: BoxStream<'static, Bytes>) -> Self {
        Self { payload: Payload::Stream(stream), ..Self::new(200, "application/x-ndjson", Bytes::new()) }
    }

    /// An HTML page, as the servers in front of HubSpot's API answer.
    pub fn html(status: u16, title: &str) -> Self {
        let body = format!(
            "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=utf-8\"/>\n\
             <title>Error {status} {title}</title>\n</head>\n<body><h2>HTTP ERROR {status} {title}</h2>\n</body>\n</html>\n"
        );
        Self::new(status, HTML, body)
    }

    /// An answer without body.
    pub fn empty(status: u16) -> Self {
        Self::new(status, JSON, Bytes::new())
    }

    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An error body in the making; every field but the status and message is optional, as at HubSpot.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// HTTP status.
    status: u16,
    /// Fields besides `status`, `message` and `correlationId`.
    fields: Map<String, Value>,
    /// For people.
    message: String,
}

impl ApiError {
    /// An error with a message and nothing else.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, fields: Map::new(), message: message.into() }
    }

    /// With a category.
    #[must_use]
    pub fn category(self, category: &str) -> Self {
        self.field("category", json!(category))
    }

    /// With any other field.
    #[must_use]
    pub fn field(mut self, name: &str, value: Value) -> Self {
        self.fields.insert(name.to_owned(), value);
        self
    }

    /// The body HubSpot gives for most malformed searches, and for paging past the cap.
    /// Source: HubSpot developer Slack, 2022 to 2025.
    pub fn problem() -> Self {
        Self::new(400, "There was a problem with the request.")
    }

    /// A request that does not say what it must.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(400, message).category("VALIDATION_ERROR")
    }

    /// A name no object type has. Source: HubSpot developer Slack.
    pub fn unknown_type(name: &str) -> Self {
        Self::validation(format!("Unable to infer object type from: {name}"))
    }

    /// An id nobody has.
    pub fn not_found() -> Self {
        Self::new(404, "resource not found")
    }

    /// Nobody's token, or none.
    pub fn no_credentials() -> Self {
        Self::new(
            401,
            "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more \
             details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
        )
        .category("INVALID_AUTHENTICATION")
    }

    /// A token that may not read a type.
    pub fn missing_scopes(scopes: &[String]) -> Self {
        const HELP: &str = "https://developers.hubspot.com/scopes";
        Self::new(
            403,
            format!(
                "This app hasn't been granted all required scopes to make this call. Read more about required scopes \
                 here: {HELP}."
            ),
        )
        .field(
            "errors",
            json!([{
                "message": "One or more of the following scopes are required.",
                "context": { "requiredGranularScopes": scopes },
            }]),
        )
        .field("links", json!({ "scopes": HELP }))
        .category("MISSING_SCOPES")
    }

    /// A request beyond a limit.
    pub fn rate_limited(policy: Policy) -> Self {
        let group = match policy {
            Policy::TenSecondlyRolling => "publicapi:private_app-api-calls-ten-secondly:1845122:62515",
            Policy::Secondly => "publicapi:crm:search:oauth:1845122:62515",
            Policy::Daily => "publicapi:private-apps-api-calls-daily:62515",
        };
        Self::new(429, format!("You have reached your {} limit.", policy.phrase()))
            .field("errorType", json!("RATE_LIMIT"))
            .field("policyName", json!(policy.name()))
            .field("groupName", json!(group))
    }

    /// The error as one of several in an answer, where it has no name of its own.
    pub fn into_part(self) -> Value {
        let mut document = self.fields;
        document.insert("status".into(), json!("error"));
        document.insert("message".into(), json!(self.message));
        Value::Object(document)
    }

    /// What it says to people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The status.
    pub const fn status(&self) -> u16 {
        self.status
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        let correlation_id = Uuid::now_v7();
        let mut document = Map::new();
        document.insert("status".into(), json!("error"));
        document.insert("message".into(), json!(error.message));
        document.insert("correlationId".into(), json!(correlation_id.to_string()));
        document.extend(error.fields);
        Self { correlation_id, ..Self::json(error.status, &Value::Object(document)) }
    }
}
