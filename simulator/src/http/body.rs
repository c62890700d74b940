//! Request bodies, and how HubSpot complains about them.
//!
//! Source: HubSpot developer Slack: `Invalid input JSON on line L, column C: <reason>`, without category.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http::reply::ApiError;

/// Reads a JSON body.
///
/// # Errors
/// The complaint about the first thing wrong with it.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        // serde appends its own position, which the frame already gives.
        let reason = text.split(" at line ").next().unwrap_or(&text);
        invalid(error.line(), error.column(), reason)
    })
}

/// A complaint about a place in the body.
pub fn invalid(line: usize, column: usize, reason: &str) -> ApiError {
    ApiError::new(400, format!("Invalid input JSON on line {line}, column {column}: {reason}"))
}

/// A complaint about fields that are missing.
pub fn missing(fields: &str) -> ApiError {
    ApiError::new(
        400,
        format!("Invalid input JSON on line 1, column 1: Some required fields were not set: [{fields}]"),
    )
}

/// Text, number or boolean as text: HubSpot takes either where it wants text.
pub fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
