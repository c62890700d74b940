//! Changes to single records.

use std::collections::BTreeMap;

use crate::account::{Account, Change, Moment, RestoredStamp, Source, Value, View};
use crate::catalogue::{Property, PropertyIndex};
use crate::clock::{DAY_MS, Millis};
use crate::generate::text::parse_moment;
use crate::object_type::Kind;

/// Why a record was not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditError {
    /// No record in the needed state has this id.
    NoSuchRecord(u64),
    /// The type has no property of this name.
    NoSuchProperty(String),
    /// The value is not one the property takes.
    BadValue {
        /// The property.
        property: String,
        /// What was given.
        value: String,
    },
}

/// Why a record was not created.
pub type CreateError = EditError;

/// Values by property name; `None` and the empty text clear.
pub type GivenValues = BTreeMap<String, Option<String>>;

impl Account {
    /// Creates a record: with these values and nothing else, or with generated content when none are given.
    pub fn create(
        &mut self,
        kind: Kind,
        given: Option<&GivenValues>,
        moment: Moment,
    ) -> Result<u64, CreateError> {
        let values = given.map(|given| self.resolve(kind, given, moment)).transpose()?;
        let (index, id) = self.stores[kind.index()].allocate(&self.world);
        let mut change = Change {
            content_index: values.is_none().then_some(index),
            created_at: moment.now,
            updated_at: moment.now,
            ..Change::default()
        };
        self.put_values(kind, &mut change, values.unwrap_or_default());
        self.commit(kind, id, change, moment);
        if let Some(given) = given {
            self.follow_primary_property((kind, id), given, moment);
            self.follow_parent_property((kind, id), given, moment);
        }
        self.refresh_rollups_around((kind, id), moment);
        Ok(id)
    }

    /// Sets values of a live record and moves its last-modified.
    pub fn update(
        &mut self,
        kind: Kind,
        id: u64,
        given: &GivenValues,
        moment: Moment,
    ) -> Result<(), EditError> {
        let updated_at = self.next_stamp(kind, id, moment.now);
        self.set_values(kind, id, given, updated_at, moment)
    }

    /// Sets values of a live record; last-modified becomes `updated_at`, or stays with `None`.
    pub(super) fn set_values(
        &mut self,
        kind: Kind,
        id: u64,
        given: &GivenValues,
        updated_at: Option<Millis>,
        moment: Moment,
    ) -> Result<(), EditError> {
        let values = self.resolve(kind, given, moment)?;
        let mut change =
            self.state_of(kind, id).filter(Change::is_live).ok_or(EditError::NoSuchRecord(id))?;
        self.put_values(kind, &mut change, values);
        change.updated_at = updated_at.unwrap_or(change.updated_at);
        self.commit(kind, id, change, moment);
        self.follow_primary_property((kind, id), given, moment);
        self.follow_parent_property((kind, id), given, moment);
        Ok(())
    }

    /// Puts values into a state.
    fn put_values(&self, kind: Kind, change: &mut Change, values: BTreeMap<PropertyIndex, Value>) {
        let created = self.catalogue(kind).index_of("createdate");
        for (index, value) in values {
            if Some(index) != created {
                change.set(index, value);
            } else if let Some(created_at) = value.text.as_deref().and_then(parse_moment) {
                // The record's own creation time follows the property, which is then generated from it.
                change.created_at = created_at;
            }
        }
    }

    /// Changes values without moving last-modified, as HubSpot does with what it calculates.
    pub fn update_silently(
        &mut self,
        kind: Kind,
        id: u64,
        given: &GivenValues,
        moment: Moment,
    ) -> Result<(), EditError> {
        self.set_values(kind, id, given, None, Moment { source: Source::Calculated, ..moment })
    }

    /// Moves last-modified and nothing else.
    pub fn touch(&mut self, kind: Kind, id: u64, moment: Moment) -> Result<(), EditError> {
        self.update(kind, id, &GivenValues::new(), moment)
    }

    /// Puts a live record into the bin.
    pub fn archive(&mut self, kind: Kind, id: u64, moment: Moment) -> Result<(), EditError> {
        let mut change =
            self.state_of(kind, id).filter(Change::is_live).ok_or(EditError::NoSuchRecord(id))?;
        change.archived_at = Some(moment.now);
        self.commit(kind, id, change, moment);
        self.refresh_rollups_around((kind, id), moment);
        Ok(())
    }

    /// Takes a record out of the bin; it keeps its id and, as the habits have it, last-modified.
    pub fn restore(&mut self, kind: Kind, id: u64, moment: Moment) -> Result<(), EditError> {
        let mut change = self.state_of(kind, id).ok_or(EditError::NoSuchRecord(id))?;
        if change.archived_at.take().is_none() || change.merged_into.is_some() {
            return Err(EditError::NoSuchRecord(id));
        }
        change.updated_at = match moment.habits.restored_last_modified {
            RestoredStamp::Newer => moment.now.max(change.updated_at + 1),
            RestoredStamp::Same => change.updated_at,
            RestoredStamp::Older => change.created_at,
        };
        self.commit(kind, id, change, moment);
        self.refresh_rollups_around((kind, id), moment);
        Ok(())
    }

    /// Removes a record without trace, live or from the bin, and the ids merged into it with it: reads answer as if it had
    /// never been.
    /// Source: HubSpot, "Contacts", on privacy deletion.
    pub fn purge(&mut self, kind: Kind, id: u64, moment: Moment) -> Result<(), EditError> {
        let mut change = self.state_of(kind, id).ok_or(EditError::NoSuchRecord(id))?;
        change.purged = true;
        change.values.clear();
        change.earlier.clear();
        self.commit(kind, id, change, moment);
        let store = &mut self.stores[kind.index()];
        let merged: Vec<u64> =
            store.merged().iter().copied().filter(|old| store.survivor(*old) == id).collect();
        for old in merged {
            store.forget_merged(old);
        }
        self.refresh_rollups_around((kind, id), moment);
        Ok(())
    }

    /// Removes records that have been in the bin, and definitions that have been in the archive, for too long.
    pub fn empty_bin(&mut self, moment: Moment) {
        let oldest = moment.now - moment.habits.bin_days as Millis * DAY_MS;
        for kind in self.registry.kinds() {
            let store = self.store(kind);
            let is_due = |id: &u64| {
                store.change(*id).and_then(|change| change.archived_at).is_some_and(|at| at < oldest)
            };
            let due: Vec<u64> = store.bin().iter().copied().filter(is_due).collect();
            let merged: Vec<u64> = store.merged().iter().copied().filter(is_due).collect();
            for id in merged {
                self.stores[kind.index()].forget_merged(id);
            }
            let is_old = |property: &Property| property.archived_at.is_some_and(|at| at < oldest);
            let old: Vec<Property> = self
                .catalogue(kind)
                .iter()
                .filter(|(_, property)| is_old(property))
                .map(|(_, property)| property.clone())
                .collect();
            for property in &old {
                self.purge_property(kind, property);
            }
            for id in due {
                // The id comes from the bin, so the record exists. Nobody is told that its time is over.
                let _ = self.in_silence(|account| account.purge(kind, id, moment));
            }
        }
    }

    /// The state of a record as something to change; for an untouched one, the state that changes nothing.
    pub(super) fn state_of(&self, kind: Kind, id: u64) -> Option<Change> {
        let View { record, change, .. } = self.store(kind).get(&self.world, id)?;
        Some(change.cloned().unwrap_or(Change {
            content_index: Some(record.index),
            created_at: record.created_at,
            updated_at: record.updated_at,
            ..Change::default()
        }))
    }

    /// A last-modified later than the one the record has; `None` for an unknown record.
    pub(super) fn next_stamp(&self, kind: Kind, id: u64, now: Millis) -> Option<Millis> {
        Some(now.max(self.store(kind).get(&self.world, id)?.record.updated_at + 1))
    }

    /// Looks names up and brings values into the form HubSpot stores.
    pub(super) fn resolve(
        &self,
        kind: Kind,
        given: &GivenValues,
        moment: Moment,
    ) -> Result<BTreeMap<PropertyIndex, Value>, EditError> {
        let catalogue = self.catalogue(kind);
        let object_type = self.registry.of(kind);
        given
            .iter()
            .map(|(name, text)| {
                let settable = name != "hs_object_id" && name != object_type.last_modified;
                let index = catalogue.active(name).filter(|_| settable);
                let index = index.ok_or_else(|| EditError::NoSuchProperty(name.clone()))?;
                let text = match text.as_deref() {
                    Some(text) if !text.is_empty() => Some(catalogue.get(index).stored_form(text)?),
                    _ => moment.habits.cleared_as_empty.then(Box::default),
                };
                Ok((index, Value { text, set_at: moment.now, source: moment.source }))
            })
            .collect()
    }
}
