//! The definition of a custom object type.

use serde::Deserialize;

use super::reference::WireProperty;
use super::{Malformed, Scalar, parse};
use crate::model::{CustomName, Property, Schema};

/// A definition. Source: HubSpot, "Custom objects".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSchema<'a> {
    /// Type id.
    object_type_id: String,
    /// Name with the account's number.
    fully_qualified_name: String,
    /// Name without it.
    name: String,
    /// What people see.
    #[serde(borrow, default)]
    labels: Labels<'a>,
    /// The property that names a record.
    #[serde(borrow, default)]
    primary_display_property: Scalar<'a>,
    /// Properties shown beside it.
    #[serde(default)]
    secondary_display_properties: Option<Vec<String>>,
    /// Properties every record has to have.
    #[serde(default)]
    required_properties: Option<Vec<String>>,
    /// Every property.
    #[serde(borrow)]
    properties: Vec<WireProperty<'a>>,
}

/// What people call one record and several.
#[derive(Deserialize, Default)]
struct Labels<'a> {
    /// One.
    #[serde(borrow, default)]
    singular: Scalar<'a>,
    /// Several.
    #[serde(borrow, default)]
    plural: Scalar<'a>,
}

/// Parses the definition of the type that was asked for by `name`.
pub(in crate::hubspot) fn parse_schema(body: &[u8], name: CustomName) -> Result<Schema, Malformed> {
    let wire: WireSchema<'_> = parse(body)?;
    let is_asked_for = |other: &String| other.eq_ignore_ascii_case(name.as_str());
    if ![&wire.object_type_id, &wire.fully_qualified_name].into_iter().any(is_asked_for) {
        return Err(Malformed("it is the definition of another type".to_owned()));
    }
    let mut properties: Vec<Property> = wire.properties.into_iter().map(Property::from).collect();
    properties.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    let primary = wire.primary_display_property.into_set();
    let secondary = wire.secondary_display_properties.unwrap_or_default();
    Ok(Schema {
        type_id: wire.object_type_id,
        fully_qualified_name: wire.fully_qualified_name,
        name: wire.name,
        singular_label: wire.labels.singular.into_set().unwrap_or_default(),
        plural_label: wire.labels.plural.into_set().unwrap_or_default(),
        display_properties: primary.into_iter().chain(secondary).collect(),
        required_properties: wire.required_properties.unwrap_or_default(),
        properties,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses the answer to a question for `name`.
    fn parsed(body: &[u8], name: &str) -> Result<Schema, Malformed> {
        parse_schema(body, CustomName::parse(name).unwrap())
    }

    #[test]
    fn a_definition_names_the_type_and_what_names_its_records() {
        let schema = parsed(
            br#"{"id": "1234567", "objectTypeId": "2-1234567", "fullyQualifiedName": "p123_cars", "name": "cars",
                "labels": {"singular": "Car", "plural": "Cars"}, "primaryDisplayProperty": "model",
                "secondaryDisplayProperties": ["vin"], "requiredProperties": ["model"], "searchableProperties": [],
                "properties": [{"name": "vin", "type": "string"}, {"name": "model", "type": "string"}],
                "associations": [], "archived": false}"#,
            "2-1234567",
        )
        .unwrap();
        assert_eq!((schema.type_id.as_str(), schema.name.as_str()), ("2-1234567", "cars"));
        assert_eq!(schema.display_properties, ["model", "vin"]);
        let names: Vec<_> = schema.properties.iter().map(|property| property.name.as_str()).collect();
        assert_eq!(names, ["model", "vin"], "in name order");
    }

    #[test]
    fn a_definition_may_lack_what_it_can_do_without_but_not_its_names() {
        let least = br#"{"objectTypeId": "2-1", "fullyQualifiedName": "p1_x", "name": "x", "labels": {},
            "secondaryDisplayProperties": null, "properties": []}"#;
        assert!(parsed(least, "p1_X").unwrap().display_properties.is_empty());
        assert!(parsed(least, "2-2").is_err(), "that is another type");
        assert!(parsed(br#"{"name": "x", "properties": []}"#, "p1_x").is_err());
    }
}
