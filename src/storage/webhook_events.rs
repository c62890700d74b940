//! `webhook_events`: what HubSpot told of changes, until the records are read again.
//!
//! Any process may put events in; the one that leads takes them out. What is due is told by state and never by a rising
//! number, because transactions of several processes commit in any order.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{FromRow, MySqlConnection, QueryBuilder};

use super::words::stored_words;
use super::{Database, StorageError};
use crate::model::{ObjectId, ObjectType};

/// Rows a statement writes: a whole delivery. Source: HubSpot, "Webhooks": at most 100 events.
const BATCH: usize = 100;
/// Most rows let go of in one statement.
const PURGED_AT_ONCE: u32 = 5_000;
/// How long events are kept: HubSpot sends one again for up to 24 hours. Source: HubSpot, "Webhooks".
const KEPT: TimeDelta = TimeDelta::days(2);

stored_words! {
    /// What happened to a record.
    pub enum WebhookKind {
        /// Nothing: somebody here asked for it to be read. The only one HubSpot does not tell of.
        Request = "request",
        /// It was made.
        Creation = "creation",
        /// A property has another value.
        PropertyChange = "property_change",
        /// It was put into the recycle bin.
        Deletion = "deletion",
        /// It was erased.
        PrivacyDeletion = "privacy_deletion",
        /// Others were merged into it.
        Merge = "merge",
        /// It came out of the recycle bin.
        Restore = "restore",
        /// It was linked with another record, or is not any more, or under another label.
        AssociationChange = "association_change",
    }
}

stored_words! {
    /// How an event ended.
    pub enum WebhookOutcome {
        /// The record was read again.
        Read = "read",
        /// The change was this daemon's own, and the mirror holds what came of it.
        Echo = "echo",
        /// HubSpot has no such record.
        Absent = "absent",
        /// Left to the archive lane or to polling.
        Left = "left",
        /// HubSpot told that it was erased, and shows it even a day later.
        StillThere = "still_there",
        /// The type is not mirrored.
        NotMirrored = "not_mirrored",
    }
}

/// An event to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWebhookEvent {
    /// What tells it from all other events; the same however often it is sent.
    pub key: [u8; 32],
    /// HubSpot's id of the record's type.
    pub object_type_id: String,
    /// The record.
    pub id: ObjectId,
    /// What happened to it.
    pub kind: WebhookKind,
    /// The property that changed, where one did.
    pub property: Option<String>,
    /// HubSpot's number of the event; other events may have the same.
    pub event_id: i64,
    /// How often HubSpot had sent it before it was stored.
    pub attempt: u32,
    /// What made the change, in HubSpot's words.
    pub change_source: Option<String>,
    /// Whether the app that is told made the change itself.
    pub is_own: bool,
    /// When it happened, by HubSpot's clock.
    pub occurred_at: DateTime<Utc>,
}

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// Its number.
    pub number: i64,
    /// The record.
    pub id: ObjectId,
    /// What happened to it.
    pub kind: WebhookKind,
    /// Whether the app that is told made the change itself.
    pub is_own: bool,
    /// When it happened, by HubSpot's clock.
    pub occurred_at: DateTime<Utc>,
    /// How often the record was read and did not show the change yet.
    pub tries: u32,
}

/// An event as it is stored.
#[derive(FromRow)]
struct Stored {
    id: i64,
    hubspot_id: i64,
    kind: String,
    is_own: bool,
    occurred_at: DateTime<Utc>,
    tries: i32,
}

/// Stores a delivery and adds to `webhook_counts` what became of it: `counts`, and of the events how many are `stored`
/// and how many were there already, `duplicate`. One transaction.
///
/// # Errors
/// When the database cannot be written; then nothing is stored.
pub async fn store_webhook_events(
    database: &Database,
    mut events: Vec<NewWebhookEvent>,
    mut counts: BTreeMap<&'static str, u64>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    // In one order, so that deliveries of the same events cannot wait for each other in a circle.
    events.sort_unstable_by_key(|event| event.key);
    let mut transaction = database.begin().await?;
    let mut stored = 0;
    for chunk in events.chunks(BATCH) {
        stored += insert(&mut transaction, chunk, now).await?;
    }
    *counts.entry("stored").or_default() += stored;
    *counts.entry("duplicate").or_default() += events.len() as u64 - stored;
    count_webhooks(&mut transaction, &counts, now).await?;
    transaction.commit().await.map_err(StorageError::query("commit webhooks"))
}

/// Puts a request of somebody's to read a record and its links again, as an event of no other content. Returns its number.
///
/// # Errors
/// When the database cannot be written.
pub async fn ask_for_record(
    database: &Database,
    object_type: &ObjectType,
    id: ObjectId,
    now: DateTime<Utc>,
) -> Result<i64, StorageError> {
    // Each request is one of its own, however soon it follows another.
    let sql = "INSERT INTO webhook_events (event_key, object_type_id, hubspot_id, kind, event_id, attempt, \
               change_source, is_own, occurred_at, received_at, run_at) \
               VALUES (UNHEX(SHA2(CONCAT('asked for ', UUID()), 256)), ?, ?, ?, 0, 0, 'API', FALSE, ?, ?, ?)";
    let query = sqlx::query(sql).bind(object_type.type_id).bind(id.0);
    let query = query.bind(WebhookKind::Request.word()).bind(now).bind(now).bind(now);
    let put = query.execute(database.pool()).await;
    Ok(put.map_err(StorageError::query("ask for a record"))?.last_insert_id() as i64)
}

/// Inserts the events that are not there yet; returns how many.
async fn insert(
    connection: &mut MySqlConnection,
    events: &[NewWebhookEvent],
    now: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let mut insert = QueryBuilder::new(
        "INSERT IGNORE INTO webhook_events (event_key, object_type_id, hubspot_id, kind, property, event_id, attempt, \
         change_source, is_own, occurred_at, received_at, run_at) ",
    );
    insert.push_values(events, |mut row, event| {
        row.push_bind(&event.key[..])
            .push_bind(&event.object_type_id)
            .push_bind(event.id.0)
            .push_bind(event.kind.word())
            .push_bind(&event.property)
            .push_bind(event.event_id)
            .push_bind(event.attempt)
            .push_bind(&event.change_source)
            .push_bind(event.is_own)
            .push_bind(event.occurred_at)
            .push_bind(now)
            .push_bind(now);
    });
    let inserted = insert.build().persistent(false).execute(connection).await;
    inserted.map(|done| done.rows_affected()).map_err(StorageError::query("store webhooks"))
}

/// Adds to `webhook_counts`; what is zero is left out.
///
/// # Errors
/// When the database cannot be written.
pub async fn count_webhooks(
    connection: &mut MySqlConnection,
    counts: &BTreeMap<&'static str, u64>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let counts: Vec<_> = counts.iter().filter(|(_, count)| **count > 0).collect();
    if counts.is_empty() {
        return Ok(());
    }
    let mut upsert = QueryBuilder::new("INSERT INTO webhook_counts (name, total, last_at) ");
    upsert.push_values(counts, |mut row, (name, count)| {
        row.push_bind(*name).push_bind(*count).push_bind(now);
    });
    upsert.push(
        " ON DUPLICATE KEY UPDATE total = total + VALUES(total), last_at = GREATEST(last_at, VALUES(last_at))",
    );
    let counted = upsert.build().persistent(false).execute(connection).await;
    counted.map(|_| ()).map_err(StorageError::query("count webhooks"))
}

/// Adds to `webhook_counts` what was refused at the door.
///
/// # Errors
/// When the database cannot be written.
pub async fn count_refused_webhooks(
    database: &Database,
    counts: &BTreeMap<&'static str, u64>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let mut transaction = database.begin().await?;
    count_webhooks(&mut transaction, counts, now).await?;
    transaction.commit().await.map_err(StorageError::query("commit counts of webhooks"))
}

/// What became of webhooks since the database was made, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn webhook_counts(database: &Database) -> Result<BTreeMap<String, u64>, StorageError> {
    let query = sqlx::query_as("SELECT name, total FROM webhook_counts");
    let rows: Result<Vec<(String, i64)>, _> = query.fetch_all(database.pool()).await;
    let rows = rows.map_err(StorageError::query("read the counts of webhooks"))?;
    Ok(rows.into_iter().map(|(name, total)| (name, total.unsigned_abs())).collect())
}

/// HubSpot's id of the first type after `after`, in the order of the index, of which events wait, due or not. A step costs
/// the same however many they are.
///
/// # Errors
/// When the database cannot be read.
pub async fn next_waiting_type(database: &Database, after: &str) -> Result<Option<String>, StorageError> {
    sqlx::query_scalar(NEXT_WAITING)
        .bind(after)
        .fetch_optional(database.pool())
        .await
        .map_err(StorageError::query("read which webhooks wait"))
}

/// See [`next_waiting_type`].
const NEXT_WAITING: &str = "SELECT object_type_id FROM webhook_events WHERE outcome IS NULL AND object_type_id > ? \
                            ORDER BY object_type_id LIMIT 1";

/// Events of a type, by HubSpot's id of it, that are due, oldest first, at most `limit`.
///
/// # Errors
/// When the database cannot be read or holds what this version does not know.
pub async fn due_webhook_events(
    database: &Database,
    object_type_id: &str,
    now: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<WebhookEvent>, StorageError> {
    let rows: Result<Vec<Stored>, _> =
        sqlx::query_as(DUE).bind(object_type_id).bind(now).bind(limit).fetch_all(database.pool()).await;
    let rows = rows.map_err(StorageError::query("read the webhooks that wait"))?;
    rows.into_iter().map(WebhookEvent::try_from).collect()
}

/// See [`due_webhook_events`].
const DUE: &str = "SELECT id, hubspot_id, kind, is_own, occurred_at, tries FROM webhook_events \
                   WHERE outcome IS NULL AND object_type_id = ? AND run_at <= ? ORDER BY run_at, id LIMIT ?";

impl TryFrom<Stored> for WebhookEvent {
    type Error = StorageError;

    fn try_from(stored: Stored) -> Result<Self, StorageError> {
        let kind = stored.kind.parse().map_err(|()| StorageError::Inconsistent {
            table: "webhook_events",
            row: stored.id.to_string(),
            column: "kind",
            value: stored.kind.clone(),
        })?;
        Ok(Self {
            number: stored.id,
            id: ObjectId(stored.hubspot_id),
            kind,
            is_own: stored.is_own,
            occurred_at: stored.occurred_at,
            tries: stored.tries.unsigned_abs(),
        })
    }
}

/// Closes events inside the caller's transaction and counts them under the word of their outcome.
///
/// # Errors
/// When the database cannot be written.
pub async fn settle_webhook_events(
    connection: &mut MySqlConnection,
    numbers: &[i64],
    outcome: WebhookOutcome,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    for chunk in numbers.chunks(BATCH) {
        let mut update = QueryBuilder::new("UPDATE webhook_events SET outcome = ");
        update.push_bind(outcome.word()).push(", processed_at = ").push_bind(now).push(" WHERE id IN (");
        push_list(&mut update, chunk);
        let updated = update.build().persistent(false).execute(&mut *connection).await;
        updated.map_err(StorageError::query("close webhooks"))?;
    }
    count_webhooks(connection, &BTreeMap::from([(outcome.word(), numbers.len() as u64)]), now).await
}

/// Lets events wait until `run_at`, inside the caller's transaction; `counted`: it is one try more.
///
/// # Errors
/// When the database cannot be written.
pub async fn postpone_webhook_events(
    connection: &mut MySqlConnection,
    numbers: &[i64],
    run_at: DateTime<Utc>,
    counted: bool,
) -> Result<(), StorageError> {
    for chunk in numbers.chunks(BATCH) {
        let mut update = QueryBuilder::new("UPDATE webhook_events SET run_at = ");
        update.push_bind(run_at).push(", tries = tries + ").push_bind(u32::from(counted));
        update.push(" WHERE id IN (");
        push_list(&mut update, chunk);
        let updated = update.build().persistent(false).execute(&mut *connection).await;
        updated.map_err(StorageError::query("postpone webhooks"))?;
    }
    Ok(())
}

/// Ends a statement with a list of numbers in parentheses, the first of which is open.
fn push_list(query: &mut QueryBuilder<sqlx::MySql>, numbers: &[i64]) {
    let mut listed = query.separated(", ");
    for number in numbers {
        listed.push_bind(*number);
    }
    query.push(")");
}

/// How many events of each type were closed with the outcome, by HubSpot's id of the type. Meant for rare outcomes.
///
/// # Errors
/// When the database cannot be read.
pub async fn count_webhook_outcomes(
    database: &Database,
    outcome: WebhookOutcome,
) -> Result<BTreeMap<String, u64>, StorageError> {
    let sql = "SELECT object_type_id, COUNT(DISTINCT hubspot_id) FROM webhook_events WHERE outcome = ? \
               GROUP BY object_type_id";
    let rows: Result<Vec<(String, i64)>, _> =
        sqlx::query_as(sql).bind(outcome.word()).fetch_all(database.pool()).await;
    let rows = rows.map_err(StorageError::query("count what became of webhooks"))?;
    Ok(rows.into_iter().map(|(type_id, count)| (type_id, count.unsigned_abs())).collect())
}

/// Lets go of some events older than two days; returns how many, and how many of them nobody had dealt with.
///
/// # Errors
/// When the database cannot be written.
pub async fn purge_webhook_events(
    database: &Database,
    now: DateTime<Utc>,
) -> Result<(u64, u64), StorageError> {
    let failed = || StorageError::query("remove old webhooks");
    let oldest = now - KEPT;
    let waiting: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM (SELECT outcome FROM webhook_events WHERE received_at < ? ORDER BY received_at LIMIT ?) \
         AS old WHERE outcome IS NULL",
    )
    .bind(oldest)
    .bind(PURGED_AT_ONCE)
    .fetch_one(database.pool())
    .await
    .map_err(failed())?;
    let sql = "DELETE FROM webhook_events WHERE received_at < ? ORDER BY received_at LIMIT ?";
    let purged = sqlx::query(sql).bind(oldest).bind(PURGED_AT_ONCE).execute(database.pool()).await;
    Ok((purged.map_err(failed())?.rows_affected(), waiting.unsigned_abs()))
}
