//! Conflicts: what both sides changed and only a person can settle. The list of open ones, those that are closed, and one
//! by one the way from what each side has to what counts.

mod draft;
mod one;
mod view;
mod words;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::frame::{Frame, Section, page};
use super::listing::{SelectOption, address, given, options};
use super::mention::{Mention, Mentions, RecordName};
use super::moment::Moment;
use crate::clock;
use crate::storage::{Conflict, ConflictFilter, ConflictStatus, closed_conflicts, list_conflicts};
use crate::web::App;
use crate::web::api::query::{Parameters, type_name};
use crate::web::error::ApiError;

/// Conflicts of a page.
const PAGE: u32 = 50;
/// Fields of a conflict that are named in a list.
const FIELDS: usize = 4;

/// What is listed.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    /// Those of this type.
    #[serde(rename = "type")]
    object_type: Option<String>,
    /// Those before the conflict of this number.
    before: Option<i64>,
}

/// A list.
#[derive(Template)]
#[template(path = "conflicts.html")]
struct ConflictsPage {
    frame: Frame,
    is_history: bool,
    types: Vec<SelectOption>,
    is_filtered: bool,
    rows: Vec<ConflictRow>,
    /// The page before this one in time.
    older: Option<String>,
    /// The first page, where this is another.
    newest: Option<String>,
}

/// A conflict of a list.
struct ConflictRow {
    id: i64,
    record: Mention,
    kind: &'static str,
    fields: String,
    opened: Moment,
    changed: Moment,
    status: &'static str,
    tone: &'static str,
    by: Option<String>,
    closed: Option<Moment>,
}

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/conflicts", get(open))
        .route("/conflicts/history", get(history))
        .route("/conflicts/{id}", get(one::show))
        .route("/conflicts/{id}/choose", get(one::back).post(one::choose))
        .route("/conflicts/{id}/preview", get(one::back).post(one::preview))
        .route("/conflicts/{id}/resolve", get(one::back).post(one::send))
}

/// Those that wait for a person.
async fn open(State(app): State<App>, Parameters(wanted): Parameters<Wanted>) -> Result<Response, ApiError> {
    let object_type = type_name(given(wanted.object_type))?;
    let filter = ConflictFilter { status: Some(ConflictStatus::Pending), object_type: object_type.clone() };
    let found = list_conflicts(&app.database, &filter, wanted.before, PAGE).await?;
    list(&app, "/conflicts", found, object_type, wanted.before).await
}

/// Those that are closed.
async fn history(
    State(app): State<App>,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response, ApiError> {
    let object_type = type_name(given(wanted.object_type))?;
    let found = closed_conflicts(&app.database, object_type.as_deref(), wanted.before, PAGE).await?;
    list(&app, "/conflicts/history", found, object_type, wanted.before).await
}

/// The page of a list.
async fn list(
    app: &App,
    path: &'static str,
    found: Vec<Conflict>,
    object_type: Option<String>,
    before: Option<i64>,
) -> Result<Response, ApiError> {
    let names: Vec<_> = found.iter().map(|conflict| RecordName::from(&conflict.record)).collect();
    let mentions = Mentions::of(app, &names).await?;
    let at = |before: Option<i64>| {
        address(path, [("type", object_type.clone()), ("before", before.map(|id| id.to_string()))])
    };
    let last = found.last().filter(|_| found.len() == PAGE as usize);
    let known = app.types().await?.into_iter().map(|known| known.name);
    let page_of_list = ConflictsPage {
        frame: Frame::new(app, Section::Conflicts).await?,
        is_history: path.ends_with("history"),
        types: options(known, object_type.as_deref()),
        is_filtered: object_type.is_some() || before.is_some(),
        older: last.map(|last| at(Some(last.id))),
        newest: before.map(|_| at(None)),
        rows: found.iter().map(|conflict| ConflictRow::new(conflict, &mentions)).collect(),
    };
    Ok(page(&page_of_list))
}

impl ConflictRow {
    /// What a list says of a conflict.
    fn new(conflict: &Conflict, mentions: &Mentions) -> Self {
        let now = clock::now();
        let moment = |at| Moment::new(at, now);
        let (status, tone) = words::status(conflict.status);
        Self {
            id: conflict.id,
            record: mentions.mention(&RecordName::from(&conflict.record)),
            kind: words::kind(conflict.disagreement.kind).title,
            fields: some_of(&conflict.disagreement.fields),
            opened: moment(conflict.created_at),
            changed: moment(conflict.updated_at),
            status,
            tone,
            by: conflict.resolved_by.clone(),
            closed: conflict.resolved_at.map(moment),
        }
    }
}

/// The first few of some names, and how many there are besides.
fn some_of(names: &[String]) -> String {
    let first = names.iter().take(FIELDS).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(FIELDS) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_a_few_fields() {
        let names = |count: usize| (0..count).map(|n| format!("f{n}")).collect::<Vec<_>>();
        assert_eq!(some_of(&names(0)), "");
        assert_eq!(some_of(&names(4)), "f0, f1, f2, f3");
        assert_eq!(some_of(&names(6)), "f0, f1, f2, f3 and 2 more");
    }
}
