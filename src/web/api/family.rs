//! What records of a type have beside their properties: fields with names of their own.

use crate::model::ObjectType;

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
};

/// Companies.
pub(super) static COMPANIES: Family =
    Family { schema: "Company", fields: fields!["name", "domain", "industry", "phone", "city", "country"] };

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
};

/// Every other type.
pub(super) static OTHERS: Family = Family { schema: "Record", fields: &[] };

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

    /// What the property is called in JSON.
    pub(super) fn name_of<'n>(&self, property: &'n str) -> &'n str {
        self.fields.iter().find(|field| field.property == property).map_or(property, |field| field.name)
    }
}
