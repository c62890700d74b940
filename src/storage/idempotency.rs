//! `idempotency_keys`: what was carried out under a key of the caller's, so that a repeated request does nothing twice.
//!
//! Of a record only its row is kept, no value of it: a repeated request is shown the row as it is by then.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{MySqlConnection, Row};

use super::{Database, StorageError, StorageErrorKind};

/// How long a key counts.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// Old keys that go with each new one; more than one, so that they get fewer.
const PURGED: u32 = 100;

/// A request that was carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Remembered {
    /// SHA-256 of who asked, what for, and the key.
    pub key_hash: [u8; 32],
    /// SHA-256 of the body.
    pub request_hash: [u8; 32],
    /// HTTP status of the answer.
    pub status: u16,
    /// `id` of the row that was made.
    pub row_id: Option<i64>,
    /// The answer, where it is no record.
    pub answer: Option<Value>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What was carried out under a key within a day before `now`; `None` when nothing was. Forgets some of what is older.
///
/// # Errors
/// When the database fails.
pub async fn recall(
    database: &Database,
    key_hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Remembered>, StorageError> {
    let failed = || StorageError::query("look for an idempotency key");
    // The key itself must not be in the way of being used anew, however many others are as old.
    let purge = "DELETE FROM idempotency_keys WHERE key_hash = ? AND created_at <= ?";
    let query = sqlx::query(purge).bind(&key_hash[..]).bind(now - KEPT);
    query.execute(database.pool()).await.map_err(failed())?;
    let purge = "DELETE FROM idempotency_keys WHERE created_at <= ? ORDER BY created_at LIMIT ?";
    let query = sqlx::query(purge).bind(now - KEPT).bind(PURGED);
    query.execute(database.pool()).await.map_err(failed())?;
    let sql =
        "SELECT request_hash, status, row_id, answer, created_at FROM idempotency_keys WHERE key_hash = ?";
    let query = sqlx::query(sql).bind(&key_hash[..]);
    let Some(row) = query.fetch_optional(database.pool()).await.map_err(failed())? else { return Ok(None) };
    let read = || -> Result<Remembered, sqlx::Error> {
        let mut request_hash = [0; 32];
        for (to, from) in request_hash.iter_mut().zip(row.try_get::<Vec<u8>, _>("request_hash")?) {
            *to = from;
        }
        Ok(Remembered {
            key_hash: *key_hash,
            request_hash,
            status: row.try_get::<i16, _>("status")?.unsigned_abs(),
            row_id: row.try_get("row_id")?,
            answer: row.try_get("answer")?,
            at: row.try_get("created_at")?,
        })
    };
    read().map(Some).map_err(failed())
}

/// Notes what is carried out, inside the transaction that does.
///
/// # Errors
/// When the database cannot be written; [`StorageErrorKind::Data`] when the key is there.
pub async fn remember(connection: &mut MySqlConnection, done: &Remembered) -> Result<(), StorageError> {
    let failed = || StorageError::query("note an idempotency key");
    let insert = "INSERT INTO idempotency_keys (key_hash, request_hash, status, row_id, answer, created_at) \
                  VALUES (?, ?, ?, ?, ?, ?)";
    let query = sqlx::query(insert).bind(&done.key_hash[..]).bind(&done.request_hash[..]).bind(done.status);
    let query = query.bind(done.row_id).bind(&done.answer).bind(done.at);
    query.execute(connection).await.map(|_| ()).map_err(failed())
}

/// The same for what is harmless to repeat, after it was carried out; a key that is there stays as it is.
///
/// # Errors
/// When the database cannot be written.
pub async fn remember_afterwards(database: &Database, done: &Remembered) -> Result<(), StorageError> {
    let mut transaction = database.begin().await?;
    match remember(&mut transaction, done).await {
        Err(error) if error.kind() == StorageErrorKind::Data => return Ok(()),
        noted => noted?,
    }
    transaction.commit().await.map_err(StorageError::query("note an idempotency key"))
}
