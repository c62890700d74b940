//! `pending_deletes`: rows about to be marked as deleted.
//!
//! A pass gathers them before it marks the first: a recycle bin or a listing that is wrong would otherwise empty a
//! table row by row.

mod waiting;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, MySqlConnection, QueryBuilder};

use super::associations::remove_associations_of_archived;
use super::mirror::wake_edited;
use super::words::stored_words;
use super::{Database, Lease, MirrorTable, StorageError, UpkeepLane};
use crate::model::{ObjectId, ObjectType};

pub use waiting::{
    WaitingMark, confirm_deletes, confirm_deletes_as_seen, pending_deletes, waiting_deletes, waiting_mark,
};

/// Rows a statement reads or writes.
const BATCH: usize = 500;

stored_words! {
    /// What HubSpot holds of a deleted record.
    pub enum DeleteReason {
        /// It lies in the recycle bin.
        Archived = "archived",
        /// Nothing.
        Purged = "purged",
    }
}

/// A delete found in HubSpot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingDelete {
    /// The record.
    pub id: ObjectId,
    /// What HubSpot holds of it.
    pub reason: DeleteReason,
    /// When it was deleted, where HubSpot says so.
    pub archived_at: Option<DateTime<Utc>>,
    /// When HubSpot was asked: a row written later is left alone.
    pub found_at: DateTime<Utc>,
}

/// How many deletes wait for a type, and what they would be a share of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeleteShare {
    /// Deletes nobody has confirmed, of rows that are live or would lose their content.
    pub pending: u64,
    /// Rows that are live.
    pub live: u64,
}

/// What an insert does with a delete that is there. MariaDB assigns from left to right, so who found it comes last.
const TAKE_OVER: &str = " ON DUPLICATE KEY UPDATE \
    reason = IF(NOT confirmed AND found_by = 'audit' AND VALUES(found_by) = 'archive', VALUES(reason), reason), \
    archived_at = IF(NOT confirmed AND found_by = 'audit' AND VALUES(found_by) = 'archive', VALUES(archived_at), archived_at), \
    found_at = IF(NOT confirmed AND found_by = 'audit' AND VALUES(found_by) = 'archive', VALUES(found_at), found_at), \
    found_by = IF(NOT confirmed AND found_by = 'audit', VALUES(found_by), found_by)";

/// Adds deletes that `lane` found. One that is there already, with its confirmation, stays; but what the audit has found
/// and nobody has confirmed the archive lane takes over, for an audit may gather for hours before it applies anything.
///
/// # Errors
/// When the database cannot be written.
pub async fn stage_deletes(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    lane: UpkeepLane,
    deletes: &[PendingDelete],
) -> Result<(), StorageError> {
    insert(connection, object_type, lane.word(), deletes, TAKE_OVER).await
}

/// Inserts deletes; `on_duplicate` says what becomes of one that is there.
async fn insert(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    found_by: &str,
    deletes: &[PendingDelete],
    on_duplicate: &'static str,
) -> Result<(), StorageError> {
    for chunk in deletes.chunks(BATCH) {
        let mut insert = QueryBuilder::new(
            "INSERT INTO pending_deletes (object_type, hubspot_id, reason, archived_at, found_at, found_by) ",
        );
        insert.push_values(chunk, |mut row, delete| {
            row.push_bind(object_type.name)
                .push_bind(delete.id.0)
                .push_bind(delete.reason.word())
                .push_bind(delete.archived_at)
                .push_bind(delete.found_at)
                .push_bind(found_by);
        });
        insert.push(on_duplicate);
        let inserted = insert.build().persistent(false).execute(&mut *connection).await;
        inserted.map_err(StorageError::query(format!("note deletes of {object_type}")))?;
    }
    Ok(())
}

/// Forgets deletes of records that HubSpot has shown live at `read_at`, after it was asked about them.
///
/// # Errors
/// When the database cannot be written.
pub(super) async fn withdraw_deletes(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    live: &[ObjectId],
    read_at: DateTime<Utc>,
) -> Result<(), StorageError> {
    for chunk in live.chunks(BATCH) {
        let mut delete = QueryBuilder::new("DELETE FROM pending_deletes WHERE object_type = ");
        delete.push_bind(object_type.name).push(" AND found_at < ").push_bind(read_at);
        delete.push(" AND hubspot_id IN (");
        let mut listed = delete.separated(", ");
        for id in chunk {
            listed.push_bind(id.0);
        }
        delete.push(")");
        let deleted = delete.build().persistent(false).execute(&mut *connection).await;
        deleted.map_err(StorageError::query(format!("withdraw deletes of {object_type}")))?;
    }
    Ok(())
}

/// Forgets what `lane` found and nobody has confirmed: a new pass finds it again, if it is still so.
///
/// # Errors
/// When the database cannot be written or the lease is lost.
pub async fn forget_deletes(
    database: &Database,
    lease: &Lease,
    object_type: &ObjectType,
    lane: UpkeepLane,
) -> Result<(), StorageError> {
    let sql = "DELETE FROM pending_deletes WHERE object_type = ? AND found_by = ? AND NOT confirmed";
    let mut transaction = lease.begin(database).await?;
    let query = sqlx::query(sql).bind(object_type.name).bind(lane.word());
    let deleted = query.execute(&mut *transaction).await;
    deleted.map_err(StorageError::query(format!("forget pending deletes of {object_type}")))?;
    transaction.commit().await
}

/// How many deletes of the type that the lane found wait, and how many rows are live.
///
/// # Errors
/// When the database cannot be read.
pub async fn delete_share(
    database: &Database,
    object_type: &ObjectType,
    lane: UpkeepLane,
) -> Result<DeleteShare, StorageError> {
    let table = object_type.table;
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM pending_deletes AS pending JOIN {table} AS mirror \
         ON mirror.hubspot_id = pending.hubspot_id WHERE pending.object_type = ? AND pending.found_by = ? \
         AND NOT pending.confirmed AND (NOT mirror.archived OR pending.reason = 'purged')), \
         (SELECT COUNT(*) FROM {table} WHERE archived = FALSE)"
    );
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(object_type.name).bind(lane.word());
    let counted: Result<(i64, i64), _> = query.fetch_one(database.pool()).await;
    let (pending, live) = counted.map_err(StorageError::query(format!("count deletes of {object_type}")))?;
    Ok(DeleteShare { pending: pending.unsigned_abs(), live: live.unsigned_abs() })
}

/// The lane whose deletes are chosen besides the confirmed ones; a word no lane has for none.
fn chosen(by: Option<UpkeepLane>) -> &'static str {
    by.map_or("", UpkeepLane::word)
}

/// Who found what is applied without being gathered: no lane.
const AT_ONCE: &str = "webhook";

/// What an insert does with a delete that is there: what a person has confirmed stays as it is.
const REPLACE: &str = " ON DUPLICATE KEY UPDATE reason = IF(confirmed, reason, VALUES(reason)), \
    archived_at = IF(confirmed, archived_at, VALUES(archived_at)), \
    found_at = IF(confirmed, found_at, VALUES(found_at)), found_by = IF(confirmed, found_by, VALUES(found_by))";

/// Applies deletes inside the caller's transaction that need not be gathered, because they are few, and with them what
/// a person has confirmed. Returns how many rows it marked.
///
/// # Errors
/// When the database cannot be written.
pub async fn apply_deletes_at_once(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    deletes: &[PendingDelete],
    now: DateTime<Utc>,
) -> Result<u64, StorageError> {
    if deletes.is_empty() {
        return Ok(0);
    }
    insert(connection, table.object_type(), AT_ONCE, deletes, REPLACE).await?;
    let mut marked = 0;
    while let Some(some) = apply(connection, table, AT_ONCE, now).await? {
        marked += some;
    }
    Ok(marked)
}

/// A pending delete as it is stored.
#[derive(FromRow)]
struct Stored {
    hubspot_id: i64,
    reason: String,
}

/// Applies the next few pending deletes inside the caller's transaction, confirmed ones and those found `by` a lane: marks
/// the rows, takes the content of those away that were erased, and lets go of what waited. Returns how many rows it
/// marked, `None` when nothing waits any more.
///
/// # Errors
/// When the database cannot be written.
pub async fn apply_deletes(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    by: Option<UpkeepLane>,
    now: DateTime<Utc>,
) -> Result<Option<u64>, StorageError> {
    apply(connection, table, chosen(by), now).await
}

/// [`apply_deletes`], by the word of who found them.
async fn apply(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Option<u64>, StorageError> {
    let object_type = table.object_type();
    let failed = || StorageError::query(format!("mark deleted rows of {}", object_type.table));
    let sql = "SELECT hubspot_id, reason FROM pending_deletes WHERE object_type = ? AND (confirmed OR found_by = ?) \
               ORDER BY hubspot_id LIMIT ? FOR UPDATE";
    let query = sqlx::query_as(sql).bind(object_type.name).bind(by).bind(BATCH as i64);
    let waiting: Vec<Stored> = query.fetch_all(&mut *connection).await.map_err(failed())?;
    let (Some(first), Some(last)) = (waiting.first(), waiting.last()) else { return Ok(None) };
    let range = (first.hubspot_id, last.hubspot_id);
    let is_purged = |stored: &&Stored| stored.reason == DeleteReason::Purged.word();
    let mut marked = mark(connection, object_type, DeleteReason::Archived, range, by, now).await?;
    if waiting.iter().any(|stored| is_purged(&stored)) {
        // Before the rows are marked: which ones are to be erased is told by what they were.
        if object_type.has_privacy_delete() {
            include_merged(connection, object_type, range, by).await?;
            erase(connection, table, range, by).await?;
        }
        marked += mark(connection, object_type, DeleteReason::Purged, range, by, now).await?;
    }
    let ids: Vec<_> = waiting.iter().map(|stored| ObjectId(stored.hubspot_id)).collect();
    remove_associations_of_archived(connection, object_type, &ids, now).await?;
    wake_edited(connection, object_type, &ids).await?;
    let sql = "DELETE FROM pending_deletes WHERE object_type = ? AND hubspot_id BETWEEN ? AND ? AND (confirmed OR found_by = ?)";
    let query = sqlx::query(sql).bind(object_type.name).bind(range.0).bind(range.1).bind(by);
    query.execute(&mut *connection).await.map_err(failed())?;
    Ok(Some(marked))
}

/// How a table is joined with the deletes that wait for a range of its ids. A row that was written after HubSpot was
/// asked is not among them.
fn joined(table: &str) -> String {
    format!(
        "{table} AS mirror JOIN pending_deletes AS pending ON pending.hubspot_id = mirror.hubspot_id \
         AND pending.object_type = ? AND pending.reason = ? AND (pending.confirmed OR pending.found_by = ?) \
         AND pending.hubspot_id BETWEEN ? AND ? AND (mirror.last_synced_at IS NULL OR mirror.last_synced_at < pending.found_at)"
    )
}

/// Marks the rows of a range as archived, or as purged.
async fn mark(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    reason: DeleteReason,
    (first, last): (i64, i64),
    by: &str,
    now: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let sql = format!(
        "UPDATE {} SET mirror.archived_at = COALESCE(pending.archived_at, mirror.archived_at, ?), \
         mirror.purged_at = IF(pending.reason = 'purged', ?, mirror.purged_at), mirror.archived = TRUE, \
         mirror.last_synced_at = ? WHERE mirror.sync_status = 'synced'",
        joined(object_type.table)
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql));
    let query = query.bind(object_type.name).bind(reason.word()).bind(by).bind(first).bind(last);
    let marked = query.bind(now).bind(now).bind(now).execute(connection).await;
    marked
        .map(|done| done.rows_affected())
        .map_err(StorageError::query(format!("mark deleted rows of {}", object_type.table)))
}

/// Adds the records that were merged into purged ones of a range: their rows hold content of the same person. Those with
/// ids outside the range are applied after it.
async fn include_merged(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    (first, last): (i64, i64),
    by: &str,
) -> Result<(), StorageError> {
    let sql = "INSERT INTO pending_deletes (object_type, hubspot_id, reason, found_at, found_by, confirmed) \
               SELECT pending.object_type, merged.old_id, pending.reason, pending.found_at, pending.found_by, \
               pending.confirmed FROM pending_deletes AS pending JOIN hubspot_merges AS merged \
               ON merged.object_type = pending.object_type AND merged.survivor_id = pending.hubspot_id \
               WHERE pending.object_type = ? AND pending.reason = ? AND (pending.confirmed OR pending.found_by = ?) \
               AND pending.hubspot_id BETWEEN ? AND ? \
               ON DUPLICATE KEY UPDATE reason = VALUES(reason), confirmed = VALUES(confirmed), found_by = VALUES(found_by)";
    let query = sqlx::query(sql).bind(object_type.name).bind(DeleteReason::Purged.word());
    let added = query.bind(by).bind(first).bind(last).execute(connection).await;
    added.map(|_| ()).map_err(StorageError::query(format!("find what was merged into erased {object_type}")))
}

/// Takes away all content of the purged rows of a range, edits that were not sent and their jobs included, what lies of
/// them in quarantine and in conflicts, and the words HubSpot had for them: only the ids stay.
async fn erase(
    connection: &mut MySqlConnection,
    table: &MirrorTable,
    (first, last): (i64, i64),
    by: &str,
) -> Result<(), StorageError> {
    let object_type = table.object_type();
    let failed = || StorageError::query(format!("erase rows of {}", object_type.table));
    let typed: Vec<_> = table.column_names().map(|name| format!("mirror.`{name}` = NULL")).collect();
    let erasing = format!(
        "UPDATE {} SET {}, mirror.properties_json = '{{}}', mirror.base_properties_json = NULL, \
         mirror.remote_properties_json = NULL, mirror.content_hash = NULL, mirror.hubspot_updated_at = NULL, \
         mirror.hubspot_created_at = NULL, mirror.sync_error = NULL, mirror.sync_status = 'synced'",
        joined(object_type.table),
        typed.join(", ")
    );
    let unsent = format!(
        "DELETE jobs FROM {} JOIN jobs ON jobs.object_type = pending.object_type AND jobs.kind = 'push' \
         AND jobs.record_id = mirror.id",
        joined(object_type.table)
    );
    for sql in [unsent, erasing].into_iter().chain(traces(object_type.table)) {
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(object_type.name);
        let query = query.bind(DeleteReason::Purged.word()).bind(by).bind(first).bind(last);
        query.execute(&mut *connection).await.map_err(failed())?;
    }
    Ok(())
}

/// The statements that take away what other tables hold of the purged rows of a range: by the record, and by the row,
/// for what was noted before the record was made has no other key.
fn traces(mirror: &str) -> [String; 5] {
    let of_these = |table: &str, key: &str| {
        format!(
            "JOIN pending_deletes AS pending ON {table}.object_type = pending.object_type AND {key} \
             WHERE pending.object_type = ? AND pending.reason = ? AND (pending.confirmed OR pending.found_by = ?) \
             AND pending.hubspot_id BETWEEN ? AND ?"
        )
    };
    let of_record = |table: &str| of_these(table, &format!("{table}.hubspot_id = pending.hubspot_id"));
    let of_row = |table: &str| {
        let rest = of_these(table, "mirror.hubspot_id = pending.hubspot_id");
        format!("JOIN {mirror} AS mirror ON mirror.id = {table}.row_id {rest}")
    };
    let conflicts = |of_these: String| {
        format!(
            "DELETE conflicts, conflict_audit FROM conflicts \
             LEFT JOIN conflict_audit ON conflict_audit.conflict_id = conflicts.id {of_these}"
        )
    };
    let log = |of_these: String| {
        format!(
            "UPDATE sync_log, (SELECT sync_log.id FROM sync_log {of_these}) AS erased \
             SET message = NULL WHERE sync_log.id = erased.id"
        )
    };
    let quarantine = of_these("quarantine", "quarantine.record_key = CAST(pending.hubspot_id AS CHAR)");
    [
        format!("DELETE quarantine FROM quarantine {quarantine}"),
        conflicts(of_record("conflicts")),
        conflicts(of_row("conflicts")),
        log(of_record("sync_log")),
        log(of_row("sync_log")),
    ]
}
