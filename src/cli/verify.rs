//! `verify`: is the mirror equal to HubSpot? Compares every record, reports what differs, and mends it when asked to.
//!
//! Where a daemon runs, it carries the audit out and this process watches; where none does, this process takes its
//! place.

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::json;
use tracing::info;

use super::session::{Progress, Session};
use super::{print, read_config};
use crate::app::{ACCOUNT_LEASE, advise, unless_unanswered};
use crate::config::{Config, Environment};
use crate::model::{ObjectType, Selected};
use crate::storage::{
    LaneState, Lease, SyncState, SyncStatus, Trigger, UpkeepLane, last_run, load_lanes, load_report,
    load_states, request_lane,
};
use crate::sync::{AuditReport, AuditRequest, Depth, Engine, Events, Upkeep};

/// Arguments of `verify`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Arguments {
    /// What to verify: contacts, companies, deals, ... (everything when left out).
    #[arg(value_name = "TYPE")]
    types: Vec<String>,
    /// Compare every value instead of ids and modification times, and every link.
    #[arg(long)]
    deep: bool,
    /// Mend what differs.
    #[arg(long)]
    repair: bool,
    /// Print the reports as a JSON object by type.
    #[arg(long)]
    json: bool,
}

/// What a verification works with.
struct Verification {
    session: Session,
    selected: Vec<Selected>,
    request: AuditRequest,
}

/// What became of a type that was to be verified.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", untagged)]
enum Verdict {
    /// It was compared.
    Compared(Box<AuditReport>),
    /// It was not.
    NotCompared {
        /// Why, and what to do.
        error: String,
    },
}

/// The verdict on each type, by its name and in the order asked for.
type Verdicts = Vec<(&'static str, Verdict)>;

/// Verifies, prints the reports, and tells by the exit code whether both sides were equal. A type that could not be
/// compared stops no other, and is not equal.
pub(super) async fn main(environment: Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let session = Session::open(read_config(environment)?).await?;
    let selected = choose(&session.config, &arguments.types)?;
    let depth = if arguments.deep { Depth::Everything } else { Depth::Versions };
    let request = AuditRequest { depth, repair: arguments.repair };
    let verification = Verification { session, selected, request };
    let Session { database, lifecycle, .. } = &verification.session;
    let verified = unless_unanswered(database, Box::pin(verification.carry_out()));
    let Some(verdicts) = lifecycle.within_grace(verified).await else { bail!("stopped before it was done") };
    let verdicts = verdicts??;
    if arguments.json {
        let by_type = verdicts.iter().map(|(name, verdict)| ((*name).to_owned(), json!(verdict)));
        print(serde_json::to_string_pretty(&by_type.collect::<serde_json::Map<_, _>>())?);
    } else {
        for (name, verdict) in &verdicts {
            show(name, verdict);
        }
    }
    let is_equal = verdicts.iter().all(|(_, verdict)| verdict.is_equal());
    Ok(if is_equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The types named on the command line, each once; all that are synced when none is.
fn choose(config: &Config, names: &[String]) -> anyhow::Result<Vec<Selected>> {
    let synced = &config.sync.objects;
    if names.is_empty() {
        return Ok(synced.clone());
    }
    let known: Vec<_> = synced.iter().map(Selected::name).collect();
    let mut chosen = Vec::new();
    for name in names {
        let found = synced.iter().find(|selected| selected.is_called(name)).copied();
        let found =
            found.with_context(|| format!("`{name}` is not synced here; there is {}", known.join(", ")))?;
        if !chosen.contains(&found) {
            chosen.push(found);
        }
    }
    Ok(chosen)
}

/// One line a type, and what to do.
fn show(name: &str, verdict: &Verdict) {
    match verdict {
        Verdict::NotCompared { error } => print(format_args!("{name}: not compared: {error}")),
        Verdict::Compared(report) => {
            print(format_args!("{name}: {report}"));
            if report.differences() == 0 {
                print(format_args!("  equal to HubSpot as of {}", report.as_of.format("%F %T UTC")));
            } else if report.request.repair {
                print("  repaired; verify again to see it equal");
            } else {
                let deep = if report.request.depth == Depth::Everything { " --deep" } else { "" };
                print(format_args!("  mend it: hubspot-connector verify {name}{deep} --repair"));
            }
        }
    }
}

impl Verdict {
    fn is_equal(&self) -> bool {
        matches!(self, Self::Compared(report) if report.differences() == 0)
    }
}

impl Verification {
    /// Asks for the audits and does them here, or watches the daemon do them; returns what they found.
    async fn carry_out(&self) -> anyhow::Result<Verdicts> {
        let Session { database, keeper, .. } = &self.session;
        let states = load_states(database).await.map_err(advise)?;
        let before = last_run(database).await.map_err(advise)?;
        let (mut objects, mut verdicts) = (Vec::new(), Verdicts::new());
        for selected in &self.selected {
            match comparable(*selected, &states) {
                Ok(object_type) => {
                    let how = json!(self.request);
                    request_lane(database, object_type.name, UpkeepLane::Audit, &how)
                        .await
                        .map_err(advise)?;
                    objects.push(object_type);
                }
                Err(error) => verdicts.push((selected.name(), Verdict::NotCompared { error })),
            }
        }
        if !objects.is_empty() {
            match keeper.acquire(ACCOUNT_LEASE).await.map_err(advise)? {
                Some(lease) => self.audit_here(lease, &objects).await?,
                None => self.watch(&objects).await?,
            }
        }
        for object_type in objects {
            verdicts.push((object_type.name, self.verdict(object_type, before).await?));
        }
        self.session.close().await;
        let place = |name: &str| self.selected.iter().position(|selected| selected.name() == name);
        verdicts.sort_by_key(|(name, _)| place(name));
        Ok(verdicts)
    }

    /// What the audit of a type has left, since the run `before`.
    async fn verdict(&self, object_type: &ObjectType, before: i64) -> anyhow::Result<Verdict> {
        let database = &self.session.database;
        if let Some(report) = load_report(database, object_type.name, before).await.map_err(advise)? {
            return Ok(Verdict::Compared(serde_json::from_value(report)?));
        }
        let lanes = load_lanes(database).await.map_err(advise)?;
        let lane = lanes.into_iter().find(|lane| is_about(lane, object_type));
        let error = lane.and_then(|lane| lane.last_error);
        let error = error.unwrap_or_else(|| "the audit left no report; see the log".to_owned());
        Ok(Verdict::NotCompared { error })
    }

    /// Audits in this process, one type after the other.
    async fn audit_here(&self, lease: Lease, objects: &[&'static ObjectType]) -> anyhow::Result<()> {
        let leading = self.session.lead(lease, Events::default()).await?;
        let audited = self.audit_all(&leading.engine, objects).await;
        self.session.step_down(leading).await;
        audited
    }

    /// Audits one type after the other. One that fails is left with what it has recorded.
    async fn audit_all(&self, engine: &Engine, objects: &[&'static ObjectType]) -> anyhow::Result<()> {
        for object_type in objects {
            let upkeep = Upkeep { object_type, lane: UpkeepLane::Audit };
            // A pass of the schedule that was interrupted comes first.
            while self.is_open(object_type).await? {
                if let Err(error) = engine.run_upkeep(upkeep, Trigger::Request).await {
                    if error.ends_here() {
                        return Err(error.into());
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether what was asked for is not answered yet.
    async fn is_open(&self, object_type: &ObjectType) -> anyhow::Result<bool> {
        let lanes = load_lanes(&self.session.database).await.map_err(advise)?;
        Ok(lanes.iter().any(|lane| is_about(lane, object_type) && lane.requested_at.is_some()))
    }

    /// Watches the daemon do what was asked for, and goes on here should it end before.
    async fn watch(&self, objects: &[&'static ObjectType]) -> anyhow::Result<()> {
        info!("A hubspot-connector is running on this database; it carries the audit out");
        let look = async || {
            let lanes = load_lanes(&self.session.database).await.map_err(advise)?;
            let is_ours = |lane: &&LaneState| objects.iter().any(|object_type| is_about(lane, object_type));
            let is_open =
                |lane: &&LaneState| lane.requested_at.is_some() || lane.status == SyncStatus::Running;
            let open = lanes.iter().filter(is_ours).filter(is_open);
            let open = open.map(|lane| format!("the audit of {}", lane.object_type)).collect();
            Ok(Progress { open, is_busy: lanes.iter().any(|lane| lane.status == SyncStatus::Running) })
        };
        match self.session.watch(look).await? {
            Some(lease) => self.audit_here(lease, objects).await,
            None => Ok(()),
        }
    }
}

/// The descriptor of a type there is something to compare of; else why there is not.
fn comparable(selected: Selected, states: &[SyncState]) -> Result<&'static ObjectType, String> {
    let name = selected.name();
    let state = states.iter().find(|state| state.object_type == name);
    if state.is_some_and(|state| state.backfill_cursor.is_some()) {
        return Err("a full listing is under way; verify when it is done".to_owned());
    }
    match selected {
        Selected::Known(object_type) if state.is_some_and(|state| state.watermark.is_some()) => {
            Ok(object_type)
        }
        _ => Err(state.and_then(|state| state.last_error.clone()).map_or_else(
            || format!("it was never synced to its end; run `hubspot-connector sync {name}` first"),
            |error| format!("it was never synced to its end: {error}"),
        )),
    }
}

/// Whether it is the audit of the type.
fn is_about(lane: &LaneState, object_type: &ObjectType) -> bool {
    lane.lane == UpkeepLane::Audit && lane.object_type == object_type.name
}
