//! The properties of one record, kept as the JSON they are stored as.
//!
//! A backfill moves hundreds of millions of values. A map of strings would allocate, chase and free every one of them,
//! to be rendered and digested afterwards; here a record is one text that is stored and digested as it is.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// Every set property of a record, by name, in name order.
///
/// HubSpot has three kinds of nothing: `null`, `""` and a missing key. All three are "not set" and none is
/// kept, so a record's content does not change when a property is merely added to the account.
/// Source: HubSpot, "Properties", and captures of live pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Properties {
    /// Canonical: `{"name":"value","name":"value"}`, names ascending, so that equal properties are equal texts.
    json: String,
    /// Where its parts end, in the same order.
    ends: Vec<Ends>,
    /// SHA-256 of the JSON: made once, by whoever fetched the record, not while rows are locked.
    digest: [u8; 32],
}

/// Where in the JSON a name and the value behind it end, without their quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    name: u32,
    value: u32,
}

impl Properties {
    /// The properties behind JSON, an object of texts; `None` when it is something else.
    pub fn from_json(json: &str) -> Option<Self> {
        let pairs: BTreeMap<Cow<'_, str>, Cow<'_, str>> = serde_json::from_str(json).ok()?;
        Some(pairs.into_iter().collect())
    }

    /// The properties behind JSON somebody may have written by hand: numbers and truth values count as their text, and
    /// null as not set. `None` when it is not an object of such values.
    pub fn from_document(json: &str) -> Option<Self> {
        let values: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json).ok()?;
        let mut properties = PropertiesBuilder::default();
        for (name, value) in &values {
            match value.get() {
                "null" => {}
                text if text.starts_with('"') => {
                    properties.push(name, &serde_json::from_str::<Cow<'_, str>>(text).ok()?);
                }
                text if text.starts_with(['{', '[']) => return None,
                text => properties.push(name, text),
            }
        }
        Some(properties.build())
    }

    /// The value of `name`, `None` when it is not set.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let name = escape(name);
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let (found, value) = self.nth(middle);
            match found.cmp(&name) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(unescape(value)),
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The set properties in name order.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        (0..self.ends.len())
            .map(|index| self.nth(index))
            .map(|(name, value)| (unescape(name), unescape(value)))
    }

    /// The same with another value of one property, `None` to unset it.
    #[must_use]
    pub fn with(&self, name: &str, value: Option<&str>) -> Self {
        let kept = self.iter().filter(|(known, _)| known != name);
        kept.chain(value.map(|value| (Cow::Borrowed(name), Cow::Borrowed(value)))).collect()
    }

    /// How many properties are set.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Compact JSON, one object with the names in order. Equal properties have equal JSON.
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// SHA-256 of the JSON.
    pub(super) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The set properties, escaped.
    fn escaped(&self) -> impl Iterator<Item = (&str, &str)> {
        (0..self.ends.len()).map(|index| self.nth(index))
    }

    /// Name and value at `index`, escaped.
    fn nth(&self, index: usize) -> (&str, &str) {
        // In front of the first name stands `{"`, between a value and the next name `","`, between the two `":"`.
        let start = index.checked_sub(1).map_or(2, |before| self.ends[before].value as usize + 3);
        let Ends { name, value } = self.ends[index];
        (&self.json[start..name as usize], &self.json[name as usize + 3..value as usize])
    }
}

impl Default for Properties {
    fn default() -> Self {
        PropertiesBuilder::default().build()
    }
}

/// Collects properties in any order, cheapest in name order.
#[derive(Debug)]
pub struct PropertiesBuilder(Properties);

impl Default for PropertiesBuilder {
    fn default() -> Self {
        Self(Properties { json: "{".to_owned(), ends: Vec::new(), digest: [0; 32] })
    }
}

impl PropertiesBuilder {
    /// Adds a property. An empty value is left out; of several values of one name the last one counts.
    pub fn push(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.push_escaped(&escape(name), &escape(value));
        }
    }

    /// The properties, every name once and in order.
    pub fn build(self) -> Properties {
        let Self(mut properties) = self.in_order();
        properties.json.push('}');
        // Growing has left up to half of it empty, and pages of records wait in memory.
        properties.json.shrink_to_fit();
        properties.ends.shrink_to_fit();
        properties.digest = Sha256::digest(&properties.json).into();
        properties
    }

    /// Adds what is escaped and not empty.
    fn push_escaped(&mut self, name: &str, value: &str) {
        let Properties { json, ends, .. } = &mut self.0;
        json.push_str(if ends.is_empty() { "\"" } else { ",\"" });
        json.push_str(name);
        let name = end(json);
        json.push_str("\":\"");
        json.push_str(value);
        ends.push(Ends { name, value: end(json) });
        json.push('"');
    }

    /// Every name once and in order.
    fn in_order(self) -> Self {
        if self.0.escaped().is_sorted_by(|(left, _), (right, _)| left < right) {
            return self;
        }
        let mut pairs: Vec<_> = self.0.escaped().collect();
        pairs.sort_by_key(|(name, _)| *name);
        let mut sorted = Self::default();
        for same_name in pairs.chunk_by(|(left, _), (right, _)| left == right) {
            let (name, value) = same_name[same_name.len() - 1];
            sorted.push_escaped(name, value);
        }
        sorted
    }
}

/// The end of a text.
///
/// # Panics
/// Beyond 4 GiB; the client takes answers of 64 MiB at most.
fn end(text: &str) -> u32 {
    u32::try_from(text.len()).expect("answers are smaller")
}

/// The text between the quotes of a JSON string.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        return Cow::Borrowed(text);
    }
    let mut json = serde_json::to_string(text).expect("text is valid JSON");
    json.pop();
    json.remove(0);
    Cow::Owned(json)
}

/// What the text between the quotes of a JSON string says.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(serde_json::from_str(&format!("\"{text}\"")).expect("it was escaped here"))
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut builder = PropertiesBuilder::default();
        for (name, value) in pairs {
            builder.push(name.as_ref(), value.as_ref());
        }
        builder.build()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_an_object_of_texts_is_taken_for_properties() {
        for json in ["", "[]", "{", r#"{"a": 1}"#, r#"{"a": null}"#] {
            assert_eq!(Properties::from_json(json), None, "{json}");
        }
        assert_eq!(
            Properties::from_json(r#"{"b": "1", "a": "2"}"#),
            Some(Properties::from_iter([("a", "2"), ("b", "1")]))
        );
    }

    #[test]
    fn an_empty_value_is_the_same_as_no_value() {
        let properties = Properties::from_iter([("a", ""), ("b", "1")]);
        assert_eq!(properties, Properties::from_iter([("b", "1")]));
        assert_eq!(properties.get("a"), None);
        assert!(Properties::from_iter([("a", "")]).is_empty());
    }

    proptest! {
        #[test]
        fn they_behave_like_a_map(pairs in prop::collection::vec(("[a-c\"\u{e9}]{0,2}", "[\"\\\\\n\u{1}\u{e9}a]{0,2}"), 0..12)) {
            let properties = Properties::from_iter(pairs.clone());
            let map: BTreeMap<_, _> = pairs.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
            let listed: BTreeMap<_, _> =
                properties.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
            prop_assert_eq!(&listed, &map);
            prop_assert_eq!(serde_json::from_str::<BTreeMap<String, String>>(properties.as_json()).unwrap(), map.clone());
            prop_assert_eq!(Properties::from_json(properties.as_json()), Some(properties.clone()));
            let reversed: Properties = map.iter().rev().collect();
            prop_assert_eq!(&properties, &reversed, "equal properties have equal JSON");
            prop_assert_eq!(properties.len(), map.len());
            for (name, _) in &pairs {
                prop_assert_eq!(properties.get(name), map.get(name).map(Cow::from));
            }
        }
    }
}
