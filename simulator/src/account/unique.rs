//! Which record holds a value that no other record of its type may have.

use std::collections::{BTreeMap, HashMap};

use crate::account::{Account, Change, View};
use crate::catalogue::{Catalogue, PropertyIndex};
use crate::generate::people;
use crate::object_type::Kind;

/// Who has, or lately had, which value of the properties whose values are unique. Whoever asks checks the answer:
/// a value that was replaced stays noted.
#[derive(Debug, Default)]
pub struct Holders {
    /// Properties that are noted, each with the one under which it is: further addresses count as addresses.
    watched: BTreeMap<PropertyIndex, PropertyIndex>,
    /// Records by property and value in lower case.
    by_value: HashMap<(PropertyIndex, Box<str>), u64>,
}

impl Holders {
    /// Notes the values of a catalogue's unique properties from now on.
    pub fn watch(&mut self, catalogue: &Catalogue) {
        let unique = catalogue.iter().filter(|(_, property)| property.flags.has_unique_value);
        for (index, property) in unique {
            let noted_as = match property.name.as_str() {
                "hs_additional_emails" => catalogue.index_of("email").unwrap_or(index),
                _ => index,
            };
            self.watched.insert(index, noted_as);
        }
    }

    /// Notes the unique values of a record. One that is not live does not take a value from another.
    pub fn note(&mut self, id: u64, change: &Change) {
        for (index, &noted_as) in &self.watched {
            let Some(text) = change.values.get(index).and_then(|value| value.text.as_deref()) else {
                continue;
            };
            for one in text.split(';').filter(|one| !one.is_empty()) {
                let key = (noted_as, one.to_lowercase().into_boxed_str());
                if change.is_live() {
                    self.by_value.insert(key, id);
                } else {
                    self.by_value.entry(key).or_insert(id);
                }
            }
        }
    }

    /// Who had a value lately.
    fn get(&self, index: PropertyIndex, value: &str) -> Option<u64> {
        self.by_value.get(&(index, value.into())).copied()
    }
}

impl Account {
    /// The record that holds a value of a unique property, live or in the bin. Letter case does not count; a contact's
    /// further addresses do.
    pub fn holder(&self, kind: Kind, index: PropertyIndex, value: &str) -> Option<u64> {
        let catalogue = self.catalogue(kind);
        let store = self.store(kind);
        let value = value.to_lowercase();
        let generated = people::index_in_email(&value).or_else(|| people::index_in_customer_number(&value));
        let candidates =
            [store.holders().get(index, &value), generated.map(|index| self.world.id_of(kind, index))];
        let is_holder = |&id: &u64| {
            let view = store.get(&self.world, id);
            view.is_some_and(|view| holds(&view, catalogue, index, &value))
        };
        candidates.into_iter().flatten().map(|id| store.survivor(id)).find(is_holder)
    }

    /// The live record that holds a value of a unique property; see [`Account::holder`].
    pub fn live_holder(&self, kind: Kind, index: PropertyIndex, value: &str) -> Option<u64> {
        self.holder(kind, index, value).filter(|&id| self.live(kind, id).is_some())
    }

    /// The record that holds an e-mail address now.
    pub fn by_email(&self, kind: Kind, email: &str) -> Option<u64> {
        self.holder(kind, self.catalogue(kind).index_of("email")?, email)
    }
}

/// Whether a record has a value, given in lower case; for addresses, also among its further ones.
fn holds(view: &View<'_>, catalogue: &Catalogue, index: PropertyIndex, value: &str) -> bool {
    let has = |text: Option<String>| {
        text.is_some_and(|text| text.split(';').any(|one| one.to_lowercase() == value))
    };
    has(view.text(catalogue, index))
        || (catalogue.get(index).name == "email" && has(view.named(catalogue, "hs_additional_emails")))
}
