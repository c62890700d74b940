//! Deletes that wait for a person because they are too many to be believed: a look at them, and the word that they are
//! right.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;

use crate::clock;
use crate::storage::{
    DeleteReason, UpkeepLane, confirm_deletes, pending_deletes, request_lane, waiting_deletes,
};
use crate::web::App;
use crate::web::api::query::type_name;
use crate::web::dashboard::frame::{Frame, Section, page_with};
use crate::web::dashboard::mention::{Mention, Mentions, RecordName};
use crate::web::dashboard::moment::Moment;
use crate::web::error::ApiError;

/// Deletes that are shown.
const SHOWN: u32 = 50;

/// The page.
#[derive(Template)]
#[template(path = "health_deletes.html")]
struct DeletesPage {
    frame: Frame,
    object_type: String,
    count: u64,
    rows: Vec<DeleteRow>,
    /// What has to be read first.
    notice: Option<&'static str>,
    /// Largest share of a table that is marked without a question.
    share: String,
}

/// A delete.
struct DeleteRow {
    record: Mention,
    /// What HubSpot holds of it.
    holds: &'static str,
    archived: Option<Moment>,
    found: Moment,
}

/// What somebody confirms.
#[derive(Debug, Deserialize)]
pub(super) struct Confirmation {
    /// How many deletes were shown.
    count: u64,
}

/// Shows the deletes of a type.
pub(super) async fn show(
    State(app): State<App>,
    Path(object_type): Path<String>,
) -> Result<Response, ApiError> {
    shown(&app, object_type, StatusCode::OK, None).await
}

/// Confirms them, and has the daemon act on it at once.
pub(super) async fn confirm(
    State(app): State<App>,
    Path(object_type): Path<String>,
    Form(confirmation): Form<Confirmation>,
) -> Result<Response, ApiError> {
    type_name(Some(object_type.clone()))?;
    if waiting(&app, &object_type).await? != confirmation.count {
        let notice = "There are others than you were shown. Look at them once more; nothing was confirmed.";
        return shown(&app, object_type, StatusCode::CONFLICT, Some(notice)).await;
    }
    if confirm_deletes(&app.database, &object_type).await? > 0 {
        request_lane(&app.database, &object_type, UpkeepLane::Archive, &Value::Null).await?;
    }
    Ok(Redirect::to("/health#deletes").into_response())
}

/// How many deletes of a type wait.
async fn waiting(app: &App, object_type: &str) -> Result<u64, ApiError> {
    let waiting = pending_deletes(&app.database).await?;
    Ok(waiting.into_iter().find(|(name, _)| name == object_type).map_or(0, |(_, count)| count))
}

/// The page.
async fn shown(
    app: &App,
    object_type: String,
    status: StatusCode,
    notice: Option<&'static str>,
) -> Result<Response, ApiError> {
    type_name(Some(object_type.clone()))?;
    let count = waiting(app, &object_type).await?;
    let deletes = waiting_deletes(&app.database, &object_type, SHOWN).await?;
    let name = |id| RecordName { object_type: object_type.clone(), row_id: None, hubspot_id: Some(id) };
    let names: Vec<_> = deletes.iter().map(|delete| name(delete.id)).collect();
    let (mentions, now) = (Mentions::of(app, &names).await?, clock::now());
    let rows = deletes.iter().map(|delete| DeleteRow {
        record: mentions.mention(&name(delete.id)),
        holds: match delete.reason {
            DeleteReason::Archived => "it lies in the recycle bin",
            DeleteReason::Purged => "nothing; its content is erased here too",
        },
        archived: delete.archived_at.map(|at| Moment::new(at, now)),
        found: Moment::new(delete.found_at, now),
    });
    let rows = rows.collect();
    let share = format!("{} %", app.config.sync.upkeep.max_delete_share * 100.0);
    let frame = Frame::new(app, Section::Health).await?;
    Ok(page_with(status, &DeletesPage { frame, object_type, count, rows, notice, share }))
}
