//! What is remembered about a record that somebody changed or created.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::account::Source;
use crate::catalogue::{Catalogue, PropertyIndex};
use crate::clock::Millis;
use crate::generate::Record;

/// A value somebody set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The text; `None` shows as null, an empty text as the empty string HubSpot shows for cleared values.
    pub text: Option<Box<str>>,
    /// When it was set.
    pub set_at: Millis,
    /// Who set it.
    pub source: Source,
}

/// Most values of one property that are remembered, the present one included.
pub const MOST_REMEMBERED: usize = 20;

/// The state of one record that is not as the seed made it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// Where values nobody set are drawn from; `None` for a record made from given properties alone.
    pub content_index: Option<u64>,
    /// When the record was created.
    pub created_at: Millis,
    /// When it last changed, as the API shows it.
    pub updated_at: Millis,
    /// When it went to the bin.
    pub archived_at: Option<Millis>,
    /// The record it was merged into.
    pub merged_into: Option<u64>,
    /// Removed without trace.
    pub purged: bool,
    /// Grows with every change of the account, so that an older state never replaces a newer one.
    pub version: u64,
    /// Values somebody set.
    pub values: BTreeMap<PropertyIndex, Value>,
    /// Values somebody set before those, newest first; only of properties set more than once.
    pub earlier: BTreeMap<PropertyIndex, Arc<[Value]>>,
}

impl Change {
    /// Neither in the bin nor merged away nor purged.
    pub const fn is_live(&self) -> bool {
        self.archived_at.is_none() && self.merged_into.is_none() && !self.purged
    }

    /// Sets a value and remembers the one it had. Setting what somebody set before changes nothing: histories show when
    /// a value came to be.
    pub fn set(&mut self, index: PropertyIndex, value: Value) {
        if self.values.get(&index).is_some_and(|known| known.text == value.text) {
            return;
        }
        if let Some(before) = self.values.insert(index, value) {
            self.remember(index, [before]);
        }
    }

    /// Adds values a property had to those it is known to have had.
    pub fn remember(&mut self, index: PropertyIndex, values: impl IntoIterator<Item = Value>) {
        let known = self.earlier.get(&index).into_iter().flat_map(|known| known.iter().cloned());
        let mut all: Vec<Value> = values.into_iter().chain(known).collect();
        all.sort_by_key(|value| std::cmp::Reverse(value.set_at));
        all.truncate(MOST_REMEMBERED - 1);
        self.earlier.insert(index, all.into());
    }

    /// The values a property has and had, newest first, as far as somebody set them.
    pub fn history(&self, index: PropertyIndex) -> impl Iterator<Item = &Value> {
        let earlier = self.earlier.get(&index).into_iter().flat_map(|earlier| earlier.iter());
        self.values.get(&index).into_iter().chain(earlier)
    }

    /// In the bin, where it is listed and can be read when asked for.
    pub const fn is_in_bin(&self) -> bool {
        self.archived_at.is_some() && self.merged_into.is_none() && !self.purged
    }
}

/// One record as a reader sees it: what the seed made, under what somebody changed.
#[derive(Debug, Clone, Copy)]
pub struct View<'account> {
    /// The generated facts, with the id and times that apply.
    pub record: Record<'account>,
    /// Whether values nobody set are generated.
    pub is_generated: bool,
    /// What somebody changed.
    pub change: Option<&'account Change>,
}

/// A value as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'account> {
    /// No value.
    Nothing,
    /// The generated text was appended to the buffer; it needs no escaping in JSON.
    Generated,
    /// Somebody set this text.
    Set(&'account str),
}

impl<'account> View<'account> {
    /// When the record went to the bin.
    pub const fn archived_at(&self) -> Option<Millis> {
        match self.change {
            Some(change) => change.archived_at,
            None => None,
        }
    }

    /// Looks a value up; a generated one is appended to `out`.
    pub fn find(&self, catalogue: &Catalogue, index: PropertyIndex, out: &mut Vec<u8>) -> Found<'account> {
        if let Some(value) = self.change.and_then(|change| change.values.get(&index)) {
            return value.text.as_deref().map_or(Found::Nothing, Found::Set);
        }
        self.find_generated(catalogue, index, out)
    }

    /// Looks up the value the seed made, as if nobody had set another.
    pub fn find_generated(
        &self,
        catalogue: &Catalogue,
        index: PropertyIndex,
        out: &mut Vec<u8>,
    ) -> Found<'account> {
        let fill = catalogue.get(index).fill.as_ref();
        let fill = fill.filter(|fill| self.is_generated || fill.is_system());
        if fill.is_some_and(|fill| fill.write(&self.record, out)) { Found::Generated } else { Found::Nothing }
    }

    /// The value as text; `None` for null, and for empty unless it was set so.
    pub fn text(&self, catalogue: &Catalogue, index: PropertyIndex) -> Option<String> {
        let mut buffer = Vec::new();
        match self.find(catalogue, index, &mut buffer) {
            Found::Nothing => None,
            Found::Generated => Some(String::from_utf8_lossy(&buffer).into_owned()),
            Found::Set(text) => Some(text.to_owned()),
        }
    }

    /// The value of a named property; `None` also for a name that does not exist.
    pub fn named(&self, catalogue: &Catalogue, name: &str) -> Option<String> {
        self.text(catalogue, catalogue.index_of(name)?)
    }
}
