//! Deleting a record, after a question.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::show::row_named;
use super::{record_path, section};
use crate::model::ObjectType;
use crate::storage::{HandEdit, NotEdited, RowName, RowView, edit_by_hand};
use crate::web::App;
use crate::web::api::query::{About, Named};
use crate::web::api::writes::{explain, writable};
use crate::web::dashboard::frame::{Frame, page_with};
use crate::web::dashboard::naming::{in_words, name_of};
use crate::web::error::ApiError;

/// What the question is answered with.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    /// The version somebody saw.
    version: i64,
}

/// The page with the question.
#[derive(Template)]
#[template(path = "records_remove.html")]
struct RemovePage {
    frame: Frame,
    name: String,
    singular: String,
    path: String,
    version: i64,
    /// Whether it is in HubSpot, and goes to the recycle bin there.
    is_in_hubspot: bool,
    /// Whether it has changed since the question was asked.
    is_changed: bool,
}

/// Asks whether the record is to be deleted.
pub(super) async fn ask(
    State(app): State<App>,
    About(object_type): About,
    Named(name): Named,
) -> Result<Response, ApiError> {
    writable(&app, object_type).await?;
    let row = row_named(&app, object_type, name).await?;
    if row.archived {
        return Ok(Redirect::to(&record_path(object_type, row.key)).into_response());
    }
    question(&app, object_type, &row, false).await
}

/// Deletes it.
pub(super) async fn remove(
    State(app): State<App>,
    About(object_type): About,
    Named(name): Named,
    Form(Answer { version }): Form<Answer>,
) -> Result<Response, ApiError> {
    let table = writable(&app, object_type).await?;
    let row = row_named(&app, object_type, name).await?;
    let is_expected = |row: &RowView| row.archived || row.version == version;
    let name = RowName::Key(row.key);
    match edit_by_hand(&app.database, &table, name, &HandEdit::Delete, is_expected).await {
        Ok(row) => {
            app.tell_edited(object_type, row.key);
            let path = record_path(object_type, row.key);
            Ok(Redirect::to(&format!("{path}?done=deleted")).into_response())
        }
        Err(NotEdited::Stale(row)) => question(&app, object_type, &row, true).await,
        Err(error) => Err(explain(object_type, error)),
    }
}

/// The page with the question.
async fn question(
    app: &App,
    object_type: &ObjectType,
    row: &RowView,
    is_changed: bool,
) -> Result<Response, ApiError> {
    let status = if is_changed { StatusCode::CONFLICT } else { StatusCode::OK };
    Ok(page_with(
        status,
        &RemovePage {
            frame: Frame::new(app, section(object_type)).await?,
            name: name_of(object_type, row),
            singular: in_words(object_type.singular).to_lowercase(),
            path: record_path(object_type, row.key),
            version: row.version,
            is_in_hubspot: row.hubspot_id.is_some(),
            is_changed,
        },
    ))
}
