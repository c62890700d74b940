//! Settling a conflict: a change of the row's documents, which the ordinary push then carries out.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Conflict, ConflictKind, ConflictStatus, Disagreement, load_conflict, lock_conflict, settle_conflict,
};
use crate::clock;
use crate::model::{Choice, Documents, ObjectType, Properties};
use crate::storage::idempotency::{Remembered, remember};
use crate::storage::mirror::{
    EditedRow, RowStatus, RowUpdate, archive_merged, edit_row, lock_edited, make_anew, rows_of_records,
    with_values, write_row,
};
use crate::storage::{
    Database, MirrorTable, StorageError, known_survivors, load_catalogue, load_mirror_table,
};

/// What a person decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The whole record as it is here.
    KeepLocal,
    /// The whole record as it is in HubSpot.
    KeepHubSpot,
    /// Property by property; every one in conflict is named.
    Fields(BTreeMap<String, Choice>),
}

/// Why a conflict could not be settled.
#[derive(Debug, thiserror::Error)]
pub enum NotResolved {
    /// There is no such conflict.
    #[error("there is no conflict {0}")]
    Unknown(i64),
    /// It is settled already.
    #[error("conflict {0} is settled already: {1}")]
    Settled(i64, ConflictStatus),
    /// Its type is not mirrored any more.
    #[error("conflict {0} is about {1}, which are not synced here")]
    NotMirrored(i64, String),
    /// Its row is gone.
    #[error("the row of conflict {0} is gone; the conflict closes by itself")]
    NoRow(i64),
    /// One side deleted the record; there is nothing to choose by property.
    #[error("conflict {0} is about a deleted record: keep local or hubspot as a whole")]
    NotByField(i64),
    /// The record it was merged into has no live row to keep anything in.
    #[error("the record of conflict {0} was merged into one that has no live row here: keep hubspot")]
    NoSurvivor(i64),
    /// Properties that are in conflict and were not decided, or are not in conflict.
    #[error("conflict {id} is about {fields}; decide each of them and no other")]
    OtherFields {
        /// The conflict.
        id: i64,
        /// The properties in conflict.
        fields: String,
    },
    /// It is about other values than those that were decided about, or its row holds others.
    #[error("conflict {0} or its row was changed meanwhile; look at it again")]
    ChangedMeanwhile(i64),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A decision, and what belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct Settlement<'a> {
    /// What is decided.
    pub resolution: &'a Resolution,
    /// When the conflict had last changed that was shown to whoever decides; `None`: whatever it is by now.
    pub seen: Option<DateTime<Utc>>,
    /// What is noted in the same transaction, if anything.
    pub note: Option<&'a Remembered>,
}

/// Settles an open conflict in the name of `actor`. `objects` are the types that are mirrored.
///
/// # Errors
/// Why it is not settled; nothing is changed then.
pub async fn resolve_conflict(
    database: &Database,
    objects: &[&'static ObjectType],
    id: i64,
    resolution: &Resolution,
    actor: &str,
) -> Result<ConflictStatus, NotResolved> {
    resolve_conflict_noted(database, objects, id, Settlement { resolution, seen: None, note: None }, actor)
        .await
}

/// The same, unless the conflict has changed since it was seen, with a note of it.
///
/// # Errors
/// As [`resolve_conflict`], when the conflict has changed, and when the note is there already.
pub async fn resolve_conflict_noted(
    database: &Database,
    objects: &[&'static ObjectType],
    id: i64,
    Settlement { resolution, seen, note }: Settlement<'_>,
    actor: &str,
) -> Result<ConflictStatus, NotResolved> {
    let conflict = load_conflict(database, id).await?.ok_or(NotResolved::Unknown(id))?;
    let name = &conflict.record.object_type;
    let object_type = objects.iter().find(|object_type| object_type.name == name);
    let object_type = object_type.ok_or_else(|| NotResolved::NotMirrored(id, name.clone()))?;
    let table = load_mirror_table(database, object_type).await?;
    let catalogue = load_catalogue(database, object_type).await?;
    let writable = catalogue.into_iter().filter(|property| !property.read_only);
    let writable: Vec<_> = writable.map(|property| property.name).collect();
    let survivor = survivor_of(database, &table, &conflict).await?;
    let mut transaction = database.begin().await?;
    // The rows first, in the order of their keys, as the push does.
    let keys: Vec<_> = conflict.record.row_id.into_iter().chain(survivor).collect();
    let (mut rows, others): (Vec<_>, Vec<_>) = lock_edited(&mut transaction, &table, &keys)
        .await?
        .into_iter()
        .partition(|row| Some(row.key) == conflict.record.row_id);
    let row = rows.pop().ok_or(NotResolved::NoRow(id))?;
    let conflict = lock_conflict(&mut transaction, id).await?.ok_or(NotResolved::Unknown(id))?;
    if conflict.status != ConflictStatus::Pending {
        return Err(NotResolved::Settled(id, conflict.status));
    }
    if seen.is_some_and(|seen| seen != conflict.updated_at) {
        return Err(NotResolved::ChangedMeanwhile(id));
    }
    let choices = choices(&conflict, resolution)?;
    let about = &conflict.disagreement;
    if !is_as_seen(&row, about) {
        return Err(NotResolved::ChangedMeanwhile(id));
    }
    match about.kind {
        ConflictKind::Fields => resolve_fields(&mut transaction, &table, &row, (about, &choices)).await?,
        ConflictKind::DeletedHere => {
            let keep_local = resolution == &Resolution::KeepLocal;
            resolve_deleted_here(&mut transaction, &table, row, about, keep_local).await?;
        }
        ConflictKind::DeletedInHubSpot => {
            let keep_local = resolution == &Resolution::KeepLocal;
            resolve_deleted_there(&mut transaction, &table, &row, &writable, keep_local).await?;
        }
        ConflictKind::Merged => {
            let rows = (&row, others.first());
            resolve_merged(&mut transaction, &table, rows, (&conflict, &choices)).await?;
        }
    }
    let (status, decided) = (status(resolution, &choices), told(&choices));
    settle_conflict(&mut transaction, id, status, &decided, actor, clock::now()).await?;
    if let Some(note) = note {
        remember(&mut transaction, note).await?;
    }
    let failed = StorageError::query(format!("settle conflict {id}"));
    transaction.commit().await.map_err(failed)?;
    Ok(status)
}

/// What is decided of each property in conflict.
fn choices(conflict: &Conflict, resolution: &Resolution) -> Result<BTreeMap<String, Choice>, NotResolved> {
    let fields = &conflict.disagreement.fields;
    let all = |choice: Choice| fields.iter().map(|name| (name.clone(), choice.clone())).collect();
    match resolution {
        Resolution::KeepLocal => Ok(all(Choice::Local)),
        Resolution::KeepHubSpot => Ok(all(Choice::HubSpot)),
        Resolution::Fields(_)
            if !matches!(conflict.disagreement.kind, ConflictKind::Fields | ConflictKind::Merged) =>
        {
            Err(NotResolved::NotByField(conflict.id))
        }
        Resolution::Fields(choices) => {
            let is_complete =
                choices.len() == fields.len() && fields.iter().all(|name| choices.contains_key(name));
            let other = || NotResolved::OtherFields { id: conflict.id, fields: fields.join(", ") };
            is_complete.then(|| choices.clone()).ok_or_else(other)
        }
    }
}

/// How the conflict is closed.
fn status(resolution: &Resolution, choices: &BTreeMap<String, Choice>) -> ConflictStatus {
    let all = |choice: &Choice| choices.values().all(|chosen| chosen == choice);
    match resolution {
        Resolution::KeepLocal => ConflictStatus::KeepLocal,
        Resolution::KeepHubSpot => ConflictStatus::KeepHubSpot,
        Resolution::Fields(_) if all(&Choice::Local) => ConflictStatus::KeepLocal,
        Resolution::Fields(_) if all(&Choice::HubSpot) => ConflictStatus::KeepHubSpot,
        Resolution::Fields(_) => ConflictStatus::Merged,
    }
}

/// What was decided, for the audit trail.
fn told(choices: &BTreeMap<String, Choice>) -> Value {
    let word = |choice: &Choice| match choice {
        Choice::Local => json!("local"),
        Choice::HubSpot => json!("hubspot"),
        Choice::Value(value) => json!({ "value": value }),
    };
    choices.iter().map(|(name, choice)| (name.clone(), word(choice))).collect()
}

/// Whether the row still is what the person was shown: what HubSpot has by now the push finds out, and asks again.
fn is_as_seen(row: &EditedRow, about: &Disagreement) -> bool {
    let local = row.local.as_ref().unwrap_or(&row.base);
    let is_same = |(name, value): (&String, &Option<String>)| local.get(name).as_deref() == value.as_deref();
    let is_deleted = about.kind != ConflictKind::DeletedHere || row.archived_at.is_some();
    is_deleted && about.local.iter().all(is_same)
}

/// What HubSpot had of the properties in conflict when the person was asked.
fn shown(about: &Disagreement) -> Properties {
    about.hubspot.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect()
}

/// Both sides changed the same properties.
async fn resolve_fields(
    connection: &mut sqlx::MySqlConnection,
    table: &MirrorTable,
    row: &EditedRow,
    (about, choices): (&Disagreement, &BTreeMap<String, Choice>),
) -> Result<(), StorageError> {
    let local = row.local.clone().unwrap_or_default();
    let resolved = Documents { base: &row.base, local: &local, remote: &shown(about) }.resolve(choices);
    edit_row(connection, table, row, (&resolved.base, &resolved.local), clock::now()).await
}

/// Deleted here and changed in HubSpot: the delete goes out, or is taken back. Other edits of the row stay.
async fn resolve_deleted_here(
    connection: &mut sqlx::MySqlConnection,
    table: &MirrorTable,
    mut row: EditedRow,
    about: &Disagreement,
    keep_local: bool,
) -> Result<(), StorageError> {
    let local = row.local.clone().unwrap_or_default();
    let choice = |name: &String| {
        let is_edited = local.get(name) != row.base.get(name);
        (name.clone(), if keep_local && is_edited { Choice::Local } else { Choice::HubSpot })
    };
    let choices = about.fields.iter().map(choice).collect();
    let resolved = Documents { base: &row.base, local: &local, remote: &shown(about) }.resolve(&choices);
    if !keep_local {
        row.archived_at = None;
    }
    edit_row(connection, table, &row, (&resolved.base, &resolved.local), clock::now()).await
}

/// Deleted in HubSpot and changed here: it is made anew there, or counts as deleted.
async fn resolve_deleted_there(
    connection: &mut sqlx::MySqlConnection,
    table: &MirrorTable,
    row: &EditedRow,
    writable: &[String],
    keep_local: bool,
) -> Result<(), StorageError> {
    let now = clock::now();
    if keep_local {
        let local = row.local.clone().unwrap_or_default();
        // The new record has values of its own for what cannot be written.
        let is_written = |name: &str| writable.iter().any(|known| known == name);
        let base: Properties = local.iter().filter(|(name, _)| !is_written(name)).collect();
        make_anew(connection, table, row.key).await?;
        return edit_row(connection, table, row, (&base, &local), now).await;
    }
    let known = Some(&row.base).filter(|base| !base.is_empty());
    let update = RowUpdate {
        key: row.key,
        status: RowStatus::Synced,
        content: known.or(row.local.as_ref()).unwrap_or(&row.base),
        base: None,
        copy: None,
        archived_at: Some(now),
        error: None,
        has_news: false,
    };
    write_row(connection, table, &update, now).await
}

/// The key of the row of the record that the one of a conflict was merged into.
async fn survivor_of(
    database: &Database,
    table: &MirrorTable,
    conflict: &Conflict,
) -> Result<Option<i64>, StorageError> {
    let merged = conflict.record.hubspot_id.filter(|_| conflict.disagreement.kind == ConflictKind::Merged);
    let Some(merged) = merged else { return Ok(None) };
    let survivors = known_survivors(database, table.object_type(), &[merged]).await?;
    let Some(survivor) = survivors.get(&merged) else { return Ok(None) };
    Ok(rows_of_records(database, table, &[*survivor]).await?.remove(survivor))
}

/// Merged in HubSpot, with both rows edited here: what is kept of this row becomes an edit of the survivor's, and this one
/// counts as deleted.
async fn resolve_merged(
    connection: &mut sqlx::MySqlConnection,
    table: &MirrorTable,
    (row, survivor): (&EditedRow, Option<&EditedRow>),
    (conflict, choices): (&Conflict, &BTreeMap<String, Choice>),
) -> Result<(), NotResolved> {
    let now = clock::now();
    let kept: Vec<_> = choices.iter().filter(|(_, choice)| **choice != Choice::HubSpot).collect();
    if !kept.is_empty() {
        let into = survivor.filter(|into| into.archived_at.is_none());
        let into = into.ok_or(NotResolved::NoSurvivor(conflict.id))?;
        let theirs = into.local.as_ref().unwrap_or(&into.base);
        let shown = shown(&conflict.disagreement);
        let is_unsent = |name: &str| into.base.get(name) != theirs.get(name);
        // Another edit than the one that was decided about.
        if kept.iter().any(|(name, _)| is_unsent(name) && theirs.get(name) != shown.get(name)) {
            return Err(NotResolved::ChangedMeanwhile(conflict.id));
        }
        let decided = kept.iter().filter_map(|(name, choice)| {
            let value = match choice {
                Choice::Value(value) => Some(value).filter(|value| !value.is_empty()),
                Choice::Local | Choice::HubSpot => conflict.disagreement.local.get(*name)?.as_ref(),
            };
            Some((name.as_str(), value?.as_str()))
        });
        let names: Vec<String> = kept.iter().map(|(name, _)| (*name).clone()).collect();
        let content = with_values(theirs, &names, &decided.collect());
        // What the survivor had when the person was asked, so that a later value there is asked about.
        let sent: Vec<_> = names.into_iter().filter(|name| !is_unsent(name)).collect();
        let base = with_values(&into.base, &sent, &shown);
        edit_row(connection, table, into, (&base, &content), now).await?;
    }
    Ok(archive_merged(connection, table, row, now).await?)
}
