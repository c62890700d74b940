//! What could not be stored as it should: whole records, and single values that do not fit their column.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::{FromRow, MySqlConnection, QueryBuilder};

use super::{Database, StorageError};
use crate::clock;
use crate::model::{self, ObjectId, ObjectType, RejectedRecord};

/// A value that stays in the JSON only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit {
    /// The record.
    pub(super) id: ObjectId,
    /// The property.
    pub(super) property: String,
    /// The value.
    pub(super) raw: String,
    /// The rule it breaks.
    pub(super) reason: model::Misfit,
}

/// Most bytes of a record that are kept; far beyond any sane one, and below the smallest usual `max_allowed_packet`.
const KEPT_BYTES: usize = 1024 * 1024;

/// How many quarantined records a run tries again: one batch read.
const RETRIES_PER_RUN: u32 = 100;

/// The columns of an entry, in the order they are bound.
const INSERT: &str =
    "INSERT INTO quarantine (object_type, record_key, property, reason, raw, first_seen_at, last_seen_at) ";
/// What happens to an entry seen again.
const SEEN_AGAIN: &str = " ON DUPLICATE KEY UPDATE reason = VALUES(reason), raw = VALUES(raw), \
                          attempts = attempts + 1, last_seen_at = VALUES(last_seen_at)";

/// Records whole records that could not be understood or stored.
pub(super) async fn record_rejected(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    rejected: &[RejectedRecord],
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    for record in rejected {
        let sql = format!("{INSERT} VALUES (?, ?, '', ?, ?, ?, ?) {SEEN_AGAIN}");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(object_type.name)
            .bind(record_key(record))
            .bind(&record.reason)
            .bind(&record.raw[..record.raw.floor_char_boundary(KEPT_BYTES)])
            .bind(now)
            .bind(now)
            .execute(&mut *connection)
            .await
            .map_err(StorageError::query("quarantine a record"))?;
    }
    Ok(())
}

/// The record's id; where it cannot be read, a digest, so that the same garbage is one entry.
fn record_key(record: &RejectedRecord) -> String {
    if (1..=64).contains(&record.id.len()) {
        return record.id.clone();
    }
    let digest = Sha256::digest(record.raw.as_bytes());
    digest.iter().take(16).fold(String::from("sha256:"), |key, byte| format!("{key}{byte:02x}"))
}

/// Records values that do not fit their column.
pub(super) async fn record_misfits(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    misfits: &[Misfit],
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    for chunk in misfits.chunks(100) {
        let mut query = QueryBuilder::new(INSERT);
        query.push_values(chunk, |mut row, misfit| {
            row.push_bind(object_type.name)
                .push_bind(misfit.id.to_string())
                .push_bind(&misfit.property)
                .push_bind(misfit.reason.to_string())
                .push_bind(&misfit.raw)
                .push_bind(now)
                .push_bind(now);
        });
        query.push(SEEN_AGAIN);
        let query = query.build().persistent(false);
        query
            .execute(&mut *connection)
            .await
            .map_err(StorageError::query("record values that do not fit"))?;
    }
    Ok(())
}

/// Lets records go that are well again: of the `written` ones every entry this page did not repeat, of the `kept`
/// ones, which needed nothing, the entry of the record as a whole.
pub(super) async fn release_healed(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    written: &[ObjectId],
    kept: &[ObjectId],
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    delete(connection, object_type, written, "", now).await?;
    delete(connection, object_type, kept, " AND property = ''", now).await
}

/// Whether anything of the type lies in quarantine. Nearly never, and then looking is all that quarantine costs a page.
pub(super) async fn is_used(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
) -> Result<bool, StorageError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM quarantine WHERE object_type = ?)")
        .bind(object_type.name)
        .fetch_one(connection)
        .await
        .map_err(StorageError::query("look into the quarantine"))
}

/// Deletes the entries of the records that were last seen before `now` and meet the further condition.
async fn delete(
    connection: &mut MySqlConnection,
    object_type: &ObjectType,
    ids: &[ObjectId],
    condition: &'static str,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut query = QueryBuilder::new("DELETE FROM quarantine WHERE object_type = ");
    query.push_bind(object_type.name).push(" AND last_seen_at < ").push_bind(now).push(condition);
    query.push(" AND record_key IN (");
    let mut keys = query.separated(", ");
    for id in ids {
        keys.push_bind(id.to_string());
    }
    query.push(")");
    let query = query.build().persistent(false);
    query
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(StorageError::query("release records from quarantine"))
}

/// How many things could not be stored as they should: records, and values without their typed column.
///
/// # Errors
/// When the database cannot be read.
pub async fn count_quarantined(database: &Database) -> Result<u64, StorageError> {
    let query = sqlx::query_scalar("SELECT COUNT(*) FROM quarantine");
    let counted: i64 =
        query.fetch_one(database.pool()).await.map_err(StorageError::query("count quarantined records"))?;
    Ok(counted.unsigned_abs())
}

/// Records of the type that lie in quarantine as a whole, longest untried first, at most one batch read.
///
/// # Errors
/// When the database cannot be read.
pub async fn quarantined_records(
    database: &Database,
    object_type: &ObjectType,
) -> Result<Vec<ObjectId>, StorageError> {
    let keys: Vec<String> = sqlx::query_scalar(
        "SELECT record_key FROM quarantine \
         WHERE object_type = ? AND property = '' AND record_key NOT LIKE 'sha256:%' \
         ORDER BY last_seen_at LIMIT ?",
    )
    .bind(object_type.name)
    .bind(RETRIES_PER_RUN)
    .fetch_all(database.pool())
    .await
    .map_err(StorageError::query("read the quarantine"))?;
    Ok(keys.iter().filter_map(|key| key.parse().ok()).collect())
}

/// Lets records go that no longer exist in HubSpot.
///
/// # Errors
/// When the database cannot be written.
pub async fn release(
    database: &Database,
    object_type: &ObjectType,
    ids: &[ObjectId],
) -> Result<(), StorageError> {
    let mut transaction = database.begin().await?;
    delete(&mut transaction, object_type, ids, "", clock::now()).await?;
    transaction.commit().await.map_err(StorageError::query("release records from quarantine"))
}

/// What lies in quarantine: a record, or a value of one. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Quarantined {
    /// The type of the record.
    pub object_type: String,
    /// Its id in HubSpot; a digest where it has none.
    pub record_key: String,
    /// The property whose value does not fit its column; empty: the whole record.
    pub property: String,
    /// What is wrong.
    pub reason: String,
    /// The beginning of the record or of the value, as HubSpot sent it.
    pub raw: String,
    /// How often it was tried.
    pub attempts: i32,
    /// The first time.
    pub first_seen_at: DateTime<Utc>,
    /// The last time.
    pub last_seen_at: DateTime<Utc>,
}

/// Name of an entry: type, key of the record, property. Entries are in the order of their names.
pub type QuarantineName = (String, String, String);

/// Most characters of what HubSpot sent that are shown.
const SHOWN: u32 = 300;

/// The entries after the one of that name, of one type where it is given, at most `limit`.
///
/// # Errors
/// When the database cannot be read.
pub async fn list_quarantined(
    database: &Database,
    object_type: Option<&str>,
    after: Option<&QuarantineName>,
    limit: u32,
) -> Result<Vec<Quarantined>, StorageError> {
    let sql = format!(
        "SELECT object_type, record_key, property, reason, LEFT(raw, {SHOWN}) AS raw, attempts, first_seen_at, \
         last_seen_at FROM quarantine WHERE object_type = COALESCE(?, object_type) \
         AND (object_type, record_key, property) > (?, ?, ?) ORDER BY object_type, record_key, property LIMIT ?"
    );
    let (first, second, third) = after
        .map_or(("", "", ""), |(first, second, third)| (first.as_str(), second.as_str(), third.as_str()));
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(object_type);
    let query = query.bind(first).bind(second).bind(third).bind(limit);
    query.fetch_all(database.pool()).await.map_err(StorageError::query("list the quarantine"))
}

/// How many entries there are of each type: whole records, and values.
///
/// # Errors
/// When the database cannot be read.
pub async fn quarantine_figures(database: &Database) -> Result<Vec<(String, u64, u64)>, StorageError> {
    let sql = "SELECT object_type, CAST(SUM(property = '') AS SIGNED), CAST(SUM(property <> '') AS SIGNED) \
               FROM quarantine GROUP BY object_type ORDER BY object_type";
    let counted = sqlx::query_as(sql).fetch_all(database.pool()).await;
    let counted: Vec<(String, i64, i64)> =
        counted.map_err(StorageError::query("count the quarantine by type"))?;
    let figures =
        |(name, records, values): (String, i64, i64)| (name, records.unsigned_abs(), values.unsigned_abs());
    Ok(counted.into_iter().map(figures).collect())
}

/// Records of the type of which anything lies in quarantine, longest untried first, at most `limit`; those HubSpot told no
/// id of are left out.
///
/// # Errors
/// When the database cannot be read.
pub async fn quarantined_ids(
    database: &Database,
    object_type: &ObjectType,
    limit: u32,
) -> Result<Vec<ObjectId>, StorageError> {
    let sql = "SELECT record_key FROM quarantine WHERE object_type = ? AND record_key NOT LIKE 'sha256:%' \
               GROUP BY record_key ORDER BY MIN(last_seen_at) LIMIT ?";
    let query = sqlx::query_scalar(sql).bind(object_type.name).bind(limit);
    let keys: Vec<String> =
        query.fetch_all(database.pool()).await.map_err(StorageError::query("read the quarantine"))?;
    Ok(keys.iter().filter_map(|key| key.parse().ok()).collect())
}

/// Lets one entry go, or all of them where none is named; what still cannot be stored comes back when it is read again.
/// Returns how many went.
///
/// # Errors
/// When the database cannot be written.
pub async fn let_go(database: &Database, entry: Option<&QuarantineName>) -> Result<u64, StorageError> {
    let mut query = QueryBuilder::new("DELETE FROM quarantine");
    if let Some((object_type, record_key, property)) = entry {
        query.push(" WHERE object_type = ").push_bind(object_type);
        query.push(" AND record_key = ").push_bind(record_key);
        query.push(" AND property = ").push_bind(property);
    }
    let deleted = query.build().persistent(false).execute(database.pool()).await;
    deleted.map(|done| done.rows_affected()).map_err(StorageError::query("let go of the quarantine"))
}
