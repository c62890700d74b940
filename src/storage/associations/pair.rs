//! `association_pairs`: which types HubSpot can link with each other.

use chrono::{DateTime, Utc};

use crate::model::TypePair;
use crate::storage::{Database, Lease, StorageError};

/// What HubSpot lets be done with the links of a pair of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairState {
    /// Read them.
    Read,
    /// Nothing, it knows of none between the two types: nobody has to act.
    Unlinked,
    /// Nothing: a scope is missing, or the answers are errors.
    Refused,
}

/// What is kept in `association_pairs` as the reason of an unlinked pair; other reasons are refusals.
pub(in crate::storage) const UNLINKED: &str = "HubSpot knows of no links between the two types";

/// What HubSpot said about a pair of types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPair {
    /// Type the links start at, by name.
    pub from: String,
    /// Type the links lead to, by name.
    pub to: String,
    /// What HubSpot lets be done with their links.
    pub state: PairState,
    /// When HubSpot was asked.
    pub checked_at: DateTime<Utc>,
}

/// Everything known of pairs.
///
/// # Errors
/// When the database cannot be read.
pub async fn load_pairs(database: &Database) -> Result<Vec<KnownPair>, StorageError> {
    /// A row: the two types, whether their links are read, why not, and when HubSpot was asked.
    type Columns = (String, String, bool, Option<String>, DateTime<Utc>);
    let rows: Vec<Columns> =
        sqlx::query_as("SELECT from_type, to_type, is_read, reason, checked_at FROM association_pairs")
            .fetch_all(database.pool())
            .await
            .map_err(StorageError::query("read association_pairs"))?;
    let pair = |(from, to, is_read, reason, checked_at): Columns| {
        let state = match reason {
            _ if is_read => PairState::Read,
            Some(reason) if reason == UNLINKED => PairState::Unlinked,
            _ => PairState::Refused,
        };
        KnownPair { from, to, state, checked_at }
    };
    Ok(rows.into_iter().map(pair).collect())
}

/// Keeps what HubSpot said about a pair at `now`; the reason says why its links are refused, if they are.
///
/// # Errors
/// When the database cannot be written or the lease is lost.
pub async fn store_pair(
    database: &Database,
    lease: &Lease,
    pair: TypePair,
    (state, reason): (PairState, Option<&str>),
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let mut transaction = lease.begin(database).await?;
    let stored = sqlx::query(
        "INSERT INTO association_pairs (from_type, to_type, is_read, reason, checked_at) VALUES (?, ?, ?, ?, ?) \
         ON DUPLICATE KEY UPDATE is_read = VALUES(is_read), reason = VALUES(reason), checked_at = VALUES(checked_at)",
    )
    .bind(pair.from.name)
    .bind(pair.to.name)
    .bind(state == PairState::Read)
    .bind(if state == PairState::Unlinked { Some(UNLINKED) } else { reason })
    .bind(now)
    .execute(&mut *transaction)
    .await;
    stored.map_err(StorageError::query(format!("keep what is known of {pair}")))?;
    transaction.commit().await
}
