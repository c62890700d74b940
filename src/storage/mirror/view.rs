//! Rows as people and programs are shown them: one by its key, or a page of those that meet some conditions.

use chrono::{DateTime, Utc};
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, MySqlConnection, QueryBuilder, Row};

use super::{MirrorTable, RowStatus};
use crate::model::{ColumnType, ObjectId, Properties};
use crate::storage::{Database, StorageError};

/// Longest time the server gives a page, seconds: a search that takes longer is given up rather than slow down all else.
const PAGE_SECONDS: u32 = 10;

/// Columns every mirror table can be sorted by besides its typed ones, with their types.
const FIXED_ORDERS: &[(&str, ColumnType)] = &[
    ("id", ColumnType::Id),
    ("hubspot_id", ColumnType::Id),
    ("hubspot_updated_at", ColumnType::DateTime),
    ("last_modified_local", ColumnType::DateTime),
    ("last_synced_at", ColumnType::DateTime),
];

/// What a page reads of each row.
const COLUMNS: &str = "id, hubspot_id, sync_status, version, archived, archived_at, last_modified_local, \
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
    /// Rises with every edit made here.
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

/// Which rows are wanted: those that meet every condition given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowFilter {
    /// That stand so to HubSpot.
    pub status: Option<RowStatus>,
    /// That count as deleted, or do not.
    pub archived: Option<bool>,
    /// In which this text is found.
    pub search: Option<RowSearch>,
    /// That are in the pipeline with this id; none of a type without pipelines.
    pub pipeline: Option<String>,
    /// That are in the stage with this id.
    pub stage: Option<String>,
}

/// A text that is searched for. Case and accents do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSearch {
    /// The text, not empty.
    pub text: String,
    /// Whether it may stand anywhere in a column instead of at its beginning. No index helps then.
    pub anywhere: bool,
    /// The columns to look in; those the table lacks are left out.
    pub columns: Vec<&'static str>,
}

/// The order of rows: by a column, then by the local key in the same direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowOrder {
    /// `id`, another of the columns all tables have, or a typed one.
    pub column: String,
    /// The largest first.
    pub descending: bool,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowStart {
    /// Behind so many rows.
    Offset(u64),
    /// Behind the row that has this value in the column of the order, as [`RowPage::next`] told it, and this key.
    After(Option<String>, i64),
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPage {
    /// The rows, in order.
    pub rows: Vec<RowView>,
    /// Value in the column of the order, and key, of the last row; `None` when there is no further row.
    pub next: Option<(Option<String>, i64)>,
}

/// Whether rows of the table can be ordered by the column.
pub fn can_order_by(table: &MirrorTable, column: &str) -> bool {
    type_of(table, column).is_some()
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

/// A page of the rows that meet the filter.
///
/// # Errors
/// When the database cannot be read, or takes longer than ten seconds; that counts as passing.
pub async fn list_rows(
    database: &Database,
    table: &MirrorTable,
    filter: &RowFilter,
    order: &RowOrder,
    (start, limit): (&RowStart, u32),
) -> Result<RowPage, StorageError> {
    let column = format!("`{}`", order.column);
    let mut query = QueryBuilder::<MySql>::new(limited(&format!(
        "SELECT {COLUMNS}, CAST({column} AS CHAR) AS place FROM {}",
        table.object_type.table
    )));
    push_filter(&mut query, table, filter);
    if let RowStart::After(value, key) = start {
        push_behind(&mut query, table, order, value.as_deref(), *key);
    }
    let direction = if order.descending { "DESC" } else { "ASC" };
    query.push(format!(" ORDER BY {column} {direction}"));
    if order.column != "id" {
        query.push(format!(", id {direction}"));
    }
    // One more than is shown tells whether there are more.
    query.push(" LIMIT ").push_bind(limit.saturating_add(1));
    if let RowStart::Offset(offset) = start {
        query.push(" OFFSET ").push_bind(*offset);
    }
    let failed = || StorageError::query(format!("list rows of {}", table.object_type.table));
    let found = query.build().persistent(false).fetch_all(database.pool()).await.map_err(failed())?;
    let shown = &found[..found.len().min(limit as usize)];
    let next = match shown.last() {
        Some(last) if shown.len() < found.len() => {
            Some((last.try_get("place").map_err(failed())?, last.try_get("id").map_err(failed())?))
        }
        _ => None,
    };
    Ok(RowPage { rows: shown.iter().map(|row| read(table, row)).collect::<Result<_, _>>()?, next })
}

/// How many rows meet the filter, counted no further than `most`.
///
/// # Errors
/// As [`list_rows`].
pub async fn count_rows(
    database: &Database,
    table: &MirrorTable,
    filter: &RowFilter,
    most: u32,
) -> Result<u64, StorageError> {
    let mut query = QueryBuilder::<MySql>::new(limited(&format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM {}",
        table.object_type.table
    )));
    push_filter(&mut query, table, filter);
    query.push(" LIMIT ").push_bind(most).push(") AS some");
    let count = query.build_query_scalar::<i64>().persistent(false).fetch_one(database.pool()).await;
    let failed = StorageError::query(format!("count rows of {}", table.object_type.table));
    Ok(count.map_err(failed)?.unsigned_abs())
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

/// A question with its time limit.
pub(in crate::storage) fn limited(sql: &str) -> String {
    format!("SET STATEMENT max_statement_time = {PAGE_SECONDS} FOR {sql}")
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

/// The type of a column rows can be ordered by.
fn type_of(table: &MirrorTable, column: &str) -> Option<ColumnType> {
    let fixed = FIXED_ORDERS.iter().find(|(name, _)| *name == column).map(|(_, column_type)| *column_type);
    let typed = || table.columns.iter().find(|typed| typed.name == column).map(|typed| typed.column_type);
    fixed.or_else(typed)
}

/// Adds the conditions of the filter.
fn push_filter(query: &mut QueryBuilder<MySql>, table: &MirrorTable, filter: &RowFilter) {
    query.push(" WHERE TRUE");
    if let Some(status) = filter.status {
        query.push(" AND sync_status = ").push_bind(status.word());
    }
    if let Some(archived) = filter.archived {
        query.push(if archived { " AND archived = 1" } else { " AND archived = 0" });
    }
    let (pipeline, stage) = table.object_type.stage_properties().unzip();
    for (column, wanted) in [(pipeline, &filter.pipeline), (stage, &filter.stage)] {
        match (column, wanted) {
            (_, None) => {}
            (None, Some(_)) => {
                query.push(" AND FALSE");
            }
            (Some(column), Some(id)) => {
                query.push(format!(" AND `{column}` = ")).push_bind(id.clone());
            }
        }
    }
    let Some(search) = &filter.search else { return };
    let has = |column: &&str| table.columns.iter().any(|typed| typed.name == **column);
    let columns: Vec<_> = search.columns.iter().copied().filter(has).collect();
    query.push(" AND (");
    push_found(query, &columns, &search.text, search.anywhere);
    let words: Vec<_> = search.text.split_whitespace().collect();
    // A name and a first name stand in columns of their own.
    if words.len() > 1 {
        query.push(" OR (");
        for (index, word) in words.iter().enumerate() {
            query.push(if index == 0 { "" } else { " AND " });
            push_found(query, &columns, word, search.anywhere);
        }
        query.push(")");
    }
    query.push(")");
}

/// Adds the condition that the text is found in one of the columns; in none, if there are none.
fn push_found(query: &mut QueryBuilder<MySql>, columns: &[&str], text: &str, anywhere: bool) {
    let text = text.replace('|', "||").replace('%', "|%").replace('_', "|_");
    let pattern = format!("{}{text}%", if anywhere { "%" } else { "" });
    query.push("(FALSE");
    for column in columns {
        query.push(format!(" OR `{column}` LIKE ")).push_bind(pattern.clone()).push(" ESCAPE '|'");
    }
    query.push(")");
}

/// Adds the condition that a row comes behind the one with this value and key. NULL comes first of all values.
fn push_behind(
    query: &mut QueryBuilder<MySql>,
    table: &MirrorTable,
    order: &RowOrder,
    value: Option<&str>,
    key: i64,
) {
    let (column, descending) = (format!("`{}`", order.column), order.descending);
    let (beyond, cast) = (if descending { "<" } else { ">" }, bound_as(type_of(table, &order.column)));
    query.push(" AND (");
    if let Some(value) = value {
        query.push(format!("{column} {beyond} ")).push(cast.0).push_bind(value.to_owned()).push(cast.1);
        query.push(format!(" OR ({column} = ")).push(cast.0).push_bind(value.to_owned()).push(cast.1);
        query.push(format!(" AND id {beyond} ")).push_bind(key).push(")");
        query.push(if descending { format!(" OR {column} IS NULL") } else { String::new() });
    } else {
        query.push(format!("({column} IS NULL AND id {beyond} ")).push_bind(key).push(")");
        query.push(if descending { String::new() } else { format!(" OR {column} IS NOT NULL") });
    }
    query.push(")");
}

/// What stands around a bound text that is compared with a column of this type. Without it a number would be compared as
/// a floating one, and a day as a time.
fn bound_as(column_type: Option<ColumnType>) -> (&'static str, &'static str) {
    match column_type {
        None | Some(ColumnType::Text | ColumnType::LongText) => ("", ""),
        Some(ColumnType::Id | ColumnType::Bool) => ("CAST(", " AS SIGNED)"),
        Some(ColumnType::Number) => ("CAST(", " AS DECIMAL(38,12))"),
        Some(ColumnType::Date) => ("CAST(", " AS DATE)"),
        Some(ColumnType::DateTime) => ("CAST(", " AS DATETIME(3))"),
    }
}

/// Turns a row into a [`RowView`].
fn read(table: &MirrorTable, row: &MySqlRow) -> Result<RowView, StorageError> {
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
