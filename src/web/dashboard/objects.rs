//! Every type of records that is mirrored: the way to lists the navigation does not name.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::frame::{Frame, Section, page};
use super::moment::Moment;
use super::naming::in_words;
use super::number::grouped;
use super::records::list_path;
use crate::clock;
use crate::model::ObjectType;
use crate::storage::{SyncState, load_states};
use crate::web::App;
use crate::web::error::ApiError;

/// The page.
#[derive(Template)]
#[template(path = "objects.html")]
struct ObjectsPage {
    frame: Frame,
    rows: Vec<TypeRow>,
}

/// A type.
struct TypeRow {
    title: String,
    path: String,
    table: &'static str,
    /// How many records there are.
    count: String,
    is_writable: bool,
    /// Up to when it was brought up to date; `None`: never.
    synced: Option<Moment>,
}

/// The route.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/objects", get(show))
}

/// Shows them.
async fn show(State(app): State<App>) -> Result<Response, ApiError> {
    let states = load_states(&app.database).await?;
    let row = |object_type: &'static ObjectType| {
        let state = states.iter().find(|state| state.object_type == object_type.name);
        TypeRow::new(object_type, state, app.config.sync.push.is_writable(object_type))
    };
    let rows = app.types().await?.into_iter().map(row).collect();
    Ok(page(&ObjectsPage { frame: Frame::new(&app, Section::Objects).await?, rows }))
}

impl TypeRow {
    /// What is shown of a type.
    fn new(object_type: &'static ObjectType, state: Option<&SyncState>, is_writable: bool) -> Self {
        Self {
            title: in_words(object_type.name),
            path: list_path(object_type),
            table: object_type.table,
            count: grouped(state.map_or(0, |state| state.records_synced.unsigned_abs())),
            is_writable,
            synced: state.and_then(|state| state.last_sync_date).map(|at| Moment::new(at, clock::now())),
        }
    }
}
