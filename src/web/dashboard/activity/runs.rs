//! The history of runs.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::words;
use crate::clock;
use crate::storage::{Outcome, Run, RunFilter, Trigger, list_runs, load_states};
use crate::web::App;
use crate::web::api::query::{Parameters, type_name};
use crate::web::dashboard::frame::{Frame, Section, page};
use crate::web::dashboard::listing::{SelectOption, address, given, options, word};
use crate::web::dashboard::moment::{Moment, span};
use crate::web::dashboard::number::grouped;
use crate::web::error::ApiError;

/// Runs of a page.
const PAGE: u32 = 50;

/// Which runs are wanted.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    /// About this, as in `sync_state`.
    #[serde(rename = "type")]
    object_type: Option<String>,
    outcome: Option<String>,
    before: Option<i64>,
}

/// The page.
#[derive(Template)]
#[template(path = "activity_runs.html")]
struct RunsPage {
    frame: Frame,
    types: Vec<SelectOption>,
    outcomes: Vec<SelectOption>,
    is_filtered: bool,
    rows: Vec<RunRow>,
    older: Option<String>,
    newest: Option<String>,
}

/// A run.
struct RunRow {
    id: i64,
    object_type: String,
    /// Its word.
    lane: &'static str,
    /// What that does.
    way: &'static str,
    /// Whether somebody asked for it.
    is_asked_for: bool,
    outcome: &'static str,
    tone: &'static str,
    began: Moment,
    /// How long it took.
    took: String,
    fetched: String,
    inserted: String,
    updated: String,
    deleted: String,
    quarantined: String,
    requests: String,
    error: Option<String>,
}

/// Shows them.
pub(super) async fn show(
    State(app): State<App>,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response, ApiError> {
    let (object_type, outcome) = (type_name(given(wanted.object_type))?, given(wanted.outcome));
    let filter = RunFilter {
        object_type: object_type.clone(),
        outcome: word("outcome", outcome.as_deref())?,
        after: None,
    };
    let found = list_runs(&app.database, &filter, wanted.before, PAGE).await?;
    let mut known: Vec<_> =
        load_states(&app.database).await?.into_iter().map(|state| state.object_type).collect();
    known.sort();
    let at = |before: Option<i64>| {
        let before = before.map(|id| id.to_string());
        address(
            "/activity/runs",
            [("type", object_type.clone()), ("outcome", outcome.clone()), ("before", before)],
        )
    };
    let last = found.last().filter(|_| found.len() == PAGE as usize);
    Ok(page(&RunsPage {
        frame: Frame::new(&app, Section::Activity).await?,
        types: options(known, object_type.as_deref()),
        outcomes: options(Outcome::ALL.iter().map(|known| known.word()), outcome.as_deref()),
        is_filtered: object_type.is_some() || outcome.is_some() || wanted.before.is_some(),
        older: last.map(|last| at(Some(last.id))),
        newest: wanted.before.map(|_| at(None)),
        rows: found.into_iter().map(RunRow::from).collect(),
    }))
}

impl From<Run> for RunRow {
    fn from(run: Run) -> Self {
        let (now, counts) = (clock::now(), run.counts.outcome);
        let (outcome, tone) = words::outcome(run.outcome);
        let took = run.finished_at.unwrap_or(now) - run.started_at;
        Self {
            id: run.id,
            object_type: run.object_type,
            lane: run.lane.word(),
            way: words::lane(run.lane),
            is_asked_for: run.trigger == Trigger::Request,
            outcome,
            tone,
            began: Moment::new(run.started_at, now),
            took: span(took).unwrap_or_else(|| format!("{} ms", took.num_milliseconds().max(0))),
            fetched: grouped(run.counts.fetched),
            inserted: grouped(counts.inserted),
            updated: grouped(counts.updated),
            deleted: grouped(counts.deleted),
            quarantined: grouped(counts.quarantined),
            requests: grouped(run.counts.requests),
            error: run.error,
        }
    }
}
