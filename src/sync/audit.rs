//! The audit lane: a listing beside the table, both in id order, a page of each in memory.
//!
//! It compares ids and versions; by schedule also the values HubSpot changes silently; all values when asked to. It mends
//! what it finds by schedule, and when asked to. Values that change silently come with the listing, so refreshing them
//! takes no further request, and a record of the same version is given just the values that differ. What is missing,
//! stale or different is read again whole and stored as any other copy; what the listing lacks is looked up one by one
//! before it counts as gone. An audit of all values goes on with the links of the type ([`links`]).

mod links;
mod report;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::{info, warn};

pub use self::report::{AuditReport, AuditRequest, Depth, Finding};
use super::associations;
use super::compare::{Differences, Horizon, Scope};
use super::engine::Engine;
use super::error::SyncError;
use super::pass::{Overlay, PassPage};
use super::records::Context;
use super::run::Run;
use super::upkeep::{Pass, Upkeep};
use super::walk::Walk;
use crate::clock;
use crate::hubspot::{Priority, RECORD_PAGE, RecordPage};
use crate::model::{ObjectId, ObjectType, Record};
use crate::storage::{
    DeleteReason, PendingDelete, UpkeepLane, forget_deletes, known_survivors, merged_ids, property_names,
    record_audit,
};

/// How far a pass is, besides HubSpot's cursor.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Progress {
    /// Every id up to this one is compared.
    after: ObjectId,
    /// Deletes up to here should be in the mirror.
    deletes_as_of: DateTime<Utc>,
    /// How far the comparison of links is, which follows that of records.
    #[serde(default)]
    links: Option<associations::Progress>,
    /// What was found so far.
    report: AuditReport,
}

/// What a pass compares.
struct Task {
    names: Arc<[String]>,
    silent: Arc<[String]>,
    request: AuditRequest,
}

impl Engine {
    /// Compares the mirror with HubSpot from where the pass stands, and records what came of it.
    ///
    /// # Errors
    /// When HubSpot or the database fails for longer than the retries, or too much is gone to be believed.
    pub(super) async fn audit(&self, run: &mut Run, pass: &Pass) -> Result<(), SyncError> {
        let context = self.mirrors.hold(pass.upkeep.object_type).await.context();
        let progress = pass.progress::<Progress>();
        let request = match &progress {
            Some(progress) => progress.report.request,
            None => pass.progress().unwrap_or(AuditRequest::SCHEDULED),
        };
        let names = match request.depth {
            Depth::Versions => Arc::default(),
            Depth::Silent => context.silent.clone(),
            Depth::Everything => context.properties.clone(),
        };
        let task = Task { names, silent: context.silent.clone(), request };
        if progress.is_none() {
            forget_deletes(&self.database, &self.lease, context.object_type, UpkeepLane::Audit).await?;
        }
        let progress = match progress {
            // All records are compared already.
            Some(progress) if progress.after == ObjectId::END => progress,
            progress => self.walk(run, pass, &context, &task, progress).await?,
        };
        let report = self.audit_links(run, pass, progress).await?;
        tell(&context, &report);
        let applied = if request.repair { self.apply_gathered_deletes(run, pass).await } else { Ok(()) };
        let is_equal = report.differences() == 0 || (request.repair && applied.is_ok());
        let repaired = request.repair.then(|| report.differences());
        // What could not be read or stored has not been compared.
        let verified = (is_equal && run.counts.outcome.quarantined == 0).then_some(report.as_of);
        let stored = json!(report);
        let name = context.object_type.name;
        // What was found is told even where it is too much to be mended without a person's word.
        record_audit(&self.database, &self.lease, (name, run.id), &stored, verified, repaired).await?;
        applied
    }

    /// Lists everything behind where the pass stands, compares and mends; returns how far the pass is then.
    async fn walk(
        &self,
        run: &mut Run,
        pass: &Pass,
        context: &Arc<Context>,
        task: &Task,
        progress: Option<Progress>,
    ) -> Result<Progress, SyncError> {
        let (mut progress, cursor) = match progress {
            Some(progress) => (progress, pass.cursor()),
            None => (self.begin_walk(context, task).await?, None),
        };
        let object_type = context.object_type;
        let mut walk = Walk::start(&run.hubspot, object_type, task.names.clone(), cursor).await?;
        while let Some(page) = walk.page() {
            let found = self.weigh(run, object_type, task, page, &mut progress).await?;
            self.store_pass_page(run, pass, &found).await?;
            self.walk_on(&mut walk).await?;
        }
        Ok(progress)
    }

    /// What follows from a page; adds what it shows to `progress`.
    async fn weigh(
        &self,
        run: &Run,
        object_type: &'static ObjectType,
        task: &Task,
        page: &RecordPage,
        progress: &mut Progress,
    ) -> Result<PassPage, SyncError> {
        // The catalogue may have grown since the pass began.
        let context = &self.mirrors.hold(object_type).await.context();
        let to = page.covers_up_to(progress.after);
        let retired = match task.request.depth {
            Depth::Everything => Some(property_names(&self.database, object_type).await?),
            Depth::Versions | Depth::Silent => None,
        };
        let scope = Scope {
            names: &task.names,
            silent: &task.silent,
            retired: retired.as_deref(),
            horizon: Horizon {
                changes: progress.report.as_of,
                bin: self.config.upkeep.archive.map(|_| progress.deletes_as_of),
            },
        };
        let differences = self.compare(context, page, (progress.after, to), scope).await?;
        let mut found = PassPage::of(page, Value::Null);
        progress.report.add(page.records.len(), &differences);
        self.look_up_absent(run, context, &differences.absent, progress, &mut found).await?;
        if task.request.repair {
            self.read_again(run, context, &differences, page, &mut found).await?;
            found.overlay = Overlay::of(page, &task.names, &differences.recalculated);
        } else {
            found.records.clear();
            found.deletes.clear();
        }
        progress.after = to;
        found.pass_state = json!(progress);
        Ok(found)
    }

    /// A walk from the first record on.
    async fn begin_walk(&self, context: &Context, task: &Task) -> Result<Progress, SyncError> {
        // What is true of the mirror now; the runs beside this one only make it truer.
        let as_of = context.state.load().await?.watermark.unwrap_or(DateTime::UNIX_EPOCH);
        let mut deletes_as_of = as_of;
        if self.config.upkeep.archive.is_some() {
            let bin = self.lane_row(Upkeep { object_type: context.object_type, lane: UpkeepLane::Archive });
            let read = bin.load().await?.completed_at.unwrap_or(DateTime::UNIX_EPOCH);
            deletes_as_of = deletes_as_of.min(read);
        }
        let report = AuditReport::new(task.request, as_of);
        Ok(Progress { after: ObjectId::START, deletes_as_of, links: None, report })
    }

    /// Finds out what became of records the listing lacks.
    async fn look_up_absent(
        &self,
        run: &Run,
        context: &Context,
        absent: &[ObjectId],
        progress: &mut Progress,
        found: &mut PassPage,
    ) -> Result<(), SyncError> {
        let Context { object_type, properties, .. } = context;
        let Progress { deletes_as_of, report, .. } = progress;
        for ids in absent.chunks(RECORD_PAGE) {
            self.go_on()?;
            let mut live = run.hubspot.read_records(object_type, properties, ids, Priority::Audit).await?;
            let asked_at = clock::now();
            let archived =
                run.hubspot.read_archived(object_type, properties, &live.missing, Priority::Audit).await?;
            live.records.retain(|record| !ids.contains(&record.id));
            found.rejected.append(&mut live.rejected);
            let into = |survivor: &Record| {
                let version = survivor.updated_at;
                merged_ids(survivor).into_iter().map(move |old| (old, version))
            };
            let merged: HashMap<_, _> = live.records.iter().flat_map(into).collect();
            let known = known_survivors(&self.database, object_type, &archived.missing).await?;
            let mut delete = |id, archived_at, found_at| {
                let reason = DeleteReason::Archived;
                found.deletes.push(PendingDelete { id, reason, archived_at, found_at });
            };
            for Record { id, archived_at, read_at, .. } in archived.records {
                // A delete the archive lane has not had a chance to see is its business still.
                let is_due = archived_at.is_none_or(|at| at <= *deletes_as_of);
                if is_due { &mut report.gone } else { &mut report.recent }.add(&[id]);
                delete(id, archived_at, read_at);
            }
            for id in archived.missing {
                if merged.contains_key(&id) || known.contains_key(&id) {
                    let is_due = merged.get(&id).is_none_or(|version| *version <= report.as_of);
                    if is_due { &mut report.gone } else { &mut report.recent }.add(&[id]);
                } else {
                    report.extra.add(&[id]);
                }
                // Of a merged one the survivor may be stored already, and then nothing follows from its copy. Of what is
                // nowhere nothing is erased yet, the bin may show it late: the archive lane looks after the row.
                delete(id, None, asked_at);
            }
            found.records.append(&mut live.records);
        }
        Ok(())
    }

    /// Reads whole what is missing, stale, different or recent.
    async fn read_again(
        &self,
        run: &Run,
        context: &Context,
        differences: &Differences,
        page: &RecordPage,
        found: &mut PassPage,
    ) -> Result<(), SyncError> {
        let Context { object_type, properties, .. } = context;
        found.distrusted.clone_from(&differences.different);
        found.distrusted_at = page.records.iter().map(|record| record.read_at).min().unwrap_or_default();
        let Differences { missing, stale, different, recent, .. } = differences;
        let ids = [&missing[..], stale, different, recent].concat();
        for ids in ids.chunks(RECORD_PAGE) {
            self.go_on()?;
            let mut read = run.hubspot.read_records(object_type, properties, ids, Priority::Audit).await?;
            found.records.append(&mut read.records);
            found.rejected.append(&mut read.rejected);
        }
        Ok(())
    }
}

/// Says in the log what was found, loudly when another lane should have caught it.
fn tell(context: &Context, report: &AuditReport) {
    let (object_type, as_of) = (context.object_type, report.as_of.format("%F %T UTC"));
    if report.differences() == 0 {
        info!("Audited {object_type}: {report}; equal to HubSpot as of {as_of}");
        return;
    }
    let next = if report.request.repair { "repairing" } else { "not repaired" };
    warn!("Audited {object_type}: {report}; {next}");
    for (kind, finding, culprit) in report.kinds() {
        if finding.count > 0 {
            warn!("Of {object_type}, {kind}: {}; {culprit}", finding.count);
        }
    }
}
