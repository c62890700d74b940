//! Edits that change the row they belong to: a row made here gets its record, an edit follows a record that was merged.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::edited::{EditedRow, RowStatus, RowUpdate, lock_edited, write_row};
use super::{MirrorTable, store_records};
use crate::model::{ObjectId, Properties, Record, rebase};
use crate::storage::jobs::{JobKind, enqueue_jobs};
use crate::storage::{StorageError, merges};

/// Makes an edit in the name of the person it comes from, at `now`: the content, and what it is an edit of. Inside the
/// caller's transaction, which has locked the row.
///
/// # Errors
/// When the database cannot be written.
pub async fn edit_row(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    row: &EditedRow,
    documents: (&Properties, &Properties),
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    edit_row_of(connection, table, row, documents, Some(now), now).await
}

/// The same for an edit that was made at `edited_at`.
async fn edit_row_of(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    row: &EditedRow,
    (base, content): (&Properties, &Properties),
    edited_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let (key, status, archived_at) = (row.key, RowStatus::Pending, row.archived_at);
    let update = RowUpdate {
        key,
        status,
        content,
        base: Some(base),
        copy: None,
        archived_at,
        error: None,
        has_news: false,
    };
    write_row(connection, table, &update, now).await?;
    let name = table.object_type.table;
    let sql = format!("UPDATE {name} SET version = version + 1, last_modified_local = ? WHERE id = ?");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(edited_at.unwrap_or(now)).bind(key);
    let edited = query.execute(&mut *connection).await;
    edited.map_err(StorageError::query(format!("edit a row of {name}")))?;
    enqueue_jobs(connection, table.object_type.name, JobKind::Push, &[key]).await
}

/// Takes its record from a row: HubSpot has deleted it and is to make another one of the row.
///
/// # Errors
/// When the database cannot be written.
pub(in crate::storage) async fn make_anew(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    key: i64,
) -> Result<(), StorageError> {
    let name = table.object_type.table;
    let sql = format!(
        "UPDATE {name} SET hubspot_id = NULL, hubspot_created_at = NULL, hubspot_updated_at = NULL, \
         content_hash = NULL, remote_properties_json = NULL WHERE id = ?"
    );
    let taken = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(key).execute(connection).await;
    taken.map(|_| ()).map_err(StorageError::query(format!("take its record from a row of {name}")))
}

/// Gives a row that was made here its record. `agreed` is what both sides have of it: what was sent when the record was
/// made of the row, nothing when it was there before.
///
/// The record may have come the ordinary way meanwhile and have a row already. There is one in the end, the older one,
/// because somebody may know its key, with the edits of both.
///
/// # Errors
/// When the database cannot be written.
pub async fn link_row(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    row: &EditedRow,
    (id, agreed): (ObjectId, &Properties),
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    // What HubSpot does not take was no edit before and is none now.
    let kept = row.base.iter().filter(|(name, _)| agreed.get(name).is_none());
    let agreed = &kept.chain(agreed.iter()).collect();
    let ours = row.local.as_ref().unwrap_or(agreed);
    match lock_row_of(connection, table, id).await? {
        None => {
            edit_row_of(connection, table, row, (agreed, ours), row.edited_at, now).await?;
            name_record(connection, table, row.key, id).await
        }
        Some(twin) if twin.key < row.key => {
            // Whoever has made the row wants the record to be there, or has deleted it since.
            let is_as_live = twin.archived_at.is_some() == row.archived_at.is_some();
            let twin = EditedRow { archived_at: row.archived_at, ..twin };
            let theirs = twin.local.as_ref().unwrap_or(&twin.base);
            let content = rebase(agreed, theirs, ours);
            // What is edited by this is an edit of what was agreed, which may be nothing.
            let base = base_of(&twin.base, theirs, &content, agreed);
            delete_row(connection, table, row.key).await?;
            if content == *theirs && is_as_live {
                return Ok(());
            }
            let edited_at = row.edited_at.max(twin.edited_at);
            edit_row_of(connection, table, &twin, (&base, &content), edited_at, now).await
        }
        Some(twin) => {
            let theirs = twin.local.as_ref().unwrap_or(&twin.base);
            // Only of a twin that waits for a person: other edits are sent before the rows become one.
            let ours_too = edits(agreed, ours);
            let mut edited = edits(&twin.base, theirs);
            edited.retain(|name| !ours_too.contains(name));
            let content = with_values(ours, &edited, theirs);
            let base = with_values(agreed, &edited, &twin.base);
            delete_row(connection, table, twin.key).await?;
            let edited_at = row.edited_at.max(twin.edited_at);
            edit_row_of(connection, table, row, (&base, &content), edited_at, now).await?;
            name_record(connection, table, row.key, id).await
        }
    }
}

/// Lets the edits of a row follow its record, which was merged into the survivor. The row itself counts as deleted then.
///
/// What was edited in the survivor's row as well, to something else, stays in the row, which is in conflict for it; these
/// properties are returned. They follow once the other edits are in step.
///
/// # Errors
/// When the database cannot be written.
pub async fn follow_merge(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    row: &EditedRow,
    survivor: &Record,
    now: DateTime<Utc>,
) -> Result<Vec<Collision>, StorageError> {
    let local = row.local.as_ref().unwrap_or(&row.base);
    let mut into = lock_row_of(connection, table, survivor.id).await?;
    // Only then: what is stored of a survivor has every row of its earlier records looked at again, this one too.
    if into.is_none() {
        store_records(connection, table, std::slice::from_ref(survivor), &[]).await?;
        into = lock_row_of(connection, table, survivor.id).await?;
    }
    // Not there when MariaDB has refused it; the edits wait here then.
    let Some(mut into) = into.filter(|into| into.key != row.key) else { return Ok(Vec::new()) };
    // It was read live a moment ago; only somebody's delete that is on its way counts for more.
    if into.status == RowStatus::Synced {
        into.archived_at = None;
    }
    let theirs = into.local.as_ref().unwrap_or(&into.base);
    if row.archived_at.is_some() {
        archive_merged(connection, table, row, now).await?;
        return Ok(Vec::new());
    }
    let ours = edits(&row.base, local);
    let edited_too = edits(&into.base, theirs);
    let is_in_question = |name: &String| edited_too.contains(name) && local.get(name) != theirs.get(name);
    let (staying, following): (Vec<_>, Vec<_>) = ours.into_iter().partition(is_in_question);
    if !following.is_empty() {
        let content = with_values(theirs, &following, local);
        // Whoever edited the row had seen nothing of the record it is part of now.
        let base = with_values(&into.base, &following, &row.base);
        let edited_at = row.edited_at.max(into.edited_at);
        edit_row_of(connection, table, &into, (&base, &content), edited_at, now).await?;
    }
    if staying.is_empty() {
        archive_merged(connection, table, row, now).await?;
        return Ok(Vec::new());
    }
    // Whoever settles it has to find the survivor, which need not have been stored since.
    if let Some(old) = row.hubspot_id {
        merges::link(connection, table.object_type, &[(old, survivor.id)]).await?;
    }
    let content = with_values(&row.base, &staying, local);
    let update = RowUpdate {
        key: row.key,
        status: RowStatus::Conflict,
        content: &content,
        base: Some(&row.base),
        copy: None,
        archived_at: None,
        error: None,
        has_news: false,
    };
    write_row(connection, table, &update, now).await?;
    let value = |name: String| Collision {
        base: row.base.get(&name).map(Cow::into_owned),
        local: local.get(&name).map(Cow::into_owned),
        survivor: theirs.get(&name).map(Cow::into_owned),
        name,
    };
    Ok(staying.into_iter().map(value).collect())
}

/// A property that was edited in the row of a merged record and in that of its survivor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// Its name.
    pub name: String,
    /// What both sides last agreed on, of the merged record.
    pub base: Option<String>,
    /// What the row of the merged record holds.
    pub local: Option<String>,
    /// What the row of the survivor holds.
    pub survivor: Option<String>,
}

/// The row of a merged record counts as deleted.
pub(in crate::storage) async fn archive_merged(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    row: &EditedRow,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let update = RowUpdate {
        key: row.key,
        status: RowStatus::Synced,
        content: &row.base,
        base: None,
        copy: None,
        archived_at: Some(row.archived_at.unwrap_or(now)),
        error: None,
        has_news: false,
    };
    write_row(connection, table, &update, now).await
}

/// The names of the properties that were edited.
fn edits(base: &Properties, local: &Properties) -> Vec<String> {
    let names: BTreeSet<_> = base.iter().chain(local.iter()).map(|(name, _)| name).collect();
    let is_edited = |name: &Cow<'_, str>| local.get(name) != base.get(name);
    names.into_iter().filter(is_edited).map(Cow::into_owned).collect()
}

/// The properties with the named ones as they are in `others`.
pub(in crate::storage) fn with_values(
    properties: &Properties,
    names: &[String],
    others: &Properties,
) -> Properties {
    let is_named = |(name, _): &(Cow<'_, str>, Cow<'_, str>)| names.iter().any(|named| *named == **name);
    properties.iter().filter(|pair| !is_named(pair)).chain(others.iter().filter(is_named)).collect()
}

/// What the `content` is an edit of: `known`, but for the properties that differ from `theirs` what was `agreed`.
fn base_of(known: &Properties, theirs: &Properties, content: &Properties, agreed: &Properties) -> Properties {
    let is_edited = |name: &str| content.get(name) != theirs.get(name);
    let kept = known.iter().filter(|(name, _)| !is_edited(name));
    kept.chain(agreed.iter().filter(|(name, _)| is_edited(name))).collect()
}

/// The row of a record, locked.
async fn lock_row_of(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    id: ObjectId,
) -> Result<Option<EditedRow>, StorageError> {
    let name = table.object_type.table;
    let sql = format!("SELECT id FROM {name} WHERE hubspot_id = ? FOR UPDATE");
    let key = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(id.0).fetch_optional(&mut *connection).await;
    let key: Option<i64> = key.map_err(StorageError::query(format!("look for a row of {name}")))?;
    let Some(key) = key else { return Ok(None) };
    Ok(lock_edited(connection, table, &[key]).await?.pop())
}

/// Writes the id of its record into a row.
async fn name_record(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    key: i64,
    id: ObjectId,
) -> Result<(), StorageError> {
    let name = table.object_type.table;
    let sql = format!("UPDATE {name} SET hubspot_id = ?, remote_properties_json = NULL WHERE id = ?");
    let named = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.0).bind(key).execute(connection).await;
    named.map(|_| ()).map_err(StorageError::query(format!("give a row of {name} its record")))
}

/// Removes a row whose record has another one.
async fn delete_row(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    key: i64,
) -> Result<(), StorageError> {
    let name = table.object_type.table;
    let sql = format!("DELETE FROM {name} WHERE id = ?");
    let deleted = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(key).execute(connection).await;
    deleted.map(|_| ()).map_err(StorageError::query(format!("remove the second row of a record in {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_second_row_changes_is_an_edit_of_what_was_agreed() {
        let properties = |pairs: &[(&str, &str)]| -> Properties { pairs.iter().copied().collect() };
        let theirs = properties(&[("email", "a@b.test"), ("city", "Bonn"), ("phone", "1")]);
        let ours = properties(&[("email", "a@b.test"), ("city", "Ulm"), ("zip", "89073")]);
        // It was there before: nothing was agreed, so both cities stand against each other.
        let nothing = Properties::default();
        let content = rebase(&nothing, &theirs, &ours);
        let expected =
            properties(&[("email", "a@b.test"), ("city", "Ulm"), ("phone", "1"), ("zip", "89073")]);
        assert_eq!(content, expected);
        let base = base_of(&theirs, &theirs, &content, &nothing);
        assert_eq!(base, properties(&[("email", "a@b.test"), ("phone", "1")]));
        // It was made of the row, which was edited since: only that is an edit.
        let sent = properties(&[("email", "a@b.test"), ("city", "Bonn"), ("zip", "89073")]);
        let stored = properties(&[("email", "a@b.test"), ("city", "Bonn"), ("zip", "89073"), ("phone", "1")]);
        let content = rebase(&sent, &stored, &ours);
        assert_eq!(base_of(&stored, &stored, &content, &sent), stored);
    }
}
