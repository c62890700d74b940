//! `sync_log`: what went between the two sides for each record that is edited here, and what did not and why.
//!
//! A push that does not get through is one row until it does: it is the record's open row, and every further try updates
//! it. Which properties it was about is told by name; only a message may quote a value, where HubSpot does, so it goes when the
//! record is erased.

mod creates;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, MySqlConnection, QueryBuilder, Row};

use super::jobs::shortened;
use super::mirror::limited;
use super::words::stored_words;
use super::{Database, StorageError};
use crate::model::ObjectId;

pub use self::creates::{made_here, open_creates};

/// Rows a statement reads or writes.
const BATCH: usize = 500;
/// How long successes are kept.
const KEPT: TimeDelta = TimeDelta::days(30);
/// A row that stands for something still to be done.
const OPEN: &str = "status IN ('pending', 'retrying')";

stored_words! {
    /// What was done to the record.
    pub enum LogAction {
        /// It was made.
        Create = "create",
        /// Some of its properties were set.
        Update = "update",
        /// It was archived.
        Delete = "delete",
    }
}

stored_words! {
    /// Which way it went.
    pub enum LogDirection {
        /// From MariaDB to HubSpot.
        Push = "push",
        /// From HubSpot to MariaDB.
        Pull = "pull",
    }
}

stored_words! {
    /// How it went.
    pub enum LogStatus {
        /// It is done.
        Success = "success",
        /// It will not be tried again by itself.
        Failed = "failed",
        /// It waits for something that is no failure: a person's decision, a brake.
        Pending = "pending",
        /// It failed and will be tried again.
        Retrying = "retrying",
    }
}

/// A push or pull of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// `id` of the row; `None` when it was deleted by SQL.
    pub row_id: Option<i64>,
    /// Id in HubSpot; `None` until the record exists there.
    pub hubspot_id: Option<ObjectId>,
    /// The job it was done for.
    pub job_id: Option<i64>,
    /// What was done.
    pub action: LogAction,
    /// Which way.
    pub direction: LogDirection,
    /// How it went.
    pub status: LogStatus,
    /// What happened, in words; HubSpot's own may quote the value it refuses.
    pub message: Option<String>,
    /// Names of the properties it was about.
    pub changed_fields: Vec<String>,
}

/// A row of `sync_log`. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRow {
    /// Rises with time.
    pub id: i64,
    /// The type of the record.
    pub object_type: String,
    /// What was written.
    #[serde(flatten)]
    pub entry: LogEntry,
    /// Tries after the first.
    pub retry_count: u32,
    /// First try.
    pub created_at: DateTime<Utc>,
    /// Last try.
    pub updated_at: DateTime<Utc>,
}

/// Which rows are wanted: those that meet every condition given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Of this type.
    pub object_type: Option<String>,
    /// Of this row.
    pub row_id: Option<i64>,
    /// Of this record.
    pub hubspot_id: Option<ObjectId>,
    /// That went this way.
    pub direction: Option<LogDirection>,
    /// That ended so.
    pub status: Option<LogStatus>,
}

/// A record and a direction, which have one open row at most: the id of the row, else that in HubSpot.
type Slot = (Option<i64>, Option<i64>, &'static str);

impl LogEntry {
    /// Where its open row is looked for.
    fn slot(&self) -> Slot {
        let hubspot_id = if self.row_id.is_some() { None } else { self.hubspot_id };
        (self.row_id, hubspot_id.map(|id| id.0), self.direction.word())
    }

    /// Whether it tells of a record that was changed in HubSpot.
    fn has_arrived(&self) -> bool {
        self.direction == LogDirection::Push && self.status == LogStatus::Success
    }
}

/// Writes what was done to records of a type at `now`, inside the transaction that stores what came of it: into the open
/// row of each record, or into a new one. Returns how many tell of a record changed in HubSpot, to be counted with
/// [`count_changes`](super::count_changes).
///
/// # Errors
/// When the database cannot be written.
pub async fn write_log(
    connection: &mut MySqlConnection,
    object_type: &str,
    entries: &[LogEntry],
    now: DateTime<Utc>,
) -> Result<u64, StorageError> {
    for chunk in entries.chunks(BATCH) {
        let mut open = open_rows(connection, object_type, chunk).await?;
        let mut new = Vec::new();
        for entry in chunk {
            match open.remove(&entry.slot()) {
                Some(id) => rewrite(connection, id, entry, now).await?,
                None => new.push(entry),
            }
        }
        if !new.is_empty() {
            insert(connection, object_type, &new, now).await?;
        }
    }
    Ok(entries.iter().filter(|entry| entry.has_arrived()).count() as u64)
}

/// The open rows of the entries' records.
async fn open_rows(
    connection: &mut MySqlConnection,
    object_type: &str,
    entries: &[LogEntry],
) -> Result<HashMap<Slot, i64>, StorageError> {
    let mut found = HashMap::new();
    let slots: Vec<_> = entries.iter().map(LogEntry::slot).collect();
    let rows: Vec<_> = slots.iter().filter_map(|slot| slot.0).collect();
    let records: Vec<_> = slots.iter().filter_map(|slot| slot.1).collect();
    for (ids, column, condition) in [(rows, "row_id", ""), (records, "hubspot_id", " AND row_id IS NULL")] {
        if ids.is_empty() {
            continue;
        }
        let mut query = QueryBuilder::<MySql>::new(format!(
            "SELECT id, {column}, direction FROM sync_log WHERE {OPEN}{condition}"
        ));
        query.push(" AND object_type = ").push_bind(object_type).push(format!(" AND {column} IN ("));
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id);
        }
        query.push(") ORDER BY id");
        let open = query.build_query_as().persistent(false).fetch_all(&mut *connection).await;
        let open: Vec<(i64, i64, String)> =
            open.map_err(StorageError::query("look for open rows of sync_log"))?;
        for (id, record, direction) in open {
            let direction = direction.parse().map_or("", LogDirection::word);
            let slot = if condition.is_empty() {
                (Some(record), None, direction)
            } else {
                (None, Some(record), direction)
            };
            found.insert(slot, id);
        }
    }
    Ok(found)
}

/// Writes an entry into an open row.
async fn rewrite(
    connection: &mut MySqlConnection,
    id: i64,
    entry: &LogEntry,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    // Assignments are made from left to right, so the first one sees the status as it was.
    let sql = "UPDATE sync_log SET retry_count = retry_count + (status = 'retrying'), \
               hubspot_id = COALESCE(?, hubspot_id), job_id = ?, action = ?, status = ?, message = ?, \
               changed_fields = ?, updated_at = ? WHERE id = ?";
    let query = sqlx::query(sql).bind(entry.hubspot_id.map(|id| id.0)).bind(entry.job_id);
    let query = query.bind(entry.action.word()).bind(entry.status.word());
    let query = query.bind(entry.message.as_deref().map(shortened)).bind(json!(entry.changed_fields));
    let written = query.bind(now).bind(id).execute(connection).await;
    written.map(|_| ()).map_err(StorageError::query("update sync_log"))
}

/// Writes entries into new rows.
async fn insert(
    connection: &mut MySqlConnection,
    object_type: &str,
    entries: &[&LogEntry],
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let mut insert = QueryBuilder::<MySql>::new(
        "INSERT INTO sync_log (object_type, row_id, hubspot_id, job_id, action, direction, status, message, \
         changed_fields, created_at, updated_at) ",
    );
    insert.push_values(entries, |mut row, entry| {
        row.push_bind(object_type)
            .push_bind(entry.row_id)
            .push_bind(entry.hubspot_id.map(|id| id.0))
            .push_bind(entry.job_id)
            .push_bind(entry.action.word())
            .push_bind(entry.direction.word())
            .push_bind(entry.status.word())
            .push_bind(entry.message.as_deref().map(shortened))
            .push_bind(json!(entry.changed_fields))
            .push_bind(now)
            .push_bind(now);
    });
    let inserted = insert.build().persistent(false).execute(connection).await;
    inserted.map(|_| ()).map_err(StorageError::query("write sync_log"))
}

/// The rows that meet a filter, newest first, at most `limit`; those before the row `before` where it is given. The server
/// gives up a search that takes too long.
///
/// # Errors
/// When the database cannot be read or a row holds what this version does not know.
pub async fn recent_log(
    database: &Database,
    filter: &LogFilter,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<LogRow>, StorageError> {
    let mut query = QueryBuilder::<MySql>::new(limited("SELECT * FROM sync_log WHERE id < "));
    query.push_bind(before.unwrap_or(i64::MAX));
    if let Some(object_type) = &filter.object_type {
        query.push(" AND object_type = ").push_bind(object_type);
    }
    if let Some(row_id) = filter.row_id {
        query.push(" AND row_id = ").push_bind(row_id);
    }
    if let Some(hubspot_id) = filter.hubspot_id {
        query.push(" AND hubspot_id = ").push_bind(hubspot_id.0);
    }
    if let Some(direction) = filter.direction {
        query.push(" AND direction = ").push_bind(direction.word());
    }
    if let Some(status) = filter.status {
        query.push(" AND status = ").push_bind(status.word());
    } else if filter.direction.is_some() {
        // The index of directions begins with the status; few went one way where most went the other.
        query.push(" AND status IN ('success', 'failed', 'pending', 'retrying')");
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
    let rows = query.build().persistent(false).fetch_all(database.pool()).await;
    rows.map_err(StorageError::query("read sync_log"))?.iter().map(from_row).collect()
}

/// The row of that number; `None` when there is none.
///
/// # Errors
/// When the database cannot be read or the row holds what this version does not know.
pub async fn load_log(database: &Database, id: i64) -> Result<Option<LogRow>, StorageError> {
    let query = sqlx::query("SELECT * FROM sync_log WHERE id = ?").bind(id);
    let row = query.fetch_optional(database.pool()).await;
    row.map_err(StorageError::query("read sync_log"))?.as_ref().map(from_row).transpose()
}

/// Notes that open pushes of the rows have arrived, inside the caller's transaction. Returns how many there were, to be
/// counted with [`count_changes`](super::count_changes).
///
/// # Errors
/// When the database cannot be written.
pub async fn close_open_log(
    connection: &mut MySqlConnection,
    object_type: &str,
    row_ids: &[i64],
    now: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let mut closed = 0;
    for chunk in row_ids.chunks(BATCH) {
        let mut update = QueryBuilder::<MySql>::new(
            "UPDATE sync_log SET status = 'success', message = NULL, updated_at = ",
        );
        update.push_bind(now).push(format!(" WHERE {OPEN} AND direction = 'push' AND object_type = "));
        update.push_bind(object_type).push(" AND row_id IN (");
        let mut list = update.separated(", ");
        for row_id in chunk {
            list.push_bind(*row_id);
        }
        update.push(")");
        let updated = update.build().persistent(false).execute(&mut *connection).await;
        closed += updated.map_err(StorageError::query("close rows of sync_log"))?.rows_affected();
    }
    Ok(closed)
}

/// How many records were changed in HubSpot since then, or with an `action` by it.
///
/// # Errors
/// When the database cannot be read.
pub async fn pushed_since(
    database: &Database,
    action: Option<LogAction>,
    since: DateTime<Utc>,
) -> Result<u64, StorageError> {
    // All actions by name rather than none: so it is counted from the index.
    let mut query = QueryBuilder::<MySql>::new(
        "SELECT COUNT(*) FROM sync_log WHERE status = 'success' AND direction = 'push' AND updated_at >= ",
    );
    query.push_bind(since).push(" AND action IN (");
    let mut list = query.separated(", ");
    let actions = action.map_or_else(|| LogAction::ALL.to_vec(), |action| vec![action]);
    for action in actions {
        list.push_bind(action.word());
    }
    query.push(")");
    let count: Result<i64, _> = query.build_query_scalar().fetch_one(database.pool()).await;
    Ok(count.map_err(StorageError::query("count pushes in sync_log"))?.unsigned_abs())
}

/// Deletes successes older than 30 days, a few at a time; failures stay. Returns how many.
///
/// # Errors
/// When the database cannot be written; what was deleted until then stays so.
pub async fn purge_sync_log(database: &Database, now: DateTime<Utc>) -> Result<u64, StorageError> {
    let failed = || StorageError::query("purge sync_log");
    let horizon = now - KEPT;
    // A row is written once or many times; its number tells when first.
    let sql = "SELECT id, created_at, updated_at FROM sync_log WHERE status = 'success' AND id > ? ORDER BY id LIMIT ?";
    let (mut after, mut purged) = (0, 0);
    loop {
        let query = sqlx::query_as(sql).bind(after).bind(BATCH as i64);
        let rows = query.fetch_all(database.pool()).await;
        let rows: Vec<(i64, DateTime<Utc>, DateTime<Utc>)> = rows.map_err(failed())?;
        let old: Vec<_> = rows.iter().filter(|row| row.2 < horizon).map(|row| row.0).collect();
        if !old.is_empty() {
            let mut delete = QueryBuilder::<MySql>::new("DELETE FROM sync_log WHERE id IN (");
            let mut list = delete.separated(", ");
            for id in &old {
                list.push_bind(*id);
            }
            delete.push(")");
            delete.build().persistent(false).execute(database.pool()).await.map_err(failed())?;
        }
        purged += old.len() as u64;
        match rows.last() {
            Some((id, created_at, _)) if rows.len() == BATCH && *created_at < horizon => after = *id,
            _ => return Ok(purged),
        }
    }
}

/// Turns a row into a [`LogRow`].
fn from_row(row: &MySqlRow) -> Result<LogRow, StorageError> {
    let failed = || StorageError::query("read a row of sync_log");
    let read = || -> Result<_, sqlx::Error> {
        let words: [String; 3] = [row.try_get("action")?, row.try_get("direction")?, row.try_get("status")?];
        let fields: Option<Value> = row.try_get("changed_fields")?;
        let entry = LogEntry {
            row_id: row.try_get("row_id")?,
            hubspot_id: row.try_get::<Option<i64>, _>("hubspot_id")?.map(ObjectId),
            job_id: row.try_get("job_id")?,
            action: LogAction::Update,
            direction: LogDirection::Push,
            status: LogStatus::Success,
            message: row.try_get("message")?,
            changed_fields: fields.and_then(|names| serde_json::from_value(names).ok()).unwrap_or_default(),
        };
        let log_row = LogRow {
            id: row.try_get("id")?,
            object_type: row.try_get("object_type")?,
            entry,
            retry_count: row.try_get::<i32, _>("retry_count")?.unsigned_abs(),
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        };
        Ok((words, log_row))
    };
    let ([action, direction, status], mut log_row) = read().map_err(failed())?;
    let row = log_row.id.to_string();
    let unknown =
        |column, value| StorageError::Inconsistent { table: "sync_log", row: row.clone(), column, value };
    log_row.entry.action = action.parse().map_err(|()| unknown("action", action))?;
    log_row.entry.direction = direction.parse().map_err(|()| unknown("direction", direction))?;
    log_row.entry.status = status.parse().map_err(|()| unknown("status", status))?;
    Ok(log_row)
}
