//! Merging two records into one.
//!
//! Source: HubSpot changelog, "Updated merge functionality for contacts and companies": the result is a new record
//! with a new id, both old ids keep answering for it, and the primary's current values win.

use std::collections::BTreeSet;

use crate::account::{Account, Change, EditError, Moment, Value};
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
            self.stores[kind as usize].allocate(&self.world).1
        };
        for (id, state) in [(primary, primary_state), (other, other_state)] {
            if id != survivor {
                self.commit(kind, id, Change { merged_into: Some(survivor), ..state }, moment);
            }
        }
        self.commit(kind, survivor, merged, moment);
        Ok(survivor)
    }

    /// The primary's state, with the other's values where the primary has none, and what merging leaves behind.
    fn merged_state(&self, kind: Kind, primary: u64, other: u64, state: Change, moment: Moment) -> Change {
        let mut merged = state;
        let catalogue = self.catalogue(kind);
        let view_of = |id| self.store(kind).get(&self.world, id);
        let (Some(primary_view), Some(other_view)) = (view_of(primary), view_of(other)) else {
            return merged;
        };
        let mut set = |index, text: String| {
            let value = Value { text: Some(text.into_boxed_str()), set_at: moment.now };
            merged.values.insert(index, value);
        };
        for (index, _) in catalogue.iter() {
            let primary_text = primary_view.text(catalogue, index).filter(|text| !text.is_empty());
            let other_text = other_view.text(catalogue, index).filter(|text| !text.is_empty());
            if let (None, Some(text)) = (&primary_text, other_text) {
                set(index, text);
            }
        }
        let earlier = |name| -> Vec<String> {
            let texts =
                [&primary_view, &other_view].map(|view| view.named(catalogue, name).unwrap_or_default());
            texts
                .iter()
                .flat_map(|text| text.split(';'))
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let list = |mut parts: Vec<String>| {
            let mut seen = BTreeSet::new();
            parts.retain(|part| seen.insert(part.clone()));
            parts.join(";")
        };
        if let Some(index) = catalogue.index_of("hs_merged_object_ids") {
            let mut ids = earlier("hs_merged_object_ids");
            ids.extend([primary.to_string(), other.to_string()]);
            set(index, list(ids));
        }
        if let Some(index) = catalogue.index_of("hs_calculated_merged_vids") {
            let mut vids = earlier("hs_calculated_merged_vids");
            vids.extend([primary, other].map(|id| format!("{id}:{}", moment.now)));
            set(index, list(vids));
        }
        if let Some(index) = catalogue.index_of("hs_all_contact_vids") {
            set(index, list(earlier("hs_all_contact_vids")));
        }
        if let Some(index) = catalogue.index_of("hs_additional_emails")
            && let Some(email) = other_view.named(catalogue, "email").filter(|email| !email.is_empty())
            && primary_view.named(catalogue, "email").is_some_and(|own| own != email)
        {
            let mut emails = earlier("hs_additional_emails");
            emails.push(email);
            set(index, list(emails));
        }
        merged
    }
}
