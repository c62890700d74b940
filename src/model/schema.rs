//! What HubSpot says of a custom object type.

use super::Property;

/// The definition of a custom object type. Source: HubSpot, "Custom objects".
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// HubSpot's type id, such as `2-1234567`.
    pub type_id: String,
    /// The name with the account's number in front, such as `p123_cars`.
    pub fully_qualified_name: String,
    /// The name without it; HubSpot takes it nowhere as a type's name.
    pub name: String,
    /// What people call one record.
    pub singular_label: String,
    /// What people call several.
    pub plural_label: String,
    /// The properties that name a record, first the one that does so by itself.
    pub display_properties: Vec<String>,
    /// The properties every record has to have.
    pub required_properties: Vec<String>,
    /// Every property, in name order.
    pub properties: Vec<Property>,
}
