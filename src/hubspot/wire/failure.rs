//! Bodies of refused calls. Every field is optional, and the whole may be HTML, text or nothing.

use serde_json::Value;

use crate::hubspot::refusal::RefusedProperty;
use crate::model::ObjectId;

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
    /// The record that has what a refused write would have taken.
    pub existing: Option<ObjectId>,
    /// The properties a refused write is about, each with what is wrong.
    pub properties: Vec<RefusedProperty>,
    /// Whether the body is HubSpot's JSON at all; a page of HTML comes from a path that does not exist, or from
    /// something in between.
    pub is_json: bool,
    /// Whether there is no body.
    pub is_empty: bool,
}

impl FailureBody {
    /// Reads what is there.
    pub fn parse(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::of(value),
            Err(_) => Self { is_empty: body.trim_ascii().is_empty(), ..Self::default() },
        }
    }

    /// Reads an error, the whole body or one of a batch.
    pub fn of(mut value: Value) -> Self {
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
            existing: existing_record(&value),
            properties: refused_properties(&value),
            is_json: value.is_object(),
            is_empty: false,
        }
    }

    /// Whether somebody else held what a write needed; nothing was written. Source: HubSpot developer Slack, 2023-05.
    pub fn is_lock(&self) -> bool {
        self.message.starts_with("Timed out trying to acquire unique value lock")
    }
}

/// The id behind "already exists", whichever of the forms seen it comes in: in the message, in that of an inner error,
/// or in the profile beside it.
fn existing_record(body: &Value) -> Option<ObjectId> {
    let inner = body["errors"].as_array().into_iter().flatten().map(|error| &error["message"]);
    let texts = std::iter::once(&body["message"]).chain(inner).filter_map(Value::as_str);
    let profile = || body["identityProfile"]["vid"].as_i64().filter(|id| *id > 0).map(ObjectId);
    texts.into_iter().find_map(existing_in).or_else(profile)
}

/// The id in `… already exists. Existing ID: 512` or `… on 7. 512 already has that value.`
fn existing_in(text: &str) -> Option<ObjectId> {
    let behind = text.split_once("Existing ID:").and_then(|(_, rest)| rest.split_whitespace().next());
    let before = || text.split_once(HAS_VALUE).and_then(|(rest, _)| rest.split_whitespace().next_back());
    behind.or_else(before)?.trim_end_matches(|letter: char| !letter.is_ascii_digit()).parse().ok()
}

/// How the refusal of a value ends that another record has in a unique property.
const HAS_VALUE: &str = " already has that value";

/// The properties a refused write names: in `errors`, in the JSON at the end of the message, or in its prose.
fn refused_properties(body: &Value) -> Vec<RefusedProperty> {
    let errors = body["errors"].as_array().into_iter().flatten();
    let named: Vec<_> = errors
        .flat_map(|error| {
            let names = error["context"]["propertyName"].as_array().into_iter().flatten();
            names.filter_map(|name| refused_property(name, &error["code"], &error["message"]))
        })
        .collect();
    if !named.is_empty() {
        return named;
    }
    let message = body["message"].as_str().unwrap_or_default();
    let list = message.split_once(": [").map(|(_, list)| format!("[{list}"));
    if let Some(Ok(list)) = list.map(|list| serde_json::from_str::<Vec<Value>>(&list)) {
        return list
            .iter()
            .filter_map(|flaw| refused_property(&flaw["name"], &flaw["error"], &flaw["message"]))
            .collect();
    }
    taken_property(message).into_iter().collect()
}

/// A property HubSpot names, with its code and prose.
fn refused_property(name: &Value, code: &Value, message: &Value) -> Option<RefusedProperty> {
    Some(RefusedProperty {
        name: name.as_str()?.to_owned(),
        code: code.as_str().map(str::to_owned),
        message: presentable(message.as_str().unwrap_or_default()),
    })
}

/// The unique property in `Cannot set PropertyValueCoordinates{…, propertyName=hs_sku, value=…} on 7. 512 already has
/// that value.`
fn taken_property(message: &str) -> Option<RefusedProperty> {
    let (_, rest) = message.split_once("propertyName=").filter(|_| message.contains(HAS_VALUE))?;
    let name = rest.split([',', '}']).next()?.trim().to_owned();
    let other = existing_in(message).map(|id| format!("record {id}"));
    let message = format!("{} already has that value", other.as_deref().unwrap_or("another record"));
    Some(RefusedProperty { name, code: None, message })
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
    fn the_existing_record_is_found_in_every_form_it_is_told_in() {
        for (body, existing) in [
            (r#"{"message": "Contact already exists. Existing ID: 512", "category": "CONFLICT"}"#, Some(512)),
            (r#"{"message": "Contact already exists. Existing ID: 512."}"#, Some(512)),
            (r#"{"message": "Contact already exists"}"#, None),
            (
                r#"{"message": "no", "errors": [{"message": "A contact with email a@b.test already exists. Existing ID: 7"}]}"#,
                Some(7),
            ),
            (r#"{"message": "no", "identityProfile": {"vid": 9, "identity": []}}"#, Some(9)),
            (r#"{"message": "{\"message\": \"Contact already exists. Existing ID: 8\"}"}"#, Some(8)),
        ] {
            assert_eq!(FailureBody::parse(body.as_bytes()).existing, existing.map(ObjectId), "{body}");
        }
    }

    #[test]
    fn the_properties_at_fault_are_named_wherever_hubspot_names_them() {
        let listed = br#"{"message": "Property values were not valid: []", "category": "VALIDATION_ERROR", "errors": [
            {"message": "Property \"x\" does not exist", "code": "PROPERTY_DOESNT_EXIST", "context": {"propertyName": ["x"]}},
            {"message": "Email address ada@ is invalid", "code": "INVALID_EMAIL", "context": {"propertyName": ["email"]}}]}"#;
        let properties = FailureBody::parse(listed).properties;
        let shown: Vec<_> = properties.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "x: Property \"x\" does not exist (PROPERTY_DOESNT_EXIST)",
                "email: Email address [address] is invalid (INVALID_EMAIL)"
            ]
        );
        let in_prose = br#"{"message": "Property values were not valid: [{\"isValid\":false,\"message\":\"no\",\"error\":\"INVALID_OPTION\",\"name\":\"x\"}]"}"#;
        assert_eq!(FailureBody::parse(in_prose).properties[0].to_string(), "x: no (INVALID_OPTION)");
        let taken = br#"{"message": "Cannot set PropertyValueCoordinates{portalId=1, objectTypeId=ObjectTypeId{legacyObjectType=PRODUCT}, propertyName=hs_sku, value=S 1} on 7. 512 already has that value."}"#;
        let body = FailureBody::parse(taken);
        assert_eq!(body.existing, Some(ObjectId(512)));
        assert_eq!(body.properties[0].to_string(), "hs_sku: record 512 already has that value");
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
