//! What is wrong, as a pure function of what the database says and of the settings.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::AlertConfig;
use crate::storage::{
    AlertKind, Database, FailureKind, LaneState, QueueFigures, SilentWebhooks, StorageError, SyncState,
    bound_account, braked_jobs, load_lanes, load_states, queue_figures, silent_webhooks,
};

/// How long a process leads before it finds a type behind: what was missed while none did is being made up.
const START_GRACE: TimeDelta = TimeDelta::minutes(5);

/// What there is to judge from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// When this was so.
    pub now: DateTime<Utc>,
    /// Since when this process leads.
    pub leading_since: DateTime<Utc>,
    /// The account; `None` before it was first asked for.
    pub portal_id: Option<i64>,
    /// What is kept up to date, by its name in `sync_state`, and how often; what else has a row there is not judged.
    pub schedule: Vec<(String, TimeDelta)>,
    /// How far each type is.
    pub states: Vec<SyncState>,
    /// How far the lanes beside the regular runs are.
    pub lanes: Vec<LaneState>,
    /// Edits on their way to HubSpot, by type.
    pub queues: Vec<QueueFigures>,
    /// Edits that wait because so many were sent within an hour, by type.
    pub braked: Vec<(String, u64)>,
    /// Types of which polling finds changes that no webhook tells of, and since when.
    pub webhooks_silent: Vec<(String, DateTime<Utc>)>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What.
    pub kind: AlertKind,
    /// What it is about: a type, or a type and a lane; empty: the whole account. With the kind it names the problem.
    pub about: String,
    /// In words.
    pub text: String,
}

impl Facts {
    /// Reads them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load(
        database: &Database,
        schedule: Vec<(String, TimeDelta)>,
        leading_since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Self, StorageError> {
        let queues = queue_figures(database).await?;
        let silent = silent_webhooks(database).await?;
        let since = |silent: SilentWebhooks| Some((silent.object_type, silent.unannounced_since?));
        let may_be_braked = queues.iter().any(|queue| queue.waiting > 0);
        Ok(Self {
            now,
            leading_since,
            portal_id: bound_account(database).await?,
            schedule,
            states: load_states(database).await?,
            lanes: load_lanes(database).await?,
            braked: if may_be_braked { braked_jobs(database).await? } else { Vec::new() },
            queues,
            webhooks_silent: silent.into_iter().filter_map(since).collect(),
        })
    }

    /// The rows of what is kept up to date, each with its period.
    pub fn judged_states(&self) -> impl Iterator<Item = (&SyncState, TimeDelta)> {
        self.states.iter().filter_map(|state| {
            let (_, period) = self.schedule.iter().find(|(name, _)| *name == state.object_type)?;
            Some((state, *period))
        })
    }

    /// The lanes of the types that are kept up to date.
    fn judged_lanes(&self) -> impl Iterator<Item = &LaneState> {
        let is_judged = |lane: &&LaneState| self.schedule.iter().any(|(name, _)| *name == lane.object_type);
        self.lanes.iter().filter(is_judged)
    }

    /// Whether it has been syncing for long enough to have caught up.
    fn has_begun(&self) -> bool {
        self.now - self.leading_since >= START_GRACE
    }

    /// How far a type is behind; `None` before it was first read whole.
    pub fn lag(&self, state: &SyncState) -> Option<TimeDelta> {
        Some((self.now - state.watermark.or(state.last_sync_date)?).max(TimeDelta::zero()))
    }
}

/// Runs that failed in a row, of a type or of one of its lanes.
struct Failures {
    about: String,
    count: u32,
    kind: Option<FailureKind>,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Findings {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What cannot be told at the moment: such a problem is neither there nor over.
    pub unknown: &'static [AlertKind],
}

/// What is hidden behind a token that is not accepted.
const BEHIND_TOKEN: &[AlertKind] = &[
    AlertKind::Failing,
    AlertKind::Behind,
    AlertKind::TooManyDeletes,
    AlertKind::DailyLimit,
    AlertKind::WebhooksSilent,
];

/// What cannot be told soon after a start.
const BEHIND_START: &[AlertKind] = &[AlertKind::Behind];

/// What is wrong. One cause makes one problem, as far as can be told: a token that is not accepted makes every type
/// fail and fall behind, and is told of alone.
pub fn judge(facts: &Facts, config: &AlertConfig) -> Findings {
    let failures = failures(facts);
    let is_of = |kind: FailureKind| move |failures: &&Failures| failures.kind == Some(kind);
    // What a lane has met may be long ago: it comes once a day. Types tell within their next run.
    if facts.judged_states().any(|(state, _)| state.error_kind == Some(FailureKind::TokenRejected)) {
        let text =
            "HubSpot does not accept the token; nothing is synced until HUBSPOT_ACCESS_TOKEN is a valid one";
        let mut problems = vec![Problem::of_account(AlertKind::TokenRejected, text.to_owned())];
        problems.extend(edits(facts));
        return Findings { problems, unknown: BEHIND_TOKEN };
    }
    let failing: Vec<_> = failures
        .iter()
        .filter(|failures| failures.count >= config.after_failures && !has_own_problem(failures.kind))
        .collect();
    let held = failures.iter().filter(is_of(FailureKind::TooManyDeletes));
    let daily = facts.judged_states().find_map(|(state, _)| state.waiting.as_ref());
    let daily = daily.map(|words| Problem::of_account(AlertKind::DailyLimit, words.replace('\n', "; ")));
    let mut problems: Vec<_> = failing.iter().map(|failures| failures.problem()).collect();
    problems.extend(behind(facts, config, &failing));
    problems.extend(held.map(held_deletes));
    problems.extend(daily);
    problems.extend(edits(facts));
    problems.extend(silence(facts));
    Findings { problems, unknown: if facts.has_begun() { &[] } else { BEHIND_START } }
}

/// Webhooks that do not arrive any more.
fn silence(facts: &Facts) -> Option<Problem> {
    let since = facts.webhooks_silent.iter().map(|(_, since)| *since).min()?.format("%F %H:%M UTC");
    let names: Vec<_> = facts.webhooks_silent.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(", ");
    let text =
        format!("HubSpot's webhooks have been silent since {since} ({names}); changes are found by polling");
    Some(Problem::of_account(AlertKind::WebhooksSilent, text))
}

/// Who has failed since the last success.
fn failures(facts: &Facts) -> Vec<Failures> {
    let states = facts.judged_states().map(|(state, _)| Failures {
        about: state.object_type.clone(),
        count: state.consecutive_failures.unsigned_abs(),
        kind: state.error_kind,
    });
    let lanes = facts.judged_lanes().map(|lane| Failures {
        about: format!("{} {}", lane.object_type, lane.lane),
        count: lane.consecutive_failures.unsigned_abs(),
        kind: lane.error_kind,
    });
    states.chain(lanes).filter(|failures| failures.count > 0).collect()
}

/// Whether a failure of this sort shows as another problem than [`AlertKind::Failing`] of what failed.
fn has_own_problem(kind: Option<FailureKind>) -> bool {
    match kind {
        Some(
            FailureKind::TokenRejected
            | FailureKind::TypeRefused
            | FailureKind::DailyLimit
            | FailureKind::TooManyDeletes,
        ) => true,
        None
        | Some(
            FailureKind::AccessDenied
            | FailureKind::HubSpot
            | FailureKind::Database
            | FailureKind::Account
            | FailureKind::Configuration
            | FailureKind::Defect,
        ) => false,
    }
}

impl Failures {
    /// The problem they are.
    fn problem(&self) -> Problem {
        let Self { about, count, kind } = self;
        let why = kind.map_or(String::new(), |kind| format!(": {}", reason(kind)));
        let text = format!("{about}: {count} runs in a row failed{why}; see `hubspot-connector status`");
        Problem { kind: AlertKind::Failing, about: about.clone(), text }
    }
}

/// A sort of failure in words.
fn reason(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::TokenRejected => "HubSpot does not accept the token",
        FailureKind::AccessDenied => "the token may not read it, or the account does not have it",
        FailureKind::TypeRefused => "what it belongs to may not be read",
        FailureKind::DailyLimit => "the day's requests are used up",
        FailureKind::HubSpot => "HubSpot does not answer as it should",
        FailureKind::Database => "MariaDB does not do as it should",
        FailureKind::Account => "the token belongs to another account",
        FailureKind::TooManyDeletes => "too many deletes to be believed",
        FailureKind::Configuration => "a setting is wrong",
        FailureKind::Defect => "a fault of this program",
    }
}

/// Types that are further behind than their schedule explains, but for those that are known to fail.
fn behind<'f>(
    facts: &'f Facts,
    config: &'f AlertConfig,
    failing: &'f [&Failures],
) -> impl Iterator<Item = Problem> + 'f {
    let bound = TimeDelta::seconds(config.lag.as_secs() as i64);
    let judged = facts.judged_states().filter(|_| facts.has_begun());
    judged.filter_map(move |(state, period)| {
        let (name, lag) = (&state.object_type, facts.lag(state)?);
        let is_failing = failing.iter().any(|failures| failures.about == *name);
        (!is_failing && lag > period + bound).then(|| {
            let listing = state.backfill_cursor.as_ref().map_or("", |_| "; a full listing is under way");
            let text = format!("{name}: {} min behind HubSpot{listing}", lag.num_minutes());
            Problem { kind: AlertKind::Behind, about: name.clone(), text }
        })
    })
}

/// Deletes that wait for a person.
fn held_deletes(failures: &Failures) -> Problem {
    let text = format!(
        "{}: more records are gone from HubSpot than is believed, so none is marked; see `hubspot-connector deletes`",
        failures.about
    );
    Problem { kind: AlertKind::TooManyDeletes, about: failures.about.clone(), text }
}

/// Edits that do not get through to HubSpot.
fn edits(facts: &Facts) -> impl Iterator<Item = Problem> {
    let braked = facts.braked.iter().map(|(object_type, count)| Problem {
        kind: AlertKind::Brake,
        about: object_type.clone(),
        text: format!(
            "{object_type}: {count} edit(s) wait, because MAX_PUSH_PER_HOUR or MAX_PUSH_DELETES_PER_HOUR is reached"
        ),
    });
    let dead = facts.queues.iter().filter(|queue| queue.dead > 0).map(|queue| Problem {
        kind: AlertKind::DeadJobs,
        about: queue.object_type.clone(),
        text: format!(
            "{}: {} edit(s) did not get through to HubSpot and wait for you; see `hubspot-connector jobs`",
            queue.object_type, queue.dead
        ),
    });
    braked.chain(dead)
}

impl Problem {
    /// A problem of the whole account.
    fn of_account(kind: AlertKind, text: String) -> Self {
        Self { kind, about: String::new(), text }
    }
}
