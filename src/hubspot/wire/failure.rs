//! Bodies of refused calls. Every field is optional, and the whole may be HTML, text or nothing.

use serde_json::Value;

/// Longest message kept, in characters.
const MESSAGE_LIMIT: usize = 300;

/// What a refusal says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::hubspot) struct FailureBody {
    /// HubSpot's prose with credentials and addresses masked, at most 300 characters; may be empty.
    pub message: String,
    /// HubSpot's class of error.
    pub category: Option<String>,
    /// What support asks for.
    pub correlation_id: Option<String>,
    /// Which limit a 429 hit: `SECONDLY`, `TEN_SECONDLY_ROLLING` or `DAILY`.
    pub policy_name: Option<String>,
    /// Whether the body is HubSpot's JSON at all; a page of HTML comes from a path that does not exist, or from
    /// something in between.
    pub is_json: bool,
    /// Whether there is no body.
    pub is_empty: bool,
}

impl FailureBody {
    /// Reads what is there.
    pub fn parse(body: &[u8]) -> Self {
        let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
            return Self { is_empty: body.trim_ascii().is_empty(), ..Self::default() };
        };
        // Some services put a whole error as text into `message`.
        if let Some(Ok(inner @ Value::Object(_))) = value["message"].as_str().map(serde_json::from_str) {
            value = inner;
        }
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let mut message = presentable(value["message"].as_str().unwrap_or_default());
        let scopes = required_scopes(&value);
        if !scopes.is_empty() {
            // First, because it is what the operator needs and the prose may fill the limit.
            message = presentable(&format!("missing scopes: {}; {message}", scopes.join(", ")));
        }
        Self {
            message,
            category: text("category"),
            correlation_id: text("correlationId"),
            policy_name: text("policyName"),
            is_json: value.is_object(),
            is_empty: false,
        }
    }
}

/// The scopes a refused call would have needed.
fn required_scopes(body: &Value) -> Vec<&str> {
    let errors = body["errors"].as_array().into_iter().flatten();
    let lists = errors.flat_map(|error| {
        ["requiredGranularScopes", "requiredScopes"].map(|key| error["context"][key].as_array())
    });
    lists.flatten().flatten().filter_map(Value::as_str).collect()
}

/// `text` with words that hold an address or a token masked, cut to [`MESSAGE_LIMIT`] characters.
fn presentable(text: &str) -> String {
    let mask = |word: &str| match word {
        word if word.contains('@') => "[address]".to_owned(),
        word if word.contains("pat-") => "[token]".to_owned(),
        word => word.to_owned(),
    };
    let masked = text.split_whitespace().map(mask).collect::<Vec<_>>().join(" ");
    masked.chars().take(MESSAGE_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_scope_is_named_first() {
        let body = FailureBody::parse(
            br#"{"status":"error","message":"This app hasn't been granted all required scopes to make this call.",
                "correlationId":"c-1","errors":[{"message":"One or more of the following scopes are required.",
                "context":{"requiredGranularScopes":["crm.objects.deals.read"]}}],"category":"MISSING_SCOPES"}"#,
        );
        assert!(
            body.message.starts_with("missing scopes: crm.objects.deals.read; This app"),
            "{}",
            body.message
        );
        assert_eq!(body.category.as_deref(), Some("MISSING_SCOPES"));
        assert_eq!(body.correlation_id.as_deref(), Some("c-1"));
    }

    #[test]
    fn bodies_of_every_sort_are_read_as_far_as_possible() {
        assert!(FailureBody::parse(b" \n").is_empty);
        let html = FailureBody::parse(b"<html><body>Not Found</body></html>");
        assert_eq!(html, FailureBody::default());
        let nested = FailureBody::parse(
            br#"{"message": "{\"message\": \"inner\", \"category\": \"X\"}", "errors": ["text"]}"#,
        );
        assert_eq!((nested.message.as_str(), nested.category.as_deref()), ("inner", Some("X")));
        assert!(!FailureBody::parse(b"[1]").is_json);
    }

    #[test]
    fn messages_are_short_and_hold_no_address_and_no_token() {
        let long = "é".repeat(1000);
        let body = format!(r#"{{"message": "contact ada@example.test with pat-na1-123 {long}"}}"#);
        let message = FailureBody::parse(body.as_bytes()).message;
        assert!(message.starts_with("contact [address] with [token] é"), "{message}");
        assert_eq!(message.chars().count(), MESSAGE_LIMIT);
    }
}
