//! Writing records into their mirror table: read what is there, write only what differs.
//!
//! | The incoming copy is | What happens |
//! | --- | --- |
//! | of a record not in the table | inserted |
//! | older than the stored one | nothing, whatever lane it came by |
//! | equal in content and not newer | nothing |
//! | different, or newer | the row is rewritten |
//! | of a row that was edited here | set aside for the push to merge ([`edited`]) |
//! | live where the stored one is archived, or the other way round | the one that was read later counts, whatever its version: a restored record may come back with an older one |

mod board;
mod compare;
mod edited;
mod glance;
mod hand_edit;
mod link;
mod listing;
mod lookup;
mod take_back;
mod typed;
mod view;
mod write;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

pub use self::board::{StageTotal, deal_totals};
pub use self::compare::{Attention, ComparedRow, compared_rows, distrust_rows, overlay_records};
pub(super) use self::edited::wake_edited;
pub use self::edited::{
    EditedRow, RowStatus, RowUpdate, edited_records, edited_rows, is_being_sent, is_row_locked, is_there,
    lock_edited, lock_free_edited, note_creation, note_error, pending_rows, requeue_pending,
    wake_deleted_in_hubspot, write_row,
};
pub use self::glance::{Glance, glance_at_rows};
pub use self::hand_edit::{HandEdit, NotEdited, create_by_hand, edit_by_hand};
pub use self::link::{Collision, edit_row, follow_merge, link_row};
pub(super) use self::link::{archive_merged, make_anew, with_values};
pub(super) use self::listing::limited;
pub use self::listing::{
    GATHERED, RowFilter, RowOrder, RowPage, RowPlace, RowStart, RowTotal, count_rows, list_rows,
    ordering_columns, searched_columns,
};
use self::lookup::{Lookup, Stored};
pub use self::lookup::{StoredVersion, archived_rows, newest_id, rows_of_records, stored_versions};
pub use self::take_back::{has_edits, take_back_edits};
pub use self::view::{RowName, RowView, load_row, load_rows};
use self::write::{RowWrite, Upsert, write_all};
use super::merges::{self, mark_merged, record_merges};
use super::mirror_schema::{ColumnIndex, TypedColumn};
use super::pending_deletes::withdraw_deletes;
use super::{StorageError, quarantine};
use crate::clock;
use crate::model::{ContentHash, ObjectId, ObjectType, Record, RejectedRecord};

/// A mirror table with the typed columns it has.
#[derive(Debug, Clone)]
pub struct MirrorTable {
    object_type: &'static ObjectType,
    columns: Vec<TypedColumn>,
    /// Indexes of typed columns, by column.
    indexes: BTreeMap<String, ColumnIndex>,
    lookup: Lookup,
    upserts: Vec<Upsert>,
}

impl MirrorTable {
    /// Prepares the statements for the table.
    pub(super) fn new(
        object_type: &'static ObjectType,
        columns: Vec<TypedColumn>,
        indexes: BTreeMap<String, ColumnIndex>,
    ) -> Self {
        let lookup = Lookup::new(object_type);
        let upserts = Upsert::all(object_type.table, &columns);
        Self { object_type, columns, indexes, lookup, upserts }
    }

    /// The type it mirrors.
    pub fn object_type(&self) -> &'static ObjectType {
        self.object_type
    }

    /// Its typed columns.
    pub(super) fn columns(&self) -> &[TypedColumn] {
        &self.columns
    }

    /// The names of its typed columns.
    pub(super) fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }
}

/// What became of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageOutcome {
    /// Rows written for the first time.
    pub inserted: u64,
    /// Rows rewritten.
    pub updated: u64,
    /// Records that needed nothing.
    pub unchanged: u64,
    /// Rows marked as gone from HubSpot.
    pub deleted: u64,
    /// Records that could not be stored.
    pub quarantined: u64,
}

/// What became of a page, and of which records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredPage {
    /// How many.
    pub outcome: PageOutcome,
    /// The records whose rows were written, in no order. Rows that count as gone because of a merge are not among them.
    pub written: Vec<ObjectId>,
}

/// A record to write, with everything that can be computed before rows are locked.
struct Incoming<'r> {
    record: &'r Record,
    hash: ContentHash,
}

/// Stores a page of records inside the caller's transaction. Idempotent; the order of `records` does not matter.
///
/// A record MariaDB refuses for its values is quarantined and the others go on.
///
/// # Errors
/// When the database fails; the caller's transaction must then be given up.
pub async fn store_records(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    records: &[Record],
    rejected: &[RejectedRecord],
) -> Result<StoredPage, StorageError> {
    let now = clock::now();
    let incoming = newest_by_id(records);
    let stored = table.lookup.lock(connection, &incoming).await?;
    let mut outcome = PageOutcome::default();
    let (mut new, mut changed, mut kept, mut aside) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for candidate in &incoming {
        match decide(candidate, stored.get(&candidate.record.id)) {
            Decision::Insert => new.push(RowWrite { local_key: None, incoming: candidate }),
            Decision::Rewrite(key) => changed.push(RowWrite { local_key: Some(key), incoming: candidate }),
            Decision::SetAside(key) => aside.push((key, candidate)),
            Decision::Keep => kept.push(candidate.record.id),
        }
    }
    let mut refused = rejected.to_vec();
    let oversized = new
        .extract_if(.., |write| write.is_oversized())
        .chain(changed.extract_if(.., |write| write.is_oversized()));
    refused.extend(oversized.map(|write| write.reject("larger than a row can be".to_owned())));
    outcome.inserted = write_all(connection, table, &new, &mut refused, now).await?;
    outcome.updated = write_all(connection, table, &changed, &mut refused, now).await?;
    outcome.updated += aside.len() as u64;
    edited::set_aside(connection, table, &aside, now).await?;
    (outcome.unchanged, outcome.quarantined) = (kept.len() as u64, refused.len() as u64);
    if stored.values().next().is_some_and(|stored| stored.deletes_wait) {
        withdraw(connection, table, &incoming).await?;
    }
    let written: Vec<_> = new.iter().chain(&changed).map(|write| write.incoming.record).collect();
    // Of kept ones too: what was stored by a version that did not follow merges is never written again.
    let shown: Vec<_> = incoming.iter().map(|incoming| incoming.record).collect();
    outcome.deleted = record_merges(connection, table.object_type, &shown, now).await?;
    let merges_used = stored.values().next().map(|stored| stored.merges_used);
    outcome.deleted += mark_late_arrivals(connection, table, &new, merges_used, now).await?;
    quarantine::record_rejected(connection, table.object_type, &refused, now).await?;
    let is_refused = |id: ObjectId| refused.iter().any(|refused| refused.id.parse() == Ok(id));
    let changed =
        written.iter().map(|record| record.id).chain(aside.iter().map(|(_, aside)| aside.record.id));
    let changed = changed.filter(|id| !is_refused(*id)).collect();
    let used = match stored.values().next() {
        Some(stored) => stored.quarantine_used,
        None => quarantine::is_used(connection, table.object_type).await?,
    };
    if used {
        let written: Vec<_> = written.iter().map(|record| record.id).collect();
        quarantine::release_healed(connection, table.object_type, &written, &kept, now).await?;
    }
    Ok(StoredPage { outcome, written: changed })
}

/// Forgets deletes that wait of records which are live after all.
async fn withdraw(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    incoming: &[Incoming<'_>],
) -> Result<(), StorageError> {
    let live = || incoming.iter().map(|incoming| incoming.record).filter(|record| !record.archived);
    let Some(read_at) = live().map(|record| record.read_at).min() else { return Ok(()) };
    let ids: Vec<_> = live().map(|record| record.id).collect();
    withdraw_deletes(connection, table.object_type, &ids, read_at).await
}

/// Marks new rows of records that are known to be merged: their copies were read before that. Whether the type has merges
/// is asked only when the page found no row that told. Returns how many rows it marked.
async fn mark_late_arrivals(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    new: &[RowWrite<'_>],
    merges_used: Option<bool>,
    now: DateTime<Utc>,
) -> Result<u64, StorageError> {
    if new.is_empty() {
        return Ok(0);
    }
    let merges_used = match merges_used {
        Some(known) => known,
        None => merges::is_used(connection, table.object_type).await?,
    };
    if !merges_used {
        return Ok(0);
    }
    let ids: Vec<_> = new.iter().map(|write| write.incoming.record.id).collect();
    mark_merged(connection, table.object_type, &ids, now).await
}

/// What to do with one incoming copy.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Insert,
    Rewrite(i64),
    /// Edited here: the copy is for the push to merge.
    SetAside(i64),
    Keep,
}

/// Compares an incoming copy with the stored one.
fn decide(incoming: &Incoming<'_>, stored: Option<&Stored>) -> Decision {
    let Some(stored) = stored else { return Decision::Insert };
    let Record { updated_at: version, archived, archived_at, read_at, .. } = *incoming.record;
    let write = if stored.edited { Decision::SetAside } else { Decision::Rewrite };
    if archived != stored.archived {
        let is_later = stored.synced_at.is_none_or(|synced_at| read_at > synced_at);
        return if is_later { write(stored.local_key) } else { Decision::Keep };
    }
    let same_content = stored.hash.as_deref() == Some(&incoming.hash.0) && archived_at == stored.archived_at;
    match stored.updated_at {
        Some(held) if version < held => Decision::Keep,
        Some(held) if version == held && same_content => Decision::Keep,
        // A newer version is written even without a difference: the next search would ask for it again.
        _ => write(stored.local_key),
    }
}

/// The newest copy of each record, in id order: two writers that lock rows in one order cannot deadlock.
fn newest_by_id(records: &[Record]) -> Vec<Incoming<'_>> {
    let mut sorted: Vec<_> = records.iter().collect();
    sorted.sort_by_key(|record| (record.id, std::cmp::Reverse(record.updated_at)));
    sorted.dedup_by_key(|record| record.id);
    sorted.into_iter().map(|record| Incoming { record, hash: record.content_hash() }).collect()
}

#[cfg(test)]
mod tests;
