//! `verify`: is the mirror equal to HubSpot? Compares every record, reports what differs, and mends it when asked to.
//!
//! Where a daemon runs, it carries the audit out and this process watches; where none does, this process takes its
//! place.

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::json;
use tokio::time::Instant;
use tracing::info;

use super::session::{Session, UNNOTICED, WATCH};
use super::{print, read_config};
use crate::app::{ACCOUNT_LEASE, advise, unless_unanswered};
use crate::config::{Config, Environment};
use crate::model::{ObjectType, Selected};
use crate::storage::{
    Lane, LaneState, Lease, SyncStatus, Trigger, last_run, load_lanes, load_report, load_states, request_lane,
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
    objects: Vec<&'static ObjectType>,
    request: AuditRequest,
}

/// Verifies, prints the reports, and tells by the exit code whether both sides were equal.
pub(super) async fn main(environment: Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let session = Session::open(read_config(environment)?).await?;
    let objects = choose(&session.config, &arguments.types)?;
    let depth = if arguments.deep { Depth::Everything } else { Depth::Versions };
    let request = AuditRequest { depth, repair: arguments.repair };
    let verification = Verification { session, objects, request };
    let Session { database, lifecycle, .. } = &verification.session;
    let verified = unless_unanswered(database, Box::pin(verification.carry_out()));
    let Some(reports) = lifecycle.within_grace(verified).await else { bail!("stopped before it was done") };
    let reports = reports??;
    if arguments.json {
        let by_type =
            reports.iter().map(|(object_type, report)| (object_type.name.to_owned(), json!(report)));
        print(serde_json::to_string_pretty(&by_type.collect::<serde_json::Map<_, _>>())?);
    } else {
        for (object_type, report) in &reports {
            show(object_type, report);
        }
    }
    let is_equal = reports.iter().all(|(_, report)| report.differences() == 0);
    Ok(if is_equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The types named on the command line, all that are synced when none is.
fn choose(config: &Config, names: &[String]) -> anyhow::Result<Vec<&'static ObjectType>> {
    let synced = Selected::known(&config.sync.objects);
    if names.is_empty() {
        return Ok(synced);
    }
    let known: Vec<_> = synced.iter().map(|object_type| object_type.name).collect();
    let find = |name: &String| {
        let found = synced.iter().find(|object_type| object_type.is_called(name)).copied();
        found.with_context(|| format!("`{name}` is not synced here; there is {}", known.join(", ")))
    };
    names.iter().map(find).collect()
}

/// One line a type, and what to do.
fn show(object_type: &ObjectType, report: &AuditReport) {
    print(format_args!("{object_type}: {report}"));
    if report.differences() == 0 {
        print(format_args!("  equal to HubSpot as of {}", report.as_of.format("%F %T UTC")));
    } else if report.request.repair {
        print("  repaired; verify again to see it equal");
    } else {
        let deep = if report.request.depth == Depth::Everything { " --deep" } else { "" };
        print(format_args!("  mend it: hubspot-connector verify {object_type}{deep} --repair"));
    }
}

impl Verification {
    /// Asks for the audits and does them here, or watches the daemon do them; returns what they found.
    async fn carry_out(&self) -> anyhow::Result<Vec<(&'static ObjectType, AuditReport)>> {
        let Session { database, keeper, .. } = &self.session;
        self.expect_listed().await?;
        let before = last_run(database).await.map_err(advise)?;
        for object_type in &self.objects {
            let how = json!(self.request);
            request_lane(database, object_type.name, Lane::Audit, &how).await.map_err(advise)?;
        }
        match keeper.acquire(ACCOUNT_LEASE).await.map_err(advise)? {
            Some(lease) => self.audit_here(lease).await?,
            None => self.watch().await?,
        }
        let mut reports = Vec::new();
        for object_type in &self.objects {
            let report = load_report(database, object_type.name, before).await.map_err(advise)?;
            let report = report.with_context(|| format!("the audit of {object_type} left no report"))?;
            reports.push((*object_type, serde_json::from_value(report)?));
        }
        self.session.close().await;
        Ok(reports)
    }

    /// Makes sure that there is something to compare.
    async fn expect_listed(&self) -> anyhow::Result<()> {
        let states = load_states(&self.session.database).await.map_err(advise)?;
        for object_type in &self.objects {
            let mut states = states.iter();
            let state = states.find(|state| state.object_type == object_type.name);
            if state.is_some_and(|state| state.backfill_cursor.is_some()) {
                bail!("a full listing of {object_type} is under way; verify when it is done");
            }
            if state.is_none_or(|state| state.watermark.is_none()) {
                bail!(
                    "{object_type} was never synced to its end; run `hubspot-connector sync {object_type}` first"
                );
            }
        }
        Ok(())
    }

    /// Audits in this process, one type after the other.
    async fn audit_here(&self, lease: Lease) -> anyhow::Result<()> {
        let leading = self.session.lead(lease, Events::default()).await?;
        let audited = self.audit_all(&leading.engine).await;
        self.session.step_down(leading).await;
        audited
    }

    /// Audits one type after the other.
    async fn audit_all(&self, engine: &Engine) -> anyhow::Result<()> {
        for object_type in &self.objects {
            let upkeep = Upkeep { object_type, lane: Lane::Audit };
            // A pass of the schedule that was interrupted comes first.
            while self.is_open(object_type).await? {
                engine.run_upkeep(upkeep, Trigger::Request).await?;
            }
        }
        Ok(())
    }

    /// Whether what was asked for is not answered yet.
    async fn is_open(&self, object_type: &ObjectType) -> anyhow::Result<bool> {
        let lanes = load_lanes(&self.session.database).await.map_err(advise)?;
        Ok(lanes.iter().any(|lane| is_about(lane, object_type) && lane.requested_at.is_some()))
    }

    /// Watches the daemon do what was asked for, until it is done or gone.
    async fn watch(&self) -> anyhow::Result<()> {
        info!("A hubspot-connector is running on this database; it carries the audit out");
        let Session { database, keeper, lifecycle, .. } = &self.session;
        let mut noticed = Instant::now();
        loop {
            let lanes = load_lanes(database).await.map_err(advise)?;
            let ours: Vec<_> = lanes.iter().filter(|lane| self.concerns(lane)).collect();
            let has_failed =
                |lane: &&&LaneState| lane.requested_at.is_none() && lane.status == SyncStatus::Error;
            if let Some(failed) = ours.iter().find(has_failed) {
                let error = failed.last_error.as_deref().unwrap_or_default();
                bail!("the audit of {} failed: {error}", failed.object_type);
            }
            let is_open =
                |lane: &&LaneState| lane.requested_at.is_some() || lane.status == SyncStatus::Running;
            if !ours.iter().any(is_open) {
                return Ok(());
            }
            if lanes.iter().any(|lane| lane.status == SyncStatus::Running) {
                noticed = Instant::now();
            }
            if let Some(lease) = keeper.acquire(ACCOUNT_LEASE).await.map_err(advise)? {
                info!("The other hubspot-connector has ended; going on here");
                return self.audit_here(lease).await;
            }
            if noticed.elapsed() > UNNOTICED {
                bail!(
                    "the running hubspot-connector does not begin the audit; is the type in its SYNC_OBJECTS?"
                );
            }
            tokio::select! {
                () = lifecycle.shutdown().cancelled() => bail!("stopped watching; the daemon goes on"),
                () = tokio::time::sleep(WATCH) => {}
            }
        }
    }

    /// Whether the lane is about something this command was asked to verify.
    fn concerns(&self, lane: &LaneState) -> bool {
        self.objects.iter().any(|object_type| is_about(lane, object_type))
    }
}

/// Whether it is the audit of the type.
fn is_about(lane: &LaneState, object_type: &ObjectType) -> bool {
    lane.lane == Lane::Audit && lane.object_type == object_type.name
}
