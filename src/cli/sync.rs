//! `sync`: once, now.
//!
//! Where no daemon runs, this process takes its place for the time of the sync. Where one runs, calling HubSpot twice
//! would break the account's limits, so the request goes into `sync_state` and the daemon carries it out; this
//! process then only watches. If the daemon ends meanwhile, it takes over.

use std::collections::HashMap;
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use anyhow::{Context, bail};
use tracing::{error, info};

use super::progress::Bars;
use super::read_config;
use super::session::{Progress, Session};
use crate::app::{ACCOUNT_LEASE, advise, unless_unanswered};
use crate::config::{Config, Environment, LogConfig};
use crate::storage::{Lease, RequestedMode, SyncState, SyncStatus, Trigger, load_states, request_run};
use crate::sync::{Engine, Events, Subject};
use crate::telemetry;

/// Arguments of `sync`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Arguments {
    /// What to sync: contacts, companies, deals, owners, deal_pipelines, ... (everything when left out).
    #[arg(value_name = "TYPE")]
    types: Vec<String>,
    /// List everything instead of searching for what changed.
    #[arg(long)]
    full: bool,
}

/// What a sync works with.
struct Sync {
    session: Session,
    subjects: Vec<Subject>,
    mode: RequestedMode,
    /// Drawn on a terminal only.
    bars: Option<Bars>,
}

/// Syncs and tells by the exit code whether all went well.
pub(super) async fn main(
    environment: Environment,
    mut log: LogConfig,
    arguments: Arguments,
) -> anyhow::Result<ExitCode> {
    let bars = stderr().is_terminal().then(Bars::default);
    match &bars {
        Some(bars) => {
            // The bars say what info lines would.
            if log.level == "info" {
                "warn".clone_into(&mut log.level);
            }
            let writer = bars.log_writer();
            telemetry::start(&log, move || writer.clone());
        }
        None => telemetry::start(&log, stderr),
    }
    let session = Session::open(read_config(environment)?).await?;
    let subjects = choose(&session.config, &arguments.types)?;
    let mode = if arguments.full { RequestedMode::Full } else { RequestedMode::Incremental };
    let sync = Sync { session, subjects, mode, bars };
    let carried_out = unless_unanswered(&sync.session.database, Box::pin(sync.carry_out()));
    let Some(succeeded) = sync.session.lifecycle.within_grace(carried_out).await else {
        bail!("stopped before it was done")
    };
    Ok(if succeeded?? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The subjects named on the command line, each once; all of them when none is.
fn choose(config: &Config, names: &[String]) -> anyhow::Result<Vec<Subject>> {
    let enabled = Subject::all(&config.sync.objects);
    if names.is_empty() {
        return Ok(enabled);
    }
    let known: Vec<_> = enabled.iter().map(ToString::to_string).collect();
    let mut chosen = Vec::new();
    for name in names {
        let found = enabled.iter().find(|subject| subject.is_called(name)).copied();
        let found =
            found.with_context(|| format!("`{name}` is not synced here; there is {}", known.join(", ")))?;
        if !chosen.contains(&found) {
            chosen.push(found);
        }
    }
    Ok(chosen)
}

impl Sync {
    /// Asks for the runs and does them here, or watches the daemon do them; returns whether all went well.
    async fn carry_out(&self) -> anyhow::Result<bool> {
        self.request().await?;
        let succeeded = match self.session.keeper.acquire(ACCOUNT_LEASE).await.map_err(advise)? {
            Some(lease) => self.run_here(lease).await?,
            None => self.watch().await?,
        };
        self.session.close().await;
        Ok(succeeded)
    }

    /// Runs the subjects in this process, all at once, and returns whether all went well.
    async fn run_here(&self, lease: Lease) -> anyhow::Result<bool> {
        let Session { database, lifecycle, .. } = &self.session;
        let events = Events::default();
        if let Some(bars) = &self.bars {
            lifecycle.spawn(bars.clone().draw(events.watch()));
        }
        let leading = self.session.lead(lease, events).await?;
        let states = load_states(database).await.map_err(advise)?;
        let mut succeeded = true;
        let mut runs = Vec::new();
        for subject in self.subjects_now(&leading.engine, &mut succeeded).await {
            let state = states.iter().find(|state| state.object_type == subject.to_string());
            let (engine, request) = (leading.engine.clone(), state.and_then(SyncState::request));
            runs.push(lifecycle.spawn(async move {
                engine.run_patiently(subject, Trigger::Request, request).await.is_ok()
            }));
        }
        for run in runs {
            succeeded &= run.await.context("a run panicked")?;
        }
        self.session.step_down(leading).await;
        Ok(succeeded)
    }

    /// What there is to run, after the schemas of custom objects were read: the subjects a schema makes take its
    /// place. Clears `succeeded` when one cannot be read.
    async fn subjects_now(&self, engine: &Engine, succeeded: &mut bool) -> Vec<Subject> {
        let (schemas, mut subjects): (Vec<_>, Vec<_>) =
            self.subjects.iter().partition(|subject| matches!(subject, Subject::Schema(_)));
        for schema in schemas {
            *succeeded &= engine.run_patiently(schema, Trigger::Request, None).await.is_ok();
            let name = schema.to_string();
            subjects.extend(engine.subjects().iter().filter(|subject| subject.belongs_to(&name)));
        }
        subjects
    }

    /// Writes down what is asked for; whoever holds the lease does it.
    async fn request(&self) -> anyhow::Result<()> {
        for subject in &self.subjects {
            request_run(&self.session.database, &subject.to_string(), self.mode).await.map_err(advise)?;
        }
        Ok(())
    }

    /// Watches the daemon do what was asked for, and goes on here should it end before.
    async fn watch(&self) -> anyhow::Result<bool> {
        info!("A hubspot-connector is running on this database; it carries the sync out");
        let (mut drawn, mut succeeded) = (HashMap::new(), true);
        let look = async || {
            let states = load_states(&self.session.database).await.map_err(advise)?;
            let ours: Vec<_> = states.iter().filter(|state| self.concerns(state)).collect();
            if let Some(bars) = &self.bars {
                for state in &ours {
                    draw(bars.bar(&mut drawn, &state.object_type), state);
                }
            }
            let open = ours.iter().filter(|state| !is_done(state)).map(|state| state.object_type.clone());
            let open: Vec<_> = open.collect();
            if open.is_empty() {
                succeeded = report(&ours);
            }
            Ok(Progress { open, is_busy: ours.iter().any(|state| state.status == SyncStatus::Running) })
        };
        match self.session.watch(look).await? {
            Some(lease) => self.run_here(lease).await,
            None => Ok(succeeded),
        }
    }

    /// Whether the row is about something this command was asked to sync.
    fn concerns(&self, state: &SyncState) -> bool {
        self.subjects.iter().any(|subject| subject.to_string() == state.object_type)
    }
}

/// Whether what was asked for has been done, or has failed.
fn is_done(state: &SyncState) -> bool {
    state.request().is_none() && state.status != SyncStatus::Running
}

/// Draws the daemon's progress.
fn draw(bar: &indicatif::ProgressBar, state: &SyncState) {
    let count = |records: i64| u64::try_from(records).unwrap_or(0);
    if is_done(state) {
        let message =
            state.last_error.as_ref().map_or_else(|| "done".to_owned(), |error| format!("failed: {error}"));
        Bars::finish(bar, message);
    } else if state.backfill_cursor.is_some() {
        Bars::advance(bar, count(state.records_synced), state.records_total.map(count));
    }
}

/// Logs what failed; returns whether nothing did.
fn report(states: &[&SyncState]) -> bool {
    for state in states {
        if let Some(error) = &state.last_error {
            error!("{} failed: {error}", state.object_type);
        }
    }
    states.iter().all(|state| state.status != SyncStatus::Error)
}
