//! Reading the records that were told of, and storing what HubSpot says.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use serde_json::Value;
use tokio::time::Instant;
use tracing::warn;

use super::plan::{Shown, Told};
use super::{Batch, Desk};
use crate::clock;
use crate::hubspot::Priority;
use crate::model::{ObjectId, ObjectType, Record, RejectedRecord};
use crate::storage::{
    Counted, DeleteReason, LeasedTransaction, MirrorTable, PendingDelete, StorageError, StoredPage,
    StoredVersion, UpkeepLane, WebhookOutcome, apply_deletes_at_once, count_changes, heard_of, merged_ids,
    postpone_webhook_events, release_from_quarantine, request_lane, settle_webhook_events, store_records,
    stored_versions,
};
use crate::sync::Event;
use crate::sync::engine::Engine;
use crate::sync::error::SyncError;
use crate::sync::patience::Patience;

/// What HubSpot said of a batch, and what follows for the events.
#[derive(Default)]
struct Answer {
    /// Copies to store.
    records: Vec<Record>,
    /// Records that cannot be understood.
    rejected: Vec<RejectedRecord>,
    /// Records in the recycle bin, whose rows are marked first.
    archived: Vec<Record>,
    /// Deletes to apply.
    deletes: Vec<PendingDelete>,
    /// What it shows of each record asked for; those that cannot be understood are left out.
    shown: HashMap<ObjectId, Shown>,
    /// Records that are in neither place, nor under another id.
    absent: Vec<ObjectId>,
}

/// What becomes of a batch's events.
#[derive(Default)]
struct Fates {
    /// Closed with the records.
    done: Vec<(WebhookOutcome, i64)>,
    /// Closed once the links are read too.
    after_links: Vec<i64>,
    /// To be looked at again after a while.
    again: Vec<(TimeDelta, i64)>,
    /// Whether HubSpot told of any of it.
    was_delivered: bool,
}

impl Engine {
    /// Leaves out what this daemon did itself and the mirror holds already. Where the push is still at it, the first look
    /// is put off.
    pub(super) async fn without_echoes(
        &self,
        object_type: &'static ObjectType,
        told: Vec<Told>,
        desk: &Desk,
    ) -> Result<Vec<Told>, SyncError> {
        let own: Vec<_> = told.iter().filter(|one| one.is_own).map(|one| one.id).collect();
        if own.is_empty() {
            return Ok(told);
        }
        let table = self.mirrors.hold(object_type).await.context();
        let stored = stored_versions(&self.database, &table.table, &own).await?;
        let stored: HashMap<_, _> = stored.into_iter().map(|version| (version.id, version)).collect();
        let mut rest = Vec::with_capacity(told.len());
        let mut fates = Fates { was_delivered: true, ..Fates::default() };
        for one in told {
            if one.is_own && stored.get(&one.id).is_some_and(|row| one.is_held_by(row)) {
                fates.done.extend(one.numbers.iter().map(|number| (WebhookOutcome::Echo, *number)));
            } else if let Some(wait) = own_wait(&one, stored.get(&one.id)) {
                fates.again.extend(one.numbers.iter().map(|number| (wait, *number)));
            } else {
                rest.push(one);
            }
        }
        desk.memory().tally.echoes += fates.done.len() as u64;
        let mut patience = Patience::new(&self.stop, format!("Closing webhooks of {object_type}"));
        while let Err(error) = self.try_close(object_type, &fates).await {
            patience.wait(error).await?;
        }
        Ok(rest)
    }

    /// One attempt to close events that nothing is stored of.
    async fn try_close(&self, object_type: &ObjectType, fates: &Fates) -> Result<(), StorageError> {
        let mut transaction = self.lease.begin(&self.database).await?;
        fates.write(&mut transaction, object_type).await?;
        transaction.commit().await
    }

    /// Reads the records of a batch again and stores them.
    ///
    /// # Errors
    /// When HubSpot or the database fails for longer than the retries; the events then wait.
    pub(super) async fn bring_up_to_date(&self, batch: &Batch, desk: &Desk) -> Result<(), SyncError> {
        let Batch { object_type, told } = batch;
        let mut answer = self.ask(object_type, told).await?;
        let is_believed = self.believe_deletes(object_type, &mut answer, desk).await?;
        let fates = Fates::of(told, &answer.shown, is_believed);
        let mut patience = Patience::new(&self.stop, format!("Storing {object_type} told of by webhooks"));
        let StoredPage { outcome, written } = loop {
            let turn = desk.stores.acquire().await.expect("never closed");
            let stored = self.try_store_told(object_type, &answer, &fates).await;
            drop(turn);
            match stored {
                Ok(stored) => break stored,
                Err(error) => patience.wait(error).await?,
            }
        };
        self.events.stored(object_type, outcome, &written);
        release_from_quarantine(&self.database, object_type, &answer.absent).await?;
        desk.memory().tally.stored(told.len(), outcome);
        self.follow_links(object_type, told, &answer, fates.after_links).await
    }

    /// Asks HubSpot for the records: live, else in the recycle bin, else, where it matters, live again.
    async fn ask(&self, object_type: &'static ObjectType, told: &[Told]) -> Result<Answer, SyncError> {
        let context = self.mirrors.hold(object_type).await.context();
        let (hubspot, properties) = (&self.hubspot, &context.properties);
        let ids: Vec<_> = told.iter().map(|one| one.id).collect();
        let live = hubspot.read_records(object_type, properties, &ids, Priority::Webhook).await?;
        let mut answer = Answer::default();
        answer.take_live(live.records, live.rejected);
        let rest = answer.unexplained(&live.missing);
        let asked_at = clock::now();
        let bin = hubspot.read_archived(object_type, properties, &rest, Priority::Webhook).await?;
        answer.take_archived(bin.records);
        answer.rejected.extend(bin.rejected);
        answer.absent = bin.missing;
        let was_erased = |id: &ObjectId| {
            told.iter().any(|one| one.id == *id && one.was_erased && object_type.has_privacy_delete())
        };
        let erased: Vec<_> = answer.absent.iter().copied().filter(was_erased).collect();
        // Restored between the two answers, it would be in neither.
        let again = hubspot.read_records(object_type, properties, &erased, Priority::Webhook).await?;
        answer.take_live(again.records, again.rejected);
        answer.absent = answer.unexplained(&answer.absent);
        for id in &answer.absent {
            answer.shown.insert(*id, Shown::Absent);
        }
        let gone = erased.into_iter().filter(|id| answer.absent.contains(id));
        let purge =
            |id| PendingDelete { id, reason: DeleteReason::Purged, archived_at: None, found_at: asked_at };
        answer.deletes.extend(gone.map(purge).collect::<Vec<_>>());
        Ok(answer)
    }

    /// Whether the deletes are few enough to be believed. If not, only erasures are applied, and the archive lane is asked
    /// to look for the others.
    ///
    /// Erasures are always believed: each was told of as one, and confirmed by three reads. The archive lane would not find
    /// them, and what is to be forgotten may not wait for anybody.
    async fn believe_deletes(
        &self,
        object_type: &'static ObjectType,
        answer: &mut Answer,
        desk: &Desk,
    ) -> Result<bool, SyncError> {
        let is_erasure = |delete: &PendingDelete| delete.reason == DeleteReason::Purged;
        let in_bin = answer.deletes.iter().filter(|delete| !is_erasure(delete));
        let ids: Vec<_> = in_bin.map(|delete| delete.id).collect();
        if ids.is_empty() {
            return Ok(true);
        }
        let context = self.mirrors.hold(object_type).await.context();
        let stored = stored_versions(&self.database, &context.table, &ids).await?;
        let live = stored.iter().filter(|version| !version.archived).count();
        if desk.memory().believes(object_type.name, live, Instant::now()) {
            return Ok(true);
        }
        warn!("So many {object_type} are deleted that the recycle bin is read before any is marked");
        answer.deletes.retain(is_erasure);
        answer.archived.clear();
        request_lane(&self.database, object_type.name, UpkeepLane::Archive, &Value::Null).await?;
        Ok(false)
    }

    /// One attempt: all of it or nothing.
    async fn try_store_told(
        &self,
        object_type: &'static ObjectType,
        answer: &Answer,
        fates: &Fates,
    ) -> Result<StoredPage, StorageError> {
        let mirror = self.mirrors.hold(object_type).await;
        let table: &MirrorTable = &mirror.table;
        let mut transaction = self.lease.begin(&self.database).await?;
        let mut stored = store_records(&mut transaction, table, &answer.records, &answer.rejected).await?;
        mirror.state.count_inserted(&mut transaction, stored.outcome.inserted).await?;
        stored.outcome.deleted +=
            apply_deletes_at_once(&mut transaction, table, &answer.deletes, clock::now()).await?;
        // They may have changed before they were deleted, and nobody has read them in between.
        let archived = store_records(&mut transaction, table, &answer.archived, &[]).await?;
        stored.outcome = stored.outcome + archived.outcome;
        stored.written.extend(answer.deletes.iter().map(|delete| delete.id));
        let changes = stored.outcome.inserted + stored.outcome.updated + stored.outcome.deleted;
        count_changes(&mut transaction, Counted::Webhooks, (object_type.name, changes), clock::now()).await?;
        fates.write(&mut transaction, object_type).await?;
        transaction.commit().await?;
        Ok(stored)
    }

    /// Reads the links of records that may have others now, and closes what waited for that.
    async fn follow_links(
        &self,
        object_type: &'static ObjectType,
        told: &[Told],
        answer: &Answer,
        numbers: Vec<i64>,
    ) -> Result<(), SyncError> {
        let is_live = |id: &ObjectId| matches!(answer.shown.get(id), Some(Shown::Live(_)));
        let linked: Vec<_> =
            told.iter().filter(|one| one.concerns_links).map(|one| one.id).filter(is_live).collect();
        self.refresh_associations(&self.hubspot, object_type, &linked).await?;
        if !linked.is_empty() {
            self.events.send(Event::linked(object_type, &linked));
        }
        self.settle_events(&numbers, WebhookOutcome::Read).await
    }
}

/// How long to wait for the push, which may not have stored yet what came of its own doing; longer where it is seen to
/// be at it. `None` for what is not our own, and for what was waited for: somebody may use our app for other things.
fn own_wait(told: &Told, stored: Option<&StoredVersion>) -> Option<TimeDelta> {
    let is_under_way = stored.is_none_or(|stored| stored.edited);
    let most = if is_under_way { 2 } else { 1 };
    told.next_wait().filter(|_| told.is_own && told.tries() < most)
}

impl Answer {
    /// Takes live records, and unreadable ones.
    fn take_live(&mut self, records: Vec<Record>, rejected: Vec<RejectedRecord>) {
        for record in &records {
            self.shown.insert(record.id, Shown::Live(record.updated_at));
        }
        self.records.extend(records);
        self.rejected.extend(rejected);
    }

    /// Takes records that lie in the recycle bin.
    fn take_archived(&mut self, records: Vec<Record>) {
        for record in &records {
            self.shown.insert(record.id, Shown::Archived);
            self.deletes.push(PendingDelete {
                id: record.id,
                reason: DeleteReason::Archived,
                archived_at: record.archived_at,
                found_at: record.read_at,
            });
        }
        self.archived = records;
    }

    /// Those of the ids that were not merged into a live record, which answers under its own id.
    fn unexplained(&self, ids: &[ObjectId]) -> Vec<ObjectId> {
        let merged: HashSet<_> = self.records.iter().flat_map(merged_ids).collect();
        let is_live = |id: &ObjectId| self.records.iter().any(|record| record.id == *id);
        ids.iter().copied().filter(|id| !merged.contains(id) && !is_live(id)).collect()
    }
}

impl Fates {
    /// What follows from an answer for everything that was told.
    fn of(told: &[Told], shown: &HashMap<ObjectId, Shown>, deletes_are_believed: bool) -> Self {
        let mut fates = Self { was_delivered: told.iter().any(Told::was_delivered), ..Self::default() };
        for one in told {
            let what = shown.get(&one.id).copied();
            let outcome = match what {
                Some(Shown::Archived) if !deletes_are_believed => WebhookOutcome::Left,
                Some(Shown::Absent) => WebhookOutcome::Absent,
                Some(shown) if one.is_unerased(shown) => WebhookOutcome::StillThere,
                // Unreadable, or under another id since a merge.
                Some(Shown::Archived | Shown::Live(_)) | None => WebhookOutcome::Read,
            };
            let numbers = one.numbers.iter().copied();
            match what.and_then(|shown| one.again(shown)) {
                Some(wait) => fates.again.extend(numbers.map(|number| (wait, number))),
                None if one.concerns_links && matches!(what, Some(Shown::Live(_))) => {
                    fates.after_links.extend(numbers);
                }
                None => fates.done.extend(numbers.map(|number| (outcome, number))),
            }
        }
        fates
    }

    /// Writes down what is known already, inside the caller's transaction.
    async fn write(
        &self,
        connection: &mut LeasedTransaction,
        object_type: &ObjectType,
    ) -> Result<(), StorageError> {
        let now = clock::now();
        for outcome in WebhookOutcome::ALL.iter().copied() {
            let numbers: Vec<_> =
                self.done.iter().filter(|(fate, _)| *fate == outcome).map(|(_, number)| *number).collect();
            settle_webhook_events(connection, &numbers, outcome, now).await?;
        }
        let mut waits: Vec<_> = self.again.iter().map(|(wait, _)| *wait).collect();
        waits.sort_unstable();
        waits.dedup();
        for wait in waits {
            let numbers: Vec<_> =
                self.again.iter().filter(|(one, _)| *one == wait).map(|(_, number)| *number).collect();
            postpone_webhook_events(connection, &numbers, now + wait, true).await?;
        }
        if self.was_delivered { heard_of(connection, object_type.name, now).await } else { Ok(()) }
    }
}
