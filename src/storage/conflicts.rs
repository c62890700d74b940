//! `conflicts`: records that were changed on both sides in a way only a person can settle, with every step since.
//!
//! A record has one open conflict at most. While it is open both sides may change again: it is brought up to date, and
//! closes by itself when nothing is left to settle. What is decided is written here and into the row, by the caller, in one
//! transaction that locks the row first. Values stand in these tables and are shown to people; no line of the log has
//! them.

mod listing;
mod resolve;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::MySqlConnection;

use super::StorageError;
use super::words::stored_words;
use crate::model::{ObjectId, ObjectType};

pub use listing::{
    Conflict, ConflictFilter, ConflictStep, closed_conflicts, conflict_policies, conflict_steps,
    list_conflicts, load_conflict, lock_conflict, open_conflict_of, open_conflicts,
};
pub use resolve::{NotResolved, Resolution, Settlement, resolve_conflict, resolve_conflict_noted};

stored_words! {
    /// What the sides disagree about.
    pub enum ConflictKind {
        /// Both have changed the same properties.
        Fields = "fields",
        /// It was deleted here and changed in HubSpot.
        DeletedHere = "deleted_here",
        /// It was deleted in HubSpot and changed here.
        DeletedInHubSpot = "deleted_in_hubspot",
        /// It was merged into another record, and both rows were changed here. `hubspot` is what the survivor's row has.
        Merged = "merged_in_hubspot",
    }
}

stored_words! {
    /// Whether and how a conflict was settled.
    pub enum ConflictStatus {
        /// It waits for a person.
        Pending = "pending",
        /// What MariaDB has counts.
        KeepLocal = "keep_local",
        /// What HubSpot has counts.
        KeepHubSpot = "keep_hubspot",
        /// Decided property by property.
        Merged = "merged",
        /// It closed by itself: nothing was left to settle.
        Superseded = "superseded",
    }
}

/// Values by property, as HubSpot sends them; `None`: not set.
pub type FieldValues = BTreeMap<String, Option<String>>;

/// Who set a value in HubSpot, as far as its history tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FieldSource {
    /// When.
    pub at: Option<DateTime<Utc>>,
    /// Through what: `CRM_UI`, `INTEGRATION`, `FORM`, …
    pub source_type: Option<String>,
    /// Which of them.
    pub source_id: Option<String>,
    /// Its name.
    pub source_label: Option<String>,
}

/// The record a conflict is about. It has a row, or is in HubSpot, or both; the row counts where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConflictRecord {
    /// Its type.
    pub object_type: String,
    /// `id` of the row; `None` when it was deleted by SQL.
    pub row_id: Option<i64>,
    /// Id in HubSpot.
    pub hubspot_id: Option<ObjectId>,
}

impl ConflictRecord {
    /// What the column `open_key` holds while its conflict is open.
    fn open_key(&self) -> String {
        match (self.row_id, self.hubspot_id) {
            (Some(row_id), _) => format!("row {row_id}"),
            (None, hubspot_id) => format!("hubspot {}", hubspot_id.unwrap_or(ObjectId::START)),
        }
    }
}

/// What the sides disagree about, and what each has. Every property in question stands in all three of the documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// Of what kind it is.
    pub kind: ConflictKind,
    /// Names of the properties in question.
    pub fields: Vec<String>,
    /// What both sides last agreed on.
    pub base: FieldValues,
    /// What MariaDB has.
    pub local: FieldValues,
    /// What HubSpot has.
    pub hubspot: FieldValues,
    /// Who set the values in HubSpot, where it is known.
    pub sources: BTreeMap<String, FieldSource>,
}

/// What [`open_or_update_conflict`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictChange {
    /// There was none; now there is.
    Opened,
    /// There was one about something else.
    Updated,
    /// There was this very one.
    Unchanged,
}

/// Makes the disagreement the open conflict of the record, inside the caller's transaction. Returns its number. A step is
/// noted when something changed.
///
/// # Errors
/// When the database cannot be written.
pub async fn open_or_update_conflict(
    connection: &mut MySqlConnection,
    record: &ConflictRecord,
    disagreement: &Disagreement,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(i64, ConflictChange), StorageError> {
    let open = listing::lock_open(connection, record).await?;
    let (id, change) = match open {
        None => (insert(connection, record, disagreement, now).await?, ConflictChange::Opened),
        Some(open) if open.disagreement == *disagreement => return Ok((open.id, ConflictChange::Unchanged)),
        Some(open) => {
            update(connection, open.id, record, disagreement, now).await?;
            (open.id, ConflictChange::Updated)
        }
    };
    let step = if change == ConflictChange::Opened { "opened" } else { "updated" };
    note(connection, id, actor, step, &json!(disagreement), now).await?;
    Ok((id, change))
}

/// Writes a new conflict and returns its number.
async fn insert(
    connection: &mut MySqlConnection,
    record: &ConflictRecord,
    about: &Disagreement,
    now: DateTime<Utc>,
) -> Result<i64, StorageError> {
    let sql = "INSERT INTO conflicts (object_type, row_id, hubspot_id, kind, fields, base_json, local_json, \
               hubspot_json, sources, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(&record.object_type).bind(record.row_id);
    let query = query.bind(record.hubspot_id.map(|id| id.0)).bind(about.kind.word());
    let query = query.bind(json!(about.fields)).bind(json!(about.base)).bind(json!(about.local));
    let query = query.bind(json!(about.hubspot)).bind(json!(about.sources)).bind(now).bind(now);
    let inserted = query.execute(connection).await;
    let inserted =
        inserted.map_err(StorageError::query(format!("open a conflict of {}", record.object_type)))?;
    Ok(inserted.last_insert_id() as i64)
}

/// Brings an open conflict up to date.
async fn update(
    connection: &mut MySqlConnection,
    id: i64,
    record: &ConflictRecord,
    about: &Disagreement,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let sql = "UPDATE conflicts SET hubspot_id = COALESCE(?, hubspot_id), kind = ?, fields = ?, base_json = ?, \
               local_json = ?, hubspot_json = ?, sources = ?, updated_at = ? WHERE id = ?";
    let query = sqlx::query(sql).bind(record.hubspot_id.map(|id| id.0)).bind(about.kind.word());
    let query = query.bind(json!(about.fields)).bind(json!(about.base)).bind(json!(about.local));
    let query = query.bind(json!(about.hubspot)).bind(json!(about.sources)).bind(now).bind(id);
    let updated = query.execute(connection).await;
    updated.map(|_| ()).map_err(StorageError::query(format!("update conflict {id}")))
}

/// Closes the open conflict of the record because nothing is left to settle, inside the caller's transaction. Returns its
/// number, `None` when there is none.
///
/// # Errors
/// When the database cannot be written.
pub async fn close_conflict_by_itself(
    connection: &mut MySqlConnection,
    record: &ConflictRecord,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Option<i64>, StorageError> {
    let Some(open) = listing::lock_open(connection, record).await? else { return Ok(None) };
    close(connection, open.id, ConflictStatus::Superseded, None, actor, now).await?;
    Ok(Some(open.id))
}

/// Closes the open conflicts of a type whose rows are gone, inside the caller's transaction: there is nothing left to
/// settle in. Returns their numbers.
///
/// # Errors
/// When the database cannot be written.
pub async fn close_conflicts_without_row(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Vec<i64>, StorageError> {
    let sql = format!(
        "SELECT id FROM conflicts WHERE status = 'pending' AND object_type = ? AND row_id IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM {} AS mirror WHERE mirror.id = conflicts.row_id)",
        object_type.table
    );
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(object_type.name);
    let open: Result<Vec<i64>, _> = query.fetch_all(&mut *connection).await;
    let open = open.map_err(StorageError::query(format!("look for conflicts of lost {object_type}")))?;
    for id in &open {
        close(connection, *id, ConflictStatus::Superseded, None, actor, now).await?;
    }
    Ok(open)
}

/// Closes every open conflict of a type that is not writable any more, inside the caller's transaction.
///
/// # Errors
/// When the database cannot be written.
pub(super) async fn close_open_conflicts(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let sql = "SELECT id FROM conflicts WHERE status = 'pending' AND object_type = ?";
    let open = sqlx::query_scalar(sql).bind(object_type.name).fetch_all(&mut *connection).await;
    let open: Vec<i64> = open.map_err(StorageError::query(format!("look for conflicts of {object_type}")))?;
    for id in open {
        close(connection, id, ConflictStatus::Superseded, None, actor, now).await?;
    }
    Ok(())
}

/// Notes what a person has decided, inside the transaction that writes it into the row. `resolution` says what, by
/// property. Returns whether the conflict was still open; else nothing is changed.
///
/// # Errors
/// When the database cannot be written.
pub async fn settle_conflict(
    connection: &mut MySqlConnection,
    id: i64,
    status: ConflictStatus,
    resolution: &Value,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    close(connection, id, status, Some(resolution), actor, now).await
}

/// Closes a conflict if it is open, and notes the step.
async fn close(
    connection: &mut MySqlConnection,
    id: i64,
    status: ConflictStatus,
    resolution: Option<&Value>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let sql = "UPDATE conflicts SET status = ?, resolution = ?, resolved_by = ?, resolved_at = ?, updated_at = ? \
               WHERE id = ? AND status = 'pending'";
    let query =
        sqlx::query(sql).bind(status.word()).bind(resolution).bind(actor).bind(now).bind(now).bind(id);
    let closed = query.execute(&mut *connection).await;
    let closed = closed.map_err(StorageError::query(format!("close conflict {id}")))?.rows_affected() > 0;
    if closed {
        note(connection, id, actor, status.word(), resolution.unwrap_or(&Value::Null), now).await?;
    }
    Ok(closed)
}

/// Notes a step.
async fn note(
    connection: &mut MySqlConnection,
    id: i64,
    actor: &str,
    step: &str,
    detail: &Value,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let sql = "INSERT INTO conflict_audit (conflict_id, at, actor, step, detail) VALUES (?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(id).bind(now).bind(actor).bind(step);
    let noted = query.bind(Some(detail).filter(|detail| !detail.is_null())).execute(connection).await;
    noted.map(|_| ()).map_err(StorageError::query(format!("note a step of conflict {id}")))
}
