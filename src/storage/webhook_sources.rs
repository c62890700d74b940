//! `webhook_sources`: whether HubSpot still tells of changes.
//!
//! Polling goes on beside webhooks and finds whatever they do not tell of. Changes of a type that only polling finds,
//! for long, while no event of the type arrives, mean that webhooks are silent. A type that was never told of is not
//! subscribed to; only where no type ever was is something wrong with all of them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, MySqlConnection, QueryBuilder};

use super::{Database, Lease, StorageError};

/// A type whose webhooks have gone silent.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SilentWebhooks {
    /// As in `sync_state`.
    pub object_type: String,
    /// When the last event arrived; `None`: there never was one.
    pub last_event_at: Option<DateTime<Utc>>,
    /// When polling found the first change nobody told of.
    pub unannounced_since: Option<DateTime<Utc>>,
    /// How many it has found since.
    pub unannounced: i64,
}

/// Whether a row counts as silent: it goes on for as long as the parameter says, over three searches, because HubSpot now
/// and then touches many records at once and tells nobody; and events of the type have come before, or none of any type
/// has.
const IS_SILENT: &str = "unannounced_since <= ? AND unannounced_runs >= 3 AND (last_event_at IS NOT NULL OR NOT EXISTS \
                         (SELECT 1 FROM (SELECT last_event_at FROM webhook_sources) AS heard \
                         WHERE heard.last_event_at IS NOT NULL))";

/// Events of these types were dealt with, inside the caller's transaction.
///
/// # Errors
/// When the database cannot be written.
pub async fn heard_of(
    connection: &mut MySqlConnection,
    object_type: &str,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query(
        "INSERT INTO webhook_sources (object_type, last_event_at) VALUES (?, ?) ON DUPLICATE KEY UPDATE \
         last_event_at = VALUES(last_event_at), unannounced = 0, unannounced_runs = 0, unannounced_since = NULL",
    )
    .bind(object_type)
    .bind(now)
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(StorageError::query(format!("note webhooks of {object_type}")))
}

/// A search has found changes of a type that nobody had told of, inside the caller's transaction.
///
/// # Errors
/// When the database cannot be written.
pub async fn count_unannounced(
    connection: &mut MySqlConnection,
    object_type: &str,
    changes: u64,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    sqlx::query(
        "INSERT INTO webhook_sources (object_type, unannounced, unannounced_runs, unannounced_since) VALUES (?, ?, 1, ?) \
         ON DUPLICATE KEY UPDATE unannounced = unannounced + VALUES(unannounced), unannounced_runs = unannounced_runs + 1, \
         unannounced_since = COALESCE(unannounced_since, VALUES(unannounced_since))",
    )
    .bind(object_type)
    .bind(changes)
    .bind(now)
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(StorageError::query(format!("count unannounced changes of {object_type}")))
}

/// Decides anew which types are silent, after `patience`; `None`: webhooks are not used, so none is. Returns those that
/// have become silent and the names of those that are not any more.
///
/// # Errors
/// When the database cannot be written or the lease is lost.
pub async fn judge_silence(
    database: &Database,
    lease: &Lease,
    patience: Option<Duration>,
    now: DateTime<Utc>,
) -> Result<(Vec<SilentWebhooks>, Vec<String>), StorageError> {
    let failed = || StorageError::query("judge the silence of webhooks");
    let latest = patience.map_or(DateTime::UNIX_EPOCH, |patience| now - patience);
    let mut transaction = lease.begin(database).await?;
    let sql = format!("SELECT * FROM webhook_sources WHERE silent_since IS NULL AND {IS_SILENT}");
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(latest);
    let silent: Vec<SilentWebhooks> = query.fetch_all(&mut *transaction).await.map_err(failed())?;
    let sql = format!(
        "SELECT object_type FROM webhook_sources WHERE silent_since IS NOT NULL AND NOT COALESCE({IS_SILENT}, FALSE)"
    );
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(latest);
    let heard: Vec<String> = query.fetch_all(&mut *transaction).await.map_err(failed())?;
    let changes = silent.iter().map(|silent| (&silent.object_type, Some(now)));
    for (object_type, silent_since) in changes.chain(heard.iter().map(|name| (name, None))) {
        let query = sqlx::query("UPDATE webhook_sources SET silent_since = ? WHERE object_type = ?");
        let updated = query.bind(silent_since).bind(object_type).execute(&mut *transaction).await;
        updated.map_err(failed())?;
    }
    transaction.commit().await?;
    Ok((silent, heard))
}

/// The types whose webhooks count as silent, by name: for alerts and status pages.
///
/// # Errors
/// When the database cannot be read.
pub async fn silent_webhooks(database: &Database) -> Result<Vec<SilentWebhooks>, StorageError> {
    sqlx::query_as("SELECT * FROM webhook_sources WHERE silent_since IS NOT NULL ORDER BY object_type")
        .fetch_all(database.pool())
        .await
        .map_err(StorageError::query("read which webhooks are silent"))
}

/// What is known of the webhooks of a type. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct WebhookSource {
    /// As in `sync_state`.
    pub object_type: String,
    /// When the last event arrived; `None`: there never was one.
    pub last_event_at: Option<DateTime<Utc>>,
    /// Changes polling found since then that nobody told of.
    pub unannounced: i64,
    /// Since when webhooks of the type count as silent; `None`: they do not.
    pub silent_since: Option<DateTime<Utc>>,
}

/// Every type that webhooks came of, or should have come of, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn webhook_sources(database: &Database) -> Result<Vec<WebhookSource>, StorageError> {
    let sql = "SELECT object_type, last_event_at, unannounced, silent_since FROM webhook_sources ORDER BY object_type";
    let sources = sqlx::query_as(sql).fetch_all(database.pool()).await;
    sources.map_err(StorageError::query("read what is known of webhooks"))
}

/// Forgets types that are not mirrored any more.
///
/// # Errors
/// When the database cannot be written or the lease is lost.
pub async fn retire_webhook_sources(
    database: &Database,
    lease: &Lease,
    mirrored: &[String],
) -> Result<(), StorageError> {
    let mut transaction = lease.begin(database).await?;
    let mut delete = QueryBuilder::new("DELETE FROM webhook_sources WHERE object_type NOT IN ('' ");
    for name in mirrored {
        delete.push(", ").push_bind(name);
    }
    delete.push(")");
    let deleted = delete.build().persistent(false).execute(&mut *transaction).await;
    deleted.map_err(StorageError::query("forget types that are not mirrored"))?;
    transaction.commit().await
}
