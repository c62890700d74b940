//! What was going on in each hour, for the charts of the dashboard.
//!
//! Runs have rows of their own and are counted from these. What webhooks bring belongs to no run, and pushes are too many to
//! be counted whenever somebody looks: `webhook_hours` and `push_hours` count them as they are stored.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sqlx::MySqlConnection;

use super::{Database, StorageError};

/// How long counts are kept.
const KEPT: TimeDelta = TimeDelta::days(30);

/// What runs did in an hour; a run counts in the hour in which it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunHour {
    /// Rows that were written or marked as deleted because HubSpot's differed.
    pub changes: u64,
    /// The longest time a search has left a change to wait: from the watermark it began with to its end. `None` when no search
    /// began.
    pub lag: Option<TimeDelta>,
}

/// Changes that are counted by hour as they are stored, in a table each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Records that were changed in HubSpot because of edits made here.
    Pushes,
    /// Changes that came by webhooks.
    Webhooks,
}

impl Counted {
    /// The table.
    fn table(self) -> &'static str {
        match self {
            Self::Pushes => "push_hours",
            Self::Webhooks => "webhook_hours",
        }
    }
}

/// The hour a time lies in, by its beginning.
pub fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).expect("an hour divides time")
}

/// What runs did that began at `since` or later, by hour; hours without any are left out. `overlap` is how far a search
/// reaches behind the watermark.
///
/// Values of columns that are new here, and links, are no changes of records.
///
/// # Errors
/// When the database cannot be read.
pub async fn run_hours(
    database: &Database,
    since: DateTime<Utc>,
    overlap: Duration,
    now: DateTime<Utc>,
) -> Result<BTreeMap<DateTime<Utc>, RunHour>, StorageError> {
    let sql = "SELECT TIMESTAMPDIFF(HOUR, ?, started_at) AS hour, \
               CAST(SUM(IF(lane IN ('fill', 'associations'), 0, inserted + updated + deleted)) AS SIGNED), \
               MAX(IF(lane = 'incremental', TIMESTAMPDIFF(SECOND, window_start, COALESCE(finished_at, ?)), NULL)) \
               FROM sync_runs WHERE started_at >= ? GROUP BY hour";
    let since = hour_of(since);
    let query = sqlx::query_as(sql).bind(since).bind(now).bind(since);
    let rows: Result<Vec<(i64, i64, Option<i64>)>, _> = query.fetch_all(database.pool()).await;
    let overlap = TimeDelta::milliseconds(overlap.as_millis() as i64);
    let hour = |(hour, changes, lag): (i64, i64, Option<i64>)| {
        let lag = lag.map(|lag| (TimeDelta::seconds(lag) - overlap).max(TimeDelta::zero()));
        (since + TimeDelta::hours(hour), RunHour { changes: changes.unsigned_abs(), lag })
    };
    Ok(rows.map_err(StorageError::query("count runs by hour"))?.into_iter().map(hour).collect())
}

/// Changes from `since` on, by hour; hours without any are left out.
///
/// # Errors
/// When the database cannot be read.
pub async fn change_hours(
    database: &Database,
    counted: Counted,
    since: DateTime<Utc>,
) -> Result<BTreeMap<DateTime<Utc>, u64>, StorageError> {
    let table = counted.table();
    let sql = format!(
        "SELECT TIMESTAMPDIFF(HOUR, ?, hour) AS age, CAST(SUM(changes) AS SIGNED) FROM {table} WHERE hour >= ? GROUP BY age"
    );
    let since = hour_of(since);
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(since).bind(since);
    let rows: Result<Vec<(i64, i64)>, _> = query.fetch_all(database.pool()).await;
    let hour = |(hour, count): (i64, i64)| (since + TimeDelta::hours(hour), count.unsigned_abs());
    Ok(rows.map_err(StorageError::query(format!("read {table}")))?.into_iter().map(hour).collect())
}

/// Counts changes of a type, inside the caller's transaction and towards its end: whoever counts in the same hour waits
/// for it.
///
/// # Errors
/// When the database cannot be written.
pub async fn count_changes(
    connection: &mut MySqlConnection,
    counted: Counted,
    (object_type, changes): (&str, u64),
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    if changes == 0 {
        return Ok(());
    }
    let table = counted.table();
    let sql = format!(
        "INSERT INTO {table} (hour, object_type, changes) VALUES (?, ?, ?) \
         ON DUPLICATE KEY UPDATE changes = changes + VALUES(changes)"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(hour_of(now)).bind(object_type).bind(changes);
    let added = query.execute(connection).await;
    added.map(|_| ()).map_err(StorageError::query(format!("count changes of {object_type} in {table}")))
}

/// Lets go of counts older than 30 days.
///
/// # Errors
/// When the database cannot be written.
pub async fn purge_hours(database: &Database, now: DateTime<Utc>) -> Result<(), StorageError> {
    for counted in [Counted::Pushes, Counted::Webhooks] {
        let sql = format!("DELETE FROM {} WHERE hour < ?", counted.table());
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now - KEPT);
        let purged = query.execute(database.pool()).await;
        purged.map_err(StorageError::query("remove old counts of changes"))?;
    }
    Ok(())
}
