//! Merging two records into one.
//!
//! Source: HubSpot changelog, "Updated merge functionality for contacts and companies": the result is a new record
//! with a new id, both old ids keep answering for it, and the primary's current values win.

use std::collections::BTreeSet;

use crate::account::{Account, Change, EditError, Moment, Value, View};
use crate::catalogue::Catalogue;
use crate::object_type::Kind;

impl Account {
    /// Merges `other` into `primary` and returns the id of the record that remains.
    pub fn merge(&mut self, kind: Kind, primary: u64, other: u64, moment: Moment) -> Result<u64, EditError> {
        let store = self.store(kind);
        let (primary, other) = (store.survivor(primary), store.survivor(other));
        let live = |id| self.state_of(kind, id).filter(Change::is_live).ok_or(EditError::NoSuchRecord(id));
        let (primary_state, other_state) = (live(primary)?, live(other)?);
        if primary == other {
            return Err(EditError::NoSuchRecord(other));
        }
        let mut merged = self.merged_state(kind, primary, other, primary_state.clone(), moment);
        if moment.habits.merge_touches {
            merged.updated_at = moment.now.max(primary_state.updated_at + 1).max(other_state.updated_at + 1);
        }
        let survivor = if moment.habits.merge_keeps_primary_id {
            primary
        } else {
            self.stores[kind.index()].allocate(&self.world).1
        };
        for (id, state) in [(primary, primary_state), (other, other_state)] {
            if id != survivor {
                let gone = Change { merged_into: Some(survivor), archived_at: Some(moment.now), ..state };
                self.commit(kind, id, gone, moment);
            }
        }
        // What a merge does to each record is told in one event of its own.
        self.in_silence(|account| account.commit(kind, survivor, merged, moment));
        self.tell_merge((kind, survivor), [primary, other], moment);
        self.move_links(kind, [primary, other], survivor, moment);
        self.refresh_rollups_around((kind, survivor), moment);
        Ok(survivor)
    }

    /// The primary's state, with the other's values where the primary has none, the history of both, and what merging
    /// leaves behind.
    fn merged_state(&self, kind: Kind, primary: u64, other: u64, state: Change, moment: Moment) -> Change {
        let mut merged = state;
        let catalogue = self.catalogue(kind);
        let view_of = |id| self.store(kind).get(&self.world, id);
        let (Some(primary), Some(other)) = (view_of(primary), view_of(other)) else { return merged };
        for (&index, _) in other.change.iter().flat_map(|change| &change.values) {
            let theirs: Vec<Value> =
                other.change.iter().flat_map(|change| change.history(index)).cloned().collect();
            merged.remember(index, theirs);
        }
        let mut set = |index, text: String| {
            let text = Some(text.into_boxed_str());
            merged.set(index, Value { text, set_at: moment.now, source: moment.source });
        };
        for (index, _) in catalogue.iter() {
            let text_of = |view: &View<'_>| view.text(catalogue, index).filter(|text| !text.is_empty());
            if let (None, Some(text)) = (text_of(&primary), text_of(&other)) {
                set(index, text);
            }
        }
        for (name, text) in traces(catalogue, &primary, &other, moment) {
            if let Some(index) = catalogue.index_of(name) {
                set(index, text);
            }
        }
        merged
    }
}

/// What merging leaves behind in the record that remains: every earlier id, and the other's address.
fn traces(
    catalogue: &Catalogue,
    primary: &View<'_>,
    other: &View<'_>,
    moment: Moment,
) -> Vec<(&'static str, String)> {
    let mut gone = vec![other.record.id];
    if !moment.habits.merge_keeps_primary_id {
        gone.insert(0, primary.record.id);
    }
    let texts = |text: &dyn Fn(&u64) -> String| gone.iter().map(text).collect::<Vec<_>>();
    let grown = |name: &'static str, new: &[String]| {
        let before = [primary, other].map(|view| view.named(catalogue, name).unwrap_or_default());
        let parts = before.iter().flat_map(|text| text.split(';')).chain(new.iter().map(String::as_str));
        let mut seen = BTreeSet::new();
        let distinct: Vec<&str> = parts.filter(|part| !part.is_empty() && seen.insert(*part)).collect();
        (name, distinct.join(";"))
    };
    let mut traces = vec![
        grown("hs_merged_object_ids", &texts(&u64::to_string)),
        grown("hs_calculated_merged_vids", &texts(&|id| format!("{id}:{}", moment.now))),
        grown("hs_all_contact_vids", &[]),
    ];
    let email_of = |view: &View<'_>| view.named(catalogue, "email").filter(|email| !email.is_empty());
    if let (Some(own), Some(email)) = (email_of(primary), email_of(other))
        && own != email
    {
        traces.push(grown("hs_additional_emails", &[email]));
    }
    traces
}
