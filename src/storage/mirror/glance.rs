//! Rows as other pages mention them: their ids and a few values to know them by.

use chrono::{DateTime, Utc};
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row};

use crate::model::{ObjectId, ObjectType};
use crate::storage::{Database, StorageError};

/// Most characters of a value.
const CHARACTERS: u32 = 200;

/// What is seen of a row at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// Its local key.
    pub key: i64,
    /// Its record in HubSpot; `None` until it is made there.
    pub hubspot_id: Option<ObjectId>,
    /// Last edit made here, UTC.
    pub edited_at: Option<DateTime<Utc>>,
    /// The values asked for, in that order and cut to a length for one line; `None`: not set.
    pub values: Vec<Option<String>>,
}

/// The rows with one of these keys, and those of these records, with values of these properties; in no order.
///
/// # Errors
/// When the database cannot be read.
pub async fn glance_at_rows(
    database: &Database,
    object_type: &ObjectType,
    keys: &[i64],
    records: &[ObjectId],
    properties: &[&str],
) -> Result<Vec<Glance>, StorageError> {
    let records: Vec<_> = records.iter().map(|id| id.0).collect();
    let mut found = Vec::new();
    for (column, ids) in [("id", keys), ("hubspot_id", &records)] {
        if ids.is_empty() {
            continue;
        }
        let mut query = QueryBuilder::<MySql>::new("SELECT id, hubspot_id, last_modified_local");
        for property in properties {
            query.push(", LEFT(JSON_VALUE(properties_json, CONCAT('$.\"', ");
            query.push_bind(*property).push(format!(", '\"')), {CHARACTERS})"));
        }
        query.push(format!(" FROM {} WHERE {column} IN (", object_type.table));
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(*id);
        }
        query.push(")");
        let rows = query.build().persistent(false).fetch_all(database.pool()).await;
        let failed = || StorageError::query(format!("glance at rows of {object_type}"));
        for row in rows.map_err(failed())? {
            found.push(glance(&row, properties.len()).map_err(failed())?);
        }
    }
    Ok(found)
}

/// Turns a row into a [`Glance`] at so many values.
fn glance(row: &MySqlRow, values: usize) -> Result<Glance, sqlx::Error> {
    Ok(Glance {
        key: row.try_get("id")?,
        hubspot_id: row.try_get::<Option<i64>, _>("hubspot_id")?.map(ObjectId),
        edited_at: row.try_get("last_modified_local")?,
        values: (0..values).map(|index| row.try_get(index + 3)).collect::<Result<_, _>>()?,
    })
}
