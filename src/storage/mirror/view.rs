//! Rows as people and programs are shown them.

use chrono::{DateTime, Utc};
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, MySqlConnection, QueryBuilder, Row};

use super::{MirrorTable, RowStatus};
use crate::model::{ObjectId, Properties};
use crate::storage::{Database, StorageError};

/// What a page reads of each row.
pub(super) const COLUMNS: &str = "id, hubspot_id, sync_status, version, archived, archived_at, last_modified_local, \
     hubspot_created_at, hubspot_updated_at, last_synced_at, sync_error, properties_json";

/// What somebody calls a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowName {
    /// Its local key.
    Key(i64),
    /// Its record's id in HubSpot.
    HubSpot(ObjectId),
}

/// A row. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowView {
    /// Its local key.
    pub key: i64,
    /// Its record in HubSpot; `None` until it is made there.
    pub hubspot_id: Option<ObjectId>,
    /// How it stands to HubSpot.
    pub status: RowStatus,
    /// Rises with every edit made here and every change that comes from HubSpot.
    pub version: i64,
    /// Whether the record counts as deleted.
    pub archived: bool,
    /// Since when.
    pub archived_at: Option<DateTime<Utc>>,
    /// Last edit made here.
    pub edited_at: Option<DateTime<Utc>>,
    /// When HubSpot made the record.
    pub hubspot_created_at: Option<DateTime<Utc>>,
    /// HubSpot's version of the copy.
    pub hubspot_updated_at: Option<DateTime<Utc>>,
    /// When the daemon last wrote the row.
    pub synced_at: Option<DateTime<Utc>>,
    /// Why the last edit made here could not be sent.
    pub error: Option<String>,
    /// Its content. Empty where somebody has written what is no object of plain values, until the push says so.
    pub properties: Properties,
}

#[cfg(test)]
impl RowView {
    /// Row 7 in its third version with some values, in step and not in HubSpot.
    pub(crate) fn holding(values: &[(&str, &str)]) -> Self {
        Self {
            key: 7,
            hubspot_id: None,
            status: RowStatus::Synced,
            version: 3,
            archived: false,
            archived_at: None,
            edited_at: None,
            hubspot_created_at: None,
            hubspot_updated_at: None,
            synced_at: None,
            error: None,
            properties: values.iter().copied().collect(),
        }
    }
}

/// The row of that name; `None` when there is none.
///
/// # Errors
/// When the database cannot be read.
pub async fn load_row(
    database: &Database,
    table: &MirrorTable,
    name: RowName,
) -> Result<Option<RowView>, StorageError> {
    let sql = select_one(table, name, "");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(name.number()).fetch_optional(database.pool()).await;
    read_one(table, row)
}

/// The rows of records, as far as there are some, in no particular order.
///
/// # Errors
/// When the database cannot be read.
pub async fn load_rows(
    database: &Database,
    table: &MirrorTable,
    ids: &[ObjectId],
) -> Result<Vec<RowView>, StorageError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let name = table.object_type.table;
    let mut query = QueryBuilder::<MySql>::new(format!("SELECT {COLUMNS} FROM {name} WHERE hubspot_id IN ("));
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(id.0);
    }
    query.push(")");
    let rows = query.build().persistent(false).fetch_all(database.pool()).await;
    let rows = rows.map_err(StorageError::query(format!("read rows of {name}")))?;
    rows.iter().map(|row| read(table, row)).collect()
}

/// The same as [`load_row`] inside the caller's transaction, which locks it.
///
/// # Errors
/// As [`load_row`].
pub(super) async fn lock_row(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    name: RowName,
) -> Result<Option<RowView>, StorageError> {
    let sql = select_one(table, name, " FOR UPDATE");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(name.number()).fetch_optional(connection).await;
    read_one(table, row)
}

impl RowName {
    /// The column it is looked for in.
    fn column(self) -> &'static str {
        match self {
            Self::Key(_) => "id",
            Self::HubSpot(_) => "hubspot_id",
        }
    }

    /// What is looked for.
    fn number(self) -> i64 {
        match self {
            Self::Key(key) => key,
            Self::HubSpot(id) => id.0,
        }
    }
}

/// The question for one row.
fn select_one(table: &MirrorTable, name: RowName, rest: &str) -> String {
    format!("SELECT {COLUMNS} FROM {} WHERE {} = ?{rest}", table.object_type.table, name.column())
}

/// The answer to it.
fn read_one(
    table: &MirrorTable,
    row: Result<Option<MySqlRow>, sqlx::Error>,
) -> Result<Option<RowView>, StorageError> {
    let row = row.map_err(StorageError::query(format!("read a row of {}", table.object_type.table)))?;
    row.as_ref().map(|row| read(table, row)).transpose()
}

/// Turns a row into a [`RowView`].
pub(super) fn read(table: &MirrorTable, row: &MySqlRow) -> Result<RowView, StorageError> {
    let name = table.object_type.table;
    let columns = || -> Result<_, sqlx::Error> {
        let document: String = row.try_get("properties_json")?;
        let status: String = row.try_get("sync_status")?;
        let view = RowView {
            key: row.try_get("id")?,
            hubspot_id: row.try_get::<Option<i64>, _>("hubspot_id")?.map(ObjectId),
            status: RowStatus::Synced,
            version: row.try_get("version")?,
            archived: row.try_get("archived")?,
            archived_at: row.try_get("archived_at")?,
            edited_at: row.try_get("last_modified_local")?,
            hubspot_created_at: row.try_get("hubspot_created_at")?,
            hubspot_updated_at: row.try_get("hubspot_updated_at")?,
            synced_at: row.try_get("last_synced_at")?,
            error: row.try_get("sync_error")?,
            properties: Properties::from_document(&document).unwrap_or_default(),
        };
        Ok((view, status))
    };
    let (view, word) = columns().map_err(StorageError::query(format!("read a row of {name}")))?;
    let status = word.parse().map_err(|()| StorageError::Inconsistent {
        table: name,
        row: view.key.to_string(),
        column: "sync_status",
        value: word,
    })?;
    Ok(RowView { status, ..view })
}
