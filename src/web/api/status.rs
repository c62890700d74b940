//! How everything is: types, queue, conflicts, and HubSpot's limits.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::clock;
use crate::storage::{
    ACCOUNT_LEASE, LaneState, QueueFigures, SyncState, lease_holder, load_lanes, load_states, open_conflicts,
    queue_figures, webhook_counts,
};
use crate::web::App;
use crate::web::access::Access;
use crate::web::endpoint::Endpoint;
use crate::web::error::ApiError;
use crate::web::limits::Limiter;

/// How everything is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Status {
    /// The part this process plays: `standby` or `leading`.
    role: &'static str,
    /// The process that calls HubSpot; null when there is none.
    leader: Option<String>,
    /// Each type and what belongs to it, the freshest first.
    types: Vec<TypeStatus>,
    /// Edits made here that are on their way to HubSpot, by type.
    queue: Vec<QueueStatus>,
    /// Conflicts that wait for a person, by type.
    conflicts: BTreeMap<String, u64>,
    /// What became of webhooks since the database was made, by the names in `webhook_counts`; none where there were none.
    webhooks: BTreeMap<String, u64>,
    /// HubSpot's limits; null in a process that does not call it.
    limiter: Option<Limiter>,
}

/// A row of `sync_state` with its lanes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TypeStatus {
    /// `contacts`, `deal_pipelines`, `owners`, …
    object_type: String,
    /// `idle`, `running` or `error`.
    status: String,
    /// Of the current or last run: `full`, `incremental` or `reference`.
    mode: Option<String>,
    /// Start of the last successful run.
    last_sync_date: Option<DateTime<Utc>>,
    /// Every change up to here is in the mirror.
    watermark: Option<DateTime<Utc>>,
    /// When the next run is due; null: at once.
    next_run_at: Option<DateTime<Utc>>,
    /// Whether a full listing is under way.
    is_backfilling: bool,
    /// Records in the mirror; during a full listing those listed so far.
    records_synced: i64,
    /// Records in HubSpot when last counted.
    records_total: Option<i64>,
    /// What went wrong and what to do.
    last_error: Option<String>,
    /// When.
    last_error_at: Option<DateTime<Utc>>,
    /// Failed runs since the last success.
    consecutive_failures: i32,
    /// Lanes that failed or were stopped, and what to do.
    notice: Option<String>,
    /// What waits for the daily request limit.
    waiting: Option<String>,
    /// Up to when an audit has proven the mirror equal.
    verified_as_of: Option<DateTime<Utc>>,
    /// Records the last audit had to repair.
    audit_repairs: i64,
    /// The lanes beside the regular runs.
    lanes: Vec<LaneStatus>,
}

/// A row of `sync_lanes`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LaneStatus {
    /// `archive`, `fill`, `associations` or `audit`.
    lane: String,
    /// `idle`, `running` or `error`.
    status: String,
    /// End of the last pass.
    completed_at: Option<DateTime<Utc>>,
    /// When it is due again.
    next_run_at: Option<DateTime<Utc>>,
    /// What went wrong and what to do.
    last_error: Option<String>,
}

/// The queue of a type.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct QueueStatus {
    /// The type.
    object_type: String,
    /// Edits to be sent, those that wait for another try included.
    ready: u64,
    /// Edits being sent.
    running: u64,
    /// Edits that are put off although nothing is wrong with them.
    waiting: u64,
    /// Edits that wait for a person.
    dead: u64,
    /// Seconds since the oldest was made that does not wait for a person.
    oldest_seconds: Option<u64>,
}

/// The route.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let status =
        Endpoint::new((Method::GET, "/api/sync/status"), Access::Read, get(status), "How everything is");
    vec![status.answering::<Status>(200, "Types, queue, conflicts and limits")]
}

/// How everything is.
async fn status(State(app): State<App>) -> Result<Response, ApiError> {
    let database = &app.database;
    let (states, lanes) = (load_states(database).await?, load_lanes(database).await?);
    let everything = Status {
        role: app.situation.word(),
        leader: lease_holder(database, ACCOUNT_LEASE).await?,
        types: states.into_iter().map(|state| type_status(state, &lanes)).collect(),
        queue: queue_figures(database).await?.into_iter().map(QueueStatus::from).collect(),
        conflicts: open_conflicts(database).await?.into_iter().collect(),
        webhooks: webhook_counts(database).await?,
        limiter: Limiter::load(&app, clock::now()).await?,
    };
    Ok(Json(everything).into_response())
}

/// A type with its lanes.
fn type_status(state: SyncState, lanes: &[LaneState]) -> TypeStatus {
    let lanes = lanes.iter().filter(|lane| lane.object_type == state.object_type);
    TypeStatus {
        lanes: lanes.map(LaneStatus::from).collect(),
        status: state.status.to_string(),
        mode: state.mode.map(|mode| mode.to_string()),
        is_backfilling: state.backfill_cursor.is_some(),
        object_type: state.object_type,
        last_sync_date: state.last_sync_date,
        watermark: state.watermark,
        next_run_at: state.next_run_at,
        records_synced: state.records_synced,
        records_total: state.records_total,
        last_error: state.last_error,
        last_error_at: state.last_error_at,
        consecutive_failures: state.consecutive_failures,
        notice: state.notice,
        waiting: state.waiting,
        verified_as_of: state.verified_as_of,
        audit_repairs: state.audit_repairs,
    }
}

impl From<&LaneState> for LaneStatus {
    fn from(lane: &LaneState) -> Self {
        Self {
            lane: lane.lane.to_string(),
            status: lane.status.to_string(),
            completed_at: lane.completed_at,
            next_run_at: lane.next_run_at,
            last_error: lane.last_error.clone(),
        }
    }
}

impl From<QueueFigures> for QueueStatus {
    fn from(figures: QueueFigures) -> Self {
        let QueueFigures { object_type, ready, running, waiting, dead, oldest_seconds } = figures;
        Self { object_type, ready, running, waiting, dead, oldest_seconds }
    }
}
