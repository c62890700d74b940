//! Property definitions of one object type.
//!
//! Owns everything a definition says; `table` reads the definitions HubSpot starts with.

mod table;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::account::EditError;
use crate::clock::Millis;
use crate::generate::rule::Fill;
use crate::generate::text::{moment_text, parse_moment, push_date};
use crate::object_type::ObjectType;

/// What a property's values are. Source: HubSpot, "Properties".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// `true` or `false`.
    Bool,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// An instant, ISO 8601 in UTC.
    #[serde(rename = "datetime")]
    DateTime,
    /// One or more internal option values.
    Enumeration,
    /// A decimal number.
    Number,
    /// Free text.
    String,
    /// A telephone number.
    PhoneNumber,
    /// A reference to another object.
    ObjectCoordinates,
    /// A JSON document as text.
    Json,
}

impl ValueType {
    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Enumeration => "enumeration",
            Self::Number => "number",
            Self::String => "string",
            Self::PhoneNumber => "phone_number",
            Self::ObjectCoordinates => "object_coordinates",
            Self::Json => "json",
        }
    }

    /// The type with a name used on the wire.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Bool,
            Self::Date,
            Self::DateTime,
            Self::Enumeration,
            Self::Number,
            Self::String,
            Self::PhoneNumber,
            Self::ObjectCoordinates,
            Self::Json,
        ]
        .into_iter()
        .find(|value_type| value_type.as_str() == name)
    }
}

/// One allowed value of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyOption {
    /// What people see.
    pub label: String,
    /// What records hold.
    pub value: String,
    /// Not offered to people.
    #[serde(default)]
    pub hidden: bool,
}

/// What a definition says besides its names; each is false unless the table sets its letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent field of HubSpot's definition")]
pub struct Flags {
    /// Values cannot be written through the API.
    pub read_only_value: bool,
    /// Not shown to people.
    pub hidden: bool,
    /// Computed by HubSpot.
    pub calculated: bool,
    /// Options are resolved elsewhere (owners, teams).
    pub external_options: bool,
    /// No two records share a value.
    pub has_unique_value: bool,
    /// May be used in forms.
    pub form_field: bool,
    /// Cannot be archived.
    pub permanent: bool,
    /// The definition may be edited.
    pub editable_definition: bool,
    /// Options cannot be edited.
    pub read_only_options: bool,
    /// Made by the portal, not by HubSpot.
    pub custom: bool,
    /// Shown with a currency symbol.
    pub money: bool,
}

/// The definition of one property.
#[derive(Debug, Clone)]
pub struct Property {
    /// Internal name, unique within the type.
    pub name: String,
    /// Name people see.
    pub label: String,
    /// Explanation people see; may be empty.
    pub description: String,
    /// What values are.
    pub value_type: ValueType,
    /// How values are edited, such as `select`.
    pub field_type: String,
    /// Group the property is listed under.
    pub group: String,
    /// Allowed values; empty when free or external.
    pub options: Vec<PropertyOption>,
    /// Type whose ids the values are, such as `OWNER`.
    pub referenced_type: Option<String>,
    /// Everything that is yes or no.
    pub flags: Flags,
    /// When it was taken out of use: hidden from lists, its values kept; `None` while in use.
    pub archived_at: Option<Millis>,
    /// How generated records are filled; `None` leaves them null.
    pub fill: Option<Fill>,
}

/// Position of a property in its catalogue; stable for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PropertyIndex(pub u16);

/// All definitions of one object type. Those that are gone lose their name but not their place, so indexes stay valid.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// In table order, then in order of creation.
    properties: Vec<Property>,
    /// Position by name.
    by_name: HashMap<String, PropertyIndex>,
    /// Positions of definitions that are gone for good: out of reach, as are the values records have at them.
    purged: BTreeSet<PropertyIndex>,
    /// Moves with every change, so that caches know.
    version: u64,
}

impl Catalogue {
    /// Reads the table of a type.
    ///
    /// # Errors
    /// Names the line that cannot be read. The tables are part of the program, so this is a programming mistake.
    pub fn load(object_type: &ObjectType) -> Result<Self> {
        let mut catalogue = Self::default();
        for property in table::read(object_type)? {
            catalogue.put(property);
        }
        Ok(catalogue)
    }

    /// Adds a definition, or replaces the one with the same name; returns where it is.
    pub fn put(&mut self, property: Property) -> PropertyIndex {
        self.version += 1;
        if let Some(&index) = self.by_name.get(&property.name) {
            self.properties[usize::from(index.0)] = property;
            return index;
        }
        let index = PropertyIndex(self.properties.len() as u16);
        self.by_name.insert(property.name.clone(), index);
        self.properties.push(property);
        index
    }

    /// Position of a name, archived definitions included.
    pub fn index_of(&self, name: &str) -> Option<PropertyIndex> {
        self.by_name.get(name).copied()
    }

    /// Position of a name that is in use.
    pub fn active(&self, name: &str) -> Option<PropertyIndex> {
        self.index_of(name).filter(|&index| !self.get(index).is_archived())
    }

    /// The definition at a position.
    pub fn get(&self, index: PropertyIndex) -> &Property {
        &self.properties[usize::from(index.0)]
    }

    /// Every definition with its position, in use or archived.
    pub fn iter(&self) -> impl Iterator<Item = (PropertyIndex, &Property)> {
        let positions = (0..self.properties.len()).map(|position| PropertyIndex(position as u16));
        positions.filter(|index| !self.purged.contains(index)).map(|index| (index, self.get(index)))
    }

    /// Removes a definition for good: its name is free, its values are gone. Source: HubSpot, "Properties".
    pub fn purge(&mut self, name: &str) {
        if let Some(index) = self.by_name.remove(name) {
            self.version += 1;
            self.purged.insert(index);
        }
    }

    /// Definitions that are gone for good.
    pub fn purged(&self) -> impl Iterator<Item = &Property> {
        self.purged.iter().map(|&index| self.get(index))
    }

    /// Whether the definition at a position is gone for good.
    pub fn is_purged(&self, index: PropertyIndex) -> bool {
        self.purged.contains(&index)
    }

    /// Moves with every change of a definition.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Gives values to properties that natural records leave null, until `extra_bytes` more are filled on average.
    ///
    /// Prefers what portals fill first: writable before read-only, visible before hidden.
    pub fn pad(&mut self, extra_bytes: usize) {
        let mut candidates: Vec<usize> = (0..self.properties.len())
            .filter(|&position| {
                self.properties[position].fill.is_none() && is_paddable(&self.properties[position])
            })
            .collect();
        candidates.sort_by_key(|&position| {
            let flags = self.properties[position].flags;
            (flags.hidden, flags.read_only_value, position)
        });
        let mut filled = 0;
        for position in candidates {
            if filled >= extra_bytes {
                return;
            }
            let property = &mut self.properties[position];
            property.fill = Some(Fill::padding(property));
            filled += property.name.len() + property.fill.as_ref().map_or(0, Fill::padding_bytes);
        }
        self.pad_with_text(extra_bytes.saturating_sub(filled));
    }

    /// Puts what padding could not place into one long text, spread over the text areas.
    fn pad_with_text(&mut self, bytes: usize) {
        let mut areas: Vec<&mut Property> =
            self.properties.iter_mut().filter(|property| property.field_type == "textarea").collect();
        let share = bytes / areas.len().max(1);
        if share > 0 {
            for property in &mut areas {
                property.fill = Some(Fill::long_text(property, share));
            }
        }
    }
}

/// Whether padding may invent values: not for references, merge bookkeeping and what generated facts would contradict.
fn is_paddable(property: &Property) -> bool {
    const NEVER: [&str; 5] = [
        "hs_merged_object_ids",
        "hs_calculated_merged_vids",
        "hs_additional_emails",
        "hs_lastmodifieddate",
        "hs_createdate",
    ];
    !property.flags.external_options
        && property.referenced_type.is_none()
        && !NEVER.contains(&property.name.as_str())
        && !property.name.starts_with("hs_all_")
        && !property.name.contains("_date_entered_")
        && !property.name.contains("_date_exited_")
        && property.value_type != ValueType::ObjectCoordinates
        && (property.value_type != ValueType::Enumeration || !property.options.is_empty())
}

impl Property {
    /// Taken out of use.
    pub const fn is_archived(&self) -> bool {
        self.archived_at.is_some()
    }

    /// Brings a value into the form HubSpot stores and shows: times in ISO 8601, addresses in lower case.
    ///
    /// # Errors
    /// A value that is not one of the property's type.
    pub fn stored_form(&self, text: &str) -> Result<Box<str>, EditError> {
        let bad = || EditError::BadValue { property: self.name.clone(), value: text.to_owned() };
        let stored = match self.value_type {
            ValueType::DateTime => moment_text(parse_moment(text).ok_or_else(bad)?),
            ValueType::Date => {
                let mut day = Vec::with_capacity(10);
                push_date(&mut day, parse_moment(text).ok_or_else(bad)?);
                String::from_utf8_lossy(&day).into_owned()
            }
            ValueType::Number => text.parse::<f64>().map(|_| text.to_owned()).map_err(|_| bad())?,
            _ if self.name == "email" => text.to_lowercase(),
            _ => text.to_owned(),
        };
        Ok(stored.into_boxed_str())
    }

    /// Whether two definitions say the same, however their values are generated.
    pub fn defines_the_same_as(&self, other: &Self) -> bool {
        let facts = |property: &Self| {
            (
                property.name.clone(),
                property.label.clone(),
                property.description.clone(),
                property.value_type,
                property.field_type.clone(),
                property.group.clone(),
                property.flags,
                property.archived_at,
            )
        };
        facts(self) == facts(other) && self.options == other.options
    }

    /// The internal values of the options, shared so that generators can hold them.
    pub fn option_values(&self) -> Arc<[Box<str>]> {
        self.options.iter().map(|option| option.value.clone().into_boxed_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object_type::{Kind, STANDARD};

    #[test]
    fn every_table_loads_with_its_full_number_of_properties() {
        let sizes: Vec<usize> = STANDARD
            .iter()
            .map(|object_type| Catalogue::load(object_type).unwrap().properties.len())
            .collect();
        assert_eq!(sizes[..4], [364 + 6, 267 + 4, 207 + 5, 77]);
        assert!(sizes.iter().all(|&size| size > 8));
    }

    #[test]
    fn default_and_searchable_properties_exist_and_defaults_are_sorted() {
        for object_type in STANDARD.iter() {
            let catalogue = Catalogue::load(object_type).unwrap();
            for name in object_type
                .default_properties
                .iter()
                .copied()
                .chain(object_type.searchable.iter().map(String::as_str))
            {
                assert!(catalogue.active(name).is_some(), "{} has no {name}", object_type.plural);
            }
            assert!(object_type.default_properties.is_sorted());
        }
    }

    #[test]
    fn an_enumeration_without_external_options_lists_its_options() {
        let catalogue = Catalogue::load(STANDARD.of(Kind::CONTACT)).unwrap();
        let stages = catalogue.get(catalogue.active("lifecyclestage").unwrap());
        assert_eq!(stages.options[0].value, "subscriber");
        assert_eq!(stages.options.len(), 8);
    }
}
