//! What the log says of records that were made, or may have been.

use std::collections::{HashMap, HashSet};

use sqlx::{MySql, QueryBuilder};

use super::{BATCH, OPEN};
use crate::model::{ObjectId, Window};
use crate::storage::{Database, StorageError};

/// The rows of the type among these that HubSpot was asked to make a record of, without an end to it in the log: each
/// with the time from the first try to what was last noted of it.
///
/// # Errors
/// When the database cannot be read.
pub async fn open_creates(
    database: &Database,
    object_type: &str,
    row_ids: &[i64],
) -> Result<HashMap<i64, Window>, StorageError> {
    let mut open = HashMap::new();
    for chunk in row_ids.chunks(BATCH) {
        let mut query = QueryBuilder::<MySql>::new(format!(
            "SELECT row_id, created_at, updated_at FROM sync_log WHERE {OPEN} AND action = 'create' \
             AND direction = 'push'"
        ));
        query.push(" AND object_type = ").push_bind(object_type).push(" AND row_id IN (");
        let mut list = query.separated(", ");
        for row_id in chunk {
            list.push_bind(*row_id);
        }
        query.push(")");
        let rows = query.build_query_as().persistent(false).fetch_all(database.pool()).await;
        let rows: Vec<(i64, _, _)> = rows.map_err(StorageError::query("read sync_log"))?;
        open.extend(rows.into_iter().map(|(row_id, start, end)| (row_id, Window { start, end })));
    }
    Ok(open)
}

/// Those of the records that were made of rows here, as far as the log reaches back.
///
/// # Errors
/// When the database cannot be read.
pub async fn made_here(
    database: &Database,
    object_type: &str,
    ids: &[ObjectId],
) -> Result<HashSet<ObjectId>, StorageError> {
    let mut made = HashSet::new();
    for chunk in ids.chunks(BATCH) {
        let mut query = QueryBuilder::<MySql>::new(
            "SELECT hubspot_id FROM sync_log WHERE action = 'create' AND direction = 'push' AND status = 'success'",
        );
        query.push(" AND object_type = ").push_bind(object_type).push(" AND hubspot_id IN (");
        let mut list = query.separated(", ");
        for id in chunk {
            list.push_bind(id.0);
        }
        query.push(")");
        let rows = query.build_query_scalar().persistent(false).fetch_all(database.pool()).await;
        let rows: Vec<i64> = rows.map_err(StorageError::query("read sync_log"))?;
        made.extend(rows.into_iter().map(ObjectId));
    }
    Ok(made)
}
