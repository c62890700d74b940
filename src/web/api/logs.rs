//! What went between the two sides for each record, and trying again what did not.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::idempotent::{KEY, KEY_DESCRIPTION, note, once_noted};
use super::query::{Number, Parameters, page_size, type_called};
use crate::model::ObjectId;
use crate::storage::{LogFilter, LogRow, Remembered, load_log, recent_log, revive_job};
use crate::sync::Event;
use crate::web::App;
use crate::web::access::{Access, Caller};
use crate::web::endpoint::Endpoint;
use crate::web::error::ApiError;

/// Parameters of a list of log rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogParameters {
    /// Those of this type only.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    object_type: Option<String>,
    /// Those of the row with this id; with `type`.
    row_id: Option<i64>,
    /// Those of the record with this id in HubSpot; with `type`.
    hubspot_id: Option<String>,
    /// `push` or `pull`.
    direction: Option<String>,
    /// `success`, `failed`, `pending` or `retrying`.
    status: Option<String>,
    /// Those before this id: `nextBefore` of the page before.
    before: Option<i64>,
    /// Rows of a page, 1 to 200; 50 unless told otherwise.
    limit: Option<u32>,
}

/// A row of `sync_log`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LogView {
    /// Rises with time.
    id: i64,
    /// The type of the record.
    object_type: String,
    /// `id` of the row; null when it was deleted by SQL.
    row_id: Option<i64>,
    /// Id in HubSpot; null until the record exists there.
    hubspot_id: Option<String>,
    /// The job it was done for.
    job_id: Option<i64>,
    /// `create`, `update` or `delete`.
    action: String,
    /// `push`: to HubSpot; `pull`: from HubSpot.
    direction: String,
    /// `success`, `failed`, `pending` or `retrying`.
    status: String,
    /// Tries after the first.
    retry_count: u32,
    /// What happened, in words.
    message: Option<String>,
    /// Names of the properties it was about.
    changed_fields: Vec<String>,
    /// First try.
    created_at: DateTime<Utc>,
    /// Last try.
    updated_at: DateTime<Utc>,
}

/// A page of the log, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Logs {
    data: Vec<LogView>,
    /// `before` of the next page; null when this one is not full.
    next_before: Option<i64>,
}

/// A job that will be done again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Retried {
    /// Its number.
    job_id: i64,
}

/// The routes.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let list =
        Endpoint::new((Method::GET, "/api/sync/logs"), Access::Read, get(list), "List what was pushed");
    let path = (Method::POST, "/api/sync/retry/{id}");
    let retry = Endpoint::new(path, Access::Write, post(retry), "Try again what failed or waits");
    vec![
        list.with_query::<LogParameters>().answering::<Logs>(200, "A page of the log, newest first"),
        retry
            .explained("Of the row of the log with that id, with all its tries.")
            .with_header(KEY, KEY_DESCRIPTION)
            .answering::<Retried>(202, "It is due now")
            .failing_with(404, "There is no such row of the log")
            .failing_with(409, "It is done, or being done"),
    ]
}

/// A page of the log.
async fn list(
    State(app): State<App>,
    Parameters(parameters): Parameters<LogParameters>,
) -> Result<Response, ApiError> {
    let limit = page_size(parameters.limit)?;
    let before = parameters.before;
    let filter = filter(&app, parameters).await?;
    let rows = recent_log(&app.database, &filter, before, limit).await?;
    let next_before = rows.last().filter(|_| rows.len() == limit as usize).map(|row| row.id);
    Ok(Json(Logs { data: rows.into_iter().map(LogView::from).collect(), next_before }).into_response())
}

/// Which rows are asked for.
async fn filter(app: &App, parameters: LogParameters) -> Result<LogFilter, ApiError> {
    let LogParameters { object_type, row_id, hubspot_id, direction, status, .. } = parameters;
    let object_type = match object_type {
        Some(name) => Some(type_called(app, &name).await?.name.to_owned()),
        None if row_id.is_some() || hubspot_id.is_some() => {
            return Err(ApiError::bad_request(
                "`rowId` and `hubspotId` need `type`: ids are those of a type",
            ));
        }
        None => None,
    };
    let wrong = |rule: &'static str| move |()| ApiError::bad_request(rule);
    let direction = direction.map(|word| word.parse().map_err(wrong("`direction` has to be push or pull")));
    let status = status
        .map(|word| word.parse().map_err(wrong("`status` has to be success, failed, pending or retrying")));
    let hubspot_id = hubspot_id.map(|id| {
        id.parse::<ObjectId>().map_err(|_| ApiError::bad_request("`hubspotId` has to be a number"))
    });
    Ok(LogFilter {
        object_type,
        row_id,
        hubspot_id: hubspot_id.transpose()?,
        direction: direction.transpose()?,
        status: status.transpose()?,
    })
}

/// Makes the job of a row of the log due now.
async fn retry(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Number(id): Number,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Bytes,
) -> Result<Response, ApiError> {
    let note = note(&headers, caller, (&method, &uri), &body)?;
    once_noted(&app, note, StatusCode::ACCEPTED, async |note| revive(&app, id, note).await).await
}

/// The same, with a note of it: an answer that names the job, or 409 where there is nothing to try again.
pub(in crate::web) async fn revive(app: &App, id: i64, note: Option<Remembered>) -> Result<Value, ApiError> {
    let row = load_log(&app.database, id).await?;
    let row = row.ok_or_else(|| ApiError::not_found("There is no such row of the log"))?;
    let nothing = || {
        let message = format!("There is nothing to try again: its status is {}", row.entry.status);
        ApiError::conflict("nothing_to_retry", message)
    };
    let job_id = row.entry.job_id.ok_or_else(nothing)?;
    let answer = json!(Retried { job_id });
    let note = note.map(|note| Remembered { answer: Some(answer.clone()), ..note });
    if !revive_job(&app.database, job_id, note.as_ref()).await? {
        return Err(nothing());
    }
    app.events.send(Event::Retried { count: 1 });
    Ok(answer)
}

impl From<LogRow> for LogView {
    fn from(row: LogRow) -> Self {
        let entry = row.entry;
        Self {
            id: row.id,
            object_type: row.object_type,
            row_id: entry.row_id,
            hubspot_id: entry.hubspot_id.map(|id| id.to_string()),
            job_id: entry.job_id,
            action: entry.action.to_string(),
            direction: entry.direction.to_string(),
            status: entry.status.to_string(),
            retry_count: row.retry_count,
            message: entry.message,
            changed_fields: entry.changed_fields,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
