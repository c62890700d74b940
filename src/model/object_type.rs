//! Object types are data: one descriptor drives every lane, table and page. A new standard type is a new row of
//! [`OBJECT_TYPES`] and nothing else; the descriptor of a custom object is made from its schema.

mod custom;
mod selected;
mod standard;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::custom::{CustomColumn, CustomType};
pub use self::selected::{CustomName, Selected};
pub use self::standard::OBJECT_TYPES;

/// A kind of CRM record and how it is mirrored.
#[derive(Debug, PartialEq, Eq)]
pub struct ObjectType {
    /// Plural name, in `sync_state.object_type` and in the configuration.
    pub name: &'static str,
    /// Singular name, in the names of what belongs to the type, such as `deal_pipelines`.
    pub singular: &'static str,
    /// HubSpot's type id.
    pub type_id: &'static str,
    /// HubSpot's name with the account's number in front, such as `p123_cars`; of a standard type its name.
    pub qualified_name: &'static str,
    /// What HubSpot's paths call it: the name or the type id.
    pub path: &'static str,
    /// The table that mirrors it.
    pub table: &'static str,
    /// The property searches for changes filter on. Contacts answer a filter on `hs_lastmodifieddate` with nothing
    /// and no error.
    pub last_modified_property: &'static str,
    /// Whether its records move through pipelines.
    pub has_pipelines: bool,
    /// Scopes of which a token needs one to read it; the first is the one to grant.
    pub scopes: &'static [&'static str],
    /// Typed columns every installation gets: what people filter and join on.
    pub columns: &'static [ColumnDef],
}

impl fmt::Display for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl ObjectType {
    /// The descriptor of a standard type by its name or type id, `None` when there is none.
    pub fn named(name: &str) -> Option<&'static Self> {
        OBJECT_TYPES.iter().find(|object_type| object_type.is_called(name))
    }

    /// Whether people may call it so: by its name, its type id or its fully qualified name in any case.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.type_id == name || self.qualified_name.eq_ignore_ascii_case(name)
    }

    /// The properties with the time of creation. Whoever makes a record may date the first one back, not the second.
    /// Source: observed.
    pub fn created_properties(&self) -> &'static [&'static str] {
        let has = |name: &str| self.columns.iter().any(|column| column.name == name);
        if has("createdate") { &["createdate", "hs_createdate"] } else { &["hs_createdate"] }
    }

    /// Scopes of which a token needs one to write it; the first is the one to grant. Those without `read` in their
    /// names serve both. Source: HubSpot, "Scopes".
    pub fn write_scopes(&self) -> Vec<String> {
        let of = |scope: &&str| match scope.strip_suffix(".read") {
            Some(stem) => Some(format!("{stem}.write")),
            None => (!scope.contains("read")).then(|| (*scope).to_owned()),
        };
        self.scopes.iter().filter_map(of).collect()
    }

    /// The properties that name the pipeline and the stage of its records; `None` when they move through none.
    /// Source: HubSpot, "Pipelines".
    pub fn stage_properties(&self) -> Option<(&'static str, &'static str)> {
        let names = if self.type_id == "0-3" {
            ("pipeline", "dealstage")
        } else {
            ("hs_pipeline", "hs_pipeline_stage")
        };
        self.has_pipelines.then_some(names)
    }

    /// Whether no two of its records share an e-mail address. Source: HubSpot, "Contacts".
    pub fn has_unique_email(&self) -> bool {
        self.type_id == "0-1"
    }

    /// The property that names its primary company, which is written as a link. Source: HubSpot, "Associate records".
    pub fn primary_company_property(&self) -> Option<&'static str> {
        (self.type_id == "0-1").then_some("associatedcompanyid")
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
    /// Whether a search of records looks in it. It has an index then.
    pub searched: bool,
}

/// The SQL type of a typed column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
