//! Is everything in step? What the daemon is doing, what waits, and what the last day was like.
//!
//! | Part | Decides |
//! | --- | --- |
//! | `standing` | how a type stands |
//! | `verdict` | the sentence at the top, and what to do |
//! | `types`, `upkeep` | what is shown of types, of full listings and of the lanes beside the regular runs |
//! | `waiting` | what is on its way to HubSpot, and what waits for a person |
//! | `limits` | the gauges of HubSpot's limits |
//! | `chart`, `history` | changes and lag of the last day |

mod chart;
mod history;
mod limits;
mod standing;
mod types;
mod upkeep;
mod verdict;
mod waiting;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};

use self::chart::Chart;
use self::history::charts;
use self::limits::{Gauge, gauges};
use self::types::{Failure, Listing, Next, TypeRow, copied};
use self::upkeep::Upkeep;
use self::verdict::Verdict;
use self::waiting::{Edits, Figure, figures};
use super::frame::{Frame, Section, page};
use super::moment::Moment;
use crate::alerts::{self, judge};
use crate::clock;
use crate::storage::{ACCOUNT_LEASE, AlertKind, FailureKind, Run, SyncState, latest_runs, lease_holder};
use crate::sync::Subject;
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::limits::Limiter;

/// The page.
#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    verdict: Verdict,
    /// The failure the verdict is about.
    cause: Option<Failure>,
    /// Up to when every change of every type is here; `None` while one of them was never read whole.
    as_of: Option<Moment>,
    leader: Leader,
    /// What is wrong that no row of a type tells.
    problems: Vec<String>,
    listings: Vec<Listing>,
    figures: Vec<Figure>,
    types: Vec<TypeRow>,
    upkeep: Upkeep,
    /// `None` in a process that does not call HubSpot.
    gauges: Option<[Vec<Gauge>; 2]>,
    charts: [Chart; 2],
}

/// Who calls HubSpot.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Leader {
    /// This process.
    This,
    /// Another one.
    Other(String),
    /// None.
    Nobody,
}

/// The route.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/", get(show))
}

/// Shows it.
async fn show(State(app): State<App>) -> Result<Response, ApiError> {
    let (database, now) = (&app.database, clock::now());
    let periods = periods(&app, now).await?;
    // As one who has led for long: what was missed before is behind as well.
    let facts = alerts::Facts::load(database, periods, DateTime::UNIX_EPOCH, now).await?;
    let mut types = rows(&facts, &latest_runs(database).await?, &app);
    let frame = Frame::new(&app, Section::Overview).await?;
    let conflicts = frame.waiting_in(Section::Conflicts);
    let (leader, edits, problems) =
        (Leader::of(&app).await?, Edits::of(&facts.queues), problems(&facts, &app));
    let verdict = Verdict::of(&verdict::Facts {
        is_led: leader != Leader::Nobody,
        types: types.iter().map(TypeRow::facts).collect(),
        dead: edits.dead,
        conflicts,
        problems: problems.len() + types.iter().filter(|row| row.says_more()).count(),
        copied: copied(&types),
    });
    let cause = verdict.about.and_then(|kind| take_failure(&mut types, kind));
    Ok(page(&OverviewPage {
        verdict,
        cause,
        as_of: as_of(&facts).map(|at| Moment::new(at, now)),
        leader,
        problems,
        listings: types.iter_mut().filter_map(|row| row.listing.take()).collect(),
        figures: figures(edits, conflicts, frame.waiting_in(Section::Health)),
        upkeep: Upkeep::new(scheduled(&facts).filter_map(|(_, _, state)| state), &facts.lanes, now),
        types,
        gauges: Limiter::load(&app, now).await?.map(|limits| gauges(&limits, now)),
        charts: charts(database, app.config.sync.overlap, now).await?,
        frame,
    }))
}

/// What is kept up to date, by its name in `sync_state`, and how often.
async fn periods(app: &App, now: DateTime<Utc>) -> Result<Vec<(String, TimeDelta)>, ApiError> {
    let schedule = &app.config.sync.schedule;
    let named = |subject: &Subject| {
        let name = subject.to_string();
        let period = schedule.period(&name, now);
        (name, period)
    };
    Ok(Subject::all(&app.objects().await?).iter().map(named).collect())
}

/// What is kept up to date, in the order it is shown: name, period, and how far it is, if anything is known.
fn scheduled(facts: &alerts::Facts) -> impl Iterator<Item = (&str, TimeDelta, Option<&SyncState>)> {
    facts.schedule.iter().map(|(name, period)| {
        let state = facts.states.iter().find(|state| state.object_type == *name);
        (name.as_str(), *period, state)
    })
}

/// Up to when every change of all of it is here.
fn as_of(facts: &alerts::Facts) -> Option<DateTime<Utc>> {
    let times: Option<Vec<_>> =
        scheduled(facts).map(|(_, _, state)| state.and_then(standing::as_of)).collect();
    times?.into_iter().min()
}

/// The rows of the types.
fn rows(facts: &alerts::Facts, runs: &[Run], app: &App) -> Vec<TypeRow> {
    let row = |(name, period, state): (&str, TimeDelta, Option<&SyncState>)| {
        let run = runs.iter().find(|run| run.object_type == name);
        TypeRow::new((name, period), state, run, &app.config.alert, facts.now)
    };
    scheduled(facts).map(row).collect()
}

/// Takes the failures of that sort away from the rows; returns the newest, which stands for all of them.
fn take_failure(types: &mut [TypeRow], kind: FailureKind) -> Option<Failure> {
    let failed = types.iter_mut().filter(|row| row.kind == Some(kind));
    failed.filter_map(|row| row.error.take()).max_by_key(|failure| failure.at.map(|at| at.iso()))
}

/// What is wrong that no row of a type tells, nor a figure.
fn problems(facts: &alerts::Facts, app: &App) -> Vec<String> {
    let is_told_nowhere = |kind| match kind {
        AlertKind::Brake | AlertKind::DailyLimit => true,
        AlertKind::TokenRejected
        | AlertKind::Failing
        | AlertKind::Behind
        | AlertKind::TooManyDeletes
        | AlertKind::DeadJobs
        | AlertKind::WebhooksSilent => false,
    };
    let problems = judge(facts, &app.config.alert).problems.into_iter();
    problems.filter(|problem| is_told_nowhere(problem.kind)).map(|problem| problem.text).collect()
}

impl Leader {
    /// The one there is now.
    async fn of(app: &App) -> Result<Self, ApiError> {
        if app.situation.word() == "leading" {
            return Ok(Self::This);
        }
        let holder = lease_holder(&app.database, ACCOUNT_LEASE).await?;
        Ok(holder.map_or(Self::Nobody, Self::Other))
    }
}
