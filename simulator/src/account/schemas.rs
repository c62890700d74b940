//! Object types the portal defined.
//!
//! Source: HubSpot, "Custom objects"; that reads lag behind changes was seen live.

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::account::state_log::Line;
use crate::catalogue::{Catalogue, Flags, Property, PropertyOption, ValueType};
use crate::clock::Millis;
use crate::generate::rule::Fill;
use crate::object_type::{Kind, ObjectType, TYPE_COUNT};

/// The portal's id; the one HubSpot's own samples use.
pub const PORTAL_ID: u64 = 62_515;

/// Number in the type id of the first type a portal defines, such as `2-46310201`.
const FIRST_NUMBER: usize = 46_310_201;

/// Most types a portal defines here; HubSpot sells about as many.
pub const MOST_TYPES: usize = 100;

/// What people call one record and several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// One record.
    pub singular: String,
    /// Several.
    pub plural: String,
}

/// The definition of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// Internal name without the portal's prefix; never changes.
    pub name: String,
    /// What people see.
    pub labels: Labels,
    /// The property that names a record.
    pub primary_display_property: String,
    /// Properties shown beside it.
    pub secondary_display_properties: Vec<String>,
    /// Properties a free-text search looks into.
    pub searchable_properties: Vec<String>,
    /// Properties a new record needs.
    pub required_properties: Vec<String>,
    /// Type ids of the types the definition names as linked to this one.
    pub associated: Vec<String>,
    /// Whether records go through pipelines.
    pub has_pipelines: bool,
    /// Taken out of use.
    pub archived: bool,
    /// When it was defined.
    pub created_at: Millis,
    /// When the definition last changed.
    pub updated_at: Millis,
}

/// Why a type was not defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaError {
    /// The name is empty or has other characters than letters, digits and underscores.
    BadName,
    /// The portal has a type of this name.
    NameTaken,
    /// The portal has as many types as it may have.
    TooMany,
}

impl Schema {
    /// The definition of a type about which nothing is told but its name.
    pub fn named(name: &str, now: Millis) -> Self {
        Self {
            name: name.to_owned(),
            labels: Labels { singular: name.to_owned(), plural: name.to_owned() },
            primary_display_property: "name".to_owned(),
            secondary_display_properties: vec!["serial_number".to_owned()],
            searchable_properties: vec!["name".to_owned(), "serial_number".to_owned()],
            required_properties: vec!["name".to_owned()],
            associated: vec!["0-1".to_owned(), "0-2".to_owned()],
            has_pipelines: true,
            archived: false,
            created_at: now,
            updated_at: now,
        }
    }

    /// The name with the portal's prefix.
    pub fn fully_qualified_name(&self) -> String {
        format!("p{PORTAL_ID}_{}", self.name)
    }

    /// Whether a name can be one of a type.
    pub fn is_name(text: &str) -> bool {
        text.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    }

    /// The descriptor of the type.
    pub fn object_type(&self, kind: Kind) -> ObjectType {
        let name = self.fully_qualified_name();
        ObjectType {
            kind,
            type_id: format!("2-{}", FIRST_NUMBER + kind.custom_position().unwrap_or_default() * 17),
            plural: name.clone(),
            singular: name.clone(),
            error_name: name,
            searchable: self.searchable_properties.clone(),
            has_pipelines: self.has_pipelines,
            is_archived: self.archived,
            ..ObjectType::default()
        }
    }
}

/// The properties of a type about which nothing is told but its name.
pub fn usual_properties() -> Vec<Property> {
    let property = |name: &str, label: &str, value_type, field_type: &str| Property {
        name: name.to_owned(),
        label: label.to_owned(),
        description: String::new(),
        value_type,
        field_type: field_type.to_owned(),
        group: String::new(),
        options: Vec::new(),
        referenced_type: None,
        flags: Flags { custom: true, ..Flags::default() },
        archived_at: None,
        fill: None,
    };
    let option =
        |value: &str| PropertyOption { label: value.to_uppercase(), value: value.to_owned(), hidden: false };
    let mut serial_number = property("serial_number", "Serial number", ValueType::String, "text");
    serial_number.flags.has_unique_value = true;
    let mut condition = property("condition", "Condition", ValueType::Enumeration, "select");
    condition.options = ["new", "used", "broken"].map(option).into();
    let mut properties = vec![
        property("name", "Name", ValueType::String, "text"),
        serial_number,
        condition,
        property("weight", "Weight", ValueType::Number, "number"),
        property("bought_on", "Bought on", ValueType::Date, "date"),
        property("inspected_at", "Inspected at", ValueType::DateTime, "date"),
        property("is_insured", "Is insured", ValueType::Bool, "booleancheckbox"),
    ];
    for property in &mut properties {
        property.fill = Some(Fill::invented(property));
    }
    properties
}

/// A definition with what readers may still see instead of it.
#[derive(Debug)]
pub struct KeptSchema {
    /// The definition as it is.
    pub schema: Schema,
    /// When it became so, and what it was before; `None` when there was none.
    before: Option<(Millis, Option<Schema>)>,
}

impl KeptSchema {
    /// The definition as it was when the account was made.
    pub const fn settled(schema: Schema) -> Self {
        Self { schema, before: None }
    }

    /// What a reader may see who sees what is old: the definition before the last change, while that is no longer ago
    /// than `lag_ms`. The inner `None` means that there was none.
    pub fn stale(&self, now: Millis, lag_ms: u64) -> Option<Option<&Schema>> {
        let (changed_at, before) = self.before.as_ref()?;
        (now < changed_at + lag_ms as Millis).then_some(before.as_ref())
    }
}

impl Account {
    /// The types the portal defined, in the order it did.
    pub fn schemas(&self) -> impl Iterator<Item = (Kind, &KeptSchema)> {
        self.schemas.iter().enumerate().map(|(position, kept)| (Kind::at(TYPE_COUNT + position), kept))
    }

    /// The definition of a type; `None` for one of HubSpot's.
    pub fn schema(&self, kind: Kind) -> Option<&KeptSchema> {
        self.schemas.get(kind.custom_position()?)
    }

    /// Defines a type with these properties besides those all have; it has no records.
    pub fn define_type(&mut self, schema: Schema, properties: Vec<Property>) -> Result<Kind, SchemaError> {
        if !Schema::is_name(&schema.name) {
            return Err(SchemaError::BadName);
        }
        if self.schemas.len() >= MOST_TYPES {
            return Err(SchemaError::TooMany);
        }
        if self.registry.find_any(&schema.fully_qualified_name()).is_some() {
            return Err(SchemaError::NameTaken);
        }
        self.append(&Line::Schema { schema: schema.clone() });
        let kind = Kind::at(TYPE_COUNT + self.schemas.len());
        let created_at = schema.created_at;
        self.world.add_type(0);
        self.add_custom(schema).expect("the shared table was read before");
        self.schemas[kind.index() - TYPE_COUNT].before = Some((created_at, None));
        for property in properties {
            self.put_property(kind, property);
        }
        Ok(kind)
    }

    /// Replaces the definition of a type the portal defined.
    pub fn put_schema(&mut self, kind: Kind, schema: Schema) {
        self.append(&Line::Schema { schema: schema.clone() });
        self.registry.put(schema.object_type(kind));
        let kept = &mut self.schemas[kind.index() - TYPE_COUNT];
        let before = std::mem::replace(&mut kept.schema, schema);
        kept.before = Some((kept.schema.updated_at, Some(before)));
    }

    /// Puts a definition from the state file in place.
    pub(super) fn apply_schema(&mut self, schema: Schema) {
        let known = self.registry.find_any(&schema.fully_qualified_name());
        if let Some(kind) = known.map(|object_type| object_type.kind) {
            self.put_schema(kind, schema);
        } else if let Err(error) = self.define_type(schema, Vec::new()) {
            tracing::warn!(?error, "A type in the state file cannot be defined");
        }
    }

    /// Adds a type to everything that is kept by type; the world has it already.
    pub(super) fn add_custom(&mut self, schema: Schema) -> anyhow::Result<()> {
        let object_type = schema.object_type(Kind::at(TYPE_COUNT + self.schemas.len()));
        let catalogue = Catalogue::load(&object_type)?;
        self.schemas.push(KeptSchema::settled(schema));
        self.add_type(object_type, catalogue);
        Ok(())
    }
}
