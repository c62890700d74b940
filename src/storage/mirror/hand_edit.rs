//! Edits by hand: what somebody asks for over the API, written the way a person with a SQL client would.
//!
//! The triggers capture it ([`capture`](crate::storage::ensure_capture)): they have the last word on what may be
//! written, mark the row and put the job. So these statements run in sessions that do not count as the daemon's
//! ([`Database::begin_edit`]).

use std::collections::BTreeMap;

use sqlx::{MySql, QueryBuilder};

use super::view::{RowName, RowView, lock_row};
use super::{MirrorTable, RowStatus};
use crate::model::Properties;
use crate::storage::database::WatchedTransaction;
use crate::storage::idempotency::{Remembered, remember};
use crate::storage::{Database, StorageError};

/// MariaDB's number for what a trigger refuses.
const REFUSED: u16 = 1644;

/// How often an edit is tried that meets another one.
const TRIES: u32 = 5;

/// What is to become of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandEdit {
    /// These properties get these values; `None` clears one.
    Set(BTreeMap<String, Option<String>>),
    /// It counts as deleted.
    Delete,
}

/// Why an edit was not made; nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub enum NotEdited {
    /// There is no such row.
    #[error("there is no such row")]
    NoRow,
    /// The row is not what it was when somebody looked at it.
    #[error("the row was changed meanwhile")]
    Stale(Box<RowView>),
    /// Another row has the e-mail address, of records no two of which share one.
    #[error("row {0} has this e-mail address")]
    EmailTaken(i64),
    /// The record is deleted in HubSpot, and there is no way to restore it from here.
    #[error("the record is deleted")]
    Deleted(Box<RowView>),
    /// No trigger has captured it: the first run of the type, which makes them, is still to come.
    #[error("edits of this type are not captured yet")]
    NotCaptured,
    /// The triggers refuse it: their words, which name a property and never a value.
    #[error("{0}")]
    Refused(String),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Makes an edit, if the row `is_expected`. Returns the row as it is then.
///
/// # Errors
/// Why not.
pub async fn edit_by_hand(
    database: &Database,
    table: &MirrorTable,
    name: RowName,
    edit: &HandEdit,
    is_expected: impl Fn(&RowView) -> bool,
) -> Result<RowView, NotEdited> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_edit(database, table, name, edit, &is_expected).await {
            Err(NotEdited::Storage(error)) if error.is_deadlock() && tries < TRIES => {}
            done => return done,
        }
    }
}

/// Makes a row, and notes it under a key of the caller's in the same transaction. Returns the row.
///
/// # Errors
/// Why not. A [`Data`](crate::storage::StorageErrorKind::Data) error means that another request with the same key was quicker.
pub async fn create_by_hand(
    database: &Database,
    table: &MirrorTable,
    properties: &Properties,
    note: Option<&Remembered>,
) -> Result<RowView, NotEdited> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_create(database, table, properties, note).await {
            Err(NotEdited::Storage(error)) if error.is_deadlock() && tries < TRIES => {}
            done => return done,
        }
    }
}

/// One try of [`edit_by_hand`].
async fn try_edit(
    database: &Database,
    table: &MirrorTable,
    name: RowName,
    edit: &HandEdit,
    is_expected: &impl Fn(&RowView) -> bool,
) -> Result<RowView, NotEdited> {
    let mut transaction = database.begin_edit().await?;
    let row = lock_row(&mut transaction, table, name).await?.ok_or(NotEdited::NoRow)?;
    if !is_expected(&row) {
        return Err(NotEdited::Stale(Box::new(row)));
    }
    match edit {
        HandEdit::Delete if row.archived => return Ok(row),
        HandEdit::Set(_) if row.archived => return Err(NotEdited::Deleted(Box::new(row))),
        HandEdit::Set(changes) if changes.is_empty() => return Ok(row),
        HandEdit::Set(changes) => {
            let email = changes.get("email").and_then(Option::as_deref);
            refuse_taken_email(&mut transaction, table, email, Some(row.key)).await?;
        }
        HandEdit::Delete => {}
    }
    let written = update(table, row.key, edit).build().persistent(false).execute(&mut *transaction).await;
    written.map_err(|error| refused(table, error))?;
    finish(transaction, table, row.key, row.version).await
}

/// One try of [`create_by_hand`].
async fn try_create(
    database: &Database,
    table: &MirrorTable,
    properties: &Properties,
    note: Option<&Remembered>,
) -> Result<RowView, NotEdited> {
    let mut transaction = database.begin_edit().await?;
    refuse_taken_email(&mut transaction, table, properties.get("email").as_deref(), None).await?;
    let sql = format!("INSERT INTO {} (properties_json) VALUES (?)", table.object_type.table);
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(properties.as_json());
    let inserted = query.execute(&mut *transaction).await.map_err(|error| refused(table, error))?;
    let key = inserted.last_insert_id() as i64;
    if let Some(note) = note {
        remember(&mut transaction, &Remembered { row_id: Some(key), ..note.clone() }).await?;
    }
    finish(transaction, table, key, 0).await
}

/// Reads the row as it is now and commits, if the edit was captured: its version is beyond the one `before`, and it waits
/// to be sent.
async fn finish(
    mut transaction: WatchedTransaction,
    table: &MirrorTable,
    key: i64,
    before: i64,
) -> Result<RowView, NotEdited> {
    let row = lock_row(&mut transaction, table, RowName::Key(key)).await?.ok_or(NotEdited::NoRow)?;
    if row.version <= before || row.status == RowStatus::Synced {
        return Err(NotEdited::NotCaptured);
    }
    transaction.commit().await.map_err(StorageError::query("commit an edit"))?;
    Ok(row)
}

/// The statement of an edit. Only what is edited is written into the document: other values keep the spelling they have.
fn update(table: &MirrorTable, key: i64, edit: &HandEdit) -> QueryBuilder<MySql> {
    let mut query = QueryBuilder::new(format!("UPDATE {} SET ", table.object_type.table));
    match edit {
        HandEdit::Delete => {
            query.push("archived = 1");
        }
        HandEdit::Set(changes) => {
            let set: Vec<_> =
                changes.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect();
            let cleared: Vec<_> = changes.iter().filter(|(_, value)| value.is_none()).collect();
            query.push("properties_json = ");
            query.push(if cleared.is_empty() { "" } else { "JSON_REMOVE(" });
            query.push(if set.is_empty() { "" } else { "JSON_SET(" }).push("properties_json");
            for (name, value) in &set {
                query.push(", ").push_bind(path(name)).push(", ").push_bind((*value).clone());
            }
            query.push(if set.is_empty() { "" } else { ")" });
            for (name, _) in &cleared {
                query.push(", ").push_bind(path(name));
            }
            query.push(if cleared.is_empty() { "" } else { ")" });
        }
    }
    query.push(" WHERE id = ").push_bind(key);
    query
}

/// Where a property stands in the document. What would end the name is no part of any: it is refused as unknown.
fn path(name: &str) -> String {
    format!("$.\"{}\"", name.replace(['"', '\\'], "?"))
}

/// Refuses an e-mail address another live row has, of records no two of which share one. The lock keeps others from
/// writing it before the caller's transaction ends.
async fn refuse_taken_email(
    transaction: &mut WatchedTransaction,
    table: &MirrorTable,
    email: Option<&str>,
    own: Option<i64>,
) -> Result<(), NotEdited> {
    let Some(email) = email.filter(|_| table.object_type.has_unique_email()) else { return Ok(()) };
    // The index finds addresses that differ in case and accents; HubSpot takes them for the same in the first case only.
    let sql = format!(
        "SELECT id FROM {} WHERE email = ? AND LOWER(email) = LOWER(?) COLLATE utf8mb4_bin AND archived = 0 \
         AND NOT id <=> ? ORDER BY id LIMIT 1 FOR UPDATE",
        table.object_type.table
    );
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(email).bind(email).bind(own);
    let taken: Result<Option<i64>, _> = query.fetch_optional(&mut **transaction).await;
    match taken.map_err(StorageError::query("look for an e-mail address"))? {
        Some(key) => Err(NotEdited::EmailTaken(key)),
        None => Ok(()),
    }
}

/// The error of a statement that triggers may refuse.
fn refused(table: &MirrorTable, error: sqlx::Error) -> NotEdited {
    let name = table.object_type.table;
    if crate::storage::error::number(&error) == REFUSED {
        let words = error.as_database_error().map(|error| error.message().to_owned()).unwrap_or_default();
        let prefix = format!("{name}: ");
        return NotEdited::Refused(words.strip_prefix(&prefix).unwrap_or(&words).to_owned());
    }
    NotEdited::Storage(StorageError::query(format!("edit a row of {name}"))(error))
}
