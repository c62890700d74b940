//! Asking for one record to be read again.
//!
//! It is told of like any other change, in the inbox of webhooks, whether HubSpot sends any or not.

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::post;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::idempotent::{KEY, KEY_DESCRIPTION, note, once};
use super::query::{About, Named};
use crate::clock;
use crate::model::{ObjectId, ObjectType};
use crate::storage::{RowName, ask_for_record, load_mirror_table, load_row};
use crate::web::App;
use crate::web::access::{Access, Caller};
use crate::web::endpoint::Endpoint;
use crate::web::error::ApiError;

/// A record that will be read again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Awaited {
    /// Its type.
    object_type: &'static str,
    /// Its id in HubSpot.
    hubspot_id: String,
    /// Number in `webhook_events`, where `outcome` says what came of it.
    event_id: i64,
}

/// The route.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let path = (Method::POST, "/api/sync/entity/{type}/{id}");
    let entity = Endpoint::new(path, Access::Write, post(entity), "Read one record again")
        .explained("With its links, within seconds; with `hs-` also one that is not here yet.")
        .with_header(KEY, KEY_DESCRIPTION)
        .answering::<Awaited>(202, "Asked for")
        .failing_with(404, "There is no such record, or type")
        .failing_with(409, "The record is not made in HubSpot yet");
    vec![entity]
}

/// Asks for a record.
async fn entity(
    State(app): State<App>,
    About(object_type): About,
    Named(name): Named,
    Extension(caller): Extension<Caller>,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Bytes,
) -> Result<Response, ApiError> {
    let note = note(&headers, caller, (&method, &uri), &body)?;
    once(&app, note, StatusCode::ACCEPTED, Box::pin(ask(&app, object_type, name))).await
}

/// The same.
async fn ask(app: &App, object_type: &'static ObjectType, name: RowName) -> Result<Value, ApiError> {
    let id = hubspot_id(app, object_type, name).await?;
    let event_id = ask_for_record(&app.database, object_type, id, clock::now()).await?;
    Ok(json!(Awaited { object_type: object_type.name, hubspot_id: id.to_string(), event_id }))
}

/// What HubSpot calls the record.
async fn hubspot_id(
    app: &App,
    object_type: &'static ObjectType,
    name: RowName,
) -> Result<ObjectId, ApiError> {
    if let RowName::HubSpot(id) = name {
        return Ok(id);
    }
    let table = load_mirror_table(&app.database, object_type).await?;
    let row = load_row(&app.database, &table, name).await?;
    let row = row.ok_or_else(|| ApiError::not_found("There is no such record"))?;
    let unmade = || ApiError::conflict("not_in_hubspot", "The record is not made in HubSpot yet");
    row.hubspot_id.ok_or_else(unmade)
}
