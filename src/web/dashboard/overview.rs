//! Is everything in step?

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::frame::{Frame, Section, page};
use super::moment::Moment;
use crate::clock;
use crate::storage::load_states;
use crate::web::App;
use crate::web::error::ApiError;

/// The page.
#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    rows: Vec<TypeRow>,
}

/// A type in the table.
struct TypeRow {
    name: String,
    state: String,
    tone: &'static str,
    records: i64,
    watermark: Option<Moment>,
}

/// The route.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/", get(show))
}

/// Shows it.
async fn show(State(app): State<App>) -> Result<Response, ApiError> {
    let frame = Frame::new(&app, Section::Overview).await?;
    let now = clock::now();
    let row = |state: crate::storage::SyncState| TypeRow {
        tone: if state.consecutive_failures > 0 { "bad" } else { "good" },
        state: state.status.to_string(),
        name: state.object_type,
        records: state.records_synced,
        watermark: state.watermark.map(|at| Moment::new(at, now)),
    };
    let rows = load_states(&app.database).await?.into_iter().map(row).collect();
    Ok(page(&OverviewPage { frame, rows }))
}
