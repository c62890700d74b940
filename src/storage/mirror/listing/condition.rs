//! What rows have to meet, and the index that finds those that do.

use sqlx::{MySql, QueryBuilder};

use super::order::RowOrder;
use super::search::Search;
use crate::storage::mirror::{MirrorTable, RowStatus};

/// A condition.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condition<'f> {
    /// Every row meets it.
    None,
    /// No row meets it.
    Never,
    /// The row stands so to HubSpot.
    Status(RowStatus),
    /// The record counts as deleted, or does not.
    Archived(bool),
    /// The column has this value.
    Equals(&'static str, &'f str),
    /// The search finds the row.
    Search(Search<'f>),
}

impl<'f> Condition<'f> {
    /// Adds it.
    pub(super) fn push(&self, query: &mut QueryBuilder<MySql>) {
        match self {
            Self::None => query.push("TRUE"),
            Self::Never => query.push("FALSE"),
            Self::Status(status) => query.push("sync_status = ").push_bind(status.word()),
            Self::Archived(archived) => query.push(if *archived { "archived = 1" } else { "archived = 0" }),
            Self::Equals(column, value) => {
                query.push(format!("`{column}` = ")).push_bind((*value).to_owned())
            }
            Self::Search(search) => {
                search.push(query);
                query
            }
        };
    }

    /// The index that finds the rows which meet it.
    pub(super) fn index(&self, table: &MirrorTable) -> Option<String> {
        let name = table.object_type.table;
        match self {
            Self::None | Self::Never | Self::Search(_) => None,
            Self::Status(_) => Some(format!("{name}_by_sync_status")),
            Self::Archived(_) => Some(format!("{name}_by_archived")),
            Self::Equals(column, _) => table.indexes.get(*column).map(|index| index.name.clone()),
        }
    }

    /// Whether few rows may meet it. Nearly all rows are of records that are not deleted.
    pub(super) fn narrows(&self) -> bool {
        !matches!(self, Self::None | Self::Archived(false))
    }

    /// Whether the index that finds the rows finds them in this order.
    pub(super) fn orders(&self, order: &RowOrder) -> bool {
        match self {
            Self::None | Self::Never | Self::Search(_) => false,
            Self::Status(_) | Self::Equals(..) => order.is_by("id"),
            Self::Archived(_) => order.is_by("hubspot_id"),
        }
    }

    /// The search, if it is one.
    pub(super) fn search(&self) -> Option<&Search<'f>> {
        match self {
            Self::Search(search) => Some(search),
            _ => None,
        }
    }
}

/// Adds all of them, each with an `AND` in front.
pub(super) fn push_all(query: &mut QueryBuilder<MySql>, conditions: &[Condition<'_>]) {
    for condition in conditions {
        query.push(" AND ");
        condition.push(query);
    }
}
