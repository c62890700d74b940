//! `association_pairs`: which types HubSpot can link with each other.

use chrono::{DateTime, Utc};

use crate::model::TypePair;
use crate::storage::{Database, Lease, StorageError};

/// What HubSpot said about a pair of types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPair {
    /// Type the links start at, by name.
    pub from: String,
    /// Type the links lead to, by name.
    pub to: String,
    /// Whether links between the two are read.
    pub is_read: bool,
    /// When HubSpot was asked.
    pub checked_at: DateTime<Utc>,
}

/// Everything known of pairs.
///
/// # Errors
/// When the database cannot be read.
pub async fn load_pairs(database: &Database) -> Result<Vec<KnownPair>, StorageError> {
    let rows: Vec<(String, String, bool, DateTime<Utc>)> =
        sqlx::query_as("SELECT from_type, to_type, is_read, checked_at FROM association_pairs")
            .fetch_all(database.pool())
            .await
            .map_err(StorageError::query("read association_pairs"))?;
    let pair = |(from, to, is_read, checked_at)| KnownPair { from, to, is_read, checked_at };
    Ok(rows.into_iter().map(pair).collect())
}

/// Keeps what HubSpot said about a pair at `now`; `reason` says why its links are not read, if so.
///
/// # Errors
/// When the database cannot be written or the lease is lost.
pub async fn store_pair(
    database: &Database,
    lease: &Lease,
    pair: TypePair,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let mut transaction = lease.begin(database).await?;
    let stored = sqlx::query(
        "INSERT INTO association_pairs (from_type, to_type, is_read, reason, checked_at) VALUES (?, ?, ?, ?, ?) \
         ON DUPLICATE KEY UPDATE is_read = VALUES(is_read), reason = VALUES(reason), checked_at = VALUES(checked_at)",
    )
    .bind(pair.from.name)
    .bind(pair.to.name)
    .bind(reason.is_none())
    .bind(reason)
    .bind(now)
    .execute(&mut *transaction)
    .await;
    stored.map_err(StorageError::query(format!("keep what is known of {pair}")))?;
    transaction.commit().await
}
