//! What is to become of a row that was pushed.

use chrono::{DateTime, Utc};

use super::Item;
use crate::model::{ObjectId, Ours, Properties, Record, Resolved, rebase_row};
use crate::storage::{
    ConflictRecord, Disagreement, EditedRow, LogAction, LogDirection, LogEntry, LogStatus, RowStatus,
    RowUpdate,
};

/// What is to become of a row.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) item: Item,
    pub(super) outcome: Outcome,
    /// What it holds from now on, unless it was edited meanwhile.
    pub(super) content: Properties,
    /// What both sides agree on.
    pub(super) base: Properties,
    /// HubSpot's copy of it, where one was read.
    pub(super) copy: Option<Record>,
    /// Since when it counts as deleted.
    pub(super) archived_at: Option<DateTime<Utc>>,
    /// The record it turned out to be, where that is new.
    pub(super) identity: Identity,
    /// What goes into the log.
    pub(super) entries: Vec<Entry>,
    /// What a person has to settle.
    pub(super) conflict: Option<Disagreement>,
}

/// Which record a row is.
#[derive(Debug)]
pub(super) enum Identity {
    /// The one it was.
    Same,
    /// This one, made of the row or found; both sides agree on so much of it.
    Linked(ObjectId, Properties),
    /// The one it was, which was merged into this one.
    MergedInto(Box<Record>),
}

/// How a row stands then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing was to be done.
    Nothing,
    /// In step with HubSpot.
    InStep,
    /// A person has to settle what differs.
    Conflict,
    /// HubSpot does not take it, for this reason.
    Refused(String),
    /// It was tried often enough and failed for a cause that may pass, this one.
    GivenUp(String),
    /// To be tried again then, for this reason; the row stays as it is.
    Again(String, DateTime<Utc>),
    /// Something new is to be sent at once.
    MoreToDo,
}

/// A line for the log.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) action: LogAction,
    pub(super) direction: LogDirection,
    pub(super) fields: Vec<String>,
}

impl Verdict {
    /// A verdict that leaves the row's content alone.
    fn new(item: Item, outcome: Outcome) -> Self {
        let content = item.row.local.clone().unwrap_or_default();
        let (base, archived_at) = (item.row.base.clone(), item.row.archived_at);
        Self {
            item,
            outcome,
            content,
            base,
            copy: None,
            archived_at,
            identity: Identity::Same,
            entries: Vec::new(),
            conflict: None,
        }
    }

    /// There is nothing to do.
    pub(super) fn nothing(item: Item) -> Self {
        Self::new(item, Outcome::Nothing)
    }

    /// The row is in step as it is.
    pub(super) fn in_step(item: Item) -> Self {
        Self::new(item, Outcome::InStep)
    }

    /// HubSpot does not take the edit.
    pub(super) fn refused(item: Item, reason: String) -> Self {
        Self::new(item, Outcome::Refused(reason))
    }

    /// It was tried often enough.
    pub(super) fn given_up(item: Item, reason: String) -> Self {
        Self::new(item, Outcome::GivenUp(reason))
    }

    /// There is something new to be sent, or to be looked at.
    pub(super) fn more_to_do(item: Item) -> Self {
        Self::new(item, Outcome::MoreToDo)
    }

    /// The row is this record; both sides agree on so much of it.
    pub(super) fn linked(item: Item, id: ObjectId, agreed: Properties) -> Self {
        Self { identity: Identity::Linked(id, agreed), ..Self::more_to_do(item) }
    }

    /// The record was merged into another one, and its edits go there.
    pub(super) fn moved(item: Item, survivor: Record) -> Self {
        Self { identity: Identity::MergedInto(Box::new(survivor)), ..Self::in_step(item) }
    }

    /// To be tried again later.
    pub(super) fn again(item: Item, reason: String, at: DateTime<Utc>) -> Self {
        Self::new(item, Outcome::Again(reason, at))
    }

    /// A person has to say what counts.
    pub(super) fn conflict(item: Item, disagreement: Disagreement) -> Self {
        Self { conflict: Some(disagreement), ..Self::new(item, Outcome::Conflict) }
    }

    /// The same with a line for the log.
    #[must_use]
    pub(super) fn logged(mut self, action: LogAction, direction: LogDirection, fields: Vec<String>) -> Self {
        self.entries.push(Entry { action, direction, fields });
        self
    }

    /// What a push of the row is called.
    fn action(&self) -> LogAction {
        match self.item.row {
            EditedRow { hubspot_id: None, .. } => LogAction::Create,
            EditedRow { archived_at: Some(_), .. } => LogAction::Delete,
            EditedRow { .. } => LogAction::Update,
        }
    }

    /// The status of the row from now on, if nobody has edited it since.
    fn status(&self) -> RowStatus {
        match self.outcome {
            Outcome::Nothing | Outcome::InStep => RowStatus::Synced,
            Outcome::Conflict => RowStatus::Conflict,
            Outcome::Refused(_) | Outcome::GivenUp(_) => RowStatus::Error,
            Outcome::Again(..) | Outcome::MoreToDo => RowStatus::Pending,
        }
    }
}

impl Verdict {
    /// What the row is from now on, given what it is now and whether its job `is_due_again`: somebody has edited it, or
    /// another copy came from HubSpot.
    pub(super) fn update<'a>(
        &'a self,
        row: &EditedRow,
        ours: &'a Resolved,
        is_due_again: bool,
    ) -> RowUpdate<'a> {
        let is_edited = self.is_edited_since(row);
        let status = if is_edited || is_due_again { RowStatus::Pending } else { self.status() };
        let error = match &self.outcome {
            Outcome::Refused(reason) | Outcome::GivenUp(reason) if status == RowStatus::Error => {
                Some(reason.as_str())
            }
            _ => None,
        };
        RowUpdate {
            key: row.key,
            status,
            content: &ours.local,
            base: (status != RowStatus::Synced).then_some(&ours.base),
            copy: self.copy.as_ref(),
            archived_at: if is_edited { row.archived_at } else { self.archived_at },
            error,
            has_news: self.entries.iter().any(|entry| entry.direction == LogDirection::Pull),
        }
    }

    /// What the row holds from now on and what that is an edit of. Whatever was edited since it was loaded stays.
    pub(super) fn ours(&self, row: &EditedRow) -> Resolved {
        let local = row.local.as_ref().unwrap_or(&self.content);
        let loaded = &self.item.row;
        let ours = rebase_row(
            Ours { base: &loaded.base, local: loaded.local.as_ref().unwrap_or(local) },
            Ours { base: &self.base, local: &self.content },
            Ours { base: &row.base, local },
        );
        let is_delete =
            |entry: &Entry| (entry.action, entry.direction) == (LogAction::Delete, LogDirection::Push);
        if row.archived_at.is_none() && self.entries.iter().any(is_delete) {
            // Taken back too late: as HubSpot has nothing of it any more, all of it is an edit, which a person is asked
            // about.
            return Resolved { base: Properties::default(), local: local.clone() };
        }
        ours
    }

    /// Whether somebody has edited the row since it was loaded.
    fn is_edited_since(&self, row: &EditedRow) -> bool {
        row.version != self.item.row.version
    }

    /// Whether nothing was left to send, of a row that was tried before.
    pub(super) fn has_arrived(&self) -> bool {
        let is_settled = matches!(self.outcome, Outcome::Nothing | Outcome::InStep | Outcome::Conflict);
        is_settled && self.item.job.was_tried()
    }

    /// The record whose row, where it has one, is written as well.
    pub(super) fn other_record(&self) -> Option<ObjectId> {
        match &self.identity {
            Identity::Same => None,
            Identity::Linked(id, _) => Some(*id),
            Identity::MergedInto(survivor) => Some(survivor.id),
        }
    }

    /// The record, for its conflict.
    pub(super) fn record(&self) -> ConflictRecord {
        let row = &self.item.row;
        ConflictRecord {
            object_type: self.item.job.object_type.clone(),
            row_id: Some(row.key),
            hubspot_id: row.hubspot_id,
        }
    }

    /// The lines for the log.
    pub(super) fn log_entries(&self) -> Vec<LogEntry> {
        let row = &self.item.row;
        let (status, message) = match &self.outcome {
            // Whether the record was made is not known: whoever goes on has to look for it first.
            Outcome::GivenUp(reason) if row.hubspot_id.is_none() => {
                (LogStatus::Pending, Some(reason.clone()))
            }
            Outcome::GivenUp(reason) | Outcome::Refused(reason) => (LogStatus::Failed, Some(reason.clone())),
            Outcome::Again(reason, _) => (LogStatus::Retrying, Some(reason.clone())),
            _ => (LogStatus::Success, None),
        };
        let entry = |action, direction, changed_fields: &[String]| LogEntry {
            row_id: Some(row.key),
            hubspot_id: match &self.identity {
                Identity::Same => self.copy.as_ref().map(|copy| copy.id).or(row.hubspot_id),
                Identity::Linked(id, _) => Some(*id),
                Identity::MergedInto(survivor) => Some(survivor.id),
            },
            job_id: Some(self.item.job.id),
            action,
            direction,
            status,
            message: message.clone(),
            changed_fields: changed_fields.to_vec(),
        };
        if self.entries.is_empty() && message.is_some() {
            return vec![entry(self.action(), LogDirection::Push, &[])];
        }
        self.entries.iter().map(|line| entry(line.action, line.direction, &line.fields)).collect()
    }
}
