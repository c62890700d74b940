//! Writing rows: many to a statement, and alone where one of them is refused.

use chrono::{DateTime, Utc};
use sqlx::error::BoxDynError;
use sqlx::mysql::MySqlArguments;
use sqlx::{Arguments, MySqlConnection};

use super::{Incoming, MirrorTable};
use crate::model::RejectedRecord;
use crate::storage::mirror_schema::TypedColumn;
use crate::storage::quarantine::{self, Misfit};
use crate::storage::{StorageError, StorageErrorKind};

/// Rows a statement writes, largest first. A fixed set keeps the prepared statements few, whatever the page holds.
const CHUNKS: [usize; 5] = [200, 100, 25, 5, 1];
/// Most placeholders of a prepared statement. Source: MariaDB, "COM_STMT_PREPARE": their count has 16 bits.
const PLACEHOLDERS: usize = 65_535;
/// Most bytes of JSON in a statement, far below the smallest usual `max_allowed_packet` (16 MiB).
const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// Largest row: twice that, and a statement would not fit the usual `max_allowed_packet`, which breaks the connection
/// instead of blaming the row.
const ROW_BYTES: usize = 7 * 1024 * 1024;
/// Room a value other than the JSON usually takes in a statement; only speed depends on it.
const USUAL_VALUE_BYTES: usize = 24;

/// Columns besides the typed ones, in the order they are bound.
const CORE_COLUMNS: &[&str] = &[
    "id",
    "hubspot_id",
    "properties_json",
    "hubspot_created_at",
    "hubspot_updated_at",
    "archived",
    "archived_at",
    "content_hash",
    "last_synced_at",
];

/// The statements that write a fixed number of rows.
#[derive(Debug, Clone)]
pub(super) struct Upsert {
    rows: usize,
    /// Writes new rows.
    insert: String,
    /// Writes rows that are there.
    rewrite: String,
}

/// A row to write: the local key of the row it replaces, `None` for a new one.
#[derive(Clone, Copy)]
pub(super) struct RowWrite<'r> {
    pub(super) local_key: Option<i64>,
    pub(super) incoming: &'r Incoming<'r>,
}

impl Upsert {
    /// The statements for `table`, largest first.
    pub(super) fn all(table: &str, columns: &[TypedColumn]) -> Vec<Self> {
        let values = CORE_COLUMNS.len() + columns.len();
        let sizes = CHUNKS.into_iter().filter(|rows| rows * values <= PLACEHOLDERS);
        let statements = sizes.map(|rows| {
            let insert = insert_sql(table, columns, rows);
            Self { rows, rewrite: insert.clone() + &on_duplicate_key(columns), insert }
        });
        statements.collect()
    }
}

impl<'r> RowWrite<'r> {
    /// The column `properties_json`.
    fn json(self) -> &'r str {
        self.incoming.record.properties.as_json()
    }

    /// Whether the row is too large for any statement.
    pub(super) fn is_oversized(self) -> bool {
        self.json().len() > ROW_BYTES
    }

    /// The quarantine entry of the row.
    pub(super) fn reject(self, reason: String) -> RejectedRecord {
        RejectedRecord { id: self.incoming.record.id.to_string(), reason, raw: self.json().to_owned() }
    }
}

/// Writes the rows in chunks; returns how many were written. Refused ones are added to `refused`. The rows are all new
/// or all there already.
pub(super) async fn write_all(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    writes: &[RowWrite<'_>],
    refused: &mut Vec<RejectedRecord>,
    now: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let mut written = 0;
    let mut rest = writes;
    while !rest.is_empty() {
        let chunk;
        (chunk, rest) = rest.split_at(chunk_len(&table.upserts, rest));
        match write_chunk(connection, table, chunk, now).await {
            Ok(()) => written += chunk.len() as u64,
            // Somebody's value is to blame: find whose. The failed statement itself left nothing behind.
            Err(error) if error.kind() == StorageErrorKind::Data => {
                for write in chunk {
                    match write_chunk(connection, table, std::slice::from_ref(write), now).await {
                        Ok(()) => written += 1,
                        Err(error) if error.kind() == StorageErrorKind::Data => {
                            refused.push(write.reject(refusal(&error)));
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// How many of the rows the next statement takes: as many as one of `upserts` does, and not more bytes than a packet
/// holds.
fn chunk_len(upserts: &[Upsert], writes: &[RowWrite<'_>]) -> usize {
    let mut bytes = 0;
    let fitting = writes
        .iter()
        .take_while(|write| {
            bytes += write.json().len();
            bytes <= CHUNK_BYTES
        })
        .count();
    upserts.iter().map(|upsert| upsert.rows).find(|rows| *rows <= fitting).unwrap_or(1)
}

/// Why MariaDB refused a row, without the row's values, which its message may quote.
fn refusal(error: &StorageError) -> String {
    match error {
        StorageError::Query { source, .. } => format!("MariaDB refused it: error {}", source.number()),
        other => other.to_string(),
    }
}

/// Writes one chunk, whose length is that of a statement, and records the values that do not fit their column.
async fn write_chunk(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    chunk: &[RowWrite<'_>],
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let upsert = table.upserts.iter().find(|upsert| upsert.rows == chunk.len());
    let upsert = upsert.expect("chunk_len yields these lengths only");
    let is_new = chunk.iter().all(|write| write.local_key.is_none());
    let sql = if is_new { &upsert.insert } else { &upsert.rewrite };
    let failed =
        || StorageError::query(format!("write {} row(s) of {}", chunk.len(), table.object_type.table));
    let mut misfits = Vec::new();
    let arguments =
        arguments(table, chunk, now, &mut misfits).map_err(sqlx::Error::Encode).map_err(failed())?;
    sqlx::query_with(sqlx::AssertSqlSafe(sql.as_str()), arguments)
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    quarantine::record_misfits(connection, table.object_type, &misfits, now).await
}

/// The values of the rows, each in the order of [`CORE_COLUMNS`] and the typed columns.
fn arguments(
    table: &MirrorTable,
    chunk: &[RowWrite<'_>],
    now: DateTime<Utc>,
    misfits: &mut Vec<Misfit>,
) -> Result<MySqlArguments, BoxDynError> {
    let mut arguments = MySqlArguments::default();
    let json: usize = chunk.iter().map(|write| write.json().len()).sum();
    let columns = CORE_COLUMNS.len() + table.columns.len();
    // Growing by doubling would copy a page's worth of JSON several times.
    arguments.reserve(chunk.len() * columns, json + chunk.len() * columns * USUAL_VALUE_BYTES);
    for write in chunk {
        let record = write.incoming.record;
        arguments.add(write.local_key)?;
        arguments.add(record.id.0)?;
        // As bytes: of a text the server would look at every character again.
        arguments.add(write.json().as_bytes())?;
        arguments.add(record.created_at)?;
        arguments.add(record.updated_at)?;
        arguments.add(record.archived)?;
        arguments.add(record.archived_at)?;
        arguments.add(&write.incoming.hash.0[..])?;
        arguments.add(now)?;
        for column in &table.columns {
            let value = record.properties.get(&column.name).unwrap_or_default();
            match column.column_type.convert(&value) {
                Ok(text) => arguments.add(text)?,
                Err(reason) => {
                    let (property, raw) = (column.name.clone(), value.clone().into_owned());
                    misfits.push(Misfit { id: record.id, property, raw, reason });
                    arguments.add(None::<&str>)?;
                }
            }
        }
    }
    Ok(arguments)
}

/// The statement that writes `rows` new rows. A row that is there after all is refused: it may be in a unique index of
/// somebody else's that another record's value is in already, and that record's row must not be touched.
///
/// It does without the table's CHECKs, which are there for edits by hand: reading the JSON again to see that it is
/// JSON takes the server a third of the time a row takes altogether, and it comes out of a serializer.
fn insert_sql(table: &str, columns: &[TypedColumn], rows: usize) -> String {
    let names: Vec<_> = names(columns).collect();
    let row = format!("({})", vec!["?"; names.len()].join(", "));
    format!(
        "SET STATEMENT check_constraint_checks = OFF FOR INSERT INTO {table} (`{}`) VALUES {}",
        names.join("`, `"),
        vec![row.as_str(); rows].join(", ")
    )
}

/// What makes an insert rewrite rows, which are other versions then, for whoever has looked at them. A changed row brings its own local key along, so that no auto-increment value is
/// burnt on it, and MariaDB looks for that one first: a value that another row has in a unique index is refused.
fn on_duplicate_key(columns: &[TypedColumn]) -> String {
    let assignments: Vec<_> =
        names(columns).skip(2).map(|name| format!("`{name}` = VALUES(`{name}`)")).collect();
    format!(" ON DUPLICATE KEY UPDATE {}, purged_at = NULL, version = version + 1", assignments.join(", "))
}

/// The columns in the order they are bound.
fn names(columns: &[TypedColumn]) -> impl Iterator<Item = &str> {
    CORE_COLUMNS.iter().copied().chain(columns.iter().map(|column| column.name.as_str()))
}
