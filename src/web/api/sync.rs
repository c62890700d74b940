//! Asking for runs. The process that leads looks every second what was asked for.

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::idempotent::{KEY, KEY_DESCRIPTION, note, once};
use crate::storage::{RequestedMode, last_run, request_run};
use crate::sync::Subject;
use crate::web::App;
use crate::web::access::{Access, Caller};
use crate::web::endpoint::Endpoint;
use crate::web::error::ApiError;

/// Which runs are asked for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// Names in `sync_state`, or of types; all of them unless given.
    types: Option<Vec<String>>,
    /// Whether everything is to be listed anew.
    #[serde(default)]
    full: bool,
}

/// What was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Asked {
    /// Names in `sync_state` whose runs begin within seconds.
    types: Vec<String>,
    /// `full` or `incremental`.
    mode: String,
    /// The newest run so far. Those asked for have higher ids: `/api/sync/runs?after=…`.
    after_run_id: i64,
}

/// The route.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let path = (Method::POST, "/api/sync/trigger");
    let trigger = Endpoint::new(path, Access::Write, post(trigger), "Sync now");
    let trigger = trigger.with_header(KEY, KEY_DESCRIPTION).with_body::<Wish>(false);
    vec![
        trigger
            .answering::<Asked>(202, "Asked for")
            .failing_with(422, "A type is not mirrored, or none is named"),
    ]
}

/// Asks for runs.
async fn trigger(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Bytes,
) -> Result<Response, ApiError> {
    let note = note(&headers, caller, (&method, &uri), &body)?;
    let wish = wish(&body)?;
    once(&app, note, StatusCode::ACCEPTED, Box::pin(ask(&app, wish))).await
}

/// What a body wishes; an empty one wishes for everything.
fn wish(body: &[u8]) -> Result<Wish, ApiError> {
    if body.is_empty() {
        return Ok(Wish::default());
    }
    serde_json::from_slice(body).map_err(|error| ApiError::bad_request(format!("The body is wrong: {error}")))
}

/// Writes down what is asked for.
async fn ask(app: &App, wish: Wish) -> Result<Value, ApiError> {
    let chosen = choose(&Subject::all(&app.objects().await?), wish.types.as_deref())?;
    let mode = if wish.full { RequestedMode::Full } else { RequestedMode::Incremental };
    let after_run_id = last_run(&app.database).await?;
    for name in &chosen {
        request_run(&app.database, name, mode).await?;
    }
    Ok(json!(Asked { types: chosen, mode: mode.to_string(), after_run_id }))
}

/// The subjects that are named, each once; all when none is.
fn choose(subjects: &[Subject], names: Option<&[String]>) -> Result<Vec<String>, ApiError> {
    let known: Vec<_> = subjects.iter().map(ToString::to_string).collect();
    let Some(names) = names else { return Ok(known) };
    if names.is_empty() {
        return Err(ApiError::field("types", "names no type; leave it out for all"));
    }
    let mut chosen = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let found = subjects.iter().find(|subject| subject.is_called(name));
        let unknown = || {
            let message = format!("is not synced here; there is {}", known.join(", "));
            ApiError::field(format!("types[{index}]"), message)
        };
        let found = found.ok_or_else(unknown)?.to_string();
        if !chosen.contains(&found) {
            chosen.push(found);
        }
    }
    Ok(chosen)
}
