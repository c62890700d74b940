//! What records of a type have beside their properties: fields with names of their own, and where a search looks.

use crate::model::{ColumnType, ObjectType};

/// A field of records and the property behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// Its name in JSON.
    pub(super) name: &'static str,
    /// The property.
    pub(super) property: &'static str,
}

/// The fields of a type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// Name of its records in the OpenAPI document.
    pub(super) schema: &'static str,
    /// Fields, in the order they are shown.
    pub(super) fields: &'static [Field],
    /// Columns a search looks in; empty: the first texts of the type.
    search: &'static [&'static str],
}

/// Declares fields: `name = property`, or the name alone where they are the same.
macro_rules! fields {
    ($($name:literal $(= $property:literal)?),* $(,)?) => {
        &[$(Field { name: $name, property: fields!(@ $name $(, $property)?) }),*]
    };
    (@ $name:literal) => { $name };
    (@ $name:literal, $property:literal) => { $property };
}

/// Contacts.
pub(super) static CONTACTS: Family = Family {
    schema: "Contact",
    fields: fields!["email", "firstName" = "firstname", "lastName" = "lastname", "phone", "company"],
    search: &["email", "lastname", "firstname", "company", "phone"],
};

/// Companies.
pub(super) static COMPANIES: Family = Family {
    schema: "Company",
    fields: fields!["name", "domain", "industry", "phone", "city", "country"],
    search: &["name", "domain"],
};

/// Deals.
pub(super) static DEALS: Family = Family {
    schema: "Deal",
    fields: fields![
        "name" = "dealname",
        "amount",
        "pipeline",
        "stage" = "dealstage",
        "closeDate" = "closedate",
        "ownerId" = "hubspot_owner_id",
    ],
    search: &["dealname"],
};

/// Every other type.
pub(super) static OTHERS: Family = Family { schema: "Record", fields: &[], search: &[] };

/// Columns a search looks in where none are named.
const FEW: usize = 4;

impl Family {
    /// That of a type.
    pub(super) fn of(object_type: &ObjectType) -> &'static Self {
        match object_type.name {
            "contacts" => &CONTACTS,
            "companies" => &COMPANIES,
            "deals" => &DEALS,
            _ => &OTHERS,
        }
    }

    /// The field of that name.
    pub(super) fn field(&self, name: &str) -> Option<Field> {
        self.fields.iter().copied().find(|field| field.name == name)
    }

    /// Columns a search of the type looks in.
    pub(super) fn searched(&self, object_type: &ObjectType) -> Vec<&'static str> {
        if !self.search.is_empty() {
            return self.search.to_vec();
        }
        let is_text = |column_type| matches!(column_type, ColumnType::Text | ColumnType::LongText);
        let texts = object_type.columns.iter().filter(|column| is_text(column.column_type));
        texts.map(|column| column.name).take(FEW).collect()
    }
}
