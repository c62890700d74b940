//! The archive lane: the recycle bin beside the rows that count as deleted.
//!
//! HubSpot lists the bin by id, not by time of deletion, so finding the newest deletion means reading all of it. That
//! also shows what has left it: restored records, and those that were erased before their 90 days were over.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::info;

use super::engine::Engine;
use super::error::SyncError;
use super::pages_ahead::{Group, PagesAhead};
use super::pass::{Overlay, PassPage};
use super::records::Context;
use super::run::Run;
use super::upkeep::Pass;
use crate::clock;
use crate::hubspot::{Priority, RECORD_PAGE, RecordPage};
use crate::model::{Cursor, ObjectId, Record};
use crate::storage::{
    DeleteReason, MERGED_IDS, PendingDelete, StoredVersion, UpkeepLane, archived_rows, forget_deletes,
    known_survivors, merged_ids, stored_versions,
};

/// How long HubSpot keeps deleted records, less a day: what is older may leave the bin at any time.
/// Source: HubSpot, "Using object APIs".
const KEPT: Duration = Duration::from_hours(89 * 24);
/// How long a record may be deleted and in no bin without being taken for erased: the bin may show it late.
const BIN_LAG: Duration = Duration::from_hours(1);
/// Rows looked at in one go.
const ROWS: usize = 1_000;

/// How far a pass is, besides HubSpot's cursor.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Progress {
    /// Every id up to this one is compared.
    after: ObjectId,
}

/// The properties asked for of what lies in the bin: what was merged into a deleted record answers under no id, and what was
/// not known when its row was read is filled by no other lane.
fn asked(new: &[String]) -> Arc<[String]> {
    let known = std::iter::once(MERGED_IDS.to_owned());
    known.chain(new.iter().filter(|name| *name != MERGED_IDS).cloned()).collect()
}

/// Ids behind the first up to and with the second.
type Range = (ObjectId, ObjectId);

impl Engine {
    /// Reads the bin from where the pass stands to its end, and applies what follows from it.
    ///
    /// # Errors
    /// When HubSpot or the database fails for longer than the retries, or too much is deleted to be believed.
    pub(super) async fn read_recycle_bin(&self, run: &mut Run, pass: &Pass) -> Result<(), SyncError> {
        let object_type = pass.upkeep.object_type;
        let context = self.mirrors.hold(object_type).await.context();
        self.apply_confirmed_deletes(run, pass).await?;
        let cursor = pass.cursor();
        if cursor.is_none() {
            forget_deletes(&self.database, &self.lease, object_type, UpkeepLane::Archive).await?;
        }
        // A pass that was ended behind its last page begins anew.
        let progress = cursor.as_ref().and_then(|_| pass.progress::<Progress>());
        let mut after = progress.map_or(ObjectId::START, |progress| progress.after);
        let new = pass.state.completed_at.map(|completed| context.known_after(completed)).unwrap_or_default();
        let (hubspot, asked) = (run.hubspot.clone(), asked(&new));
        let fetch = move |cursor: Option<Cursor>| {
            let (hubspot, asked) = (hubspot.clone(), asked.clone());
            async move { hubspot.list_archived(object_type, &asked, cursor.as_ref(), Priority::Incremental).await }
        };
        let first = fetch(cursor).await?;
        let mut ahead = PagesAhead::start(first.next.clone(), move |cursor| fetch(Some(cursor)));
        let mut next = Some(Group::from(first));
        while let Some(Group { page, .. }) = &next {
            let to = page.covers_up_to(after);
            let mut found = self.compare_bin(run, &context, page, (after, to)).await?;
            if !new.is_empty() {
                found.overlay = Overlay { names: new.clone(), partials: page.records.clone() };
            }
            after = to;
            self.store_pass_page(run, pass, &found).await?;
            drop(next.take());
            next = self.next_group(&mut ahead).await?;
        }
        self.apply_gathered_deletes(run, pass).await
    }

    /// What follows from a page of the bin, which shows every archived record whose id is in `range`.
    async fn compare_bin(
        &self,
        run: &Run,
        context: &Context,
        page: &RecordPage,
        range: Range,
    ) -> Result<PassPage, SyncError> {
        let ids: Vec<_> = page.records.iter().map(|record| record.id).collect();
        let stored = stored_versions(&self.database, &context.table, &ids).await?;
        let stored: HashMap<ObjectId, StoredVersion> =
            stored.into_iter().map(|version| (version.id, version)).collect();
        let survivors = page.records.iter().filter(|record| !merged_ids(record).is_empty()).cloned();
        let mut found = PassPage {
            survivors: survivors.collect(),
            ..PassPage::of(page, json!(Progress { after: range.1 }))
        };
        for record in &page.records {
            let Some(held) = stored.get(&record.id) else { continue };
            let is_older = held.synced_at.is_none_or(|synced_at| synced_at < record.read_at);
            if is_older && !(held.archived && held.archived_at == record.archived_at) {
                found.deletes.push(PendingDelete {
                    id: record.id,
                    reason: DeleteReason::Archived,
                    archived_at: record.archived_at,
                    found_at: record.read_at,
                });
            }
        }
        // A row that is live is marked first, with all the others, and brought up to date by the next pass.
        let is_read = |record: &&Record| match stored.get(&record.id) {
            None => true,
            Some(held) => held.archived && held.updated_at.is_none_or(|version| version < record.updated_at),
        };
        let read: Vec<_> = page.records.iter().filter(is_read).map(|record| record.id).collect();
        for ids in read.chunks(RECORD_PAGE) {
            let (hubspot, properties) = (&run.hubspot, &context.properties);
            let mut read =
                hubspot.read_archived(context.object_type, properties, ids, Priority::Incremental).await?;
            found.records.append(&mut read.records);
            found.rejected.append(&mut read.rejected);
        }
        self.find_those_who_left(run, context, &ids.into_iter().collect(), range, &mut found).await?;
        Ok(found)
    }

    /// Looks after the rows in `range` that count as deleted and are not `in_bin`.
    async fn find_those_who_left(
        &self,
        run: &Run,
        context: &Context,
        in_bin: &HashSet<ObjectId>,
        (mut after, to): Range,
        found: &mut PassPage,
    ) -> Result<(), SyncError> {
        let since = clock::now() - KEPT;
        loop {
            let rows = archived_rows(&self.database, &context.table, (after, to), since, ROWS).await?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            after = *last;
            let is_full = rows.len() == ROWS;
            let left: HashMap<_, _> = rows.into_iter().filter(|(id, _)| !in_bin.contains(id)).collect();
            let mut ids: Vec<_> = left.keys().copied().collect();
            ids.sort_unstable();
            for ids in ids.chunks(RECORD_PAGE) {
                self.go_on()?;
                self.look_after(run, context, ids, &left, found).await?;
            }
            if !is_full {
                return Ok(());
            }
        }
    }

    /// Finds out what became of records that were in the bin, or should be: restored, merged, or erased. What was merged
    /// into a record that is in no row is erased when that one is.
    async fn look_after(
        &self,
        run: &Run,
        context: &Context,
        ids: &[ObjectId],
        archived_at: &HashMap<ObjectId, DateTime<Utc>>,
        found: &mut PassPage,
    ) -> Result<(), SyncError> {
        let mut absent = seek(run, context, ids, found).await?;
        let survivors = known_survivors(&self.database, context.object_type, &absent.ids).await?;
        if !survivors.is_empty() {
            let sought: BTreeSet<_> = survivors.values().copied().collect();
            let sought: Vec<_> = sought.into_iter().collect();
            let mut erased = HashSet::new();
            for ids in sought.chunks(RECORD_PAGE) {
                erased.extend(seek(run, context, ids, found).await?.ids);
            }
            absent.ids.retain(|id| survivors.get(id).is_none_or(|survivor| erased.contains(survivor)));
        }
        let is_old = |id: &ObjectId| archived_at.get(id).is_some_and(|at| *at < absent.asked_at - BIN_LAG);
        found.deletes.extend(absent.ids.iter().filter(|id| is_old(id)).map(|id| PendingDelete {
            id: *id,
            reason: DeleteReason::Purged,
            archived_at: None,
            found_at: absent.asked_at,
        }));
        Ok(())
    }
}

/// Records that are nowhere in HubSpot, nor merged into one that is live.
struct Absent {
    ids: Vec<ObjectId>,
    /// When HubSpot was asked about the bin.
    asked_at: DateTime<Utc>,
}

/// Looks for records among the live ones and in the bin; adds copies of those it finds.
async fn seek(
    run: &Run,
    Context { object_type, properties, .. }: &Context,
    ids: &[ObjectId],
    found: &mut PassPage,
) -> Result<Absent, SyncError> {
    let mut live = run.hubspot.read_records(object_type, properties, ids, Priority::Incremental).await?;
    if !live.records.is_empty() {
        info!("{} {object_type} came back from the recycle bin or were merged", live.records.len());
    }
    let asked_at = clock::now();
    let mut archived =
        run.hubspot.read_archived(object_type, properties, &live.missing, Priority::Incremental).await?;
    // Restored between the two answers, it would be in neither.
    let mut again =
        run.hubspot.read_records(object_type, properties, &archived.missing, Priority::Incremental).await?;
    let merged: HashSet<_> = live.records.iter().chain(&again.records).flat_map(merged_ids).collect();
    for read in [&mut live, &mut archived, &mut again] {
        found.records.append(&mut read.records);
        found.rejected.append(&mut read.rejected);
    }
    let ids = again.missing.into_iter().filter(|id| !merged.contains(id)).collect();
    Ok(Absent { ids, asked_at })
}

impl Pass {
    /// Where HubSpot's listing continues; `None` at its start.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.state.pass_cursor.clone().filter(|cursor| !cursor.is_empty()).map(Cursor)
    }
}
