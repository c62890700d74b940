//! Trying again what did not get through: one edit, or all of them after a look at which these are.

use askama::Template;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use url::form_urlencoded;

use super::Wanted;
use crate::clock;
use crate::model::ObjectId;
use crate::storage::{Chosen, JobEntry, JobKind, JobState, count_stuck, dead_jobs, held_jobs, revive_jobs};
use crate::sync::Event;
use crate::web::App;
use crate::web::api::logs::revive;
use crate::web::api::query::Number;
use crate::web::dashboard::frame::{Frame, Section, page};
use crate::web::dashboard::mention::{Mention, Mentions, RecordName};
use crate::web::dashboard::moment::Moment;
use crate::web::error::ApiError;

/// Jobs that are shown before all are tried again.
const SHOWN: u32 = 20;

/// Where somebody came from.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Origin {
    /// What was behind the `?`.
    #[serde(default)]
    query: String,
}

/// The page that asks whether all are to be tried again.
#[derive(Template)]
#[template(path = "activity_retry.html")]
struct RetryPage {
    frame: Frame,
    dead: u64,
    held: u64,
    jobs: Vec<JobRow>,
    /// How many are not shown.
    more: u64,
}

/// A job that failed or is held up.
struct JobRow {
    record: Mention,
    what: &'static str,
    state: &'static str,
    tone: &'static str,
    reason: String,
    tries: u32,
    /// Since when it is to be done.
    since: Moment,
}

/// Makes the job of a row of the log due now.
pub(super) async fn one(
    State(app): State<App>,
    Number(id): Number,
    Form(origin): Form<Origin>,
) -> Result<Response, ApiError> {
    let retried = match revive(&app, id, None).await {
        Ok(_) => 1,
        Err(error) if error.code() == "nothing_to_retry" => 0,
        Err(error) => return Err(error),
    };
    Ok(Redirect::to(&back(&origin.query, retried)).into_response())
}

/// Shows what there is to be tried again.
pub(super) async fn ask(State(app): State<App>) -> Result<Response, ApiError> {
    let (dead, held) = count_stuck(&app.database).await?;
    let mut jobs = dead_jobs(&app.database, 0, SHOWN).await?;
    let room = SHOWN - jobs.len() as u32;
    if room > 0 {
        jobs.extend(held_jobs(&app.database, 0, room).await?);
    }
    let names: Vec<_> = jobs.iter().map(record_of).collect();
    let (mentions, now) = (Mentions::of(&app, &names).await?, clock::now());
    let row = |job: &JobEntry| JobRow {
        record: mentions.mention(&record_of(job)),
        what: match job.kind {
            JobKind::Push => "edit",
            JobKind::Deleted => "delete",
        },
        state: state(job).0,
        tone: state(job).1,
        reason: job.waiting.as_deref().or(job.last_error.as_deref()).unwrap_or_default().to_owned(),
        tries: job.attempts,
        since: Moment::new(job.created_at, now),
    };
    Ok(page(&RetryPage {
        frame: Frame::new(&app, Section::Activity).await?,
        dead,
        held,
        more: (dead + held).saturating_sub(jobs.len() as u64),
        jobs: jobs.iter().map(row).collect(),
    }))
}

/// Makes all of them due now.
pub(super) async fn all(State(app): State<App>) -> Result<Response, ApiError> {
    let revived = revive_jobs(&app.database, Chosen::All).await?;
    app.events.send(Event::Retried { count: revived });
    Ok(Redirect::to(&back("", revived)).into_response())
}

/// The log as it was looked at, with what was done. Only what the page knows is taken over from `query`.
fn back(query: &str, retried: u64) -> String {
    let mut wanted = Wanted::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = Some(value.into_owned());
        match name.as_ref() {
            "type" => wanted.object_type = value,
            "direction" => wanted.direction = value,
            "status" => wanted.status = value,
            "record" => wanted.record = value,
            "before" => wanted.before = value.and_then(|id| id.parse().ok()),
            _ => {}
        }
    }
    let address = wanted.tidied();
    let address = address.address(address.before);
    let mark = if address.contains('?') { '&' } else { '?' };
    format!("{address}{mark}retried={retried}")
}

/// The record of a job.
fn record_of(job: &JobEntry) -> RecordName {
    let (row_id, hubspot_id) = match job.kind {
        JobKind::Push => (Some(job.record_id), None),
        JobKind::Deleted => (None, Some(ObjectId(job.record_id))),
    };
    RecordName { object_type: job.object_type.clone(), row_id, hubspot_id }
}

/// Where a job stands, with its tone.
fn state(job: &JobEntry) -> (&'static str, &'static str) {
    match job.state {
        JobState::Dead => ("failed", "bad"),
        _ if job.waiting.is_some() => ("put off", "idle"),
        _ => ("retrying", "warn"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_keeps_the_filter_and_nothing_else() {
        assert_eq!(back("", 3), "/activity?retried=3");
        let query = "type=contacts&status=failed&before=9&evil=%0d%0aSet-Cookie:x";
        assert_eq!(back(query, 1), "/activity?type=contacts&status=failed&before=9&retried=1");
        assert_eq!(back("record=a%0d%0ab", 0), "/activity?record=a%0D%0Ab&retried=0");
    }
}
