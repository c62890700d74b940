//! Orders that an index gives, and places in them.

use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row};

use crate::model::ColumnType;
use crate::storage::mirror::MirrorTable;

/// The order of rows: by a column, then by what its index holds beside it, up to the local key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowOrder {
    columns: Vec<(String, ColumnType)>,
    index: String,
    descending: bool,
}

/// A place in an order: the values of a row in the columns of the order, as texts. An index holds whole values of 255
/// characters at most, so a place is never long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPlace(pub Vec<Option<String>>);

/// The columns of the table by which its rows can be ordered: those with an index of their values.
pub fn ordering_columns(table: &MirrorTable) -> Vec<&str> {
    let is_whole = |name: &&str| table.indexes.get(*name).is_some_and(|index| index.is_whole);
    let fixed = ["id", "hubspot_id", "hubspot_updated_at"];
    fixed.into_iter().chain(table.column_names().filter(is_whole)).collect()
}

impl RowOrder {
    /// By the local key.
    pub fn by_key(descending: bool) -> Self {
        Self { columns: vec![key()], index: "PRIMARY".to_owned(), descending }
    }

    /// By a column; `None` when it is none of [`ordering_columns`].
    pub fn new(table: &MirrorTable, column: &str, descending: bool) -> Option<Self> {
        let name = table.object_type.table;
        let id = || ("hubspot_id".to_owned(), ColumnType::Id);
        let (columns, index) = match column {
            "id" => return Some(Self::by_key(descending)),
            "hubspot_id" => (vec![id(), key()], format!("{name}_by_hubspot_id")),
            "hubspot_updated_at" => {
                (vec![(column.to_owned(), ColumnType::DateTime), id(), key()], format!("{name}_by_update"))
            }
            _ => {
                let typed = table.columns.iter().find(|typed| typed.name == column)?;
                let index = table.indexes.get(column).filter(|index| index.is_whole)?;
                (vec![(typed.name.clone(), typed.column_type), key()], index.name.clone())
            }
        };
        Some(Self { columns, index, descending })
    }

    /// The index that gives it.
    pub(super) fn index(&self) -> &str {
        &self.index
    }

    /// Whether an index gives it only among records that are deleted, or among those that are not: else all of them would
    /// be sorted. The unique index of ids does not say how rows without one follow each other.
    pub fn needs_archived(&self) -> bool {
        self.is_by("hubspot_id")
    }

    /// Whether it is by this column.
    pub(super) fn is_by(&self, column: &str) -> bool {
        self.columns[0].0 == column
    }

    /// Whether a place may be one of this order.
    pub fn has(&self, RowPlace(values): &RowPlace) -> bool {
        let key = values.last().and_then(Option::as_deref);
        values.len() == self.columns.len() && key.is_some_and(|key| key.parse::<i64>().is_ok())
    }

    /// The clause that puts rows between two places in this order, as far as the places are known. Columns that are NULL in
    /// all of these rows are left out: MariaDB would sort the rows for them, although the index has them in order.
    pub(super) fn order_by(&self, start: Option<&RowPlace>, end: Option<&RowPlace>) -> String {
        let direction = if self.descending { "DESC" } else { "ASC" };
        let nearest_to_null = if self.descending { start } else { end };
        let values = nearest_to_null.map_or(&[][..], |RowPlace(values)| values);
        let settled = values.iter().take_while(|value| value.is_none()).count();
        let columns: Vec<_> =
            self.columns.iter().skip(settled).map(|(name, _)| format!("`{name}` {direction}")).collect();
        format!(" ORDER BY {}", columns.join(", "))
    }

    /// What has to be read of a row to know its place.
    pub(super) fn places(&self) -> String {
        let place =
            |(number, (name, _)): (usize, &(String, _))| format!("CAST(`{name}` AS CHAR) AS place_{number}");
        self.columns.iter().enumerate().map(place).collect::<Vec<_>>().join(", ")
    }

    /// The place of a row.
    ///
    /// # Errors
    /// When it was not read.
    pub(super) fn place(&self, row: &MySqlRow) -> Result<RowPlace, sqlx::Error> {
        let value = |number| row.try_get(format!("place_{number}").as_str());
        (0..self.columns.len()).map(value).collect::<Result<_, _>>().map(RowPlace)
    }

    /// Adds the condition that a row comes behind the place.
    pub(super) fn push_behind(&self, query: &mut QueryBuilder<MySql>, place: &RowPlace) {
        let side = Side { greater: !self.descending, inclusive: false };
        side.push(query, &self.columns, &place.0);
    }

    /// Adds the condition that a row comes before the place or is there.
    pub(super) fn push_up_to(&self, query: &mut QueryBuilder<MySql>, place: &RowPlace) {
        let side = Side { greater: self.descending, inclusive: true };
        side.push(query, &self.columns, &place.0);
    }
}

/// The local key as the last column of an order.
fn key() -> (String, ColumnType) {
    ("id".to_owned(), ColumnType::Id)
}

/// One side of a place.
#[derive(Debug, Clone, Copy)]
struct Side {
    /// Whether it is that of larger values.
    greater: bool,
    /// Whether the place itself belongs to it.
    inclusive: bool,
}

impl Side {
    /// Adds the condition that a row is on this side of the values. NULL comes before all values.
    fn push(
        self,
        query: &mut QueryBuilder<MySql>,
        columns: &[(String, ColumnType)],
        values: &[Option<String>],
    ) {
        let (Some(((column, column_type), rest)), Some((value, values))) =
            (columns.split_first(), values.split_first())
        else {
            return;
        };
        let beyond = if self.greater { ">" } else { "<" };
        let (before, after) = bound_as(*column_type);
        if rest.is_empty() {
            // The local key, which is never NULL. Said so plainly, it bounds the range also among equal values.
            let or_there = if self.inclusive { "=" } else { "" };
            query
                .push(format!("`{column}` {beyond}{or_there} {before}"))
                .push_bind(value.clone())
                .push(after);
            return;
        }
        query.push("(");
        if let Some(value) = value {
            query.push(format!("`{column}` {beyond} {before}")).push_bind(value.clone()).push(after);
            query.push(if self.greater { String::new() } else { format!(" OR `{column}` IS NULL") });
            query.push(format!(" OR (`{column}` = {before}")).push_bind(value.clone()).push(after);
        } else {
            query.push(if self.greater { format!("`{column}` IS NOT NULL") } else { "FALSE".to_owned() });
            query.push(format!(" OR (`{column}` IS NULL"));
        }
        query.push(" AND ");
        self.push(query, rest, values);
        query.push("))");
    }
}

/// What stands around a bound text that is compared with a column of this type. Without it a number would be compared as
/// a floating one, and a day as a time.
fn bound_as(column_type: ColumnType) -> (&'static str, &'static str) {
    match column_type {
        ColumnType::Text | ColumnType::LongText => ("", ""),
        ColumnType::Id | ColumnType::Bool => ("CAST(", " AS SIGNED)"),
        ColumnType::Number => ("CAST(", " AS DECIMAL(38,12))"),
        ColumnType::Date => ("CAST(", " AS DATE)"),
        ColumnType::DateTime => ("CAST(", " AS DATETIME(3))"),
    }
}
