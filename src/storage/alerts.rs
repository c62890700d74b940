//! `alerts` and `alert_messages`: the problems somebody was told of, and the messages about them that are on their way.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::mysql::MySqlRow;
use sqlx::{MySqlConnection, Row};

use super::words::stored_words;
use super::{Database, Lease, StorageError};

stored_words! {
    /// What is wrong.
    pub enum AlertKind {
        /// HubSpot does not accept the token.
        TokenRejected = "token_rejected",
        /// Runs of a type fail, one after the other.
        Failing = "failing",
        /// A type is further behind than its schedule explains.
        Behind = "behind",
        /// The day's requests are running out.
        DailyLimit = "daily_limit",
        /// Edits wait because so many were sent within an hour.
        Brake = "brake",
        /// Deletes wait because they are too many to be believed.
        TooManyDeletes = "too_many_deletes",
        /// Edits were given up and wait for a person.
        DeadJobs = "dead_jobs",
        /// HubSpot has stopped telling of changes.
        WebhooksSilent = "webhooks_silent",
    }
}

stored_words! {
    /// A way to reach people.
    pub enum AlertChannel {
        /// Posted to a URL.
        Webhook = "webhook",
        /// Mailed.
        Mail = "mail",
    }
}

/// A row of `alerts`. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertRow {
    /// What is wrong.
    pub problem: AlertKind,
    /// What it is about: a type, or a type and a lane; empty: the whole account.
    pub about: String,
    /// What was told when it began.
    pub text: String,
    /// When it began.
    pub since: DateTime<Utc>,
    /// When it was last there.
    pub last_seen_at: DateTime<Utc>,
    /// When its end was told; `None` while it lasts.
    pub ended_at: Option<DateTime<Utc>>,
    /// How often it began without a day in between, at least 1.
    pub episodes: u32,
}

/// What people are to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertText {
    /// One line, at most 255 characters.
    pub subject: String,
    /// One line a problem.
    pub body: String,
}

/// A row of `alert_messages`. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertMessage {
    /// Its number.
    pub id: i64,
    /// What it says.
    pub text: AlertText,
    /// When it was decided.
    pub created_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: u32,
    /// Not to be tried before.
    pub due_at: DateTime<Utc>,
}

/// Every problem that was told of and not yet forgotten, those that last first.
///
/// # Errors
/// When the database cannot be read.
pub async fn load_alerts(database: &Database) -> Result<Vec<AlertRow>, StorageError> {
    let failed = || StorageError::query("read the alerts");
    let sql = "SELECT * FROM alerts ORDER BY ended_at IS NOT NULL, since, problem, about";
    let rows = sqlx::query(sql).fetch_all(database.pool()).await.map_err(failed())?;
    let alerts = rows.iter().filter_map(|row| alert(row).transpose());
    alerts.collect::<Result<_, _>>().map_err(failed())
}

/// Turns a row into an [`AlertRow`]; `None` for a problem only another version knows.
fn alert(row: &MySqlRow) -> Result<Option<AlertRow>, sqlx::Error> {
    let problem: String = row.try_get("problem")?;
    let Ok(problem) = problem.parse() else { return Ok(None) };
    Ok(Some(AlertRow {
        problem,
        about: row.try_get("about")?,
        text: row.try_get("text")?,
        since: row.try_get("since")?,
        last_seen_at: row.try_get("last_seen_at")?,
        ended_at: row.try_get("ended_at")?,
        episodes: row.try_get::<i32, _>("episodes")?.unsigned_abs(),
    }))
}

/// Writes what has become of problems, lets go of those that ended before `forget`, and puts a message for each of
/// `channels`, if there is one: in one transaction, so that what was told and what is noted agree.
///
/// # Errors
/// When the database cannot be written or the lease is lost.
pub async fn store_alerts(
    database: &Database,
    lease: &Lease,
    alerts: &[AlertRow],
    forget: DateTime<Utc>,
    message: Option<(&AlertText, &[AlertChannel])>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let failed = || StorageError::query("note the alerts");
    let mut transaction = lease.begin(database).await?;
    for alert in alerts {
        store_alert(&mut transaction, alert).await.map_err(failed())?;
    }
    let forgotten = sqlx::query("DELETE FROM alerts WHERE ended_at < ?").bind(forget);
    forgotten.execute(&mut *transaction).await.map_err(failed())?;
    for channel in message.map_or(&[][..], |(_, channels)| channels) {
        let Some((text, _)) = message else { break };
        let sql =
            "INSERT INTO alert_messages (channel, subject, body, created_at, due_at) VALUES (?, ?, ?, ?, ?)";
        let query = sqlx::query(sql).bind(channel.word()).bind(&text.subject).bind(&text.body);
        query.bind(now).bind(now).execute(&mut *transaction).await.map_err(failed())?;
    }
    transaction.commit().await
}

/// Writes one row.
async fn store_alert(connection: &mut MySqlConnection, alert: &AlertRow) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO alerts (problem, about, text, since, last_seen_at, ended_at, episodes) \
               VALUES (?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE text = VALUES(text), since = VALUES(since), \
               last_seen_at = VALUES(last_seen_at), ended_at = VALUES(ended_at), episodes = VALUES(episodes)";
    let query = sqlx::query(sql).bind(alert.problem.word()).bind(&alert.about).bind(&alert.text);
    let query = query.bind(alert.since).bind(alert.last_seen_at).bind(alert.ended_at).bind(alert.episodes);
    query.execute(connection).await.map(|_| ())
}

/// The oldest message of a channel that is due at `now`; `None` when there is none.
///
/// # Errors
/// When the database cannot be read.
pub async fn next_message(
    database: &Database,
    channel: AlertChannel,
    now: DateTime<Utc>,
) -> Result<Option<AlertMessage>, StorageError> {
    let failed = || StorageError::query("read the alert messages");
    let sql = "SELECT * FROM alert_messages WHERE channel = ? AND due_at <= ? ORDER BY id LIMIT 1";
    let row = sqlx::query(sql).bind(channel.word()).bind(now).fetch_optional(database.pool()).await;
    let read = |row: MySqlRow| -> Result<_, sqlx::Error> {
        Ok(AlertMessage {
            id: row.try_get("id")?,
            text: AlertText { subject: row.try_get("subject")?, body: row.try_get("body")? },
            created_at: row.try_get("created_at")?,
            attempts: row.try_get::<i32, _>("attempts")?.unsigned_abs(),
            due_at: row.try_get("due_at")?,
        })
    };
    row.map_err(failed())?.map(read).transpose().map_err(failed())
}

/// The message is delivered, or given up: it goes.
///
/// # Errors
/// When the database cannot be written.
pub async fn remove_message(database: &Database, id: i64) -> Result<(), StorageError> {
    let removed = sqlx::query("DELETE FROM alert_messages WHERE id = ?").bind(id);
    let removed = removed.execute(database.pool()).await;
    removed.map(|_| ()).map_err(StorageError::query("remove an alert message"))
}

/// The message is about to be sent; unless it is removed, it is sent again at `due_at`.
///
/// # Errors
/// When the database cannot be written.
pub async fn begin_message(database: &Database, id: i64, due_at: DateTime<Utc>) -> Result<(), StorageError> {
    let sql = "UPDATE alert_messages SET attempts = attempts + 1, due_at = ? WHERE id = ?";
    let noted = sqlx::query(sql).bind(due_at).bind(id).execute(database.pool()).await;
    noted.map(|_| ()).map_err(StorageError::query("begin an alert message"))
}

/// The message could not be delivered, because of `error`.
///
/// # Errors
/// When the database cannot be written.
pub async fn explain_message(database: &Database, id: i64, error: &str) -> Result<(), StorageError> {
    let sql = "UPDATE alert_messages SET last_error = ? WHERE id = ?";
    let noted = sqlx::query(sql).bind(error).bind(id).execute(database.pool()).await;
    noted.map(|_| ()).map_err(StorageError::query("say why an alert message waits"))
}

/// Lets go of the messages of a channel that is switched off.
///
/// # Errors
/// When the database cannot be written.
pub async fn remove_messages_of(database: &Database, channel: AlertChannel) -> Result<(), StorageError> {
    let removed = sqlx::query("DELETE FROM alert_messages WHERE channel = ?").bind(channel.word());
    let removed = removed.execute(database.pool()).await;
    removed.map(|_| ()).map_err(StorageError::query("remove the alert messages of a channel"))
}

/// How many edits wait because of `MAX_PUSH_PER_HOUR` or `MAX_PUSH_DELETES_PER_HOUR`, by type.
///
/// # Errors
/// When the database cannot be read.
pub async fn braked_jobs(database: &Database) -> Result<Vec<(String, u64)>, StorageError> {
    let sql = "SELECT object_type, COUNT(*) FROM jobs WHERE state = 'ready' AND waiting LIKE '%; MAX\\_PUSH\\_%' \
               GROUP BY object_type ORDER BY object_type";
    let rows: Result<Vec<(String, i64)>, _> = sqlx::query_as(sql).fetch_all(database.pool()).await;
    let rows = rows.map_err(StorageError::query("count the edits that wait for a brake"))?;
    Ok(rows.into_iter().map(|(object_type, count)| (object_type, count.unsigned_abs())).collect())
}
