//! The state of a record as the file has it: property names instead of positions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::account::change::{Change, Value};
use crate::account::source::{Source, USER_ID};
use crate::catalogue::{Catalogue, PropertyIndex};
use crate::clock::Millis;

/// A [`Change`] with property names instead of positions.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordState {
    /// See [`Change::content_index`].
    content_index: Option<u64>,
    /// See [`Change::created_at`].
    created_at: Millis,
    /// See [`Change::updated_at`].
    updated_at: Millis,
    /// See [`Change::archived_at`].
    archived_at: Option<Millis>,
    /// See [`Change::merged_into`].
    merged_into: Option<u64>,
    /// See [`Change::purged`].
    #[serde(default)]
    purged: bool,
    /// Values with the time they were set.
    values: BTreeMap<String, (Option<String>, Millis)>,
    /// Who set them; a person where nothing is said.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sources: BTreeMap<String, Source>,
    /// See [`Change::earlier`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    earlier: BTreeMap<String, Vec<(Option<String>, Millis, Source)>>,
}

/// Who set a value of which the file says nothing.
const USUAL_SOURCE: Source = Source::User(USER_ID);

impl RecordState {
    /// The state of a record, without values of properties that are gone for good.
    pub fn new(catalogue: &Catalogue, change: &Change) -> Self {
        let name_of =
            |index: PropertyIndex| (!catalogue.is_purged(index)).then(|| catalogue.get(index).name.clone());
        let text_of = |value: &Value| value.text.as_deref().map(str::to_owned);
        let values = change.values.iter();
        let sources = change.values.iter().filter(|(_, value)| value.source != USUAL_SOURCE);
        let were = |values: &[Value]| {
            values.iter().map(|value| (text_of(value), value.set_at, value.source)).collect()
        };
        Self {
            content_index: change.content_index,
            created_at: change.created_at,
            updated_at: change.updated_at,
            archived_at: change.archived_at,
            merged_into: change.merged_into,
            purged: change.purged,
            values: values
                .filter_map(|(&index, value)| Some((name_of(index)?, (text_of(value), value.set_at))))
                .collect(),
            sources: sources.filter_map(|(&index, value)| Some((name_of(index)?, value.source))).collect(),
            earlier: change
                .earlier
                .iter()
                .filter_map(|(&index, values)| Some((name_of(index)?, were(values))))
                .collect(),
        }
    }

    /// The state as the account keeps it. Values of unknown properties are left out.
    pub fn into_change(self, catalogue: &Catalogue, version: u64) -> Change {
        let value = |text: Option<String>, set_at, source| Value {
            text: text.map(String::into_boxed_str),
            set_at,
            source,
        };
        let sources = &self.sources;
        let values = self.values.into_iter().filter_map(|(name, (text, set_at))| {
            let source = sources.get(&name).copied().unwrap_or(USUAL_SOURCE);
            Some((catalogue.index_of(&name)?, value(text, set_at, source)))
        });
        let earlier = self.earlier.into_iter().filter_map(|(name, were)| {
            let were = were.into_iter().map(|(text, set_at, source)| value(text, set_at, source));
            Some((catalogue.index_of(&name)?, were.collect()))
        });
        Change {
            content_index: self.content_index,
            created_at: self.created_at,
            updated_at: self.updated_at,
            archived_at: self.archived_at,
            merged_into: self.merged_into,
            purged: self.purged,
            version,
            values: values.collect(),
            earlier: earlier.collect(),
        }
    }
}
