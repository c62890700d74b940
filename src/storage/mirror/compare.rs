//! What an audit needs of the mirror: rows in id order to compare with a listing, and the ways to mend them.

use chrono::{DateTime, Utc};
use sqlx::mysql::MySqlRow;
use sqlx::{MySqlConnection, QueryBuilder, Row};

use super::lookup::is_gone;
use super::typed::rows_that_disagree;
use super::{MirrorTable, PageOutcome, store_records};
use crate::model::{ObjectId, Properties, PropertiesBuilder, Record};
use crate::storage::{Database, StorageError};

/// Rows with their content that are read at once, and without it: a row may hold megabytes.
const WITH_CONTENT: usize = 100;
const WITHOUT_CONTENT: usize = 1_000;

/// The content of a row as HubSpot has it, as far as is known. Of a row that was edited here, that is what came last.
const CONTENT: &str = "COALESCE(remote_properties_json, base_properties_json, properties_json)";

/// What of the rows an audit looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attention {
    /// Ids and versions.
    Versions,
    /// Their properties as well.
    Properties,
    /// And whether the typed columns are what the properties say.
    Columns,
}

/// A row as an audit sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedRow {
    /// HubSpot's id.
    pub id: ObjectId,
    /// Its version; `None` for a row that never came from HubSpot or was erased.
    pub updated_at: Option<DateTime<Utc>>,
    /// When it was written.
    pub synced_at: Option<DateTime<Utc>>,
    /// Whether it counts as deleted.
    pub archived: bool,
    /// Its properties; `None` when they were not asked for or are not what this program writes.
    pub properties: Option<Properties>,
    /// Whether a typed column was looked at and is not what the properties say.
    pub has_other_columns: bool,
}

/// The next rows behind `after`, up to `to`, in id order; an empty list is the end.
///
/// # Errors
/// When the database cannot be read.
pub async fn compared_rows(
    database: &Database,
    table: &MirrorTable,
    (after, to): (ObjectId, ObjectId),
    attention: Attention,
) -> Result<Vec<ComparedRow>, StorageError> {
    let name = table.object_type.table;
    let (content, limit) = match attention {
        Attention::Versions => ("NULL", WITHOUT_CONTENT),
        Attention::Properties | Attention::Columns => (CONTENT, WITH_CONTENT),
    };
    let sql = format!(
        "SELECT hubspot_id, hubspot_updated_at, last_synced_at, {}, {content} AS content FROM {name} \
         WHERE hubspot_id > ? AND hubspot_id <= ? ORDER BY hubspot_id LIMIT {limit}",
        is_gone(table.object_type)
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(after.0).bind(to.0);
    let rows = query.fetch_all(database.pool()).await;
    let rows: Result<Vec<_>, _> = rows.and_then(|rows| rows.iter().map(compared_row).collect());
    let mut rows = rows.map_err(StorageError::query(format!("read rows of {name} to compare")))?;
    if attention == Attention::Columns {
        let others = rows_that_disagree(database, table, &rows).await?;
        for row in &mut rows {
            row.has_other_columns = others.contains(&row.id);
        }
    }
    Ok(rows)
}

/// One row.
fn compared_row(row: &MySqlRow) -> Result<ComparedRow, sqlx::Error> {
    let content: Option<String> = row.try_get(4)?;
    Ok(ComparedRow {
        id: ObjectId(row.try_get(0)?),
        updated_at: row.try_get(1)?,
        synced_at: row.try_get(2)?,
        archived: row.try_get(3)?,
        properties: content.and_then(|json| Properties::from_json(&json)),
        has_other_columns: false,
    })
}

/// Gives stored records of the same version the values of the properties called `names`, as `partials` have them and
/// nothing else, inside the caller's transaction; whether they count as deleted stays. A row that was written since the
/// partial was read is left alone, and so is one that counts as deleted where HubSpot has it live.
///
/// # Errors
/// When the database fails.
pub async fn overlay_records(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    names: &[String],
    partials: &[Record],
) -> Result<PageOutcome, StorageError> {
    let mut records = Vec::with_capacity(partials.len());
    for chunk in partials.chunks(WITH_CONTENT) {
        for LockedRow { row, created_at, archived_at } in lock_rows(connection, table, chunk).await? {
            let Some(partial) = chunk.iter().find(|partial| partial.id == row.id) else { continue };
            let is_same = row.updated_at == Some(partial.updated_at) && (partial.archived || !row.archived);
            let is_older = row.synced_at.is_none_or(|synced_at| synced_at < partial.read_at);
            let Some(stored) = row.properties.filter(|_| is_same && is_older) else { continue };
            let properties = overlay(&stored, names, &partial.properties);
            let archived = row.archived;
            records.push(Record { properties, created_at, archived, archived_at, ..partial.clone() });
        }
    }
    Ok(store_records(connection, table, &records, &[]).await?.outcome)
}

/// A row that stays as it is until the transaction ends.
struct LockedRow {
    row: ComparedRow,
    /// When HubSpot created the record.
    created_at: DateTime<Utc>,
    /// Since when it counts as deleted.
    archived_at: Option<DateTime<Utc>>,
}

/// Reads and locks the rows of the records.
async fn lock_rows(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    records: &[Record],
) -> Result<Vec<LockedRow>, StorageError> {
    let name = table.object_type.table;
    let mut query = QueryBuilder::new(format!(
        "SELECT hubspot_id, hubspot_updated_at, last_synced_at, archived AND sync_status = 'synced', {CONTENT}, \
         hubspot_created_at, IF(sync_status = 'synced', archived_at, NULL) FROM "
    ));
    query.push(name).push(" WHERE hubspot_id IN (");
    let mut ids = query.separated(", ");
    for record in records {
        ids.push_bind(record.id.0);
    }
    query.push(") ORDER BY hubspot_id FOR UPDATE");
    let rows = query.build().persistent(false).fetch_all(connection).await;
    let locked = |row: &MySqlRow| {
        let created_at: Option<DateTime<Utc>> = row.try_get(5)?;
        let created_at = created_at.unwrap_or_default();
        Ok(LockedRow { row: compared_row(row)?, created_at, archived_at: row.try_get(6)? })
    };
    rows.and_then(|rows| rows.iter().map(locked).collect())
        .map_err(StorageError::query(format!("lock rows of {name}")))
}

/// The stored properties with those called `names` replaced.
fn overlay(stored: &Properties, names: &[String], partial: &Properties) -> Properties {
    let mut merged = PropertiesBuilder::default();
    for (name, value) in stored.iter() {
        if !names.iter().any(|replaced| *replaced == name) {
            merged.push(&name, &value);
        }
    }
    for name in names {
        if let Some(value) = partial.get(name) {
            merged.push(name, &value);
        }
    }
    merged.build()
}

/// Lets the next copy of the records replace their rows, whatever version and content the rows claim to have. A row
/// written since `read_at` is left alone.
///
/// # Errors
/// When the database cannot be written.
pub async fn distrust_rows(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    ids: &[ObjectId],
    read_at: DateTime<Utc>,
) -> Result<(), StorageError> {
    if ids.is_empty() {
        return Ok(());
    }
    let name = table.object_type.table;
    let mut update =
        QueryBuilder::new(format!("UPDATE {name} SET content_hash = NULL, hubspot_updated_at = NULL "));
    update.push("WHERE (last_synced_at IS NULL OR last_synced_at < ").push_bind(read_at);
    update.push(") AND hubspot_id IN (");
    let mut listed = update.separated(", ");
    for id in ids {
        listed.push_bind(id.0);
    }
    update.push(")");
    let updated = update.build().persistent(false).execute(connection).await;
    updated.map(|_| ()).map_err(StorageError::query(format!("mark rows of {name} to be replaced")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_replaces_what_it_names_and_nothing_else() {
        let stored = Properties::from_iter([("a", "1"), ("b", "2"), ("c", "3")]);
        let partial = Properties::from_iter([("a", "9"), ("c", "9"), ("d", "9")]);
        let names = ["b", "c", "d"].map(str::to_owned);
        let expected = Properties::from_iter([("a", "1"), ("c", "9"), ("d", "9")]);
        assert_eq!(overlay(&stored, &names, &partial), expected);
        assert_eq!(overlay(&stored, &[], &partial), stored);
    }
}
