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

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Extension, State};
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};

use self::chart::Chart;
use self::history::History;
use self::limits::{Gauge, gauges};
use self::types::{Listing, Next, TypeRow};
use self::upkeep::Upkeep;
use self::verdict::Verdict;
use self::waiting::{Edits, Figure, figures};
use super::frame::{Frame, Section, page};
use super::moment::Moment;
use crate::alerts::{self, judge};
use crate::clock;
use crate::storage::{
    ACCOUNT_LEASE, AlertKind, Run, SyncState, count_quarantined, latest_runs, lease_holder, open_conflicts,
};
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
    Router::new().route("/", get(show)).layer(Extension(Arc::new(History::default())))
}

/// Shows it.
async fn show(
    State(app): State<App>,
    Extension(history): Extension<Arc<History>>,
) -> Result<Response, ApiError> {
    let (database, now) = (&app.database, clock::now());
    let periods = periods(&app, now).await?;
    // As one who has led for long: what was missed before is behind as well.
    let facts = alerts::Facts::load(database, periods.clone(), DateTime::UNIX_EPOCH, now).await?;
    let runs = latest_runs(database).await?;
    let types: Vec<_> =
        periods.iter().map(|(name, period)| row(&app, &facts, &runs, name, *period)).collect();
    let leader = Leader::of(&app).await?;
    let conflicts = open_conflicts(database).await?.into_iter().map(|(_, count)| count).sum();
    let edits = Edits::of(&facts.queues);
    let problems = problems(&facts, &app);
    let verdict = Verdict::of(&verdict::Facts {
        is_led: leader != Leader::Nobody,
        types: types.iter().map(TypeRow::facts).collect(),
        dead: edits.dead,
        conflicts,
        problems: problems.len() + types.iter().filter(|row| row.says_more()).count(),
    });
    let states: Vec<&SyncState> = facts.judged_states().map(|(state, _)| state).collect();
    let (mut types, mut listings) = (types, Vec::new());
    listings.extend(types.iter_mut().filter_map(|row| row.listing.take()));
    let limits = Limiter::load(&app, now).await?;
    Ok(page(&OverviewPage {
        frame: Frame::new(&app, Section::Overview).await?,
        verdict,
        as_of: as_of(&facts, &periods).map(|at| Moment::new(at, now)),
        leader,
        problems,
        listings,
        figures: figures(edits, conflicts, count_quarantined(database).await?),
        upkeep: Upkeep::new(&states, &facts.lanes, now),
        types,
        gauges: limits.map(|limits| gauges(&limits, now)),
        charts: history.charts(database, app.config.sync.overlap, now).await?,
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

/// Up to when every change of everything that is kept up to date is here.
fn as_of(facts: &alerts::Facts, periods: &[(String, TimeDelta)]) -> Option<DateTime<Utc>> {
    let of_type = |(name, _): &(String, TimeDelta)| {
        facts.states.iter().find(|state| state.object_type == *name).and_then(standing::as_of)
    };
    let times: Option<Vec<_>> = periods.iter().map(of_type).collect();
    times?.into_iter().min()
}

/// The row of a type.
fn row(app: &App, facts: &alerts::Facts, runs: &[Run], name: &str, period: TimeDelta) -> TypeRow {
    let state = facts.states.iter().find(|state| state.object_type == name);
    let run = runs.iter().find(|run| run.object_type == name);
    TypeRow::new((name, period), state, run, &app.config.alert, facts.now)
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
