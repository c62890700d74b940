//! Conflicts: what both sides changed, and settling it.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::conflict::{ConflictView, Conflicts};
use super::idempotent::{KEY, KEY_DESCRIPTION, note, once_noted};
use super::query::{Number, Parameters, page_size, type_name};
use crate::model::{Choice, Property};
use crate::storage::{
    Conflict, ConflictFilter, ConflictStatus, NotResolved, Remembered, Resolution, Settlement,
    closed_conflicts, conflict_steps, list_conflicts, load_catalogue, load_conflict, resolve_conflict_noted,
};
use crate::sync::{ConflictNews, Event};
use crate::web::App;
use crate::web::access::{Access, Caller};
use crate::web::endpoint::Endpoint;
use crate::web::error::{ApiError, FieldError};

/// Who decides, where the request does not say.
const NOBODY: &str = "API";
/// Longest name of who decides, in characters.
const LONGEST_NAME: usize = 100;

/// Parameters of a list of conflicts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ConflictParameters {
    /// Those of this type only.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    object_type: Option<String>,
    /// Those before this id: `nextBefore` of the page before.
    before: Option<i64>,
    /// Conflicts of a page, 1 to 200; 50 unless told otherwise.
    limit: Option<u32>,
}

/// What is decided.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Decision {
    /// `keep_local`, `keep_hubspot` or `merged`.
    resolution: String,
    /// With `merged`, of each property in conflict: `"local"`, `"hubspot"`, or `{"value": …}`.
    #[serde(default)]
    #[schema(value_type = Object)]
    fields: BTreeMap<String, Value>,
    /// Who decides, for the audit trail.
    resolved_by: Option<String>,
    /// The `updatedAt` of the conflict that was decided upon: if HubSpot's side has changed since, nothing is settled. Left
    /// out, the decision holds whatever HubSpot has by now.
    updated_at: Option<DateTime<Utc>>,
}

/// The routes.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let reading = |path: &str, handler, summary: &str| {
        Endpoint::new((Method::GET, path), Access::Read, handler, summary)
    };
    let one = "There is no such conflict";
    let resolve = (Method::POST, "/api/conflicts/{id}/resolve");
    vec![
        reading("/api/conflicts", get(open), "List conflicts that wait for a person")
            .with_query::<ConflictParameters>()
            .answering::<Conflicts>(200, "A page of conflicts, newest first"),
        reading("/api/conflicts/history", get(history), "List conflicts that are settled")
            .with_query::<ConflictParameters>()
            .answering::<Conflicts>(200, "A page of conflicts, newest first"),
        reading("/api/conflicts/{id}", get(show), "Read a conflict and what happened to it")
            .answering::<ConflictView>(200, "The conflict, with `steps`")
            .failing_with(404, one),
        Endpoint::new(resolve, Access::Write, post(resolve_one), "Settle a conflict")
            .explained("The daemon then brings both sides in step, and asks again only if HubSpot has moved once more.")
            .with_header(KEY, KEY_DESCRIPTION)
            .with_body::<Decision>(true)
            .answering::<ConflictView>(200, "The conflict as it is then, with `steps`")
            .failing_with(404, one)
            .failing_with(409, "It is settled already, the row has changed since, or with `updatedAt` HubSpot's side has")
            .failing_with(422, "The decision does not fit the conflict; each field is named"),
    ]
}

/// A page of open conflicts.
async fn open(
    State(app): State<App>,
    Parameters(parameters): Parameters<ConflictParameters>,
) -> Result<Response, ApiError> {
    let limit = page_size(parameters.limit)?;
    let object_type = type_name(parameters.object_type)?;
    let filter = ConflictFilter { status: Some(ConflictStatus::Pending), object_type };
    let found = list_conflicts(&app.database, &filter, parameters.before, limit).await?;
    Ok(Json(Conflicts::new(found, limit)).into_response())
}

/// A page of settled conflicts.
async fn history(
    State(app): State<App>,
    Parameters(parameters): Parameters<ConflictParameters>,
) -> Result<Response, ApiError> {
    let limit = page_size(parameters.limit)?;
    let object_type = type_name(parameters.object_type)?;
    let found = closed_conflicts(&app.database, object_type.as_deref(), parameters.before, limit).await?;
    Ok(Json(Conflicts::new(found, limit)).into_response())
}

/// One conflict.
async fn show(State(app): State<App>, Number(id): Number) -> Result<Response, ApiError> {
    Ok(Json(view(&app, id).await?).into_response())
}

/// A conflict with its steps.
async fn view(app: &App, id: i64) -> Result<ConflictView, ApiError> {
    let conflict = load(app, id).await?;
    Ok(ConflictView::from(conflict).with_steps(conflict_steps(&app.database, id).await?))
}

/// A conflict.
pub(in crate::web) async fn load(app: &App, id: i64) -> Result<Conflict, ApiError> {
    let conflict = load_conflict(&app.database, id).await?;
    conflict.ok_or_else(|| ApiError::not_found("There is no such conflict"))
}

/// Settles a conflict.
async fn resolve_one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Number(id): Number,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Bytes,
) -> Result<Response, ApiError> {
    let note = note(&headers, caller, (&method, &uri), &body)?;
    let wrong = |error| ApiError::bad_request(format!("The body is wrong: {error}"));
    let decision: Decision = serde_json::from_slice(&body).map_err(wrong)?;
    let response = once_noted(&app, note, StatusCode::OK, async |note| {
        // What is kept under the key is the number alone: values of the record are shown, not kept.
        let answer = json!({ "id": id });
        let note = note.map(|note| Remembered { answer: Some(answer.clone()), ..note });
        settle(&app, id, &decision, note.as_ref()).await?;
        Ok(answer)
    })
    .await?;
    let (parts, _) = response.into_parts();
    Ok((parts, Json(view(&app, id).await?)).into_response())
}

/// The same.
async fn settle(app: &App, id: i64, decision: &Decision, note: Option<&Remembered>) -> Result<(), ApiError> {
    let conflict = load(app, id).await?;
    let resolution = resolution(decision, &catalogue(app, &conflict).await?)?;
    let actor = actor(decision.resolved_by.as_deref(), NOBODY);
    let actor = actor.map_err(|message| ApiError::field("resolvedBy", message))?;
    resolve(app, &conflict, Settlement { resolution: &resolution, seen: decision.updated_at, note }, &actor)
        .await
}

/// The properties of the type a conflict is about; none where it is not mirrored any more.
pub(in crate::web) async fn catalogue(app: &App, conflict: &Conflict) -> Result<Vec<Property>, ApiError> {
    let types = app.types().await?;
    let object_type = types.iter().find(|known| known.name == conflict.record.object_type);
    match object_type {
        Some(object_type) => Ok(load_catalogue(&app.database, object_type).await?),
        None => Ok(Vec::new()),
    }
}

/// Who decides: `nobody` where no name is given; else what is wrong with it.
pub(in crate::web) fn actor(name: Option<&str>, nobody: &str) -> Result<String, String> {
    let name = name.map(str::trim).filter(|name| !name.is_empty()).unwrap_or(nobody);
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(format!("has to be at most {LONGEST_NAME} characters on one line"));
    }
    Ok(name.to_owned())
}

/// What is decided, as the storage takes it.
fn resolution(decision: &Decision, catalogue: &[Property]) -> Result<Resolution, ApiError> {
    let whole = match decision.resolution.as_str() {
        "keep_local" => Resolution::KeepLocal,
        "keep_hubspot" => Resolution::KeepHubSpot,
        "merged" => return merged(&decision.fields, catalogue),
        _ => return Err(ApiError::field("resolution", "has to be keep_local, keep_hubspot or merged")),
    };
    if decision.fields.is_empty() {
        return Ok(whole);
    }
    Err(ApiError::field("fields", "belongs to the resolution merged"))
}

/// What is decided property by property.
fn merged(fields: &BTreeMap<String, Value>, catalogue: &[Property]) -> Result<Resolution, ApiError> {
    let (mut choices, mut errors) = (BTreeMap::new(), Vec::new());
    for (name, value) in fields {
        match choice(value, catalogue.iter().find(|property| property.name == *name)) {
            Ok(choice) => {
                choices.insert(name.clone(), choice);
            }
            Err(message) => errors.push(FieldError { field: format!("fields.{name}"), message }),
        }
    }
    if errors.is_empty() { Ok(Resolution::Fields(choices)) } else { Err(ApiError::fields(errors)) }
}

/// What is decided of one property.
fn choice(decided: &Value, property: Option<&Property>) -> Result<Choice, String> {
    const RULE: &str = "has to be \"local\", \"hubspot\" or {\"value\": a text, number, true, false or null}";
    let value = match decided {
        Value::String(side) if side == "local" => return Ok(Choice::Local),
        Value::String(side) if side == "hubspot" => return Ok(Choice::HubSpot),
        Value::Object(decided) if decided.len() == 1 => decided.get("value").ok_or(RULE)?,
        _ => return Err(RULE.to_owned()),
    };
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => return Err(RULE.to_owned()),
    };
    own_value(text, property)
}

/// A value somebody gives a property, empty to clear it; else what is wrong with it.
pub(in crate::web) fn own_value(text: String, property: Option<&Property>) -> Result<Choice, String> {
    match property.map(|property| property.check_entry(&text)) {
        Some(Err(error)) => Err(error.to_string()),
        Some(Ok(())) | None => Ok(Choice::Value(text)),
    }
}

/// Writes down what is decided.
pub(in crate::web) async fn resolve(
    app: &App,
    conflict: &Conflict,
    settlement: Settlement<'_>,
    actor: &str,
) -> Result<(), ApiError> {
    let (id, types) = (conflict.id, app.types().await?);
    let resolved = resolve_conflict_noted(&app.database, &types, id, settlement, actor).await;
    let Err(error) = resolved else {
        let object_type = conflict.record.object_type.clone();
        app.events.send(Event::Conflict { object_type, id, step: ConflictNews::Closed });
        return Ok(());
    };
    let words = error.to_string();
    Err(match error {
        NotResolved::Unknown(_) => ApiError::not_found("There is no such conflict"),
        NotResolved::Settled(..) => ApiError::conflict("already_settled", words),
        NotResolved::ChangedMeanwhile(_) => ApiError::conflict("stale_conflict", words),
        NotResolved::NoRow(_) | NotResolved::NoSurvivor(_) | NotResolved::NotMirrored(..) => {
            ApiError::conflict("not_resolvable", words)
        }
        NotResolved::NotByField(_) => ApiError::field("resolution", words),
        NotResolved::OtherFields { .. } => ApiError::field("fields", words),
        NotResolved::Storage(error) => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_side_or_a_value() {
        assert_eq!(choice(&json!("local"), None), Ok(Choice::Local));
        assert_eq!(choice(&json!("hubspot"), None), Ok(Choice::HubSpot));
        assert_eq!(choice(&json!({"value": "x"}), None), Ok(Choice::Value("x".into())));
        assert_eq!(choice(&json!({"value": 5}), None), Ok(Choice::Value("5".into())));
        assert_eq!(choice(&json!({"value": null}), None), Ok(Choice::Value(String::new())));
        for wrong in [json!("mine"), json!(5), json!({}), json!({"value": []}), json!({"value": 1, "x": 2})] {
            assert!(choice(&wrong, None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn fields_belong_to_a_merge() {
        let decide = |text: &str| resolution(&serde_json::from_str(text).unwrap(), &[]);
        assert_eq!(decide(r#"{"resolution": "keep_local"}"#).unwrap(), Resolution::KeepLocal);
        assert!(decide(r#"{"resolution": "keep_local", "fields": {"phone": "local"}}"#).is_err());
        assert!(decide(r#"{"resolution": "mine"}"#).is_err());
        let merged = decide(r#"{"resolution": "merged", "fields": {"phone": "local"}}"#).unwrap();
        assert_eq!(merged, Resolution::Fields(BTreeMap::from([("phone".to_owned(), Choice::Local)])));
    }

    #[test]
    fn who_decides_has_a_short_name_on_one_line() {
        assert_eq!(actor(None, NOBODY).unwrap(), "API");
        assert_eq!(actor(Some(" Ada "), NOBODY).unwrap(), "Ada");
        assert!(actor(Some("a\nb"), NOBODY).is_err() && actor(Some(&"x".repeat(101)), NOBODY).is_err());
    }
}
