//! Pushing edits of records that are there.

use std::collections::BTreeSet;

use super::delete::deleted_there;
use super::edit::{Edit, Histories, Unseen, overwritten};
use super::verdict::Verdict;
use super::{Current, Item, PRIORITY, Push};
use crate::hubspot::{HISTORY_PAGE, HistoryEntry, HistoryRead, RecordUpdate, Refusal, RefusalKind, Updated};
use crate::model::ObjectId;
use crate::storage::{LogAction, note_sent};
use crate::sync::engine::Engine;
use crate::sync::error::SyncError;

impl Engine {
    /// Merges the edits of some rows with what HubSpot has, sends what is ours, and records what came of it.
    pub(super) async fn push_edited(&self, push: &Push, items: Vec<Item>) -> Result<(), SyncError> {
        // First: between reading and writing there must be no queue.
        let passed = self.brake(push, items, LogAction::Update, |item| &item.job).await?;
        let items = passed.items;
        if items.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = items.iter().filter_map(|item| item.row.hubspot_id).collect();
        let mut current = self.read_current(push, &ids).await?;
        let (mut edits, mut verdicts) = (Vec::new(), Vec::new());
        for item in items {
            let found = item.row.hubspot_id.and_then(|id| current.remove(&id));
            match found {
                Some(Current::Live(remote)) => {
                    edits.push(Edit::new(push, item, remote, Histories::new()));
                }
                Some(Current::Moved(survivor)) => verdicts.push(Verdict::moved(item, survivor)),
                Some(Current::Archived(record)) => verdicts.push(deleted_there(push, item, Some(record))),
                Some(Current::Nowhere) => verdicts.push(deleted_there(push, item, None)),
                Some(Current::Unreadable) | None => {
                    verdicts.push(self.again(item, "HubSpot's answer about the record cannot be read"));
                }
            }
        }
        let edits = self.ask_who_was_when(push, edits).await?;
        let (to_send, in_step): (Vec<_>, Vec<_>) =
            edits.into_iter().partition(|edit| !edit.merged.push.is_empty());
        verdicts.extend(in_step.into_iter().map(|edit| {
            let remote = edit.remote.clone();
            edit.verdict(push, remote)
        }));
        self.settle(push, verdicts).await?;
        self.send(push, to_send).await
    }

    /// Reads the histories of what differs on both sides: they say who changed it there, and when.
    async fn ask_who_was_when(&self, push: &Push, edits: Vec<Edit>) -> Result<Vec<Edit>, SyncError> {
        let (asked, mut known): (Vec<_>, Vec<_>) =
            edits.into_iter().partition(|edit| !edit.merged.conflicts.is_empty());
        let mut asked = asked.into_iter().peekable();
        while asked.peek().is_some() {
            let chunk: Vec<_> = asked.by_ref().take(HISTORY_PAGE).collect();
            let names = chunk.iter().flat_map(|edit| edit.merged.conflicts.iter().cloned());
            let HistoryRead { records, mut histories, .. } =
                self.read_with_histories(push, names, chunk.iter().map(Edit::id)).await?;
            for edit in chunk {
                // What it is now, not what it was a moment ago: value and time have to belong together.
                let remote = records.iter().find(|record| record.id == edit.id());
                let remote = remote.cloned().unwrap_or(edit.remote);
                let found = histories.remove(&remote.id).unwrap_or_default();
                known.push(Edit::new(push, edit.item, remote, found));
            }
        }
        Ok(known)
    }

    /// At most [`HISTORY_PAGE`] records with the histories of the properties called `names`.
    async fn read_with_histories(
        &self,
        push: &Push,
        names: impl Iterator<Item = String>,
        ids: impl Iterator<Item = ObjectId>,
    ) -> Result<HistoryRead, SyncError> {
        let names: Vec<_> = names.collect::<BTreeSet<_>>().into_iter().collect();
        let (ids, context) = (ids.collect::<Vec<_>>(), &push.context);
        let (object_type, properties) = (context.object_type, &context.properties);
        Ok(push.hubspot.read_with_history(object_type, properties, &names, &ids, PRIORITY).await?)
    }

    /// Sends edits, looks at what HubSpot has made of them, and records it.
    async fn send(&self, push: &Push, edits: Vec<Edit>) -> Result<(), SyncError> {
        let edits = self.note_before_sending(edits).await?;
        if edits.is_empty() {
            return Ok(());
        }
        let updates: Vec<_> =
            edits.iter().map(|edit| split_link(push, edit.id(), edit.merged.push.clone())).collect();
        let outcomes = self.write(push, &updates).await?;
        let (mut written, mut verdicts) = (Vec::new(), Vec::new());
        for (edit, outcome) in edits.into_iter().zip(outcomes) {
            match outcome {
                Ok(id) => written.push(edit.arrived_at(id)),
                Err(refusal) if refusal.kind.passes() || refusal.kind == RefusalKind::Gone => {
                    verdicts.push(self.again(edit.item, &refusal.reason));
                }
                Err(refusal) => verdicts.push(edit.refused(refusal.reason)),
            }
        }
        self.settle(push, verdicts).await?;
        self.read_back(push, written).await
    }

    /// Notes for good what is about to be sent, so that it is known for ours whatever happens. Returns the edits of which
    /// it is noted: a job may be in the hands of somebody who is editing the row.
    async fn note_before_sending(&self, edits: Vec<Edit>) -> Result<Vec<Edit>, SyncError> {
        if edits.is_empty() {
            return Ok(edits);
        }
        let to_send = |edit: &Edit| edit.merged.push.iter().cloned().collect();
        let jobs: Vec<_> = edits.iter().map(|edit| (&edit.item.job, to_send(edit))).collect();
        let mut transaction = self.lease.begin(&self.database).await?;
        let noted = note_sent(&mut transaction, &jobs).await?;
        transaction.commit().await?;
        let (edits, locked): (Vec<_>, Vec<_>) =
            edits.into_iter().partition(|edit| noted.contains(&edit.item.job.id));
        self.leave_locked(locked.into_iter().map(|edit| edit.item.job));
        Ok(edits)
    }

    /// Reads what HubSpot has made of edits that were sent, and records it.
    ///
    /// HubSpot has no way to write only if nobody else has meanwhile. The history of what was written shows a value that
    /// came between our reading and our writing: it is put back, and merged like any other. What comes between while that
    /// is done is put back in the same way.
    async fn read_back(&self, push: &Push, edits: Vec<Edit>) -> Result<(), SyncError> {
        let nothing = Histories::new();
        let mut rest = edits.into_iter().map(|edit| (edit, Unseen::new())).peekable();
        while rest.peek().is_some() {
            let mut page: Vec<_> = rest.by_ref().take(HISTORY_PAGE).collect();
            while !page.is_empty() {
                let names = |(edit, put_back): &(Edit, Unseen)| {
                    edit.sent().into_iter().chain(put_back.keys().cloned().collect::<Vec<_>>())
                };
                let ids = page.iter().map(|(edit, _)| edit.id());
                let read = self.read_with_histories(push, page.iter().flat_map(names), ids).await?;
                let (mut verdicts, mut lost) = (Vec::new(), Vec::new());
                for (mut edit, put_back) in page {
                    let history = read.histories.get(&edit.id()).unwrap_or(&nothing);
                    let unseen = overwritten(push, &edit, &put_back, history);
                    if unseen.is_empty() {
                        let remote = read.records.iter().find(|record| record.id == edit.id());
                        verdicts.push(edit.read_back(push, history, remote));
                    } else {
                        edit.lose_to(&unseen);
                        lost.push((edit, unseen));
                    }
                }
                self.settle(push, verdicts).await?;
                self.put_back(push, &lost).await?;
                page = lost;
            }
        }
        Ok(())
    }

    /// Gives records the values back that were overwritten unseen.
    async fn put_back(&self, push: &Push, lost: &[(Edit, Unseen)]) -> Result<(), SyncError> {
        let to_update = |(edit, unseen): &(Edit, Unseen)| {
            let value = |(name, entry): (&String, &HistoryEntry)| {
                (name.clone(), entry.value.clone().unwrap_or_default())
            };
            split_link(push, edit.id(), unseen.iter().map(value).collect())
        };
        let updates: Vec<_> = lost.iter().map(to_update).collect();
        // One that is refused now was HubSpot's own a moment ago; the merge goes by what is there.
        self.write(push, &updates).await.map(|_| ())
    }

    /// Writes properties, and the primary company where it is among them. Tells which record each was written to: the
    /// survivor where it was merged away.
    async fn write(
        &self,
        push: &Push,
        updates: &[Write],
    ) -> Result<Vec<Result<ObjectId, Refusal>>, SyncError> {
        let object_type = push.context.object_type;
        let plain = updates.iter().enumerate().filter(|(_, (update, _))| !update.properties.is_empty());
        let (places, plain): (Vec<_>, Vec<_>) =
            plain.map(|(place, (update, _))| (place, update.clone())).unzip();
        let mut outcomes: Vec<_> = updates.iter().map(|(update, _)| Ok(update.id)).collect();
        if !plain.is_empty() {
            let answers = push.hubspot.update_records(object_type, &plain, PRIORITY).await?;
            for (place, answer) in places.into_iter().zip(answers) {
                outcomes[place] = match answer {
                    Updated::Written { id, .. } => Ok(id),
                    Updated::Refused(refusal) => Err(refusal),
                };
            }
        }
        for ((update, company), outcome) in updates.iter().zip(&mut outcomes) {
            let refusal = match (company, &outcome) {
                (Some(Ok(company)), Ok(_)) => {
                    let refusal = push.hubspot.set_primary_company(update.id, *company, PRIORITY).await?;
                    refusal.map(|refusal| refused_link(push, *company, refusal))
                }
                (Some(Err(refusal)), Ok(_)) => Some(refusal.clone()),
                (None, _) | (_, Err(_)) => None,
            };
            if let Some(refusal) = refusal {
                *outcome = Err(refusal);
            }
        }
        Ok(outcomes)
    }
}

/// What is written of a record: its properties, and its primary company where that is to be set or taken away, or why it
/// cannot be.
type Write = (RecordUpdate, Option<Result<Option<ObjectId>, Refusal>>);

/// Sets the property apart that is written as a link.
fn split_link(push: &Push, id: ObjectId, properties: Vec<(String, String)>) -> Write {
    let (links, properties): (Vec<_>, Vec<_>) =
        properties.into_iter().partition(|(name, _)| push.is_link(name));
    let company = links.first().map(|(name, value)| company_id(name, value));
    (RecordUpdate { id, properties }, company)
}

/// Why a company cannot be linked: that it is not there says nothing of the record.
fn refused_link(push: &Push, company: Option<ObjectId>, refusal: Refusal) -> Refusal {
    let name = push.context.object_type.primary_company_property().unwrap_or_default();
    let company = company.map_or("no company".to_owned(), |id| format!("company {id}"));
    let kind = match refusal.kind {
        RefusalKind::Gone => RefusalKind::Invalid,
        kind => kind,
    };
    Refusal { kind, reason: format!("{name}: {company} cannot be set: {}", refusal.reason), ..refusal }
}

/// The company a property names; nothing in it takes the company away.
fn company_id(name: &str, value: &str) -> Result<Option<ObjectId>, Refusal> {
    if value.is_empty() {
        return Ok(None);
    }
    // A number may be written as a decimal one.
    let whole = value.split_once('.').filter(|(_, rest)| rest.bytes().all(|digit| digit == b'0'));
    let id = whole.map_or(value, |(whole, _)| whole).parse();
    id.map(Some).map_err(|_| Refusal {
        kind: RefusalKind::Invalid,
        reason: format!("{name}: has to be the id of a company"),
        category: None,
        properties: Vec::new(),
        existing: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_text_takes_the_company_away() {
        let company = |value| company_id("associatedcompanyid", value).map_err(|refusal| refusal.reason);
        assert_eq!(company(""), Ok(None));
        for value in ["123", "123.0", "123."] {
            assert_eq!(company(value), Ok(Some(ObjectId(123))), "{value}");
        }
        for value in ["ACME", "0", "-5", "1.5", "1e3", " "] {
            let refused = "associatedcompanyid: has to be the id of a company";
            assert_eq!(company(value), Err(refused.to_owned()), "{value}");
        }
    }
}
