//! The history of runs.

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::query::{Parameters, page_size, type_name};
use crate::storage::{Run, RunFilter, list_runs};
use crate::web::App;
use crate::web::access::Access;
use crate::web::endpoint::Endpoint;
use crate::web::error::ApiError;

/// What the API says of a run that has no end yet.
const RUNNING: &str = "running";

/// Parameters of a list of runs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct RunParameters {
    /// Those of this name in `sync_state` only.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    object_type: Option<String>,
    /// `succeeded`, `failed` or `interrupted`.
    outcome: Option<String>,
    /// Those that began after the run of this id.
    after: Option<i64>,
    /// Those that began before the run of this id: `nextBefore` of the page before.
    before: Option<i64>,
    /// Runs of a page, 1 to 200; 50 unless told otherwise.
    limit: Option<u32>,
}

/// A run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RunView {
    /// Rises with time.
    id: i64,
    /// What it was about, as in `sync_state`.
    object_type: String,
    /// `backfill`, `incremental`, `delayed`, `reference`, `archive`, `fill`, `associations` or `audit`.
    lane: String,
    /// `schedule` or `request`.
    trigger: String,
    /// When it began.
    started_at: DateTime<Utc>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// `running`, `succeeded`, `failed` or `interrupted`.
    outcome: String,
    /// Records HubSpot showed.
    fetched: u64,
    /// Rows written for the first time.
    inserted: u64,
    /// Rows rewritten.
    updated: u64,
    /// Records that needed nothing.
    unchanged: u64,
    /// Rows marked as gone from HubSpot.
    deleted: u64,
    /// Records that could not be stored.
    quarantined: u64,
    /// Requests sent.
    requests: u64,
    /// Why it failed.
    error: Option<String>,
}

/// A page of runs, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Runs {
    data: Vec<RunView>,
    /// `before` of the next page; null when this one is not full.
    next_before: Option<i64>,
}

/// The route.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let list = Endpoint::new((Method::GET, "/api/sync/runs"), Access::Read, get(list), "List runs");
    vec![list.with_query::<RunParameters>().answering::<Runs>(200, "A page of runs, newest first")]
}

/// A page of runs.
async fn list(
    State(app): State<App>,
    Parameters(parameters): Parameters<RunParameters>,
) -> Result<Response, ApiError> {
    let RunParameters { object_type, outcome, after, before, limit } = parameters;
    let limit = page_size(limit)?;
    let wrong = |()| ApiError::bad_request("`outcome` has to be succeeded, failed or interrupted");
    let outcome = outcome.map(|word| word.parse().map_err(wrong)).transpose()?;
    let filter = RunFilter { object_type: type_name(object_type)?, outcome, after };
    let runs = list_runs(&app.database, &filter, before, limit).await?;
    let next_before = runs.last().filter(|_| runs.len() == limit as usize).map(|run| run.id);
    Ok(Json(Runs { data: runs.into_iter().map(RunView::from).collect(), next_before }).into_response())
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        let (counts, outcome) = (run.counts, run.counts.outcome);
        Self {
            id: run.id,
            object_type: run.object_type,
            lane: run.lane.to_string(),
            trigger: run.trigger.to_string(),
            started_at: run.started_at,
            finished_at: run.finished_at,
            outcome: run.outcome.map_or_else(|| RUNNING.to_owned(), |outcome| outcome.to_string()),
            fetched: counts.fetched,
            inserted: outcome.inserted,
            updated: outcome.updated,
            unchanged: outcome.unchanged,
            deleted: outcome.deleted,
            quarantined: outcome.quarantined,
            requests: counts.requests,
            error: run.error,
        }
    }
}
