//! Runs as people are shown them.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row};

use super::{Lane, Outcome, RunCounts, Trigger};
use crate::storage::{Database, PageOutcome, StorageError};

/// What the column `outcome` says of a run that has none yet.
const RUNNING: &str = "running";

/// A row of `sync_runs`. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Rises with time.
    pub id: i64,
    /// What it was about, as in `sync_state`.
    pub object_type: String,
    /// The way it found records.
    pub lane: Lane,
    /// Why it began.
    pub trigger: Trigger,
    /// When.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// How; `None` while it runs.
    pub outcome: Option<Outcome>,
    /// What it did.
    pub counts: RunCounts,
    /// Why it failed.
    pub error: Option<String>,
}

/// Which runs are wanted: those that meet every condition given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// About this type, or another name in `sync_state`.
    pub object_type: Option<String>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// That began after the run of this number.
    pub after: Option<i64>,
}

/// The runs that meet a filter, newest first, at most `limit`; those before the run `before` where it is given.
///
/// # Errors
/// When the database cannot be read or a row holds what this version does not know.
pub async fn list_runs(
    database: &Database,
    filter: &RunFilter,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Run>, StorageError> {
    let mut query = QueryBuilder::<MySql>::new("SELECT * FROM sync_runs WHERE run_id < ");
    query.push_bind(before.unwrap_or(i64::MAX));
    query.push(" AND run_id > ").push_bind(filter.after.unwrap_or(0));
    if let Some(object_type) = &filter.object_type {
        query.push(" AND object_type = ").push_bind(object_type);
    }
    if let Some(outcome) = filter.outcome {
        query.push(" AND outcome = ").push_bind(outcome.word());
    }
    query.push(" ORDER BY run_id DESC LIMIT ").push_bind(limit);
    let rows = query.build().persistent(false).fetch_all(database.pool()).await;
    rows.map_err(StorageError::query("list runs"))?.iter().map(from_row).collect()
}

/// The newest regular run of each row of `sync_state`, delayed passes left out; of a type that never ran there is none.
///
/// # Errors
/// When the database cannot be read or a row holds what this version does not know.
pub async fn latest_runs(database: &Database) -> Result<Vec<Run>, StorageError> {
    // From the end of the type's part of the index: however many runs there are, a few are looked at.
    let sql = "SELECT runs.* FROM sync_state AS state JOIN sync_runs AS runs ON runs.run_id = \
               (SELECT run_id FROM sync_runs WHERE object_type = state.object_type \
                AND lane IN ('backfill', 'incremental', 'reference') ORDER BY run_id DESC LIMIT 1)";
    let rows = sqlx::query(sql).fetch_all(database.pool()).await;
    rows.map_err(StorageError::query("look for the newest runs"))?.iter().map(from_row).collect()
}

/// Turns a row into a [`Run`].
fn from_row(row: &MySqlRow) -> Result<Run, StorageError> {
    let failed = || StorageError::query("read a row of sync_runs");
    let read = || -> Result<_, sqlx::Error> {
        let count = |column| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
        let outcome = PageOutcome {
            inserted: count("inserted")?,
            updated: count("updated")?,
            unchanged: count("unchanged")?,
            deleted: count("deleted")?,
            quarantined: count("quarantined")?,
        };
        Ok(Run {
            id: row.try_get("run_id")?,
            object_type: row.try_get("object_type")?,
            lane: Lane::Reference,
            trigger: Trigger::Schedule,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
            outcome: None,
            counts: RunCounts { fetched: count("fetched")?, outcome, requests: count("requests")? },
            error: row.try_get("error")?,
        })
    };
    let run = read().map_err(failed())?;
    let id = run.id;
    let outcome: String = row.try_get("outcome").map_err(failed())?;
    Ok(Run {
        lane: word(row, id, "lane")?,
        trigger: word(row, id, "triggered_by")?,
        outcome: if outcome == RUNNING { None } else { Some(word(row, id, "outcome")?) },
        ..run
    })
}

/// A column that holds one of a few words.
fn word<T: FromStr>(row: &MySqlRow, id: i64, column: &'static str) -> Result<T, StorageError> {
    let value: String = row.try_get(column).map_err(StorageError::query("read a row of sync_runs"))?;
    let unknown =
        |value| StorageError::Inconsistent { table: "sync_runs", row: id.to_string(), column, value };
    value.parse().map_err(|_| unknown(value))
}
