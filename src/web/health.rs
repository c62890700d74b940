//! Whether the process lives, and whether it can work: for supervisors and load balancers.

mod pulse;

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::access::Access;
use super::endpoint::Endpoint;
use super::error::ApiError;
pub(super) use pulse::Pulse;

/// How the process is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Health {
    /// `ok`; everything else is an error.
    status: &'static str,
    /// The version of the program.
    version: &'static str,
    /// `starting`, `standby` (another process syncs this database) or `leading`.
    role: &'static str,
}

/// The routes below `/health`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new((Method::GET, "/health/live"), Access::Open, get(live), "Whether the process lives")
            .explained("Answers as long as the process does, whatever the database and HubSpot do.")
            .answering::<Health>(200, "It does"),
        Endpoint::new(
            (Method::GET, "/health/ready"),
            Access::Open,
            get(ready),
            "Whether the process can work",
        )
        .explained("A process that stands by is ready too: it reads and writes like the one that leads. The database is asked once \
             a second at most, however many want to know.")
        .answering::<Health>(200, "It can")
        .failing_with(503, "It is starting, or the database does not answer"),
    ]
}

/// How the process is, if it is well.
fn well(app: &App) -> Response {
    let health = Health { status: "ok", version: env!("CARGO_PKG_VERSION"), role: app.situation.word() };
    Json(health).into_response()
}

/// Answers.
async fn live(State(app): State<App>) -> Response {
    well(&app)
}

/// Answers well when the tables are there and the database answers.
async fn ready(State(app): State<App>) -> Result<Response, ApiError> {
    if !app.situation.is_ready() {
        return Err(ApiError::unavailable(
            "starting",
            "The daemon is starting; its tables are not ready yet",
        ));
    }
    let database = app.database.clone();
    if app.pulse.is_there(&app.lifecycle, || async move { database.ping().await.is_ok() }).await {
        return Ok(well(&app));
    }
    Err(ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "database_unavailable",
        "The database does not answer",
    ))
}
