//! The mirror tables, made from their descriptors: what every one of them has, and how a typed column is defined.

use sqlx::MySqlConnection;

use super::StorageError;
use crate::model::{ColumnDef, ColumnType, ObjectType};

/// How the comment of a typed column begins.
pub(super) const COLUMN_COMMENT: &str = "HubSpot property";

/// Columns every mirror table has, in front of the typed ones: name and definition.
const HEAD_COLUMNS: &[(&str, &str)] = &[
    ("id", "BIGINT NOT NULL AUTO_INCREMENT COMMENT 'Local key'"),
    ("hubspot_id", "BIGINT NULL COMMENT 'Id in HubSpot; NULL until a row made here exists there'"),
];

/// Columns every mirror table has, behind the typed ones: name and definition.
const TAIL_COLUMNS: &[(&str, &str)] = &[
    (
        "properties_json",
        "JSON NOT NULL DEFAULT '{}' COMMENT 'Every set property by name, values as HubSpot sends them; what is not set is left out'",
    ),
    ("hubspot_created_at", "DATETIME(3) NULL COMMENT 'createdAt of HubSpot, UTC'"),
    ("hubspot_updated_at", "DATETIME(3) NULL COMMENT 'updatedAt of HubSpot, UTC: the version of this copy'"),
    ("archived", "BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'Deleted in HubSpot; the row stays'"),
    ("archived_at", "DATETIME(3) NULL COMMENT 'When it was deleted'"),
    ("purged_at", PURGED_AT),
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

/// The definition of `purged_at`, which tables of earlier versions lack.
const PURGED_AT: &str = "DATETIME(3) NULL COMMENT 'Since when HubSpot holds nothing of it, not even in the recycle bin; after a privacy delete the content is gone here too'";

/// A typed column as it exists in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedColumn {
    /// Name of the property and of the column.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
}

/// An index of one typed column alone, whoever made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnIndex {
    /// Its name.
    pub(super) name: String,
    /// Whether it holds values whole, so that it gives their order.
    pub(super) is_whole: bool,
}

impl ColumnType {
    /// The type in a column definition.
    pub(super) fn sql(self) -> &'static str {
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
    pub(super) fn from_sql(data_type: &str) -> Option<Self> {
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
pub(super) fn is_reserved(name: &str) -> bool {
    HEAD_COLUMNS.iter().chain(TAIL_COLUMNS).any(|(column, _)| column.eq_ignore_ascii_case(name))
}

/// The definition of a typed column.
pub(super) fn definition(name: &str, column_type: ColumnType) -> String {
    format!("`{name}` {} NULL COMMENT '{COLUMN_COMMENT} {name}'", column_type.sql())
}

/// The name of a typed column's own index.
pub(super) fn index_name(column: &str) -> String {
    format!("`by_{column}`")
}

/// Characters of a long text that its index holds: as many as people search for.
const INDEXED_CHARACTERS: u32 = 64;

/// What an index of a typed column holds of it.
pub(super) fn index_part(column: &str, column_type: ColumnType) -> String {
    match column_type {
        ColumnType::LongText => format!("(`{column}`({INDEXED_CHARACTERS}))"),
        _ => format!("(`{column}`)"),
    }
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
    let typed = object_type.columns.iter().map(|column| definition(column.name, column.column_type));
    let tail = TAIL_COLUMNS.iter().map(|(name, sql)| format!("`{name}` {sql}"));
    let indexed = object_type.columns.iter().filter(|column| column.indexed);
    let index = |name, column_type| format!("KEY {} {}", index_name(name), index_part(name, column_type));
    let own = indexed.map(|column| index(column.name, column.column_type));
    let fixed = [
        "PRIMARY KEY (id)".to_owned(),
        format!("UNIQUE KEY {}_by_hubspot_id (hubspot_id)", object_type.table),
        format!("KEY {}_by_update (hubspot_updated_at, hubspot_id)", object_type.table),
        format!("KEY {}_by_archived (archived, hubspot_id)", object_type.table),
        format!("KEY {}_by_sync_status (sync_status, id)", object_type.table),
        format!(
            "CONSTRAINT {}_sync_status CHECK (sync_status IN ('synced', 'pending', 'conflict', 'error'))",
            object_type.table
        ),
    ];
    let parts: Vec<_> = head.chain(typed).chain(tail).chain(fixed).chain(own).collect();
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {} (\n    {}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 \
         COLLATE=utf8mb4_uca1400_ai_ci COMMENT='HubSpot {}: an exact copy'",
        object_type.table,
        parts.join(",\n    "),
        object_type.name
    );
    let failed = || StorageError::query(format!("create the table {}", object_type.table));
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await.map_err(failed())?;
    bring_up_to_date(connection, object_type).await.map_err(failed())
}

/// Adds what a table lacks that an earlier version made.
async fn bring_up_to_date(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
) -> Result<(), sqlx::Error> {
    let table = object_type.table;
    let is_complete: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM information_schema.columns \
         WHERE table_schema = DATABASE() AND table_name = ? AND column_name = 'purged_at') \
         AND EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? \
         AND column_name = 'properties_json' AND column_default IS NOT NULL) \
         AND EXISTS (SELECT 1 FROM information_schema.statistics \
         WHERE table_schema = DATABASE() AND table_name = ? AND index_name = CONCAT(?, '_by_sync_status'))",
    )
    .bind(table)
    .bind(table)
    .bind(table)
    .bind(table)
    .fetch_one(&mut *connection)
    .await?;
    let mut changes = missing_indexes(connection, object_type).await?;
    if !is_complete {
        changes.extend([
            format!("ADD COLUMN IF NOT EXISTS purged_at {PURGED_AT} AFTER archived_at"),
            format!("ADD KEY IF NOT EXISTS {table}_by_archived (archived, hubspot_id)"),
            format!("ADD KEY IF NOT EXISTS {table}_by_sync_status (sync_status, id)"),
            "ALTER COLUMN properties_json SET DEFAULT '{}'".to_owned(),
        ]);
    }
    if changes.is_empty() {
        return Ok(());
    }
    let sql = format!("ALTER TABLE {table} {}", changes.join(", "));
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
}

/// The indexes of default columns that earlier versions made without one. A column that is missing gets its index with
/// itself, and one that is not ours, or of another type, none.
async fn missing_indexes(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
) -> Result<Vec<String>, sqlx::Error> {
    let bare: Vec<(String, String)> = sqlx::query_as(
        "SELECT c.column_name, c.data_type FROM information_schema.columns c \
         WHERE c.table_schema = DATABASE() AND c.table_name = ? AND c.column_comment LIKE CONCAT(?, '%') \
         AND NOT EXISTS (SELECT 1 FROM information_schema.statistics s WHERE s.table_schema = DATABASE() \
         AND s.table_name = ? AND s.index_name = CONCAT('by_', c.column_name))",
    )
    .bind(object_type.table)
    .bind(COLUMN_COMMENT)
    .bind(object_type.table)
    .fetch_all(connection)
    .await?;
    let lacks_one = |column: &&ColumnDef| {
        let is_it = |(name, data_type): &(String, String)| {
            name == column.name && ColumnType::from_sql(data_type) == Some(column.column_type)
        };
        column.indexed && bare.iter().any(is_it)
    };
    let addition = |column: &ColumnDef| {
        let part = index_part(column.name, column.column_type);
        format!("ADD KEY IF NOT EXISTS {} {part}", index_name(column.name))
    };
    Ok(object_type.columns.iter().filter(lacks_one).map(addition).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OBJECT_TYPES;

    #[test]
    fn no_default_column_has_the_name_of_one_that_every_table_has() {
        for object_type in OBJECT_TYPES {
            let taken: Vec<_> = object_type
                .columns
                .iter()
                .map(|column| column.name)
                .filter(|name| is_reserved(name))
                .collect();
            assert!(taken.is_empty(), "{object_type}: {taken:?}");
        }
    }
}
