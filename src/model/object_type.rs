//! Object types are data: one descriptor drives every lane, table and page. A new standard type is a new entry
//! in [`OBJECT_TYPES`] and nothing else.

use std::fmt;

/// A kind of CRM record and how it is mirrored.
#[derive(Debug, PartialEq, Eq)]
pub struct ObjectType {
    /// Plural name, in paths, in `sync_state.object_type` and in the configuration.
    pub name: &'static str,
    /// Singular name, for sentences.
    pub singular: &'static str,
    /// HubSpot's type id.
    pub type_id: &'static str,
    /// The table that mirrors it.
    pub table: &'static str,
    /// The property searches for changes filter on. Contacts answer a filter on `hs_lastmodifieddate` with nothing
    /// and no error.
    pub last_modified_property: &'static str,
    /// Whether its records move through pipelines.
    pub has_pipelines: bool,
    /// Typed columns every installation gets: what people filter and join on.
    pub columns: &'static [ColumnDef],
}

impl fmt::Display for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl ObjectType {
    /// The descriptor of a type by its configured name, `None` when it is not known.
    pub fn named(name: &str) -> Option<&'static Self> {
        OBJECT_TYPES.iter().find(|object_type| object_type.name == name || object_type.type_id == name)
    }

    /// Whether its records can be erased at a person's request; they then vanish at once instead of lying in the
    /// recycle bin. Source: HubSpot, "Contacts".
    pub fn has_privacy_delete(&self) -> bool {
        self.type_id == "0-1"
    }
}

/// A typed column that mirrors the property of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnDef {
    /// Property and column name.
    pub name: &'static str,
    /// Its type in the table.
    pub column_type: ColumnType,
    /// Whether it gets an index of its own.
    pub indexed: bool,
}

/// The SQL type of a typed column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// Up to 255 characters; indexable as a whole.
    Text,
    /// Up to 65,535 bytes.
    LongText,
    /// A record or owner id.
    Id,
    /// Exact decimal, 26 digits before and 12 after the point.
    Number,
    /// `true` or `false`.
    Bool,
    /// A calendar date.
    Date,
    /// An instant, UTC, milliseconds.
    DateTime,
}

/// A typed column without an index.
const fn plain(name: &'static str, column_type: ColumnType) -> ColumnDef {
    ColumnDef { name, column_type, indexed: false }
}

/// A typed column with an index.
const fn indexed(name: &'static str, column_type: ColumnType) -> ColumnDef {
    ColumnDef { name, column_type, indexed: true }
}

/// Every object type the daemon can mirror, in the order their runs are staggered.
/// Source of names, ids and property names: HubSpot, "Understanding the CRM" and its default property catalogue.
pub static OBJECT_TYPES: &[ObjectType] = &[
    ObjectType {
        name: "contacts",
        singular: "contact",
        type_id: "0-1",
        table: "hubspot_contacts",
        last_modified_property: "lastmodifieddate",
        has_pipelines: false,
        columns: &[
            indexed("email", ColumnType::Text),
            plain("firstname", ColumnType::Text),
            indexed("lastname", ColumnType::Text),
            plain("phone", ColumnType::Text),
            plain("mobilephone", ColumnType::Text),
            plain("company", ColumnType::Text),
            plain("jobtitle", ColumnType::Text),
            plain("city", ColumnType::Text),
            plain("state", ColumnType::Text),
            plain("country", ColumnType::Text),
            plain("lifecyclestage", ColumnType::Text),
            plain("hs_lead_status", ColumnType::Text),
            indexed("hubspot_owner_id", ColumnType::Id),
            indexed("associatedcompanyid", ColumnType::Id),
            plain("createdate", ColumnType::DateTime),
            plain("lastmodifieddate", ColumnType::DateTime),
        ],
    },
    ObjectType {
        name: "companies",
        singular: "company",
        type_id: "0-2",
        table: "hubspot_companies",
        last_modified_property: "hs_lastmodifieddate",
        has_pipelines: false,
        columns: &[
            indexed("name", ColumnType::Text),
            indexed("domain", ColumnType::Text),
            plain("phone", ColumnType::Text),
            plain("industry", ColumnType::Text),
            plain("type", ColumnType::Text),
            plain("city", ColumnType::Text),
            plain("state", ColumnType::Text),
            plain("country", ColumnType::Text),
            plain("numberofemployees", ColumnType::Number),
            plain("annualrevenue", ColumnType::Number),
            plain("lifecyclestage", ColumnType::Text),
            indexed("hubspot_owner_id", ColumnType::Id),
            plain("createdate", ColumnType::DateTime),
            plain("hs_lastmodifieddate", ColumnType::DateTime),
        ],
    },
    ObjectType {
        name: "deals",
        singular: "deal",
        type_id: "0-3",
        table: "hubspot_deals",
        last_modified_property: "hs_lastmodifieddate",
        has_pipelines: true,
        columns: &[
            plain("dealname", ColumnType::Text),
            plain("amount", ColumnType::Number),
            plain("deal_currency_code", ColumnType::Text),
            indexed("pipeline", ColumnType::Text),
            indexed("dealstage", ColumnType::Text),
            plain("dealtype", ColumnType::Text),
            indexed("closedate", ColumnType::DateTime),
            indexed("hubspot_owner_id", ColumnType::Id),
            plain("hs_is_closed", ColumnType::Bool),
            plain("hs_is_closed_won", ColumnType::Bool),
            plain("createdate", ColumnType::DateTime),
            plain("hs_lastmodifieddate", ColumnType::DateTime),
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn descriptors_are_unambiguous() {
        let mut seen = HashSet::new();
        for object_type in OBJECT_TYPES {
            for key in [object_type.name, object_type.type_id, object_type.table] {
                assert!(seen.insert(key), "{key} names two object types");
            }
            let columns: HashSet<_> = object_type.columns.iter().map(|column| column.name).collect();
            assert_eq!(columns.len(), object_type.columns.len(), "{object_type} names a column twice");
            assert!(columns.contains(object_type.last_modified_property));
        }
    }

    #[test]
    fn a_type_is_found_by_name_and_by_type_id() {
        assert_eq!(ObjectType::named("deals"), ObjectType::named("0-3"));
        assert_eq!(ObjectType::named("unicorns"), None);
    }
}
