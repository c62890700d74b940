//! The mirror tables: made from their descriptors, widened by typed columns.
//!
//! The table in the database says which typed columns there are: those whose comment begins with
//! [`COLUMN_COMMENT`]. A column once added is kept up to date from then on, whether or not the configuration still
//! names it, and columns a person added for other ends are never touched.

use std::collections::BTreeSet;

use sqlx::{MySqlConnection, Row};
use tracing::{info, warn};

use super::column_fill::fill_column;
use super::mirror::MirrorTable;
use super::{Database, StorageError, database};
use crate::model::{ColumnDef, ColumnType, ObjectType, Property};

/// How the comment of a typed column begins.
const COLUMN_COMMENT: &str = "HubSpot property";
/// What is added to it while the column is not filled yet, so that a killed fill is taken up again.
const FILLING: &str = ", being filled";

/// Columns every mirror table has, in front of the typed ones: name and definition.
const HEAD_COLUMNS: &[(&str, &str)] = &[
    ("id", "BIGINT NOT NULL AUTO_INCREMENT COMMENT 'Local key'"),
    ("hubspot_id", "BIGINT NULL COMMENT 'Id in HubSpot; NULL until a row made here exists there'"),
];

/// Columns every mirror table has, behind the typed ones: name and definition.
const TAIL_COLUMNS: &[(&str, &str)] = &[
    (
        "properties_json",
        "JSON NOT NULL COMMENT 'Every set property by name, values as HubSpot sends them; what is not set is left out'",
    ),
    ("hubspot_created_at", "DATETIME(3) NULL COMMENT 'createdAt of HubSpot, UTC'"),
    ("hubspot_updated_at", "DATETIME(3) NULL COMMENT 'updatedAt of HubSpot, UTC: the version of this copy'"),
    ("archived", "BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'Deleted in HubSpot; the row stays'"),
    ("archived_at", "DATETIME(3) NULL COMMENT 'When it was deleted'"),
    ("content_hash", "BINARY(16) NULL COMMENT 'Digest of the content; equal digest, nothing to write'"),
    (
        "sync_status",
        "VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'synced' COMMENT 'synced, pending, conflict or error'",
    ),
    (
        "base_properties_json",
        "JSON NULL COMMENT 'Content both sides last agreed on, while an edit here is pending'",
    ),
    (
        "remote_properties_json",
        "JSON NULL COMMENT 'Content HubSpot has meanwhile, while an edit here is pending'",
    ),
    ("last_modified_local", "DATETIME(3) NULL COMMENT 'Last edit made here'"),
    ("last_synced_at", "DATETIME(3) NULL COMMENT 'When the daemon last wrote this row'"),
    ("version", "BIGINT NOT NULL DEFAULT 1 COMMENT 'Rises with every edit made here'"),
    ("sync_error", "TEXT NULL COMMENT 'Why the last edit made here could not be sent'"),
    ("created_at", "DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'Row created'"),
    (
        "updated_at",
        "DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) COMMENT 'Row changed'",
    ),
];

/// A typed column as it exists in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedColumn {
    /// Name of the property and of the column.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
}

impl ColumnType {
    /// The type in a column definition.
    fn sql(self) -> &'static str {
        match self {
            Self::Text => "VARCHAR(255)",
            Self::LongText => "TEXT",
            Self::Id => "BIGINT",
            Self::Number => "DECIMAL(38,12)",
            Self::Bool => "BOOLEAN",
            Self::Date => "DATE",
            Self::DateTime => "DATETIME(3)",
        }
    }

    /// The type behind `information_schema.columns.data_type`, `None` for one we never make.
    fn from_sql(data_type: &str) -> Option<Self> {
        Some(match data_type {
            "varchar" => Self::Text,
            "text" => Self::LongText,
            "bigint" => Self::Id,
            "decimal" => Self::Number,
            "tinyint" => Self::Bool,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            _ => return None,
        })
    }
}

/// Whether a property of this name cannot have a column, because every mirror table has one of that name.
fn is_reserved(name: &str) -> bool {
    HEAD_COLUMNS.iter().chain(TAIL_COLUMNS).any(|(column, _)| column.eq_ignore_ascii_case(name))
}

/// The definition of a typed column.
fn definition(name: &str, column_type: ColumnType, comment_end: &str) -> String {
    format!("`{name}` {} NULL COMMENT '{COLUMN_COMMENT} {name}{comment_end}'", column_type.sql())
}

/// Creates the mirror table of `object_type` with its default typed columns. Idempotent.
///
/// # Errors
/// When the user may not create tables.
pub async fn ensure_table(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
) -> Result<(), StorageError> {
    let head = HEAD_COLUMNS.iter().map(|(name, sql)| format!("`{name}` {sql}"));
    let typed = object_type.columns.iter().map(|column| definition(column.name, column.column_type, ""));
    let tail = TAIL_COLUMNS.iter().map(|(name, sql)| format!("`{name}` {sql}"));
    let indexes = object_type.columns.iter().filter(|column| column.indexed).map(index);
    let fixed = [
        "PRIMARY KEY (id)".to_owned(),
        format!("UNIQUE KEY {}_by_hubspot_id (hubspot_id)", object_type.table),
        format!("KEY {}_by_update (hubspot_updated_at, hubspot_id)", object_type.table),
        format!("KEY {}_by_sync_status (sync_status, last_modified_local)", object_type.table),
        format!(
            "CONSTRAINT {}_sync_status CHECK (sync_status IN ('synced', 'pending', 'conflict', 'error'))",
            object_type.table
        ),
    ];
    let parts: Vec<_> = head.chain(typed).chain(tail).chain(fixed).chain(indexes).collect();
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {} (\n    {}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 \
         COLLATE=utf8mb4_uca1400_ai_ci COMMENT='HubSpot {}: an exact copy'",
        object_type.table,
        parts.join(",\n    "),
        object_type.name
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(StorageError::query(format!("create the table {}", object_type.table)))
}

/// The index of a typed column.
fn index(column: &ColumnDef) -> String {
    format!("KEY by_{0} (`{0}`)", column.name)
}

/// Adds the typed columns that are wanted and missing, filled from the stored JSON without asking HubSpot.
///
/// `wanted` are property names from the configuration. One that HubSpot does not know, or that cannot become a
/// column, is named in the log and left out: a misspelt column must not stop the mirror.
///
/// # Errors
/// When the table cannot be read or changed.
pub async fn ensure_columns(
    database: &Database,
    object_type: &ObjectType,
    wanted: &[String],
    catalogue: &[Property],
    may_alter: bool,
) -> Result<MirrorTable, StorageError> {
    let present = read_columns(database, object_type).await?;
    let names: BTreeSet<_> = present.iter().map(|column| column.typed.name.as_str()).collect();
    for name in wanted.iter().filter(|name| !names.contains(name.as_str())) {
        let Some(property) = catalogue.iter().find(|property| property.name == *name) else {
            warn!("No column for {object_type} property `{name}`: HubSpot has no such property");
            continue;
        };
        if is_reserved(name) {
            warn!(
                "No column for {object_type} property `{name}`: every mirror table has another column of that name"
            );
        } else if may_alter {
            add_column(database, object_type, property).await?;
        } else {
            warn!("No column for {object_type} property `{name}` yet: run `hubspot-connector migrate`");
        }
    }
    for column in read_columns(database, object_type).await?.iter().filter(|column| column.filling) {
        let filled = fill_column(database, object_type, &column.typed).await?;
        alter(database, object_type, "MODIFY", &definition(&column.typed.name, column.typed.column_type, ""))
            .await?;
        info!(
            "Filled column `{}` of {} from stored JSON: {filled} row(s)",
            column.typed.name, object_type.table
        );
    }
    load_mirror_table(database, object_type).await
}

/// Adds one typed column, marked as not filled yet.
async fn add_column(
    database: &Database,
    object_type: &ObjectType,
    property: &Property,
) -> Result<(), StorageError> {
    let column_type = ColumnType::of_property(&property.data_type, &property.field_type);
    info!("Adding column `{}` ({}) to {}", property.name, column_type.sql(), object_type.table);
    alter(database, object_type, "ADD", &definition(&property.name, column_type, FILLING)).await
}

/// `ALTER TABLE … ADD COLUMN` or `MODIFY COLUMN`; idempotent either way. On the dedicated connection, because the
/// statement limit of the pool's sessions would cut a long rebuild short.
async fn alter(
    database: &Database,
    object_type: &ObjectType,
    action: &str,
    definition: &str,
) -> Result<(), StorageError> {
    let exists = if action == "ADD" { "IF NOT EXISTS" } else { "" };
    let sql = format!(
        "SET STATEMENT max_statement_time = 0 FOR ALTER TABLE {} {action} COLUMN {exists} {definition}",
        object_type.table
    );
    let mut connection = database.dedicated().await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .map_err(StorageError::query(format!("change the columns of {}", object_type.table)))?;
    database::close(connection).await;
    Ok(())
}

/// A typed column and whether it still waits to be filled.
struct ColumnState {
    typed: TypedColumn,
    filling: bool,
}

/// The typed columns the table has, in table order.
async fn read_columns(
    database: &Database,
    object_type: &ObjectType,
) -> Result<Vec<ColumnState>, StorageError> {
    let read = StorageError::query(format!("read the columns of {}", object_type.table));
    let rows = sqlx::query(
        "SELECT column_name AS name, data_type AS data_type, column_comment AS comment \
         FROM information_schema.columns \
         WHERE table_schema = DATABASE() AND table_name = ? \
         ORDER BY ordinal_position",
    )
    .bind(object_type.table)
    .fetch_all(database.pool())
    .await;
    let to_column = |row: &sqlx::mysql::MySqlRow| -> Result<Option<ColumnState>, sqlx::Error> {
        let comment: String = row.try_get("comment")?;
        let data_type: String = row.try_get("data_type")?;
        let Some(column_type) = ColumnType::from_sql(&data_type) else { return Ok(None) };
        if !comment.starts_with(COLUMN_COMMENT) {
            return Ok(None);
        }
        let typed = TypedColumn { name: row.try_get("name")?, column_type };
        Ok(Some(ColumnState { typed, filling: comment.ends_with(FILLING) }))
    };
    rows.and_then(|rows| rows.iter().filter_map(|row| to_column(row).transpose()).collect()).map_err(read)
}

/// Reads which typed columns the mirror table has.
///
/// # Errors
/// [`StorageError::SchemaOutdated`] when there is no such table.
pub async fn load_mirror_table(
    database: &Database,
    object_type: &ObjectType,
) -> Result<MirrorTable, StorageError> {
    let columns = read_columns(database, object_type).await?;
    if columns.is_empty() {
        return Err(StorageError::SchemaOutdated(format!("there is no table {}", object_type.table)));
    }
    Ok(MirrorTable::new(object_type, columns.into_iter().map(|column| column.typed).collect()))
}
