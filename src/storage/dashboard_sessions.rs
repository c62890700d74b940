//! `dashboard_sessions`: who is signed in to the dashboard. Of the id in the cookie only the digest is kept.

use chrono::{DateTime, Utc};

use super::{Database, StorageError};

/// Somebody signs in. Forgets the sessions that are over at `created_at`.
///
/// # Errors
/// When the database fails.
pub async fn start_session(
    database: &Database,
    id_hash: &[u8; 32],
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), StorageError> {
    let failed = || StorageError::query("start a session");
    let purge = "DELETE FROM dashboard_sessions WHERE expires_at <= ?";
    sqlx::query(purge).bind(created_at).execute(database.pool()).await.map_err(failed())?;
    let insert = "INSERT INTO dashboard_sessions (id_hash, created_at, expires_at) VALUES (?, ?, ?)";
    let query = sqlx::query(insert).bind(&id_hash[..]).bind(created_at).bind(expires_at);
    query.execute(database.pool()).await.map(|_| ()).map_err(failed())
}

/// Whether the session is there and not over at `now`.
///
/// # Errors
/// When the database fails.
pub async fn is_session(
    database: &Database,
    id_hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM dashboard_sessions WHERE id_hash = ? AND expires_at > ?)";
    let query = sqlx::query_scalar(sql).bind(&id_hash[..]).bind(now);
    query.fetch_one(database.pool()).await.map_err(StorageError::query("look for a session"))
}

/// Ends a session; one that is not there is none.
///
/// # Errors
/// When the database fails.
pub async fn end_session(database: &Database, id_hash: &[u8; 32]) -> Result<(), StorageError> {
    let query = sqlx::query("DELETE FROM dashboard_sessions WHERE id_hash = ?").bind(&id_hash[..]);
    query.execute(database.pool()).await.map(|_| ()).map_err(StorageError::query("end a session"))
}
