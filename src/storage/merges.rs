//! `hubspot_merges`: where merged records are now.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{MySqlConnection, QueryBuilder};

use super::associations::remove_associations_of;
use super::mirror::wake_edited;
use super::{Database, StorageError};
use crate::model::{ObjectId, ObjectType, Record};

/// The property that lists every id a record had before merges, `;` between them.
/// Source: HubSpot's changelog, "Updated merge functionality"; captures of live records.
pub const MERGED_IDS: &str = "hs_merged_object_ids";

/// Rows a statement writes.
const BATCH: usize = 500;

/// Notes for every record that others were merged into that their ids lead to it now, and marks their rows as archived.
/// Returns how many rows it marked. Idempotent, whatever the order in which survivors arrive.
///
/// # Errors
/// When the database cannot be written.
pub async fn record_merges(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    records: &[&Record],
    now: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let into = |record: &&Record| {
        let survivor = record.id;
        merged_ids(record).into_iter().map(move |old| (old, survivor))
    };
    let mut merged: Vec<_> = records.iter().flat_map(into).collect();
    if merged.is_empty() {
        return Ok(0);
    }
    merged.sort_unstable();
    // A survivor may have been merged itself, and its copy may be older than that.
    let survivors: Vec<_> = merged.iter().map(|(_, survivor)| *survivor).collect();
    let moved = survivors_of(connection, object_type, &survivors).await?;
    for (_, survivor) in &mut merged {
        *survivor = moved.get(survivor).copied().unwrap_or(*survivor);
    }
    merged.retain(|(old, survivor)| old != survivor);
    for chunk in merged.chunks(BATCH) {
        link(connection, object_type, chunk).await?;
    }
    let old: Vec<_> = merged.iter().map(|(old, _)| *old).collect();
    // Of those without a row too: their links may have come from the other side.
    remove_associations_of(connection, object_type, &old, now).await?;
    mark_merged(connection, object_type, &old, now).await
}

/// The ids of the records that were merged into this one.
pub fn merged_ids(record: &Record) -> Vec<ObjectId> {
    let Some(ids) = record.properties.get(MERGED_IDS) else { return Vec::new() };
    let ids = ids.split(';').filter_map(|id| id.trim().parse::<ObjectId>().ok());
    // Where the primary keeps its id, it may be listed as well.
    ids.filter(|id| *id != record.id).collect()
}

/// Whether any record of the type was ever merged.
pub(super) async fn is_used(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
) -> Result<bool, StorageError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM hubspot_merges WHERE object_type = ?)")
        .bind(object_type.name)
        .fetch_one(connection)
        .await
        .map_err(StorageError::query("look into the merges"))
}

/// Where those of the records are now that are known to be merged into others.
///
/// # Errors
/// When the database cannot be read.
pub async fn known_survivors(
    database: &Database,
    object_type: &ObjectType,
    ids: &[ObjectId],
) -> Result<HashMap<ObjectId, ObjectId>, StorageError> {
    let mut transaction = database.begin().await?;
    let survivors = survivors_of(&mut transaction, object_type, ids).await?;
    transaction.commit().await.map_err(StorageError::query("end reading merges"))?;
    Ok(survivors)
}

/// Where those of the records are now that were merged into others.
async fn survivors_of(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    ids: &[ObjectId],
) -> Result<HashMap<ObjectId, ObjectId>, StorageError> {
    let mut found = HashMap::new();
    for chunk in ids.chunks(BATCH) {
        let mut query =
            QueryBuilder::new("SELECT old_id, survivor_id FROM hubspot_merges WHERE object_type = ");
        query.push_bind(object_type.name).push(" AND old_id IN (");
        let mut listed = query.separated(", ");
        for id in chunk {
            listed.push_bind(id.0);
        }
        query.push(")");
        let rows: Vec<(i64, i64)> = query
            .build_query_as()
            .persistent(false)
            .fetch_all(&mut *connection)
            .await
            .map_err(StorageError::query(format!("read the merges of {object_type}")))?;
        found.extend(rows.into_iter().map(|(old, survivor)| (ObjectId(old), ObjectId(survivor))));
    }
    Ok(found)
}

/// Lets the old ids, and all that led to one of them, lead to the survivors.
pub(super) async fn link(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    merged: &[(ObjectId, ObjectId)],
) -> Result<(), StorageError> {
    let failed = || StorageError::query(format!("record the merges of {object_type}"));
    let mut insert = QueryBuilder::new("INSERT INTO hubspot_merges (object_type, old_id, survivor_id) ");
    insert.push_values(merged, |mut row, (old, survivor)| {
        row.push_bind(object_type.name).push_bind(old.0).push_bind(survivor.0);
    });
    insert.push(" ON DUPLICATE KEY UPDATE survivor_id = VALUES(survivor_id)");
    insert.build().persistent(false).execute(&mut *connection).await.map_err(failed())?;
    let mut follow = QueryBuilder::new(
        "UPDATE hubspot_merges AS earlier \
         JOIN hubspot_merges AS later ON later.object_type = earlier.object_type AND later.old_id = earlier.survivor_id \
         SET earlier.survivor_id = later.survivor_id WHERE earlier.object_type = ",
    );
    follow.push_bind(object_type.name).push(" AND earlier.survivor_id IN (");
    let mut listed = follow.separated(", ");
    for (old, _) in merged {
        listed.push_bind(old.0);
    }
    follow.push(")");
    follow.build().persistent(false).execute(connection).await.map(|_| ()).map_err(failed())
}

/// Marks those of the rows as archived that belong to merged records. Returns how many it marked.
pub(super) async fn mark_merged(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    ids: &[ObjectId],
    now: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let mut marked = 0;
    for chunk in ids.chunks(BATCH) {
        let mut update = QueryBuilder::new(format!(
            "UPDATE {} AS mirror JOIN hubspot_merges AS merge ON merge.old_id = mirror.hubspot_id \
             AND merge.object_type = ",
            object_type.table
        ));
        update.push_bind(object_type.name).push(" SET mirror.archived = TRUE, mirror.archived_at = ");
        update.push_bind(now).push(", mirror.last_synced_at = ").push_bind(now);
        update
            .push(" WHERE NOT mirror.archived AND mirror.sync_status = 'synced' AND mirror.hubspot_id IN (");
        let mut listed = update.separated(", ");
        for id in chunk {
            listed.push_bind(id.0);
        }
        update.push(")");
        let done = update.build().persistent(false).execute(&mut *connection).await;
        let failed = StorageError::query(format!("mark merged rows of {}", object_type.table));
        marked += done.map_err(failed)?.rows_affected();
    }
    wake_edited(connection, object_type, ids).await?;
    Ok(marked)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    /// A record with that list of earlier ids.
    fn survivor(id: i64, merged: &str) -> Record {
        Record {
            id: ObjectId(id),
            properties: [(MERGED_IDS, merged)].into_iter().collect(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            archived: false,
            archived_at: None,
            read_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn earlier_ids_are_read_whatever_else_is_in_the_list() {
        let read = |merged| merged_ids(&survivor(9, merged)).iter().map(|old| old.0).collect::<Vec<_>>();
        assert_eq!(read("1;2"), [1, 2]);
        assert_eq!(read("1; 9;"), [1], "its own id is no earlier one");
        assert_eq!(read("none"), [0_i64; 0]);
        assert_eq!(read(""), [0_i64; 0]);
    }
}
