//! Custom object types: descriptors that are made from what HubSpot says of a type instead of being written down.
//!
//! A descriptor is used like one of the table of standard types, so it lives as long as the process. It is made once
//! for each type that is configured; asking again yields the same one.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{ColumnDef, ColumnType, OBJECT_TYPES, ObjectType};
use crate::model::{Property, Schema};

/// Longest name of a custom type here, in characters. Tables, indexes and constraints are named after it, the longest
/// `hubspot_<name>_stages_by_pipeline`, and MariaDB takes 64 characters.
const MAX_NAME: usize = 36;
/// Most default columns of a custom type. A row takes 65,535 bytes, a column of short text 1,022 of them, and
/// `COLUMNS_<TYPE>` wants some room as well.
const MAX_COLUMNS: usize = 30;
/// Longest name of a column. Source: MariaDB, "Identifier Names".
const MAX_COLUMN_NAME: usize = 64;

/// Longest label kept, in characters; it is for people only.
const MAX_LABEL: usize = 255;

/// Names a custom type cannot have, because a table or a row of `sync_state` of ours has them.
const RESERVED: &[&str] =
    &["account", "associations", "connector_check", "merges", "owners", "properties", "schemas"];

/// Properties every custom object has, as far as it is that sort of object: name, type, whether it has an index. HubSpot
/// says text of all of them but the times. Source: HubSpot, "Custom objects".
const COMMON: &[(&str, ColumnType, bool)] = &[
    ("hs_pipeline", ColumnType::Text, true),
    ("hs_pipeline_stage", ColumnType::Text, true),
    ("hubspot_owner_id", ColumnType::Id, true),
    ("hs_createdate", ColumnType::DateTime, false),
    ("hs_lastmodifieddate", ColumnType::DateTime, false),
];

/// A custom object type as this database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomType {
    /// Its name here, in `sync_state.object_type` and in the name of its table. Never changes.
    pub name: String,
    /// HubSpot's type id.
    pub type_id: String,
    /// HubSpot's fully qualified name.
    pub fully_qualified_name: String,
    /// What people call one record.
    pub singular_label: String,
    /// What people call several.
    pub plural_label: String,
    /// The typed columns every installation gets.
    pub columns: Vec<CustomColumn>,
}

/// A default column of a custom type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomColumn {
    /// Property and column name.
    pub name: String,
    /// Its type in the table.
    pub column_type: ColumnType,
    /// Whether it gets an index of its own.
    pub indexed: bool,
}

impl CustomType {
    /// The type a schema describes, under a name that is not among `others`.
    pub fn new(schema: &Schema, others: &[Self]) -> Self {
        let is_taken = |name: &str| is_reserved(name) || others.iter().any(|other| other.name == name);
        Self {
            name: name(schema, is_taken),
            type_id: schema.type_id.clone(),
            fully_qualified_name: schema.fully_qualified_name.clone(),
            singular_label: label(&schema.singular_label),
            plural_label: label(&schema.plural_label),
            columns: columns(schema),
        }
    }

    /// The same with an index for its name, which is what people search for: earlier versions stored types without.
    #[must_use]
    pub fn searchable(mut self) -> Self {
        let is_name = |column: &CustomColumn| is_text(column.column_type) && !is_common(&column.name);
        if !self.columns.iter().any(|column| column.indexed && is_name(column))
            && let Some(name) = self.columns.iter_mut().find(|column| is_name(column))
        {
            name.indexed = true;
        }
        self
    }

    /// Whether HubSpot calls it so: by its type id or its fully qualified name in any case.
    pub fn is_called(&self, name: &str) -> bool {
        self.type_id == name || self.fully_qualified_name.eq_ignore_ascii_case(name)
    }

    /// The descriptor, the same one whenever the type is the same.
    pub fn descriptor(&self) -> &'static ObjectType {
        static MADE: Mutex<Vec<&ObjectType>> = Mutex::new(Vec::new());
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.iter().find(|known| self.is_described_by(known)) {
            return known;
        }
        let descriptor = self.leak();
        made.push(descriptor);
        descriptor
    }

    /// Whether the descriptor says the same as this.
    fn is_described_by(&self, known: &ObjectType) -> bool {
        let same = |(ours, theirs): (&CustomColumn, &ColumnDef)| {
            (&*ours.name, ours.column_type, ours.indexed) == (theirs.name, theirs.column_type, theirs.indexed)
        };
        known.name == self.name
            && known.type_id == self.type_id
            && known.qualified_name == self.fully_qualified_name
            && known.columns.len() == self.columns.len()
            && self.columns.iter().zip(known.columns).all(same)
    }

    /// Makes the descriptor.
    fn leak(&self) -> &'static ObjectType {
        let text = |text: &str| &*String::leak(text.to_owned());
        let column = |column: &CustomColumn| ColumnDef {
            name: text(&column.name),
            column_type: column.column_type,
            indexed: column.indexed,
            searched: column.indexed && is_text(column.column_type) && !is_common(&column.name),
        };
        let (name, type_id) = (text(&self.name), text(&self.type_id));
        Box::leak(Box::new(ObjectType {
            name,
            singular: name,
            type_id,
            qualified_name: text(&self.fully_qualified_name),
            path: type_id,
            table: text(&format!("hubspot_{name}")),
            last_modified_property: "hs_lastmodifieddate",
            has_pipelines: self.columns.iter().any(|column| column.name == "hs_pipeline"),
            scopes: &["crm.objects.custom.read"],
            columns: Vec::leak(self.columns.iter().map(column).collect()),
        }))
    }
}

/// As much of a label as is kept.
fn label(text: &str) -> String {
    text.chars().take(MAX_LABEL).collect()
}

/// The name of a type here: its short one, else the fully qualified one.
fn name(schema: &Schema, is_taken: impl Fn(&str) -> bool) -> String {
    let names = [&schema.name, &schema.fully_qualified_name].map(|name| identifier(name, &schema.type_id));
    let mut free = names.into_iter().filter(|name| !name.is_empty() && !is_taken(name));
    free.next().unwrap_or_else(|| identifier(&format!("custom_{}", schema.type_id), &schema.type_id))
}

/// `name` as part of an SQL identifier: lower-case letters, digits and underscores. One that is too long ends in the
/// type id instead, so that two that begin alike stay apart.
fn identifier(name: &str, type_id: &str) -> String {
    let plain = |text: &str| -> String {
        let safe = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        text.chars().map(safe).collect()
    };
    let name = plain(name);
    if name.len() <= MAX_NAME {
        return name;
    }
    let end = format!("_{}", plain(type_id));
    format!("{}{end}", &name[..MAX_NAME.saturating_sub(end.len())])
}

/// Whether a name would be mistaken for a standard type, or for something that belongs to one.
fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
        || OBJECT_TYPES.iter().any(|known| [known.name, known.singular].contains(&name))
        || ["_pipelines", "_stages"].iter().any(|end| name.ends_with(end))
}

/// The default columns of a type: what names a record, what every record has, and what all objects have in common.
fn columns(schema: &Schema) -> Vec<CustomColumn> {
    let mut columns: Vec<CustomColumn> = Vec::new();
    let mut add = |name: &str, column_type, indexed, most: usize| {
        let is_new = !columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        if is_new && columns.len() < most && is_column_name(name) {
            columns.push(CustomColumn { name: name.to_owned(), column_type, indexed });
        }
    };
    let property = |name: &str| schema.properties.iter().find(|property| property.name == name);
    let own = schema.display_properties.iter().chain(&schema.required_properties);
    for Property { name, data_type, field_type, .. } in own.filter_map(|name| property(name)) {
        if !is_common(name) {
            let column_type = ColumnType::of_property(data_type, field_type);
            // What a record is called is what people search for.
            let is_its_name = schema.display_properties.first() == Some(name) && is_text(column_type);
            add(name, column_type, is_its_name, MAX_COLUMNS - COMMON.len());
        }
    }
    for (name, column_type, indexed) in COMMON {
        if property(name).is_some() || *name == "hs_lastmodifieddate" {
            add(name, *column_type, *indexed, MAX_COLUMNS);
        }
    }
    columns
}

/// Whether every custom object has a property of this name.
fn is_common(name: &str) -> bool {
    COMMON.iter().any(|(common, ..)| *common == name)
}

/// Whether values are texts.
fn is_text(column_type: ColumnType) -> bool {
    matches!(column_type, ColumnType::Text | ColumnType::LongText)
}

/// Whether a property of this name can have a column of the same name.
fn is_column_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_COLUMN_NAME
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A property definition.
    fn property(name: &str, data_type: &str, field_type: &str) -> Property {
        Property {
            field_type: field_type.to_owned(),
            hubspot_defined: false,
            ..Property::named(name, data_type)
        }
    }

    /// A type of account 123 with this name and properties.
    fn schema(name: &str, properties: Vec<Property>) -> Schema {
        Schema {
            type_id: "2-1234567".to_owned(),
            fully_qualified_name: format!("p123_{name}"),
            name: name.to_owned(),
            singular_label: "Car".to_owned(),
            plural_label: "Cars".to_owned(),
            display_properties: vec!["model".to_owned()],
            required_properties: vec!["vin".to_owned(), "bought_on".to_owned(), "model".to_owned()],
            properties,
        }
    }

    /// The name a type of that name gets beside others.
    fn name_of(name: &str, others: &[&str]) -> String {
        let others: Vec<_> = others.iter().map(|name| CustomType::new(&schema(name, vec![]), &[])).collect();
        CustomType::new(&schema(name, vec![]), &others).name
    }

    #[test]
    fn a_type_of_an_earlier_version_can_be_searched_by_its_name() {
        let texts = ["model", "vin"].map(|name| property(name, "string", "text"));
        let made = CustomType::new(&schema("cars", texts.to_vec()), &[]);
        let mut earlier = made.clone();
        earlier.columns.iter_mut().for_each(|column| column.indexed &= is_common(&column.name));
        assert_ne!(earlier, made);
        assert_eq!(earlier.searchable(), made);
        assert_eq!(made.clone().searchable(), made);
    }

    #[test]
    fn the_short_name_is_taken_unless_somebody_has_it() {
        assert_eq!(name_of("cars", &["boats"]), "cars");
        assert_eq!(name_of("Company-Cars", &[]), "company_cars");
        for taken in ["owners", "schemas", "contacts", "deal", "carts"] {
            assert_eq!(name_of(taken, &[]), format!("p123_{taken}"));
        }
        assert_eq!(name_of("deal_stages", &[]), "custom_2_1234567");
        assert_eq!(name_of("cars", &["cars"]), "p123_cars");
    }

    #[test]
    fn names_derived_from_a_long_one_fit_mariadb_and_stay_apart() {
        let long = name_of(&"vehicle_".repeat(12), &[]);
        assert!(long.ends_with("_2_1234567") && long.len() == MAX_NAME, "{long}");
        assert!(format!("hubspot_{long}_stages_by_pipeline").len() <= 64);
        assert_eq!(name_of("größe", &[]), "gr__e");
    }

    #[test]
    fn columns_follow_from_the_schema_and_have_its_types() {
        let custom = CustomType::new(
            &schema(
                "cars",
                vec![
                    property("bought_on", "date", "date"),
                    property("hs_createdate", "datetime", "date"),
                    property("hs_pipeline", "enumeration", "select"),
                    property("hs_pipeline_stage", "enumeration", "radio"),
                    property("hubspot_owner_id", "enumeration", "select"),
                    property("model", "string", "text"),
                    property("unasked", "string", "text"),
                    property("vin", "enumeration", "select"),
                ],
            ),
            &[],
        );
        let object_type = custom.descriptor();
        let columns: Vec<_> =
            object_type.columns.iter().map(|column| (column.name, column.column_type)).collect();
        assert_eq!(
            columns,
            [
                ("model", ColumnType::LongText),
                ("vin", ColumnType::Text),
                ("bought_on", ColumnType::Date),
                ("hs_pipeline", ColumnType::Text),
                ("hs_pipeline_stage", ColumnType::Text),
                ("hubspot_owner_id", ColumnType::Id),
                ("hs_createdate", ColumnType::DateTime),
                ("hs_lastmodifieddate", ColumnType::DateTime),
            ]
        );
        let searched = object_type.columns.iter().filter(|column| column.searched && column.indexed);
        assert_eq!(searched.map(|column| column.name).collect::<Vec<_>>(), ["model"]);
        assert!(object_type.has_pipelines);
        assert_eq!((object_type.table, object_type.path), ("hubspot_cars", "2-1234567"));
        assert!(std::ptr::eq(object_type, custom.descriptor()), "it is made once");
    }

    #[test]
    fn required_properties_leave_room_in_the_row() {
        let names: Vec<_> = (0..200).map(|number| format!("field_{number}")).collect();
        let properties = names.iter().map(|name| property(name, "enumeration", "select")).collect();
        let schema = Schema { required_properties: names, ..schema("cars", properties) };
        let columns = CustomType::new(&schema, &[]).columns;
        assert!(columns.len() <= MAX_COLUMNS && columns.len() > 20, "{}", columns.len());
        assert!(columns.iter().any(|column| column.name == "hs_lastmodifieddate"));
    }
}
