//! The audit lane and the fill lane: a listing beside the table, both in id order, a page of each in memory.
//!
//! | Lane | Compares | Mends |
//! | --- | --- | --- |
//! | audit | ids and versions; by schedule also the values HubSpot changes silently; all values when asked to | by schedule, and when asked to |
//! | fill | the values of properties that were not known when records were stored | always |
//!
//! Values of properties come with the listing, so refreshing them takes no further request, and a record of the same
//! version is given just the values that differ. What is missing, stale or different is read again whole and stored as
//! any other copy; what the listing lacks is looked up one by one before it counts as gone. An audit of all values goes
//! on with the links of the type ([`links`]).

mod compare;
mod links;
mod report;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::{info, warn};

use self::compare::{Comparison, Differences, Scope};
pub use self::report::{AuditReport, AuditRequest, Depth, Finding};
use super::associations;
use super::engine::Engine;
use super::error::SyncError;
use super::pages_ahead::{Group, PagesAhead};
use super::pass::{Overlay, PassPage};
use super::records::Context;
use super::run::Run;
use super::upkeep::{Pass, Upkeep};
use crate::clock;
use crate::hubspot::{Priority, RECORD_PAGE, RecordPage};
use crate::model::{Cursor, ObjectId, ObjectType, Record};
use crate::storage::{
    Attention, DeleteReason, PendingDelete, UpkeepLane, compared_rows, forget_deletes, known_survivors,
    merged_ids, property_names, record_audit,
};

/// The property every record has; asking for it alone keeps a listing of versions small.
const ID: &str = "hs_object_id";

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
    /// Whether only values are looked at: what is missing or gone is another lane's.
    fills: bool,
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
        let task = Task { names, silent: context.silent.clone(), request, fills: false };
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

    /// Gives stored records the values of properties that were not known before.
    ///
    /// # Errors
    /// When HubSpot or the database fails for longer than the retries.
    pub(super) async fn fill(&self, run: &mut Run, pass: &Pass) -> Result<(), SyncError> {
        let context = self.mirrors.hold(pass.upkeep.object_type).await.context();
        let names: Arc<[String]> = match pass.state.completed_at {
            Some(filled) => context.known_after(filled),
            None => context.properties.clone(),
        };
        if names.is_empty() {
            return Ok(());
        }
        let object_type = context.object_type;
        info!("Filling {} new properties of {object_type}", names.len());
        let request = AuditRequest { depth: Depth::Silent, repair: true };
        let task = Task { names: names.clone(), silent: names, request, fills: true };
        let report = self.walk(run, pass, &context, &task, pass.progress()).await?.report;
        info!("Filled new properties of {} {object_type}", report.recalculated);
        Ok(())
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
        let cursor = progress.as_ref().and_then(|_| pass.cursor());
        let mut progress =
            if let Some(progress) = progress { progress } else { self.begin_walk(context, task).await? };
        let asked: Arc<[String]> =
            if task.names.is_empty() { Arc::new([ID.to_owned()]) } else { task.names.clone() };
        let (hubspot, object_type) = (run.hubspot.clone(), context.object_type);
        let fetch = move |cursor: Option<Cursor>| {
            let (hubspot, asked) = (hubspot.clone(), asked.clone());
            async move { hubspot.list_records(object_type, &asked, cursor.as_ref(), Priority::Audit).await }
        };
        let first = fetch(cursor).await?;
        let mut ahead = PagesAhead::start(first.next.clone(), move |cursor| fetch(Some(cursor)));
        let mut next = Some(Group::from(first));
        while let Some(Group { page, .. }) = &next {
            let found = self.weigh(run, object_type, task, page, &mut progress).await?;
            self.store_pass_page(run, pass, &found).await?;
            drop(next.take());
            next = self.next_group(&mut ahead).await?;
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
        let last = page.records.last().map_or(progress.after, |record| record.id);
        let to = if page.next.is_some() { last } else { ObjectId::END };
        let retired = match task.request.depth {
            Depth::Everything => Some(property_names(&self.database, object_type).await?),
            Depth::Versions | Depth::Silent => None,
        };
        let scope = Scope {
            names: &task.names,
            silent: &task.silent,
            retired: retired.as_deref(),
            as_of: progress.report.as_of,
        };
        let differences = self.compare(context, page, (progress.after, to), scope).await?;
        let mut found = PassPage { rejected: page.rejected.clone(), ..PassPage::default() };
        progress.report.recalculated += differences.recalculated.len() as u64;
        if !task.fills {
            progress.report.add(page.records.len(), &differences);
            self.look_up_absent(run, context, &differences.absent, progress, &mut found).await?;
            if task.request.repair {
                self.read_again(run, context, &differences, page, &mut found).await?;
            }
        }
        if task.request.repair {
            found.overlay = overlay(page, &task.names, &differences);
        } else {
            found.records.clear();
            found.deletes.clear();
        }
        progress.after = to;
        found.fetched = page.records.len() as u64;
        found.cursor = page.next.as_ref().map_or_else(String::new, |next| next.0.clone());
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

    /// Compares a page with the rows of `range`, all of whose live records it shows.
    async fn compare(
        &self,
        context: &Context,
        page: &RecordPage,
        (mut after, to): (ObjectId, ObjectId),
        scope: Scope<'_>,
    ) -> Result<Differences, SyncError> {
        let read_at = page.records.iter().map(|record| record.read_at).min().unwrap_or_else(clock::now);
        let mut comparison = Comparison::new(scope, &page.records, read_at);
        loop {
            let attention = match scope {
                Scope { retired: Some(_), .. } => Attention::Columns,
                Scope { names: [], .. } => Attention::Versions,
                _ => Attention::Properties,
            };
            let rows = compared_rows(&self.database, &context.table, (after, to), attention).await?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            comparison.meet(&rows);
            self.go_on()?;
        }
        Ok(comparison.finish())
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

/// The values to give to records of the same version.
fn overlay(page: &RecordPage, names: &Arc<[String]>, differences: &Differences) -> Overlay {
    let is_recalculated = |id: ObjectId| differences.recalculated.binary_search(&id).is_ok();
    let partials = page.records.iter().filter(|record| is_recalculated(record.id)).cloned().collect();
    Overlay { names: names.clone(), partials }
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
