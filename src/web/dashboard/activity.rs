//! Activity: what went between the two sides for each record, why something did not, and trying it again. The runs that
//! bring HubSpot's changes here stand beside it.

mod retry;
mod runs;
mod words;

use std::collections::HashSet;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::frame::{Frame, Section, page_with};
use super::listing::{SelectOption, address, given, options, word};
use super::mention::{Mention, Mentions, RecordName};
use super::moment::Moment;
use crate::clock;
use crate::storage::{
    LogDirection, LogFilter, LogRow, LogStatus, RowName, count_stuck, recent_log, stuck_among,
};
use crate::web::App;
use crate::web::api::query::{Parameters, row_name, type_name};
use crate::web::error::ApiError;

/// Rows of a page.
const PAGE: u32 = 50;
/// Fields of a row that are named.
const FIELDS: usize = 6;

/// Which rows are wanted, as they are written in an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Wanted {
    #[serde(rename = "type")]
    object_type: Option<String>,
    direction: Option<String>,
    status: Option<String>,
    /// The number of a row, or `hs-` and an id in HubSpot; with a type.
    record: Option<String>,
    before: Option<i64>,
    /// How many jobs were made due by what led here.
    retried: Option<u64>,
}

/// The page.
#[derive(Template)]
#[template(path = "activity.html")]
struct ActivityPage {
    frame: Frame,
    types: Vec<SelectOption>,
    directions: Vec<SelectOption>,
    statuses: Vec<SelectOption>,
    record: String,
    /// What is wrong with the record that was typed.
    problem: Option<&'static str>,
    is_filtered: bool,
    retried: Option<u64>,
    /// Edits that failed for good, and those that wait.
    dead: u64,
    held: u64,
    rows: Vec<ActivityRow>,
    older: Option<String>,
    newest: Option<String>,
    /// What is behind the `?` of this page, for the way back.
    query: String,
}

/// A row of the log.
struct ActivityRow {
    id: i64,
    record: Mention,
    what: &'static str,
    fields: String,
    status: &'static str,
    tone: &'static str,
    /// What happened, or what that status means.
    reason: String,
    retries: u32,
    at: Moment,
    /// Whether trying it again changes anything.
    can_be_retried: bool,
}

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/activity", get(show))
        .route("/activity/runs", get(runs::show))
        .route("/activity/retry", get(retry::ask).post(retry::all))
        .route("/activity/{id}/retry", post(retry::one))
}

/// Shows the log.
async fn show(State(app): State<App>, Parameters(wanted): Parameters<Wanted>) -> Result<Response, ApiError> {
    let wanted = wanted.tidied();
    type_name(wanted.object_type.clone())?;
    word::<LogDirection>("direction", wanted.direction.as_deref())?;
    word::<LogStatus>("status", wanted.status.as_deref())?;
    let (filter, problem) = match wanted.filter() {
        Ok(filter) => (Some(filter), None),
        Err(problem) => (None, Some(problem)),
    };
    let found = match &filter {
        Some(filter) => recent_log(&app.database, filter, wanted.before, PAGE).await?,
        None => Vec::new(),
    };
    let older = found.last().filter(|_| found.len() == PAGE as usize).map(|last| last.id);
    let (dead, held) = count_stuck(&app.database).await?;
    let known = app.types().await?.into_iter().map(|known| known.name);
    let words =
        |all: &[&'static str], chosen: &Option<String>| options(all.iter().copied(), chosen.as_deref());
    let page = ActivityPage {
        frame: Frame::new(&app, Section::Activity).await?,
        types: options(known, wanted.object_type.as_deref()),
        directions: words(
            &LogDirection::ALL.iter().map(|known| known.word()).collect::<Vec<_>>(),
            &wanted.direction,
        ),
        statuses: words(&LogStatus::ALL.iter().map(|known| known.word()).collect::<Vec<_>>(), &wanted.status),
        record: wanted.record.clone().unwrap_or_default(),
        problem,
        is_filtered: wanted.is_filtered(),
        retried: wanted.retried,
        dead,
        held,
        rows: rows(&app, &found).await?,
        older: older.map(|id| wanted.address(Some(id))),
        newest: wanted.before.map(|_| wanted.address(None)),
        query: wanted.address(wanted.before).split_once('?').map_or("", |(_, query)| query).to_owned(),
    };
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(page_with(status, &page))
}

/// Rows of the log as they are shown.
async fn rows(app: &App, found: &[LogRow]) -> Result<Vec<ActivityRow>, ApiError> {
    let names: Vec<_> = found.iter().map(RecordName::from).collect();
    let mentions = Mentions::of(app, &names).await?;
    let is_open = |row: &&LogRow| row.entry.status != LogStatus::Success;
    let jobs: Vec<_> = found.iter().filter(is_open).filter_map(|row| row.entry.job_id).collect();
    let (stuck, now) = (stuck_among(&app.database, &jobs).await?, clock::now());
    Ok(found.iter().map(|row| ActivityRow::new(row, &mentions, &stuck, now)).collect())
}

impl ActivityRow {
    /// What is shown of a row.
    fn new(row: &LogRow, mentions: &Mentions, stuck: &HashSet<i64>, now: DateTime<Utc>) -> Self {
        let entry = &row.entry;
        let reason = entry.message.as_deref().map(str::trim).filter(|message| !message.is_empty());
        Self {
            id: row.id,
            record: mentions.mention(&RecordName::from(row)),
            what: words::action(entry.action, entry.direction),
            fields: some_of(&entry.changed_fields),
            status: entry.status.word(),
            tone: words::tone(entry.status),
            reason: reason.map_or_else(|| words::meaning(entry.status).to_owned(), str::to_owned),
            retries: row.retry_count,
            at: Moment::new(row.updated_at, now),
            can_be_retried: entry.status != LogStatus::Success
                && entry.job_id.is_some_and(|job| stuck.contains(&job)),
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

impl Wanted {
    /// Without what was sent empty.
    fn tidied(self) -> Self {
        Self {
            object_type: given(self.object_type),
            direction: given(self.direction),
            status: given(self.status),
            record: given(self.record),
            ..self
        }
    }

    /// Whether not everything is shown.
    fn is_filtered(&self) -> bool {
        let texts = [&self.object_type, &self.direction, &self.status, &self.record];
        texts.iter().any(|text| text.is_some()) || self.before.is_some()
    }

    /// As the storage takes it.
    ///
    /// # Errors
    /// What is wrong with the record; other words that mean nothing only come from addresses somebody made up.
    fn filter(&self) -> Result<LogFilter, &'static str> {
        let record = match self.record.as_deref() {
            Some(text) => {
                Some(row_name(text).ok_or("Give the number of a row, or hs- and the id in HubSpot")?)
            }
            None => None,
        };
        if record.is_some() && self.object_type.is_none() {
            return Err("Choose a type as well: ids are those of a type");
        }
        let word = |text: &Option<String>| text.as_deref().unwrap_or_default().to_owned();
        Ok(LogFilter {
            object_type: self.object_type.clone(),
            row_id: record.and_then(|name| if let RowName::Key(key) = name { Some(key) } else { None }),
            hubspot_id: record.and_then(|name| if let RowName::HubSpot(id) = name { Some(id) } else { None }),
            direction: word(&self.direction).parse().ok(),
            status: word(&self.status).parse().ok(),
        })
    }

    /// The address of the rows before one, else of the newest.
    fn address(&self, before: Option<i64>) -> String {
        let pairs = [
            ("type", self.object_type.clone()),
            ("direction", self.direction.clone()),
            ("status", self.status.clone()),
            ("record", self.record.clone()),
            ("before", before.map(|id| id.to_string())),
        ];
        address("/activity", pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectId;

    /// What an address asks for.
    fn wanted(query: &str) -> Wanted {
        let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned();
        let json: serde_json::Map<_, _> = pairs.map(|(name, value)| (name, value.into())).collect();
        serde_json::from_value::<Wanted>(json.into()).unwrap().tidied()
    }

    #[test]
    fn an_empty_form_asks_for_everything() {
        let everything = wanted("type=&direction=&status=&record=+");
        assert_eq!(everything.filter(), Ok(LogFilter::default()));
        assert!(!everything.is_filtered());
        assert_eq!(everything.address(None), "/activity");
    }

    #[test]
    fn a_record_is_named_as_in_the_api_and_with_its_type() {
        let filter = wanted("type=contacts&record=hs-512&status=failed").filter().unwrap();
        assert_eq!((filter.hubspot_id, filter.row_id), (Some(ObjectId(512)), None));
        assert_eq!(filter.status, Some(LogStatus::Failed));
        assert_eq!(wanted("type=contacts&record=7").filter().unwrap().row_id, Some(7));
        assert!(wanted("record=7").filter().unwrap_err().contains("type"));
        assert!(wanted("type=contacts&record=x").filter().unwrap_err().contains("number of a row"));
    }

    #[test]
    fn further_pages_keep_the_filter() {
        let wanted = wanted("type=contacts&status=failed&direction=push&record=7");
        assert_eq!(
            wanted.address(Some(9)),
            "/activity?type=contacts&direction=push&status=failed&record=7&before=9"
        );
    }
}
