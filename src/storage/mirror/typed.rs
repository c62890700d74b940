//! Whether the typed columns of rows are what their JSON says: for an audit that compares everything.

use std::borrow::Cow;
use std::collections::BTreeSet;

use sqlx::{MySql, QueryBuilder};

use super::{ComparedRow, MirrorTable};
use crate::model::{ColumnType, ObjectId};
use crate::storage::mirror_schema::TypedColumn;
use crate::storage::{Database, StorageError};

/// Most bytes of JSON behind the rows of a statement, far below the smallest usual `max_allowed_packet` (16 MiB).
const STATEMENT_BYTES: usize = 4 * 1024 * 1024;

/// Which of the rows have a typed column that is not what their JSON says. A value that does not fit its column is
/// expected to be NULL there. A row that was written since it was read is left out.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn rows_that_disagree(
    database: &Database,
    table: &MirrorTable,
    rows: &[ComparedRow],
) -> Result<BTreeSet<ObjectId>, StorageError> {
    let mut found = BTreeSet::new();
    let mut rest = rows;
    while !rest.is_empty() && !table.columns.is_empty() {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|row| {
            bytes += row.properties.as_ref().map_or(0, |properties| properties.as_json().len());
            bytes <= STATEMENT_BYTES
        });
        let chunk;
        (chunk, rest) = rest.split_at(fitting.count().max(1));
        let mut question = question(table, chunk);
        let ids: Result<Vec<i64>, _> =
            question.build_query_scalar().persistent(false).fetch_all(database.pool()).await;
        let failed = StorageError::query(format!("compare the columns of {}", table.object_type.table));
        found.extend(ids.map_err(failed)?.into_iter().map(ObjectId));
    }
    Ok(found)
}

/// Asks for the ids of the rows whose columns differ from what is expected of them.
fn question(table: &MirrorTable, rows: &[ComparedRow]) -> QueryBuilder<MySql> {
    let columns = &table.columns;
    let mut query = QueryBuilder::new("SELECT mirror.hubspot_id FROM (");
    for (index, row) in rows.iter().enumerate() {
        // The first row names the columns of the list.
        let name = |name: String| if index == 0 { format!(" AS {name}") } else { String::new() };
        query.push(if index == 0 { "SELECT " } else { " UNION ALL SELECT " });
        query.push_bind(row.id.0).push(name("id".to_owned()));
        query.push(", ").push_bind(row.synced_at).push(name("synced_at".to_owned()));
        for (position, column) in columns.iter().enumerate() {
            query.push(", ").push_bind(expected(row, column)).push(name(format!("value_{position}")));
        }
    }
    let table = table.object_type.table;
    query.push(format!(
        ") AS expected JOIN {table} AS mirror ON mirror.hubspot_id = expected.id \
         AND mirror.last_synced_at <=> expected.synced_at WHERE mirror.sync_status = 'synced' AND NOT ("
    ));
    let comparisons: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(position, column)| column.column_type.equality(&column.name, position))
        .collect();
    query.push(comparisons.join(" AND ")).push(")");
    query
}

/// The text the column should have been given; `None` for NULL.
fn expected(row: &ComparedRow, column: &TypedColumn) -> Option<String> {
    let value = row.properties.as_ref()?.get(&column.name)?;
    column.column_type.convert(&value).ok().flatten().map(Cow::into_owned)
}

impl ColumnType {
    /// The condition that the column is what was expected, as this type stores it. Texts have to be equal to the byte.
    fn equality(self, name: &str, position: usize) -> String {
        let (column, value) = (format!("mirror.`{name}`"), format!("expected.value_{position}"));
        let stored_as = match self {
            Self::Text | Self::LongText => {
                return format!("CAST({column} AS BINARY) <=> CAST({value} AS BINARY)");
            }
            Self::Id | Self::Bool => "SIGNED",
            Self::Number => "DECIMAL(38,12)",
            Self::Date => "DATE",
            Self::DateTime => "DATETIME(3)",
        };
        format!("{column} <=> CAST({value} AS {stored_as})")
    }
}
