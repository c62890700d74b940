//! The links of one record, in whichever direction they are stored.

use sqlx::Row;
use sqlx::mysql::MySqlRow;

use crate::model::{ObjectId, ObjectType};
use crate::storage::{Database, StorageError};

/// A record another one is linked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedRecord {
    /// Its type.
    pub object_type: String,
    /// Its id in HubSpot.
    pub id: ObjectId,
    /// What people call the link; `None` for the plain one. Seen from the record the link is stored at.
    pub label: Option<String>,
    /// Whether it is the primary one of the record the link is stored at.
    pub is_primary: bool,
}

/// The records one is linked with by links that exist, by type and id, at most `limit`. One that is linked in several ways
/// comes once for each.
///
/// # Errors
/// When the database cannot be read.
pub async fn linked_records(
    database: &Database,
    object_type: &ObjectType,
    id: ObjectId,
    limit: u32,
) -> Result<Vec<LinkedRecord>, StorageError> {
    let sql = "(SELECT to_type AS other_type, to_id AS other_id, label, is_primary FROM hubspot_associations \
               WHERE from_type = ? AND from_id = ? AND removed_at IS NULL) \
               UNION ALL \
               (SELECT from_type, from_id, label, is_primary FROM hubspot_associations \
               WHERE to_type = ? AND to_id = ? AND from_type <> to_type AND removed_at IS NULL) \
               ORDER BY other_type, other_id, label LIMIT ?";
    let query = sqlx::query(sql).bind(object_type.name).bind(id.0).bind(object_type.name).bind(id.0);
    let rows = query.bind(limit).fetch_all(database.pool()).await;
    let read = |row: &MySqlRow| {
        Ok(LinkedRecord {
            object_type: row.try_get("other_type")?,
            id: ObjectId(row.try_get("other_id")?),
            label: row.try_get("label")?,
            is_primary: row.try_get("is_primary")?,
        })
    };
    rows.and_then(|rows| rows.iter().map(read).collect())
        .map_err(StorageError::query(format!("list the links of a record of {object_type}")))
}
