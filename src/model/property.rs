//! The property catalogue.

mod entry;

use chrono::{DateTime, Utc};
use serde_json::Value;

pub use entry::EntryError;

/// One property definition of an object type, from HubSpot's catalogue.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags, as HubSpot defines them")]
pub struct Property {
    /// Internal name, the key in records.
    pub name: String,
    /// What people see.
    pub label: String,
    /// `bool`, `date`, `datetime`, `enumeration`, `number`, `string`, `phone_number`, `object_coordinates`, `json`,
    /// or whatever HubSpot adds next.
    pub data_type: String,
    /// The form field: `text`, `textarea`, `select`, `checkbox` (several values), `calculation_equation`, …
    pub field_type: String,
    /// The group it is shown in.
    pub group_name: String,
    /// HubSpot's explanation, often empty.
    pub description: String,
    /// HubSpot computes it.
    pub calculated: bool,
    /// `modificationMetadata.readOnlyValue`: nobody can write it. The test for writability, because roll-ups and
    /// stage timers come with `calculated: false`.
    pub read_only: bool,
    /// No two records may share a value.
    pub has_unique_value: bool,
    /// Hidden in HubSpot's pages.
    pub hidden: bool,
    /// Defined by HubSpot rather than by the account.
    pub hubspot_defined: bool,
    /// The options of an enumeration as HubSpot sent them: a JSON list, empty otherwise.
    pub options: Value,
    /// When the definition last changed, where HubSpot says so.
    pub updated_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
impl Property {
    /// A property of HubSpot's own with that type of data, which may be written and has no options.
    pub(crate) fn named(name: &str, data_type: &str) -> Self {
        Self {
            name: name.to_owned(),
            label: String::new(),
            data_type: data_type.to_owned(),
            field_type: "text".to_owned(),
            group_name: String::new(),
            description: String::new(),
            calculated: false,
            read_only: false,
            has_unique_value: false,
            hidden: false,
            hubspot_defined: true,
            options: Value::Array(Vec::new()),
            updated_at: None,
        }
    }
}
