//! Pushing rows that were made here.
//!
//! HubSpot makes a record each time it is asked to, and an answer can be lost. So `sync_log` says that a record is about
//! to be made before HubSpot is asked; whoever finds such an entry without an end looks for the record first ([`lost`]).
//!
//! [`lost`]: super::lost

use chrono::TimeDelta;

use super::claim::Claim;
use super::lost::{Looked, document};
use super::verdict::Verdict;
use super::{Item, PRIORITY, Push};
use crate::clock;
use crate::hubspot::{Created, NewRecord};
use crate::model::{Documents, EditTimes, ObjectId, Properties};
use crate::storage::{
    LogAction, LogDirection, LogEntry, LogStatus, is_being_sent, lock_free_edited, note_creation,
    postpone_jobs, write_log,
};
use crate::sync::engine::Engine;
use crate::sync::error::SyncError;

/// How soon a row is looked at again that waits for another one.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(2);

/// A row to make a record of.
struct Draft {
    item: Item,
    /// What is sent.
    properties: Vec<(String, String)>,
}

impl Draft {
    /// What can be sent of a row. The primary company is linked once the record is there.
    fn new(push: &Push, item: Item) -> Self {
        let (nothing, local) = (Properties::default(), item.row.local.clone().unwrap_or_default());
        let documents = Documents { base: &nothing, local: &local, remote: &nothing };
        let merged = documents.merge(&push.rules, &EditTimes::default());
        let properties = merged.push.into_iter().filter(|(name, _)| !push.is_link(name));
        Self { properties: properties.collect(), item }
    }

    /// The value of a property.
    fn get(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The names of what is sent.
    fn names(&self) -> Vec<String> {
        self.properties.iter().map(|(name, _)| name.clone()).collect()
    }

    /// It is this record, with what both sides agree on.
    fn linked(self, id: ObjectId, agreed: Properties) -> Verdict {
        let names = self.names();
        Verdict::linked(self.item, id, agreed).logged(LogAction::Create, LogDirection::Push, names)
    }
}

impl Engine {
    /// Makes records of rows that have none.
    pub(super) async fn push_new(
        &self,
        push: &Push,
        claim: &Claim,
        items: Vec<Item>,
    ) -> Result<(), SyncError> {
        if items.is_empty() {
            return Ok(());
        }
        let mut looked = self.look_for_lost(push, &items).await?;
        let (mut fresh, mut verdicts) = (Vec::new(), Vec::new());
        for item in items {
            let looked = looked.remove(&item.row.key).unwrap_or(Looked::NotMade);
            let draft = Draft::new(push, item.clone());
            match looked {
                Looked::TooEarly => {}
                Looked::Unclear => {
                    let reason = "HubSpot's answer was lost, and a record it may have made cannot be read";
                    verdicts.push(self.again(item, reason));
                }
                Looked::Found(id, agreed) if item.row.archived_at.is_some() => {
                    verdicts.push(self.deleted_before_known(push, item, id, &agreed).await?);
                }
                Looked::Found(id, agreed) => {
                    verdicts.extend(self.link_unless_busy(push, draft, id, agreed).await?);
                }
                // Deleted before it was ever made.
                Looked::NotMade if item.row.archived_at.is_some() => {
                    verdicts.push(Verdict::in_step(item));
                }
                Looked::NotMade if draft.properties.is_empty() => {
                    verdicts.push(Verdict::refused(item, "there is nothing to make a record of".to_owned()));
                }
                Looked::NotMade => fresh.push(draft),
            }
        }
        self.settle(push, verdicts).await?;
        let passed = self.brake(push, fresh, LogAction::Create, |draft| &draft.item.job).await?;
        self.make(push, claim, passed.items).await
    }

    /// Says that records are about to be made, makes them, and records which they are.
    async fn make(&self, push: &Push, claim: &Claim, drafts: Vec<Draft>) -> Result<(), SyncError> {
        let drafts = self.announce(push, drafts).await?;
        if drafts.is_empty() {
            return Ok(());
        }
        let new: Vec<_> =
            drafts.iter().map(|draft| NewRecord { properties: draft.properties.clone() }).collect();
        let outcomes = tokio::select! {
            outcomes = push.hubspot.create_records(push.context.object_type, &new, PRIORITY) => outcomes?,
            // Whoever has the jobs then looks for the records first.
            () = claim.is_over() => return Ok(()),
        };
        let mut verdicts = Vec::with_capacity(drafts.len());
        let mut known = Vec::new();
        for (draft, outcome) in drafts.into_iter().zip(outcomes) {
            match outcome {
                Created::New { id } => {
                    let agreed = document(&draft.properties);
                    verdicts.push(draft.linked(id, agreed));
                }
                Created::Exists { id } => known.push((draft, id)),
                Created::Refused(refusal) => {
                    let names = draft.names();
                    let verdict = Verdict::refused(draft.item, refusal.reason);
                    verdicts.push(verdict.logged(LogAction::Create, LogDirection::Push, names));
                }
                Created::Unknown { reason } | Created::NotMade { reason } => {
                    verdicts.push(self.again(draft.item, &reason));
                }
            }
        }
        // First of all what cannot be found out again.
        self.settle(push, verdicts).await?;
        let mut verdicts = Vec::with_capacity(known.len());
        for (draft, id) in known {
            verdicts.extend(match id {
                Some(id) => self.link_unless_busy(push, draft, id, Properties::default()).await?,
                None => self.find_existing(push, draft).await?,
            });
        }
        self.settle(push, verdicts).await
    }

    /// HubSpot says that there is such a record, and not which.
    async fn find_existing(&self, push: &Push, draft: Draft) -> Result<Option<Verdict>, SyncError> {
        let is_usable = |email: &&str| push.context.object_type.has_unique_email() && !email.is_empty();
        let email = draft.get("email").filter(is_usable);
        let found = match email {
            Some(email) => push.hubspot.find_by_email(email, PRIORITY).await?,
            None => None,
        };
        if let Some(id) = found {
            return self.link_unless_busy(push, draft, id, Properties::default()).await;
        }
        let reason = "HubSpot has such a record and does not say which".to_owned();
        Ok(Some(Verdict::refused(draft.item, reason)))
    }

    /// The row is this record. Where that has a row already whose edits are on their way, those go first, and the row waits
    /// (`None`): what both say is then merged as of any two writers.
    async fn link_unless_busy(
        &self,
        push: &Push,
        draft: Draft,
        id: ObjectId,
        agreed: Properties,
    ) -> Result<Option<Verdict>, SyncError> {
        if !is_being_sent(&self.database, push.context.object_type, id).await? {
            return Ok(Some(draft.linked(id, agreed)));
        }
        let waiting = format!("HubSpot has it as {id}, whose row has edits that are sent first");
        let until = clock::now() + LOOK_AGAIN;
        postpone_jobs(&self.database, &[draft.item.job], until, &waiting).await?;
        Ok(None)
    }

    /// Notes in the log and in the rows, for good, that records are about to be made, and of what. Returns those of
    /// which it is noted: somebody else may have locked a row.
    async fn announce(&self, push: &Push, drafts: Vec<Draft>) -> Result<Vec<Draft>, SyncError> {
        if drafts.is_empty() {
            return Ok(drafts);
        }
        let entry = |draft: &Draft| LogEntry {
            row_id: Some(draft.item.row.key),
            hubspot_id: None,
            job_id: Some(draft.item.job.id),
            action: LogAction::Create,
            direction: LogDirection::Push,
            status: LogStatus::Pending,
            message: None,
            changed_fields: draft.names(),
        };
        let table = &push.context.table;
        let keys: Vec<_> = drafts.iter().map(|draft| draft.item.row.key).collect();
        let mut transaction = self.lease.begin(&self.database).await?;
        let free = lock_free_edited(&mut transaction, table, &keys).await?;
        let is_free = |draft: &Draft| free.iter().any(|row| row.key == draft.item.row.key);
        let (drafts, locked): (Vec<_>, Vec<_>) = drafts.into_iter().partition(is_free);
        for draft in &drafts {
            let sent = document(&draft.properties);
            note_creation(&mut transaction, table, draft.item.row.key, &sent).await?;
        }
        let entries: Vec<_> = drafts.iter().map(entry).collect();
        write_log(&mut transaction, push.context.object_type.name, &entries, clock::now()).await?;
        transaction.commit().await?;
        self.leave_locked(locked.into_iter().map(|draft| draft.item.job));
        Ok(drafts)
    }
}
