//! Filling a typed column from the JSON the rows already hold.
//!
//! A row of `column_fills` marks a column that is not complete. It is written before the column is added or changed
//! and deleted with the last batch, so neither a crash nor a second process makes an incomplete column look
//! complete. Filling changes rows only; it needs no right to change tables.
//!
//! Only who holds the lease fills, and before it writes pages: a run that knew the table without the column cannot
//! be under way then, so no row behind [`filled_to`](ColumnFill::resume) is written without its value.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sqlx::{FromRow, MySql, MySqlConnection, QueryBuilder};

use super::mirror_schema::TypedColumn;
use super::quarantine::{Misfit, record_misfits};
use super::{Database, Lease, StorageError};
use crate::clock;
use crate::model::{ColumnType, ObjectId, ObjectType};

/// Rows a transaction of the fill looks at.
const BATCH: u32 = 500;
/// The same for long texts, of which 500 could take more memory than the daemon should.
const BATCH_OF_LONG_TEXTS: u32 = 50;
/// Most bytes of values in a statement, far below the smallest usual `max_allowed_packet` (16 MiB).
const STATEMENT_BYTES: usize = 4 * 1024 * 1024;

/// Marks the column as holding nothing yet.
///
/// # Errors
/// When the database cannot be written.
pub(super) async fn mark(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    column: &str,
) -> Result<(), StorageError> {
    let sql = "INSERT INTO column_fills (object_type, column_name) VALUES (?, ?) \
               ON DUPLICATE KEY UPDATE filled_to = 0";
    let query = sqlx::query(sql).bind(object_type.name).bind(column);
    query
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(StorageError::query(format!("mark the column `{column}` of {}", object_type.table)))
}

/// Takes the mark away.
///
/// # Errors
/// When the database cannot be written.
pub(super) async fn unmark(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    column: &str,
) -> Result<(), StorageError> {
    let sql = "DELETE FROM column_fills WHERE object_type = ? AND column_name = ?";
    let query = sqlx::query(sql).bind(object_type.name).bind(column);
    query
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(StorageError::query(format!("unmark the column `{column}` of {}", object_type.table)))
}

/// The marked columns of the type, each with the local key it is filled up to. One that could not be added is among
/// them.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn marked(
    database: &Database,
    object_type: &ObjectType,
) -> Result<BTreeMap<String, i64>, StorageError> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT column_name, filled_to FROM column_fills WHERE object_type = ?")
            .bind(object_type.name)
            .fetch_all(database.pool())
            .await
            .map_err(StorageError::query("read which columns are to be filled"))?;
    Ok(rows.into_iter().collect())
}

/// A column being filled, in the order of local keys.
pub(super) struct ColumnFill<'a> {
    object_type: &'a ObjectType,
    column: &'a TypedColumn,
    /// Local key of the last row looked at, 0 before the first.
    filled_to: i64,
    /// Rows that got a value.
    filled: u64,
}

/// What the fill looks at in a row.
#[derive(FromRow)]
struct Candidate {
    /// Local key.
    id: i64,
    /// Id in HubSpot.
    hubspot_id: Option<i64>,
    /// The property's value in the JSON.
    value: Option<String>,
    /// Whether the column holds a value, which may be of an earlier time.
    is_held: bool,
}

/// What the column of a row is to become: the local key and the value.
type Assignment<'r> = (i64, Option<Cow<'r, str>>);

impl<'a> ColumnFill<'a> {
    /// A fill that goes on behind the row with the local key `filled_to`.
    pub(super) fn resume(object_type: &'a ObjectType, column: &'a TypedColumn, filled_to: i64) -> Self {
        Self { object_type, column, filled_to, filled: 0 }
    }

    /// Rows that got a value so far.
    pub(super) fn filled(&self) -> u64 {
        self.filled
    }

    /// Gives the next rows the value their JSON has, in one transaction with the progress. Returns whether there may
    /// be more; when there are not, the column is complete.
    ///
    /// # Errors
    /// When the database refuses it, or another process has the lease. Nothing of the batch is stored then.
    pub(super) async fn next_batch(
        &mut self,
        database: &Database,
        lease: &Lease,
    ) -> Result<bool, StorageError> {
        let mut transaction = lease.begin(database).await?;
        if self.filled_to == 0 {
            self.forget_misfits(&mut transaction).await?;
        }
        let rows = self.read(&mut transaction).await?;
        let (assignments, misfits) = convert(self.column, &rows);
        let value_bytes = |(_, value): &Assignment<'_>| value.as_ref().map_or(0, |value| value.len());
        for part in parts(&assignments, value_bytes) {
            let mut update = self.update(part);
            let query = update.build().persistent(false);
            query.execute(&mut *transaction).await.map_err(self.failed())?;
        }
        for part in parts(&misfits, |misfit| misfit.raw.len()) {
            record_misfits(&mut transaction, self.object_type, part, clock::now()).await?;
        }
        let last = rows.last().filter(|_| rows.len() == self.batch() as usize).map(|row| row.id);
        match last {
            Some(last) => self.record_progress(&mut transaction, last).await?,
            None => unmark(&mut transaction, self.object_type, &self.column.name).await?,
        }
        transaction.commit().await?;
        self.filled_to = last.unwrap_or(self.filled_to);
        self.filled += assignments.iter().filter(|(_, value)| value.is_some()).count() as u64;
        Ok(last.is_some())
    }

    /// Rows a batch takes.
    fn batch(&self) -> u32 {
        if self.column.column_type == ColumnType::LongText { BATCH_OF_LONG_TEXTS } else { BATCH }
    }

    /// Wraps a driver error.
    fn failed(&self) -> impl FnOnce(sqlx::Error) -> StorageError {
        let (column, table) = (&self.column.name, self.object_type.table);
        StorageError::query(format!("fill the column `{column}` of {table}"))
    }

    /// Reads and locks the next rows.
    async fn read(&self, connection: &mut MySqlConnection) -> Result<Vec<Candidate>, StorageError> {
        let sql = format!(
            "SELECT id, hubspot_id, JSON_VALUE(properties_json, ?) AS value, `{}` IS NOT NULL AS is_held \
             FROM {} WHERE id > ? ORDER BY id LIMIT ? FOR UPDATE",
            self.column.name, self.object_type.table
        );
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(format!("$.\"{}\"", self.column.name))
            .bind(self.filled_to)
            .bind(self.batch())
            .fetch_all(connection)
            .await
            .map_err(self.failed())
    }

    /// One statement that sets the column of the given rows. `last_synced_at`, `updated_at` and the content hash
    /// stay: the content did not change.
    fn update(&self, assignments: &[Assignment<'_>]) -> QueryBuilder<MySql> {
        let mut query = QueryBuilder::new(format!("UPDATE {} AS mirror JOIN (", self.object_type.table));
        for (index, (id, value)) in assignments.iter().enumerate() {
            query.push(if index == 0 { "SELECT " } else { " UNION ALL SELECT " });
            query.push_bind(*id).push(if index == 0 { " AS id, " } else { ", " });
            query.push_bind(value.clone().map(Cow::into_owned));
            query.push(if index == 0 { " AS value" } else { "" });
        }
        query.push(format!(
            ") AS filled ON filled.id = mirror.id \
             SET mirror.`{}` = filled.value, mirror.updated_at = mirror.updated_at",
            self.column.name
        ));
        query
    }

    /// Remembers where the next batch begins.
    async fn record_progress(&self, connection: &mut MySqlConnection, last: i64) -> Result<(), StorageError> {
        let sql = "UPDATE column_fills SET filled_to = ? WHERE object_type = ? AND column_name = ?";
        let query = sqlx::query(sql).bind(last).bind(self.object_type.name).bind(&self.column.name);
        query.execute(connection).await.map(|_| ()).map_err(self.failed())
    }

    /// Drops what was recorded of values that did not fit: the column may have another type now.
    async fn forget_misfits(&self, connection: &mut MySqlConnection) -> Result<(), StorageError> {
        let sql = "DELETE FROM quarantine WHERE object_type = ? AND property = ?";
        let query = sqlx::query(sql).bind(self.object_type.name).bind(&self.column.name);
        query.execute(connection).await.map(|_| ()).map_err(self.failed())
    }
}

/// Sorts the candidates into what the column becomes and values that do not fit it. A row whose column is empty and
/// stays so is left alone.
fn convert<'r>(column: &TypedColumn, rows: &'r [Candidate]) -> (Vec<Assignment<'r>>, Vec<Misfit>) {
    let mut assignments = Vec::with_capacity(rows.len());
    let mut misfits = Vec::new();
    for row in rows {
        let text = row.value.as_deref().unwrap_or_default();
        let value = column.column_type.convert(text).unwrap_or_else(|reason| {
            misfits.push(Misfit {
                id: ObjectId(row.hubspot_id.unwrap_or_default()),
                property: column.name.clone(),
                raw: text.to_owned(),
                reason,
            });
            None
        });
        if value.is_some() || row.is_held {
            assignments.push((row.id, value));
        }
    }
    (assignments, misfits)
}

/// Cuts `items` into parts of at most [`STATEMENT_BYTES`]; a larger item is a part of its own.
fn parts<T>(items: &[T], bytes: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut parts = Vec::new();
    let mut rest = items;
    while !rest.is_empty() {
        let mut total = 0;
        let fitting = rest.iter().take_while(|item| {
            total += bytes(item);
            total <= STATEMENT_BYTES
        });
        let (part, behind) = rest.split_at(fitting.count().max(1));
        parts.push(part);
        rest = behind;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_stay_below_their_size_and_lose_nothing() {
        let sizes = [1, STATEMENT_BYTES, STATEMENT_BYTES + 1, 2, 3, STATEMENT_BYTES - 5, 1];
        let parts = parts(&sizes, |size| *size);
        assert_eq!(parts.concat(), sizes);
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [1, 1, 1, 3, 1]);
    }
}
