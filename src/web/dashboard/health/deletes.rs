//! Deletes that wait for a person because they are too many to be believed: a look at them, and the word that they are
//! right.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::DateTime;
use serde::Deserialize;
use serde_json::Value;

use crate::clock;
use crate::storage::{
    DeleteReason, UpkeepLane, WaitingMark, confirm_deletes_as_seen, request_lane, waiting_deletes,
    waiting_mark,
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
    /// When the last of them was found, in milliseconds since 1970.
    newest: i64,
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
    /// How many deletes there were.
    count: i64,
    /// When the last of them was found, in milliseconds since 1970.
    newest: i64,
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
    let newest = DateTime::from_timestamp_millis(confirmation.newest);
    let seen = WaitingMark { count: confirmation.count, newest };
    if !confirm_deletes_as_seen(&app.database, &object_type, seen).await? {
        let notice = "There are others than you were shown. Look at them once more; nothing was confirmed.";
        return shown(&app, object_type, StatusCode::CONFLICT, Some(notice)).await;
    }
    request_lane(&app.database, &object_type, UpkeepLane::Archive, &Value::Null).await?;
    Ok(Redirect::to("/health#deletes").into_response())
}

/// The page.
async fn shown(
    app: &App,
    object_type: String,
    status: StatusCode,
    notice: Option<&'static str>,
) -> Result<Response, ApiError> {
    type_name(Some(object_type.clone()))?;
    let WaitingMark { count, newest } = waiting_mark(&app.database, &object_type).await?;
    let (count, newest) = (count.unsigned_abs(), newest.map_or(0, |newest| newest.timestamp_millis()));
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
    Ok(page_with(status, &DeletesPage { frame, object_type, count, newest, rows, notice, share }))
}
