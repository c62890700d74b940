//! Pushing deletes, and what becomes of edits whose record is not what it was.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::settle::{ACTOR, all_closed};
use super::verdict::Verdict;
use super::{Current, Item, PRIORITY, Push};
use crate::clock;
use crate::config::SqlDelete;
use crate::hubspot::HistoryEntry;
use crate::model::{Documents, EditTimes, Merged, ObjectId, Properties, Record};
use crate::storage::{
    ConflictKind, Counted, Disagreement, FieldSource, FieldValues, Job, LogAction, LogDirection, LogEntry,
    LogStatus, Settled, StorageError, close_conflicts_without_row, count_changes, edited_records, finish_job,
    park_job, retry_job, store_records, write_log,
};
use crate::sync::engine::Engine;
use crate::sync::error::SyncError;
use crate::sync::patience::Patience;

impl Engine {
    /// Deletes the records of rows that were archived here, unless somebody has edited them in HubSpot since.
    pub(super) async fn push_deleted(&self, push: &Push, items: Vec<Item>) -> Result<(), SyncError> {
        // First: between reading and deleting there must be no queue.
        let passed = self.brake(push, items, LogAction::Delete, |item| &item.job).await?;
        let items = passed.items;
        if items.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = items.iter().filter_map(|item| item.row.hubspot_id).collect();
        let mut current = self.read_current(push, &ids).await?;
        let (mut due, mut verdicts) = (Vec::new(), Vec::new());
        for item in items {
            match item.row.hubspot_id.and_then(|id| current.remove(&id)) {
                Some(Current::Live(remote)) => match edited_there(push, &item, &remote) {
                    Some(verdict) => verdicts.push(verdict),
                    None => due.push((item, remote)),
                },
                // Somebody was quicker, or it is part of another record now, which nobody wanted deleted.
                Some(Current::Archived(record)) => {
                    verdicts.push(Verdict { content: record.properties, ..Verdict::in_step(item) });
                }
                Some(Current::Moved(_) | Current::Nowhere) => {
                    let content = item.row.base.clone();
                    verdicts.push(Verdict { content, ..Verdict::in_step(item) });
                }
                Some(Current::Unreadable) | None => {
                    verdicts.push(self.again(item, "HubSpot's answer about the record cannot be read"));
                }
            }
        }
        self.settle(push, verdicts).await?;
        let ids: Vec<_> = due.iter().filter_map(|(item, _)| item.row.hubspot_id).collect();
        self.archive(push, &ids).await?;
        let deleted = |(item, remote): (Item, Record)| {
            let content = remote.properties.clone();
            let verdict = Verdict { content, copy: Some(remote), ..Verdict::in_step(item) };
            verdict.logged(LogAction::Delete, LogDirection::Push, Vec::new())
        };
        self.settle(push, due.into_iter().map(deleted).collect()).await
    }

    /// Puts records into HubSpot's recycle bin.
    async fn archive(&self, push: &Push, ids: &[ObjectId]) -> Result<(), SyncError> {
        if !ids.is_empty() {
            push.hubspot.archive_records(push.context.object_type, ids, PRIORITY).await?;
        }
        Ok(())
    }

    /// Does with rows that were deleted by SQL what `SQL_DELETE` says: they come back, or their records go as well.
    pub(super) async fn push_sql_deletes(&self, push: &Push, jobs: &[Job]) -> Result<(), SyncError> {
        // Made again by somebody, who found the record there: neither of both is meant any more.
        let ids: Vec<_> = jobs.iter().map(|job| ObjectId(job.record_id)).collect();
        let again = edited_records(&self.database, push.context.object_type, &ids).await?;
        let (again, jobs): (Vec<_>, Vec<_>) =
            jobs.iter().cloned().partition(|job| again.contains(&ObjectId(job.record_id)));
        self.finish_all(&again).await?;
        if self.config.push.sql_delete == SqlDelete::Restore {
            let current = self.read_current(push, &ids).await?;
            return self.restore(push, current, (LogAction::Create, LogDirection::Pull), &jobs).await;
        }
        // First: between reading and deleting there must be no queue. Held until all is recorded.
        let passed = self.brake(push, jobs, LogAction::Delete, |job| job).await?;
        let ids: Vec<_> = passed.items.iter().map(|job| ObjectId(job.record_id)).collect();
        let current = self.read_current(push, &ids).await?;
        let of = |job: &Job| current.get(&ObjectId(job.record_id));
        let (unreadable, rest): (Vec<_>, Vec<_>) =
            passed.items.into_iter().partition(|job| matches!(of(job), Some(Current::Unreadable) | None));
        self.delete_again(&unreadable, "HubSpot's answer about the record cannot be read").await?;
        let (due, coming_back): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|job| is_untouched(job, of(job)));
        self.restore(push, current, (LogAction::Create, LogDirection::Pull), &coming_back).await?;
        let ids: Vec<_> = due.iter().map(|job| ObjectId(job.record_id)).collect();
        self.archive(push, &ids).await?;
        let current = self.read_current(push, &ids).await?;
        self.restore(push, current, (LogAction::Delete, LogDirection::Push), &due).await
    }

    /// Stores what HubSpot has of the records of rows that were deleted by SQL, which ends their jobs.
    async fn restore(
        &self,
        push: &Push,
        current: HashMap<ObjectId, Current>,
        done: (LogAction, LogDirection),
        jobs: &[Job],
    ) -> Result<(), SyncError> {
        if jobs.is_empty() {
            return Ok(());
        }
        let of_job = |(id, _): &(ObjectId, Current)| jobs.iter().any(|job| job.record_id == id.0);
        let record = |(_, current)| match current {
            Current::Live(record) | Current::Moved(record) | Current::Archived(record) => Some(record),
            Current::Nowhere | Current::Unreadable => None,
        };
        let records: Vec<_> = current.into_iter().filter(of_job).filter_map(record).collect();
        let mut patience =
            Patience::new(&self.stop, format!("Restoring rows of {}", push.context.object_type));
        loop {
            match self.try_restore(push, &records, done, jobs).await {
                Ok(()) => return Ok(()),
                Err(error) => patience.wait(error).await?,
            }
        }
    }

    /// Has jobs of rows that were deleted by SQL done again later, or never once they were tried often enough.
    pub(super) async fn delete_again(&self, jobs: &[Job], reason: &str) -> Result<(), SyncError> {
        let mut transaction = self.lease.begin(&self.database).await?;
        for job in jobs {
            match self.next_try(job) {
                Some(at) => retry_job(&mut transaction, job, reason, at).await?,
                None => park_job(&mut transaction, job, reason).await?,
            };
        }
        Ok(transaction.commit().await?)
    }

    /// One transaction: the rows are there again, as live or as deleted, and the jobs are done.
    async fn try_restore(
        &self,
        push: &Push,
        records: &[Record],
        (action, direction): (LogAction, LogDirection),
        jobs: &[Job],
    ) -> Result<(), StorageError> {
        let object_type = push.context.object_type;
        let mirror = self.mirrors.hold(object_type).await;
        let mut transaction = self.lease.begin(&self.database).await?;
        let stored = store_records(&mut transaction, &mirror.table, records, &[]).await?;
        let mut done = Vec::with_capacity(jobs.len());
        for job in jobs {
            let is_stored = records.iter().any(|record| record.id.0 == job.record_id);
            // Somebody else's by now, who will log what they did; or nothing was done, as there is no such record.
            if finish_job(&mut transaction, job).await? != Settled::Lost && is_stored {
                done.push(job);
            }
        }
        let entry = |job: &Job| LogEntry {
            row_id: None,
            hubspot_id: Some(ObjectId(job.record_id)),
            job_id: Some(job.id),
            action,
            direction,
            status: LogStatus::Success,
            message: Some("the row was deleted by SQL".to_owned()),
            changed_fields: Vec::new(),
        };
        let entries: Vec<_> = done.into_iter().map(entry).collect();
        let now = clock::now();
        let sent = write_log(&mut transaction, object_type.name, &entries, now).await?;
        let closed = close_conflicts_without_row(&mut transaction, object_type, ACTOR, now).await?;
        count_changes(&mut transaction, Counted::Pushes, (object_type.name, sent), now).await?;
        transaction.commit().await?;
        self.events.stored(object_type, stored.outcome, &stored.written);
        self.tell_steps(object_type, all_closed(closed));
        Ok(())
    }
}

/// Whether the record of a row that was deleted by SQL may be deleted as well: it is there, is not part of another one, and
/// nobody has edited it in HubSpot since.
fn is_untouched(job: &Job, current: Option<&Current>) -> bool {
    matches!(current, Some(Current::Live(record)) if record.updated_at <= job.created_at)
}

/// The conflict when somebody edited in HubSpot what was deleted here. What HubSpot itself keeps up does not count.
fn edited_there(push: &Push, item: &Item, remote: &Record) -> Option<Verdict> {
    let local = item.row.local.clone().unwrap_or_default();
    let base = &item.row.base;
    let merged =
        Documents { base, local: base, remote: &remote.properties }.merge(&push.rules, &EditTimes::default());
    let edited: Vec<_> = merged.taken.iter().filter(|name| push.rules.of(name).writable).cloned().collect();
    if edited.is_empty() {
        return None;
    }
    let merged = Merged { conflicts: edited, content: local, base: base.clone(), ..merged };
    let draft = conflict(ConflictKind::DeletedHere, &merged, &remote.properties, &BTreeMap::new());
    Some(Verdict { copy: Some(remote.clone()), ..Verdict::conflict(item.clone(), draft) })
}

/// The record is deleted in HubSpot.
pub(super) fn deleted_there(push: &Push, item: Item, record: Option<Record>) -> Verdict {
    let at = record.as_ref().and_then(|record| record.archived_at).unwrap_or_else(clock::now);
    let local = item.row.local.clone().unwrap_or_default();
    let remote = item.row.base.clone();
    let documents = Documents { base: &item.row.base, local: &local, remote: &remote };
    let merged = documents.merge(&push.rules, &EditTimes::default());
    if merged.push.is_empty() {
        let content = record.map_or(remote, |record| record.properties);
        let verdict = Verdict { content, archived_at: Some(at), ..Verdict::in_step(item) };
        return verdict.logged(LogAction::Delete, LogDirection::Pull, Vec::new());
    }
    let edited = merged.push.iter().map(|(name, _)| name.clone()).collect();
    let edited = Merged { conflicts: edited, ..merged };
    let draft = conflict(ConflictKind::DeletedInHubSpot, &edited, &Properties::default(), &BTreeMap::new());
    Verdict::conflict(item, draft)
}

/// The conflict over the fields a merge names.
pub(super) fn conflict(
    kind: ConflictKind,
    merged: &Merged,
    remote: &Properties,
    histories: &BTreeMap<String, Vec<HistoryEntry>>,
) -> Disagreement {
    let side = |properties: &Properties| -> FieldValues {
        let value = |name: &String| (name.clone(), properties.get(name).map(Cow::into_owned));
        merged.conflicts.iter().map(value).collect()
    };
    let source_of = |name: &String| Some((name.clone(), source(histories.get(name)?.first()?)));
    Disagreement {
        kind,
        fields: merged.conflicts.clone(),
        base: side(&merged.base),
        local: side(&merged.content),
        hubspot: side(remote),
        sources: merged.conflicts.iter().filter_map(source_of).collect(),
    }
}

/// Who set a value, for people to judge.
fn source(entry: &HistoryEntry) -> FieldSource {
    FieldSource {
        at: Some(entry.at),
        source_type: entry.source_type.clone(),
        source_id: entry.source_id.clone(),
        source_label: entry.source_label.clone(),
    }
}
