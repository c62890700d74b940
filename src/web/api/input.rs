//! What a request wants of a record: read as a whole, so that everything wrong with it is said at once.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::family::{Family, Field};
use super::record::{Record, is_standing, is_state};
use crate::model::{ObjectType, Property};
use crate::storage::RowView;
use crate::web::error::{ApiError, FieldError};

/// A JSON object by its keys, values as they were sent.
type Object<'b> = BTreeMap<String, &'b RawValue>;

/// How much of a record a request tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// What is to be changed.
    Part,
    /// Every field, so that none is cleared for having been forgotten.
    Whole,
}

/// What is to become of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    /// The version it is an edit of, where the request says so.
    pub(super) version: Option<i64>,
    /// New values by property; `None` clears one. What is the same as before is left out.
    pub(super) changes: BTreeMap<String, Option<String>>,
}

/// A request being read.
struct Reader<'r> {
    object_type: &'static ObjectType,
    catalogue: &'r [Property],
    current: Option<&'r RowView>,
    extent: Extent,
    changes: BTreeMap<String, Option<String>>,
    errors: Vec<FieldError>,
}

/// Reads the body of a request about a record of the type. `current` is the record, where there is one.
///
/// # Errors
/// 400 when it is no JSON object, 422 with everything that is wrong with its fields.
pub(super) fn read(
    body: &[u8],
    object_type: &'static ObjectType,
    catalogue: &[Property],
    current: Option<&RowView>,
    extent: Extent,
) -> Result<Input, ApiError> {
    let fields: Object<'_> = object(body)?;
    let family = Family::of(object_type);
    let mut reader =
        Reader { object_type, catalogue, current, extent, changes: BTreeMap::new(), errors: Vec::new() };
    let (mut version, state) = (None, reader.state());
    for (name, value) in &fields {
        match name.as_str() {
            "properties" => reader.read_properties(value),
            "version" => version = reader.read_version(value),
            name => match family.field(name) {
                Some(Field { property, .. }) => reader.read_value(name, property, value),
                None => reader.read_state(name, value, &state),
            },
        }
    }
    if extent == Extent::Whole {
        let missing = family.fields.iter().filter(|field| !fields.contains_key(field.name));
        missing
            .for_each(|field| reader.blame(field.name, "is missing; PUT names every field, null clears one"));
    }
    let Reader { changes, errors, .. } = reader;
    if errors.is_empty() { Ok(Input { version, changes }) } else { Err(ApiError::fields(errors)) }
}

/// Reads texts by property, as a form sends them; an empty one clears its property. Returns new values by property, without
/// those that are as before.
///
/// # Errors
/// 422 with everything that is wrong, by property.
pub(in crate::web) fn read_texts(
    texts: &BTreeMap<String, String>,
    object_type: &'static ObjectType,
    catalogue: &[Property],
    current: Option<&RowView>,
) -> Result<BTreeMap<String, Option<String>>, ApiError> {
    let extent = Extent::Part;
    let mut reader =
        Reader { object_type, catalogue, current, extent, changes: BTreeMap::new(), errors: Vec::new() };
    for (property, text) in texts {
        reader.read_text(property, property, Some(text.clone()));
    }
    let Reader { changes, errors, .. } = reader;
    if errors.is_empty() { Ok(changes) } else { Err(ApiError::fields(errors)) }
}

/// The keys and values of a body that is a JSON object.
///
/// # Errors
/// 400 when it is something else.
pub(super) fn object(body: &[u8]) -> Result<Object<'_>, ApiError> {
    let wrong = |error| ApiError::bad_request(format!("The body has to be a JSON object: {error}"));
    serde_json::from_slice(body).map_err(wrong)
}

impl Reader<'_> {
    /// What the record shows besides its content, to be compared with what is sent back.
    fn state(&self) -> Value {
        let shown = self.current.map(|row| Record { object_type: self.object_type, row }.to_json());
        shown.and_then(|json| serde_json::from_str(json.get()).ok()).unwrap_or_default()
    }

    /// Notes what is wrong with a field.
    fn blame(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError { field: field.into(), message: message.into() });
    }

    /// `properties`.
    fn read_properties(&mut self, value: &RawValue) {
        let Ok(values) = serde_json::from_str::<Object<'_>>(value.get()) else {
            return self.blame("properties", "has to be an object of values by property");
        };
        for (property, value) in values {
            self.read_value(&format!("properties.{property}"), &property, value);
        }
    }

    /// `version`.
    fn read_version(&mut self, value: &RawValue) -> Option<i64> {
        let version = value.get().parse().ok();
        if version.is_none() {
            self.blame("version", "has to be a whole number");
        }
        version
    }

    /// A value of a property, called `field` in the request.
    fn read_value(&mut self, field: &str, property: &str, value: &RawValue) {
        let Ok(text) = text(value) else {
            return self.blame(field, "has to be a text, a number, true, false or null");
        };
        if !self.moves_on(property) {
            self.read_text(field, property, text);
        }
    }

    /// Whether HubSpot keeps up a property of a record that is sent back whole: it may be another one by now, which is
    /// nobody's edit.
    fn moves_on(&self, property: &str) -> bool {
        let is_kept_up = |known: &Property| known.name == property && known.read_only;
        self.extent == Extent::Whole && self.catalogue.iter().any(is_kept_up)
    }

    /// The text of a property, called `field` in the request.
    fn read_text(&mut self, field: &str, property: &str, text: Option<String>) {
        // HubSpot takes an empty text and no text for the same.
        let text = text.filter(|text| !text.is_empty());
        let held = self.current.and_then(|row| row.properties.get(property));
        if held.as_deref() == text.as_deref() && (self.current.is_some() || self.knows(property)) {
            return;
        }
        let known = self.catalogue.iter().find(|known| known.name == property);
        match known.map(|known| known.check_entry(text.as_deref().unwrap_or_default())) {
            None => self.blame(field, format!("is no property of {}", self.object_type)),
            Some(Err(error)) => self.blame(field, error.to_string()),
            Some(Ok(())) => {
                let before = self.changes.insert(property.to_owned(), text.clone());
                if before.is_some_and(|before| before != text) {
                    self.blame(field, format!("gives `{property}` a second value"));
                }
            }
        }
    }

    /// Whether there is such a property.
    fn knows(&self, property: &str) -> bool {
        self.catalogue.iter().any(|known| known.name == property)
    }

    /// What is no content of the record: it may be sent back as it was, and nothing else. In a record that is
    /// sent back whole, how it stands to HubSpot may be out of date.
    fn read_state(&mut self, name: &str, value: &RawValue, state: &Value) {
        if !is_state(name) {
            let family = Family::of(self.object_type);
            let fields: Vec<_> = family.fields.iter().map(|field| field.name).collect();
            let fields = if fields.is_empty() { String::new() } else { format!("{}, ", fields.join(", ")) };
            let message =
                format!("is no field of {}; there is {fields}properties, version", self.object_type);
            return self.blame(name, message);
        }
        if self.extent == Extent::Whole && is_standing(name) {
            return;
        }
        let sent: Option<Value> = serde_json::from_str(value.get()).ok();
        if self.current.is_none() || sent.as_ref() != state.get(name) {
            self.blame(name, "cannot be set");
        }
    }
}

/// The text of a value, `None` for null; an error for what is no single value. Numbers keep their digits.
fn text(value: &RawValue) -> Result<Option<String>, ()> {
    match value.get() {
        "null" => Ok(None),
        text if text.starts_with('"') => serde_json::from_str(text).map(Some).map_err(|_| ()),
        text if text.starts_with(['{', '[']) => Err(()),
        text => Ok(Some(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::ObjectId;

    /// A property.
    fn property(name: &str, data_type: &str) -> Property {
        Property { read_only: name.starts_with("hs_"), ..Property::named(name, data_type) }
    }

    /// A contact with some values.
    fn contact() -> RowView {
        let values = [("email", "a@b.example"), ("hs_score", "5"), ("gone", "x")];
        RowView { hubspot_id: Some(ObjectId(512)), ..RowView::holding(&values) }
    }

    /// Reads a request about a contact; else what is wrong, by field.
    fn parse(body: &Value, current: Option<&RowView>, extent: Extent) -> Result<Input, Vec<String>> {
        let catalogue =
            ["email", "firstname", "lastname", "phone", "company"].map(|name| property(name, "string"));
        let others = [property("height", "number"), property("hs_score", "number")];
        let catalogue = [catalogue.to_vec(), others.to_vec()].concat();
        let contacts = ObjectType::named("contacts").unwrap();
        read(body.to_string().as_bytes(), contacts, &catalogue, current, extent).map_err(|error| {
            let body: Value = serde_json::from_str(&error.body("id")).unwrap();
            let fields = body["error"]["fields"].as_array().cloned().unwrap_or_default();
            fields.iter().map(|field| field["field"].as_str().unwrap().to_owned()).collect()
        })
    }

    #[test]
    fn fields_and_properties_become_changes_of_properties() {
        let body = json!({"firstName": "Ada", "email": null, "properties": {"height": 1.80}, "version": 3});
        let input = parse(&body, Some(&contact()), Extent::Part).unwrap();
        assert_eq!(input.version, Some(3));
        let expected = [("email", None), ("firstname", Some("Ada")), ("height", Some("1.8"))];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        assert_eq!(input.changes, BTreeMap::from(expected));
    }

    #[test]
    fn a_number_keeps_every_digit() {
        let raw = RawValue::from_string("12345678901234567890.10".to_owned()).unwrap();
        assert_eq!(text(&raw), Ok(Some("12345678901234567890.10".to_owned())));
    }

    #[test]
    fn a_record_may_be_sent_back_as_it_was_shown() {
        let row = contact();
        let contacts = ObjectType::named("contacts").unwrap();
        let shown = Record { object_type: contacts, row: &row }.to_json();
        let mut shown: Value = serde_json::from_str(shown.get()).unwrap();
        assert_eq!(parse(&shown, Some(&row), Extent::Whole).unwrap().changes, BTreeMap::new());
        shown["phone"] = json!("1");
        let changes = parse(&shown, Some(&row), Extent::Whole).unwrap().changes;
        assert_eq!(changes, BTreeMap::from([("phone".to_owned(), Some("1".to_owned()))]));
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let body = json!({
            "emial": "x", "id": 8, "email": ["a"], "version": "x",
            "properties": {"height": "tall", "hs_score": "6", "unknown": "1", "gone": "y", "phone": {}},
        });
        let wrong = parse(&body, Some(&contact()), Extent::Part).unwrap_err();
        let expected = [
            "email",
            "emial",
            "id",
            "properties.gone",
            "properties.height",
            "properties.hs_score",
            "properties.phone",
            "properties.unknown",
            "version",
        ];
        assert_eq!(wrong, expected);
    }

    #[test]
    fn a_put_that_forgets_a_field_clears_nothing() {
        let wrong = parse(&json!({"email": "a@b.example"}), Some(&contact()), Extent::Whole).unwrap_err();
        assert_eq!(wrong, ["firstName", "lastName", "phone", "company"]);
    }

    #[test]
    fn one_property_cannot_get_two_values() {
        let body = json!({"phone": "1", "properties": {"phone": "2"}});
        assert_eq!(parse(&body, None, Extent::Part).unwrap_err(), ["properties.phone"]);
        let body = json!({"phone": "1", "properties": {"phone": "1"}});
        assert_eq!(parse(&body, None, Extent::Part).unwrap().changes.len(), 1);
    }

    #[test]
    fn what_a_new_record_cannot_have_is_refused() {
        let body = json!({"id": 7, "properties": {"unknown": null}});
        assert_eq!(parse(&body, None, Extent::Part).unwrap_err(), ["id", "properties.unknown"]);
    }

    #[test]
    fn only_an_object_is_a_request() {
        let contacts = ObjectType::named("contacts").unwrap();
        for body in ["", "[]", "\"x\"", "{", "null", "{\"a\": 1,}"] {
            let error = read(body.as_bytes(), contacts, &[], None, Extent::Part).unwrap_err();
            assert!(error.body("id").contains("bad_request"), "{body}");
        }
    }
}
