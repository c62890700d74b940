//! Writing records as JSON.
//!
//! A reader names the same properties page after page, so the list is prepared once as a [`Selection`]: keys already
//! quoted, and runs of properties no generated record has already written out with their nulls. Rendering a record
//! nobody changed is then mostly copying.

use crate::account::{Found, Source, View};
use crate::catalogue::{Catalogue, PropertyIndex};
use crate::clock::Millis;
use crate::generate::World;
use crate::generate::rule::Fill;
use crate::generate::text::{push_moment, push_number};
use crate::object_type::ObjectType;

/// A prepared list of properties.
#[derive(Debug)]
pub struct Selection {
    /// For records nobody changed.
    segments: Vec<Segment>,
    /// For all others: each property with its quoted key.
    properties: Vec<(PropertyIndex, Box<[u8]>)>,
    /// Properties shown with their earlier values, each with its quoted key.
    histories: Vec<(PropertyIndex, Box<[u8]>)>,
}

/// A piece of the properties of a record nobody changed.
#[derive(Debug)]
enum Segment {
    /// Text to copy, commas included.
    Literal(Vec<u8>),
    /// A generated value.
    Generated {
        /// Comma if needed, quoted name, colon.
        key: Box<[u8]>,
        /// How to make the value.
        fill: Fill,
    },
}

impl Selection {
    /// Prepares the properties a read names. Names the type does not have are left out, duplicates count once, and
    /// the id and both times come along, all sorted by name. Naming none selects the type's defaults.
    /// `history_names` selects properties whose earlier values are shown besides.
    pub fn new<'a>(
        object_type: &ObjectType,
        catalogue: &Catalogue,
        names: impl IntoIterator<Item = &'a str>,
        history_names: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut indexes: Vec<PropertyIndex> =
            names.into_iter().filter_map(|name| catalogue.active(name.trim())).collect();
        let histories = history_names.into_iter().filter_map(|name| catalogue.active(name.trim())).collect();
        if indexes.is_empty() {
            indexes.extend(object_type.default_properties.iter().filter_map(|name| catalogue.active(name)));
        }
        let always = ["createdate", object_type.last_modified, "hs_object_id"];
        indexes.extend(always.iter().filter_map(|name| catalogue.active(name)));
        let properties = keyed(catalogue, indexes);
        Self {
            segments: segments(catalogue, &properties),
            properties,
            histories: keyed(catalogue, histories),
        }
    }

    /// Appends the record as the API shows it.
    pub fn push_record(&self, catalogue: &Catalogue, view: &View<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":\"");
        push_number(out, view.record.id);
        out.extend_from_slice(b"\",\"properties\":{");
        if view.change.is_none() {
            self.push_generated(view, out);
        } else {
            self.push_changed(catalogue, view, out);
        }
        out.push(b'}');
        if !self.histories.is_empty() {
            self.push_histories(catalogue, view, out);
        }
        out.extend_from_slice(b",\"createdAt\":");
        push_quoted_moment(out, view.record.created_at);
        out.extend_from_slice(b",\"updatedAt\":");
        push_quoted_moment(out, view.record.updated_at);
        match view.archived_at() {
            None => out.extend_from_slice(b",\"archived\":false"),
            Some(archived_at) => {
                out.extend_from_slice(b",\"archived\":true,\"archivedAt\":");
                push_quoted_moment(out, archived_at);
            }
        }
        out.push(b'}');
    }

    /// Appends the values the selected properties have and had, newest first.
    fn push_histories(&self, catalogue: &Catalogue, view: &View<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"propertiesWithHistory\":{");
        for (index, key) in &self.histories {
            out.extend_from_slice(key);
            out.push(b'[');
            let start = out.len();
            for value in view.change.into_iter().flat_map(|change| change.history(*index)) {
                if out.len() > start {
                    out.push(b',');
                }
                push_history_entry(
                    value.text.as_deref().unwrap_or_default(),
                    value.set_at,
                    value.source,
                    out,
                );
            }
            let mut text = Vec::new();
            if view.find_generated(catalogue, *index, &mut text) == Found::Generated {
                if out.len() > start {
                    out.push(b',');
                }
                let (text, set_at) = (String::from_utf8_lossy(&text), view.record.created_at);
                push_history_entry(&text, set_at, Source::Import, out);
            }
            out.push(b']');
        }
        out.push(b'}');
    }

    /// Appends the properties of a record nobody changed.
    fn push_generated(&self, view: &View<'_>, out: &mut Vec<u8>) {
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => out.extend_from_slice(text),
                Segment::Generated { key, fill } => {
                    out.extend_from_slice(key);
                    let start = out.len();
                    out.push(b'"');
                    if fill.write(&view.record, out) {
                        out.push(b'"');
                    } else {
                        out.truncate(start);
                        out.extend_from_slice(b"null");
                    }
                }
            }
        }
    }

    /// Appends the properties of any record.
    fn push_changed(&self, catalogue: &Catalogue, view: &View<'_>, out: &mut Vec<u8>) {
        for (index, key) in &self.properties {
            out.extend_from_slice(key);
            if !push_value(catalogue, view, *index, out) {
                out.extend_from_slice(b"null");
            }
        }
    }
}

/// Properties sorted by name, each once, with a comma unless it is the first, its quoted name and a colon.
fn keyed(catalogue: &Catalogue, mut indexes: Vec<PropertyIndex>) -> Vec<(PropertyIndex, Box<[u8]>)> {
    indexes.sort_by(|a, b| catalogue.get(*a).name.cmp(&catalogue.get(*b).name));
    indexes.dedup();
    let key = |(position, index): (usize, PropertyIndex)| {
        let comma = if position == 0 { "" } else { "," };
        (index, format!("{comma}\"{}\":", catalogue.get(index).name).into_bytes().into_boxed_slice())
    };
    indexes.into_iter().enumerate().map(key).collect()
}

/// Appends one value of a history.
fn push_history_entry(text: &str, set_at: Millis, source: Source, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"value\":");
    push_json_text(out, text);
    out.extend_from_slice(b",\"timestamp\":");
    push_quoted_moment(out, set_at);
    let (kind, id) = (source.kind(), source.id());
    out.extend_from_slice(format!(",\"sourceType\":\"{kind}\",\"sourceId\":\"{id}\"").as_bytes());
    if let Some(user_id) = source.user_id() {
        out.extend_from_slice(format!(",\"updatedByUserId\":{user_id}").as_bytes());
    }
    out.push(b'}');
}

/// Joins what is the same for all records nobody changed.
fn segments(catalogue: &Catalogue, properties: &[(PropertyIndex, Box<[u8]>)]) -> Vec<Segment> {
    let mut segments = Vec::new();
    for (index, key) in properties {
        if let Some(fill) = &catalogue.get(*index).fill {
            segments.push(Segment::Generated { key: key.clone(), fill: fill.clone() });
        } else {
            if !matches!(segments.last(), Some(Segment::Literal(_))) {
                segments.push(Segment::Literal(Vec::new()));
            }
            if let Some(Segment::Literal(text)) = segments.last_mut() {
                text.extend_from_slice(key);
                text.extend_from_slice(b"null");
            }
        }
    }
    segments
}

/// Appends a value with its quotes; false, and nothing appended, when the record has none.
fn push_value(catalogue: &Catalogue, view: &View<'_>, index: PropertyIndex, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.push(b'"');
    match view.find(catalogue, index, out) {
        Found::Generated => out.push(b'"'),
        Found::Set(text) => {
            out.truncate(start);
            push_json_text(out, text);
        }
        Found::Nothing => {
            out.truncate(start);
            return false;
        }
    }
    true
}

/// Appends a text as JSON, with its quotes.
pub fn push_json_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("text is always JSON and memory never refuses a write");
}

/// Appends a moment with quotes.
pub fn push_quoted_moment(out: &mut Vec<u8>, moment: Millis) {
    out.push(b'"');
    push_moment(out, moment);
    out.push(b'"');
}

/// Everything a type's records can hold, prepared for [`Truth::push`].
#[derive(Debug)]
pub struct Truth {
    /// Properties in use, sorted by name, each with its quoted name and a colon.
    properties: Vec<(PropertyIndex, Box<[u8]>)>,
}

impl Truth {
    /// Prepares the properties of a catalogue.
    pub fn new(catalogue: &Catalogue) -> Self {
        let mut active: Vec<_> = catalogue.iter().filter(|(_, property)| !property.is_archived()).collect();
        active.sort_by(|a, b| a.1.name.cmp(&b.1.name));
        let key = |name: &str| format!("\"{name}\":").into_bytes().into_boxed_slice();
        Self {
            properties: active.into_iter().map(|(index, property)| (index, key(&property.name))).collect(),
        }
    }

    /// Appends what is true of a record: id, times, and every value that is neither null nor empty.
    pub fn push(&self, catalogue: &Catalogue, view: &View<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":\"");
        push_number(out, view.record.id);
        out.extend_from_slice(b"\",\"createdAt\":");
        push_quoted_moment(out, view.record.created_at);
        out.extend_from_slice(b",\"updatedAt\":");
        push_quoted_moment(out, view.record.updated_at);
        if let Some(archived_at) = view.archived_at() {
            out.extend_from_slice(b",\"archivedAt\":");
            push_quoted_moment(out, archived_at);
        }
        out.extend_from_slice(b",\"properties\":{");
        let mut is_first = true;
        for (index, key) in &self.properties {
            if view.change.is_none() && catalogue.get(*index).fill.is_none() {
                continue;
            }
            let start = out.len();
            if !is_first {
                out.push(b',');
            }
            out.extend_from_slice(key);
            let value_start = out.len();
            if push_value(catalogue, view, *index, out) && &out[value_start..] != b"\"\"" {
                is_first = false;
            } else {
                out.truncate(start);
            }
        }
        out.extend_from_slice(b"}}");
    }
}

/// Mean bytes of JSON of the filled values of a type's records, from a sample.
pub fn mean_bytes(world: &World, object_type: &ObjectType, catalogue: &Catalogue) -> usize {
    const SAMPLE: u64 = 64;
    // Of a world of its own, because the account may hold fewer records.
    let world = World::new(world.seed(), &vec![SAMPLE; world.type_count()]);
    let truth = Truth::new(catalogue);
    let mut out = Vec::new();
    for index in 0..SAMPLE {
        let record = world.generated(object_type.kind, index);
        truth.push(catalogue, &View { record, is_generated: true, change: None }, &mut out);
    }
    out.len() / SAMPLE as usize
}
