//! Reading conflicts, their steps, and the policies that keep others from arising.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::mysql::MySqlRow;
use sqlx::types::Json;
use sqlx::{MySql, MySqlConnection, QueryBuilder, Row};

use super::{ConflictKind, ConflictRecord, ConflictStatus, Disagreement};
use crate::model::ObjectId;
use crate::storage::{Database, StorageError};

/// A row of `conflicts`. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// Its number.
    pub id: i64,
    /// The record.
    #[serde(flatten)]
    pub record: ConflictRecord,
    /// What the sides disagree about.
    #[serde(flatten)]
    pub disagreement: Disagreement,
    /// Whether and how it was settled.
    pub status: ConflictStatus,
    /// What was decided, by property.
    pub resolution: Option<Value>,
    /// Who decided.
    pub resolved_by: Option<String>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was closed.
    pub resolved_at: Option<DateTime<Utc>>,
}

/// A step of a conflict. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConflictStep {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// `opened`, `updated`, or the status it was closed with.
    pub step: String,
    /// The disagreement as it was from then on, or what was decided.
    pub detail: Option<Value>,
}

/// Which conflicts are wanted: those that meet every condition given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConflictFilter {
    /// With this status.
    pub status: Option<ConflictStatus>,
    /// Of this type.
    pub object_type: Option<String>,
}

/// A conflict by its number; `None` when there is none.
///
/// # Errors
/// When the database cannot be read or the row holds what this version does not know.
pub async fn load_conflict(database: &Database, id: i64) -> Result<Option<Conflict>, StorageError> {
    let query = sqlx::query("SELECT * FROM conflicts WHERE id = ?").bind(id);
    let row = query.fetch_optional(database.pool()).await;
    row.map_err(StorageError::query(format!("read conflict {id}")))?.as_ref().map(from_row).transpose()
}

/// The same, locked until the caller's transaction ends.
///
/// # Errors
/// As [`load_conflict`].
pub async fn lock_conflict(
    connection: &mut MySqlConnection,
    id: i64,
) -> Result<Option<Conflict>, StorageError> {
    let query = sqlx::query("SELECT * FROM conflicts WHERE id = ? FOR UPDATE").bind(id);
    let row = query.fetch_optional(connection).await;
    row.map_err(StorageError::query(format!("read conflict {id}")))?.as_ref().map(from_row).transpose()
}

/// The number of the open conflict of a record; `None` when there is none.
///
/// # Errors
/// When the database cannot be read.
pub async fn open_conflict_of(
    database: &Database,
    record: &ConflictRecord,
) -> Result<Option<i64>, StorageError> {
    let query = sqlx::query_scalar("SELECT id FROM conflicts WHERE object_type = ? AND open_key = ?");
    let id = query.bind(&record.object_type).bind(record.open_key()).fetch_optional(database.pool()).await;
    id.map_err(StorageError::query(format!("look for a conflict of {}", record.object_type)))
}

/// The open conflict of a record, locked until the caller's transaction ends.
pub(super) async fn lock_open(
    connection: &mut MySqlConnection,
    record: &ConflictRecord,
) -> Result<Option<Conflict>, StorageError> {
    let sql = "SELECT * FROM conflicts WHERE object_type = ? AND open_key = ? FOR UPDATE";
    let query = sqlx::query(sql).bind(&record.object_type).bind(record.open_key());
    let row = query.fetch_optional(connection).await;
    let row = row.map_err(StorageError::query(format!("look for a conflict of {}", record.object_type)))?;
    row.as_ref().map(from_row).transpose()
}

/// The conflicts that meet a filter, newest first, at most `limit`; those opened before the one with the number `before`
/// where it is given.
///
/// # Errors
/// When the database cannot be read or a row holds what this version does not know.
pub async fn list_conflicts(
    database: &Database,
    filter: &ConflictFilter,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Conflict>, StorageError> {
    let mut query = QueryBuilder::<MySql>::new("SELECT * FROM conflicts WHERE id < ");
    query.push_bind(before.unwrap_or(i64::MAX));
    if let Some(status) = filter.status {
        query.push(" AND status = ").push_bind(status.word());
    }
    if let Some(object_type) = &filter.object_type {
        query.push(" AND object_type = ").push_bind(object_type);
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
    let rows = query.build().persistent(false).fetch_all(database.pool()).await;
    rows.map_err(StorageError::query("list conflicts"))?.iter().map(from_row).collect()
}

/// The conflicts that are settled, newest first, at most `limit`; as in [`list_conflicts`].
///
/// # Errors
/// As [`list_conflicts`].
pub async fn closed_conflicts(
    database: &Database,
    object_type: Option<&str>,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Conflict>, StorageError> {
    let sql = "SELECT * FROM conflicts WHERE id < ? AND status <> 'pending' AND object_type = COALESCE(?, object_type) \
               ORDER BY id DESC LIMIT ?";
    let query = sqlx::query(sql).bind(before.unwrap_or(i64::MAX)).bind(object_type).bind(limit);
    let rows = query.fetch_all(database.pool()).await;
    rows.map_err(StorageError::query("list settled conflicts"))?.iter().map(from_row).collect()
}

/// How many conflicts are open, by type; types without one are left out.
///
/// # Errors
/// When the database cannot be read.
pub async fn open_conflicts(database: &Database) -> Result<Vec<(String, u64)>, StorageError> {
    let sql = "SELECT object_type, COUNT(*) FROM conflicts WHERE status = 'pending' \
               GROUP BY object_type ORDER BY object_type";
    let counted: Result<Vec<(String, i64)>, _> = sqlx::query_as(sql).fetch_all(database.pool()).await;
    let counted = counted.map_err(StorageError::query("count open conflicts"))?;
    Ok(counted.into_iter().map(|(object_type, count)| (object_type, count.unsigned_abs())).collect())
}

/// What ever happened to a conflict, in order.
///
/// # Errors
/// When the database cannot be read.
pub async fn conflict_steps(database: &Database, id: i64) -> Result<Vec<ConflictStep>, StorageError> {
    let failed = || StorageError::query(format!("read the steps of conflict {id}"));
    let sql = "SELECT at, actor, step, detail FROM conflict_audit WHERE conflict_id = ? ORDER BY id";
    let rows = sqlx::query(sql).bind(id).fetch_all(database.pool()).await.map_err(failed())?;
    let read = |row: &MySqlRow| -> Result<ConflictStep, sqlx::Error> {
        Ok(ConflictStep {
            at: row.try_get("at")?,
            actor: row.try_get("actor")?,
            step: row.try_get("step")?,
            detail: row.try_get("detail")?,
        })
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(failed())
}

/// The policies people have set for single properties of a type, by property: `ask`, `newest`, `hubspot` or `local`.
///
/// # Errors
/// When the database cannot be read.
pub async fn conflict_policies(
    database: &Database,
    object_type: &str,
) -> Result<BTreeMap<String, String>, StorageError> {
    let sql = "SELECT property, policy FROM conflict_policies WHERE object_type = ?";
    let policies: Result<Vec<(String, String)>, _> =
        sqlx::query_as(sql).bind(object_type).fetch_all(database.pool()).await;
    let policies =
        policies.map_err(StorageError::query(format!("read the conflict policies of {object_type}")))?;
    Ok(policies.into_iter().collect())
}

/// Turns a row into a [`Conflict`].
fn from_row(row: &MySqlRow) -> Result<Conflict, StorageError> {
    let read = || -> Result<_, sqlx::Error> {
        let (kind, status): (String, String) = (row.try_get("kind")?, row.try_get("status")?);
        let record = ConflictRecord {
            object_type: row.try_get("object_type")?,
            row_id: row.try_get("row_id")?,
            hubspot_id: row.try_get::<Option<i64>, _>("hubspot_id")?.map(ObjectId),
        };
        let disagreement = Disagreement {
            kind: ConflictKind::Fields,
            fields: document(row, "fields")?,
            base: document(row, "base_json")?,
            local: document(row, "local_json")?,
            hubspot: document(row, "hubspot_json")?,
            sources: document(row, "sources")?,
        };
        let conflict = Conflict {
            id: row.try_get("id")?,
            record,
            disagreement,
            status: ConflictStatus::Pending,
            resolution: row.try_get("resolution")?,
            resolved_by: row.try_get("resolved_by")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            resolved_at: row.try_get("resolved_at")?,
        };
        Ok((kind, status, conflict))
    };
    let (kind, status, mut conflict) = read().map_err(StorageError::query("read a row of conflicts"))?;
    let row = conflict.id.to_string();
    let unknown =
        |column, value| StorageError::Inconsistent { table: "conflicts", row: row.clone(), column, value };
    conflict.disagreement.kind = kind.parse().map_err(|()| unknown("kind", kind))?;
    conflict.status = status.parse().map_err(|()| unknown("status", status))?;
    Ok(conflict)
}

/// A column that holds JSON of ours.
fn document<T: DeserializeOwned + 'static>(row: &MySqlRow, column: &str) -> Result<T, sqlx::Error> {
    row.try_get::<Json<T>, _>(column).map(|Json(document)| document)
}
