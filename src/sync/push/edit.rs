//! An edit of a record on its way to HubSpot, and what can be told of it by the history of what it sent.

use std::collections::{BTreeMap, BTreeSet};

use super::delete::conflict;
use super::verdict::{Outcome, Verdict};
use super::{Item, Push};
use crate::hubspot::HistoryEntry;
use crate::model::{Documents, EditTimes, Merged, ObjectId, Policy, Properties, Record, Rules};
use crate::storage::{ConflictKind, LogAction, LogDirection};

/// The history of properties of a record, by name, newest first.
pub(super) type Histories = BTreeMap<String, Vec<HistoryEntry>>;

/// A row on its way.
pub(super) struct Edit {
    pub(super) item: Item,
    /// The record before anything is written.
    pub(super) remote: Record,
    /// What HubSpot had before anything of the edit was sent, as far as is known.
    before: Properties,
    /// When its values were set, where that decides something.
    times: EditTimes,
    /// Who set them.
    histories: Histories,
    pub(super) merged: Merged,
    /// Whether it was written to another record, into which its own was merged a moment before.
    is_elsewhere: bool,
}

impl Edit {
    /// Merges what is known.
    pub(super) fn new(push: &Push, item: Item, remote: Record, histories: Histories) -> Self {
        let newest = |(name, entries): (&String, &Vec<HistoryEntry>)| {
            entries.first().map(|entry| (name.clone(), entry.at))
        };
        let times =
            EditTimes { local: item.row.edited_at, remote: histories.iter().filter_map(newest).collect() };
        let local = item.row.local.clone().unwrap_or_default();
        let (base, before) = seen(&push.rules, &item, &local, &remote.properties);
        let merged = Documents { base: &base, local: &local, remote: &before }.merge(&push.rules, &times);
        Self { item, remote, before, times, histories, merged, is_elsewhere: false }
    }

    /// The record's id.
    pub(super) fn id(&self) -> ObjectId {
        self.remote.id
    }

    /// The names that were sent, or would be.
    pub(super) fn sent(&self) -> Vec<String> {
        self.merged.push.iter().map(|(name, _)| name.clone()).collect()
    }

    /// What was sent has overwritten values nobody had seen: they count as if they had been there before.
    pub(super) fn lose_to(&mut self, unseen: &BTreeMap<String, HistoryEntry>) {
        self.merged.push.retain(|(name, _)| !unseen.contains_key(name));
        for (name, entry) in unseen {
            self.times.remote.insert(name.clone(), entry.at);
            self.histories.insert(name.clone(), vec![entry.clone()]);
        }
    }

    /// It was written to the record with this id.
    pub(super) fn arrived_at(mut self, id: ObjectId) -> Self {
        self.is_elsewhere = id != self.remote.id;
        self.remote.id = id;
        self
    }

    /// What becomes of the row once HubSpot's side is `remote`, and all that was sent has arrived.
    pub(super) fn verdict(self, push: &Push, remote: Record) -> Verdict {
        let sent = self.sent();
        if self.is_elsewhere {
            // The row follows its record first, with everything that is known of both by then.
            return Verdict::more_to_do(self.item);
        }
        // The company follows its link in HubSpot's own time: what was written counts.
        let link = self.merged.push.iter().find(|(name, _)| push.is_link(name));
        let seen = link.map(|(name, sent)| {
            remote.properties.with(name, Some(sent.as_str()).filter(|sent| !sent.is_empty()))
        });
        let seen = seen.as_ref().unwrap_or(&remote.properties);
        let confirmed = self.merged.confirmed(seen, &push.rules, &self.times);
        // What HubSpot keeps up by itself changes with every edit.
        let is_news = |name: &&String| push.rules.of(name).writable && !sent.contains(name);
        let taken = self.merged.taken.iter().chain(&confirmed.taken).filter(is_news);
        let taken: BTreeSet<_> = taken.cloned().collect();
        let outcome = if !confirmed.unwritable.is_empty() {
            Outcome::Refused(format!("{} cannot be written in HubSpot", confirmed.unwritable.join(", ")))
        } else if !confirmed.push.is_empty() {
            Outcome::MoreToDo
        } else if confirmed.conflicts.is_empty() {
            Outcome::InStep
        } else {
            Outcome::Conflict
        };
        let conflict = (!confirmed.conflicts.is_empty())
            .then(|| conflict(ConflictKind::Fields, &confirmed, &remote.properties, &self.histories));
        let mut verdict = Verdict {
            outcome,
            content: confirmed.content,
            base: confirmed.base,
            copy: Some(remote),
            conflict,
            ..Verdict::nothing(self.item)
        };
        if !sent.is_empty() {
            verdict = verdict.logged(LogAction::Update, LogDirection::Push, sent);
        }
        if !taken.is_empty() {
            verdict = verdict.logged(LogAction::Update, LogDirection::Pull, taken.into_iter().collect());
        }
        verdict
    }

    /// What becomes of the row now that it was sent and HubSpot has `remote`: `None` when the record is not there.
    pub(super) fn read_back(self, push: &Push, history: &Histories, remote: Option<&Record>) -> Verdict {
        let Some(remote) = remote else {
            // Deleted or merged a moment ago: looked at again, with everything known by then.
            return Verdict::more_to_do(self.item);
        };
        let ignored = ignored(push, &self, history, remote);
        if ignored.is_empty() {
            return self.verdict(push, remote.clone());
        }
        let reason = format!("HubSpot took the edit and kept its own value of {}", ignored.join(", "));
        Verdict { copy: Some(remote.clone()), ..self.refused(reason) }
    }

    /// What becomes of the row when HubSpot refuses the edit. Whatever came from there is kept.
    pub(super) fn refused(self, reason: String) -> Verdict {
        let sent = self.sent();
        let verdict = Verdict {
            content: self.merged.content,
            base: self.merged.base,
            copy: Some(self.remote),
            ..Verdict::refused(self.item, reason)
        };
        verdict.logged(LogAction::Update, LogDirection::Push, sent)
    }
}

/// Values that were overwritten unseen, by name.
pub(super) type Unseen = BTreeMap<String, HistoryEntry>;

/// What both sides had agreed on, and what HubSpot had then, as far as an earlier try may have sent something without
/// learning what came of it: HubSpot's value is ours there, and not somebody else's. Where it still is what the row holds,
/// it goes out once more, and what it may have written over is looked for then; where the row was edited again, that is
/// an edit of it.
fn seen(rules: &Rules, item: &Item, local: &Properties, remote: &Properties) -> (Properties, Properties) {
    let (mut base, mut before) = (item.row.base.clone(), remote.clone());
    for (name, sent) in &item.job.sent {
        let (kind, there) = (rules.of(name).kind, remote.get(name));
        let is_sent = |value: Option<&str>| kind.same(value, Some(sent));
        if !is_sent(there.as_deref()) {
            continue;
        }
        if is_sent(local.get(name).as_deref()) {
            before = before.with(name, base.get(name).as_deref());
        } else {
            base = base.with(name, there.as_deref());
        }
    }
    (base, before)
}

/// The values that were overwritten unseen: by what was sent of an edit, or once such values were `put_back` over it.
pub(super) fn overwritten(push: &Push, edit: &Edit, put_back: &Unseen, history: &Histories) -> Unseen {
    let mut found = Unseen::new();
    if put_back.is_empty() {
        // Where the policy says so, of two edits the operator wants ours.
        let is_in_question = |(name, _): &&(String, String)| push.rules.of(name).policy != Policy::Local;
        for (name, sent) in edit.merged.push.iter().filter(is_in_question) {
            let before = edit.before.get(name);
            // What was there when it was read is older, such as a value of a record that was merged into this one. What
            // an earlier try may have sent, nobody had looked at.
            let is_sent_anew = before != edit.remote.properties.get(name);
            let is_new = |entry: &&HistoryEntry| is_sent_anew || entry.at > edit.remote.updated_at;
            let entry = unseen(push, (name, history), sent, before.as_deref()).filter(is_new);
            found.extend(entry.map(|entry| (name.clone(), entry.clone())));
        }
    }
    for (name, entry) in put_back {
        let ours = edit.merged.content.get(name);
        let ours = push.rules.of(name).kind.outgoing(ours.as_deref());
        let sent = entry.value.as_deref().unwrap_or_default();
        let entry = unseen(push, (name, history), sent, Some(&*ours));
        found.extend(entry.map(|entry| (name.clone(), entry.clone())));
    }
    found
}

/// The value that came in between what a property was `before`, as far as we knew, and what was `sent`. `None` as well
/// when somebody has changed it since: that is newer than both.
fn unseen<'h>(
    push: &Push,
    (name, history): (&str, &'h Histories),
    sent: &str,
    before: Option<&str>,
) -> Option<&'h HistoryEntry> {
    let kind = push.rules.of(name).kind;
    let is = |entry: &HistoryEntry, other: Option<&str>| kind.same(entry.value.as_deref(), other);
    let mut entries = history.get(name)?.iter().peekable();
    entries.peek().filter(|newest| is(newest, Some(sent)))?;
    entries.find(|entry| !is(entry, Some(sent))).filter(|entry| !is(entry, before))
}

/// What was sent, was answered with a success, and was not stored: HubSpot moves a lifecycle stage forward only, for
/// instance. Source: HubSpot, "Contacts".
fn ignored(push: &Push, edit: &Edit, history: &Histories, remote: &Record) -> Vec<String> {
    let is_ignored = |(name, sent): &&(String, String)| {
        let kind = push.rules.of(name).kind;
        let (before, now) = (edit.before.get(name), remote.properties.get(name));
        let newest = history.get(name).and_then(|entries| entries.first());
        // Else somebody has set the old value again.
        let is_old = newest.is_none_or(|entry| entry.at <= edit.remote.updated_at);
        let was_kept = kind.same(before.as_deref(), now.as_deref()) && !kind.same(now.as_deref(), Some(sent));
        was_kept && is_old && !push.is_link(name)
    };
    edit.merged.push.iter().filter(is_ignored).map(|(name, _)| name.clone()).collect()
}
