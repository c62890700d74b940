//! `sync_lanes`: how far the lanes are that run beside the regular runs, one row a type and lane.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::query::Query;
use sqlx::{MySql, MySqlConnection, Row};

use super::associations::UNLINKED;
use super::sync_state::SyncStatus;
use super::words::stored_words;
use super::{Database, FailureKind, Lease, RunFailure, StorageError, WebhookOutcome};
use crate::model::ObjectType;

stored_words! {
    /// A lane beside the regular runs, which finds what modification dates do not show; the most important first.
    pub enum UpkeepLane {
        /// Listing the recycle bin.
        Archive = "archive",
        /// Listing the values of properties that stored records lack.
        Fill = "fill",
        /// Reading links between records.
        Associations = "associations",
        /// Comparing the mirror with a listing.
        Audit = "audit",
    }
}

/// A row of `sync_lanes`. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneState {
    /// As in `sync_state`.
    pub object_type: String,
    /// Which lane.
    pub lane: UpkeepLane,
    /// Whether something is going on.
    pub status: SyncStatus,
    /// Where the pass under way continues: empty at its start, `None` when none is under way.
    pub pass_cursor: Option<String>,
    /// What the pass under way is to do and has found so far; the lane's own words.
    pub pass_state: Option<Value>,
    /// Start of the pass under way.
    pub pass_started_at: Option<DateTime<Utc>>,
    /// Start of the last pass that came to its end.
    pub completed_at: Option<DateTime<Utc>>,
    /// What went wrong in the last run and what to do.
    pub last_error: Option<String>,
    /// Its sort; `None` also after a failure of an earlier version.
    pub error_kind: Option<FailureKind>,
    /// Failed runs since the last success.
    pub consecutive_failures: i32,
    /// When the next run is due; `None`: none is.
    pub next_run_at: Option<DateTime<Utc>>,
    /// A pass somebody asked for and that has not begun, in the lane's own words.
    pub requested: Option<Value>,
    /// When they asked; `None` once a pass that began later has ended.
    pub requested_at: Option<DateTime<Utc>>,
}

/// The row of one lane of one type, in the hands of the process that holds the lease; without it nothing is written.
/// Each method is one step of a pass, and fails when the database cannot be written or the lease is lost; the one that
/// takes a connection belongs into the transaction that stored what it tells.
#[derive(Debug, Clone)]
pub struct LaneRow {
    database: Database,
    lease: Lease,
    object_type: &'static str,
    lane: UpkeepLane,
}

impl LaneRow {
    /// The row of `lane` of `object_type`.
    pub fn new(database: Database, lease: Lease, object_type: &'static str, lane: UpkeepLane) -> Self {
        Self { database, lease, object_type, lane }
    }

    /// Reads it, making it first where there is none.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn load(&self) -> Result<LaneState, StorageError> {
        load_lane(&self.database, self.object_type, self.lane).await
    }

    /// Puts the first run at `first` where there is no row; else the next one no later than `latest`: the lane was off,
    /// or its period is shorter now.
    ///
    /// # Errors
    /// As every step.
    pub async fn keep_to(&self, first: DateTime<Utc>, latest: DateTime<Utc>) -> Result<(), StorageError> {
        let sql = "INSERT INTO sync_lanes (object_type, lane, next_run_at) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE \
                   next_run_at = IF(status = 'running', next_run_at, LEAST(COALESCE(next_run_at, ?), ?))";
        let query = sqlx::query(sql).bind(self.object_type).bind(self.lane.word());
        let mut transaction = self.lease.begin(&self.database).await?;
        let query = query.bind(first).bind(latest).bind(latest);
        query.execute(&mut *transaction).await.map_err(self.failed())?;
        transaction.commit().await
    }

    /// Puts the next run no later than `at`; one that waits after a failure goes on waiting. While a run is under way, it is
    /// the one after it: what the pass has gone by already is read again.
    ///
    /// # Errors
    /// As every step.
    pub async fn schedule(&self, at: DateTime<Utc>) -> Result<(), StorageError> {
        let sql = "UPDATE sync_lanes SET next_run_at = CASE status WHEN 'error' THEN COALESCE(next_run_at, ?) \
                   WHEN 'running' THEN ? ELSE LEAST(COALESCE(next_run_at, ?), ?) END WHERE object_type = ? AND lane = ?";
        self.execute(sqlx::query(sql).bind(at).bind(at).bind(at).bind(at)).await
    }

    /// A run begins, and with it a pass at `now` unless one is under way. A new pass takes up what was asked for.
    ///
    /// # Errors
    /// As every step.
    pub async fn begin(&self, now: DateTime<Utc>) -> Result<(), StorageError> {
        let sql = "UPDATE sync_lanes SET status = 'running', \
                   pass_started_at = IF(pass_cursor IS NULL, ?, pass_started_at), \
                   pass_state = IF(pass_cursor IS NULL, requested, pass_state), \
                   requested = IF(pass_cursor IS NULL, NULL, requested), \
                   pass_cursor = COALESCE(pass_cursor, '') WHERE object_type = ? AND lane = ?";
        self.execute(sqlx::query(sql).bind(now)).await
    }

    /// Something else does from `now` on what a pass would do; whatever pass is under way is given up.
    ///
    /// # Errors
    /// As every step.
    pub async fn restart(&self, now: DateTime<Utc>) -> Result<(), StorageError> {
        let sql = "UPDATE sync_lanes SET pass_cursor = NULL, pass_state = NULL, pass_started_at = ?, \
                   next_run_at = NULL WHERE object_type = ? AND lane = ?";
        self.execute(sqlx::query(sql).bind(now)).await
    }

    /// What lies before `cursor` is done; `pass_state` is what was found so far.
    ///
    /// # Errors
    /// As every step.
    pub async fn advance(
        &self,
        transaction: &mut MySqlConnection,
        cursor: &str,
        pass_state: &Value,
    ) -> Result<(), StorageError> {
        let sql = "UPDATE sync_lanes SET pass_cursor = ?, pass_state = ? WHERE object_type = ? AND lane = ?";
        let query = sqlx::query(sql).bind(cursor).bind(pass_state.to_string());
        let query = query.bind(self.object_type).bind(self.lane.word());
        query.execute(transaction).await.map(|_| ()).map_err(self.failed())
    }

    /// The pass is done, and with it the request it took up, if any; a later one stays. The next is due at
    /// `next_run_at`, if any is; sooner where somebody has scheduled it since its time was `due`, as the run began.
    ///
    /// # Errors
    /// As every step.
    pub async fn complete(
        &self,
        next_run_at: Option<DateTime<Utc>>,
        due: Option<DateTime<Utc>>,
    ) -> Result<(), StorageError> {
        let sql = "UPDATE sync_lanes SET status = 'idle', completed_at = COALESCE(pass_started_at, completed_at), \
                   pass_cursor = NULL, pass_state = NULL, pass_started_at = NULL, \
                   next_run_at = IF(next_run_at <=> ?, ?, LEAST(next_run_at, ?)), \
                   last_error = NULL, last_error_at = NULL, error_kind = NULL, consecutive_failures = 0, \
                   requested_at = IF(requested IS NULL, NULL, requested_at) WHERE object_type = ? AND lane = ?";
        self.execute(sqlx::query(sql).bind(due).bind(next_run_at).bind(next_run_at)).await
    }

    /// The run failed, and with a pass that `is_over` the request it took up; a later one stays. At `next_run_at` the pass goes on where it was, or a new one
    /// begins when it `is_over`.
    ///
    /// # Errors
    /// As every step.
    pub async fn fail(
        &self,
        failure: &RunFailure,
        now: DateTime<Utc>,
        next_run_at: DateTime<Utc>,
        is_over: bool,
    ) -> Result<(), StorageError> {
        let sql = "UPDATE sync_lanes SET status = 'error', last_error = ?, error_kind = ?, last_error_at = ?, next_run_at = ?, \
                   consecutive_failures = consecutive_failures + 1, \
                   requested_at = IF(? AND requested IS NULL, NULL, requested_at), \
                   pass_cursor = IF(?, NULL, pass_cursor) WHERE object_type = ? AND lane = ?";
        let query =
            sqlx::query(sql).bind(&failure.report).bind(failure.kind.word()).bind(now).bind(next_run_at);
        self.execute(query.bind(is_over).bind(is_over)).await
    }

    /// The run was told to stop before it was done; it is due again at `now`, at once.
    ///
    /// # Errors
    /// As every step.
    pub async fn interrupt(&self, now: DateTime<Utc>) -> Result<(), StorageError> {
        let sql = "UPDATE sync_lanes SET status = 'idle', next_run_at = ? WHERE object_type = ? AND lane = ?";
        self.execute(sqlx::query(sql).bind(now)).await
    }

    /// Runs an update whose last parameters are the type and the lane.
    async fn execute(&self, query: Query<'_, MySql, MySqlArguments>) -> Result<(), StorageError> {
        let mut transaction = self.lease.begin(&self.database).await?;
        let query = query.bind(self.object_type).bind(self.lane.word());
        query.execute(&mut *transaction).await.map_err(self.failed())?;
        transaction.commit().await
    }

    /// Wraps a driver error.
    fn failed(&self) -> impl FnOnce(sqlx::Error) -> StorageError {
        StorageError::query(format!("update the {} lane of {}", self.lane, self.object_type))
    }
}

/// Every row.
///
/// # Errors
/// When the database cannot be read or a row holds what this version does not know.
pub async fn load_lanes(database: &Database) -> Result<Vec<LaneState>, StorageError> {
    let rows = sqlx::query("SELECT * FROM sync_lanes ORDER BY object_type, lane")
        .fetch_all(database.pool())
        .await
        .map_err(StorageError::query("read sync_lanes"))?;
    rows.iter().map(from_row).collect()
}

/// Failures in a row after which a cause that should pass by itself is shown.
const PATIENCE: i32 = 5;

/// Shows in `sync_state` of a type what its lanes failed with, as far as a person has to act or it goes on for long,
/// `with_links` which of the type's links HubSpot does not let be read, and that its webhooks are silent.
///
/// # Errors
/// When the database cannot be written or the lease is lost.
pub async fn show_notices(
    database: &Database,
    lease: &Lease,
    object_type: &str,
    with_links: bool,
) -> Result<(), StorageError> {
    let sql = "UPDATE sync_state SET notice = NULLIF(CONCAT_WS('\n', \
               (SELECT GROUP_CONCAT('The ', lane, ' lane: ', last_error ORDER BY lane SEPARATOR '\n') \
                FROM sync_lanes WHERE object_type = ? AND status = 'error' \
                AND (pass_cursor IS NULL OR consecutive_failures >= ?)), \
               (SELECT GROUP_CONCAT('Links to ', to_type, ' are not read: ', reason ORDER BY to_type SEPARATOR '\n') \
                FROM association_pairs WHERE ? AND from_type = ? AND NOT is_read AND reason <> ?), \
               (SELECT CONCAT('Webhooks are silent since ', DATE_FORMAT(unannounced_since, '%Y-%m-%d %H:%i UTC'), \
                '; polling goes on') FROM webhook_sources WHERE object_type = ? AND silent_since IS NOT NULL), \
               (SELECT CONCAT('HubSpot told that ', COUNT(DISTINCT hubspot_id), ' record(s) were erased, and still shows them a day later: ', \
                GROUP_CONCAT(DISTINCT hubspot_id ORDER BY hubspot_id SEPARATOR ', ' LIMIT 50), '. Erase them there again, or ask HubSpot why they are kept') \
                FROM webhook_events WHERE outcome = ? AND object_type_id = ? HAVING COUNT(*) > 0)), '') \
               WHERE object_type = ?";
    let mut transaction = lease.begin(database).await?;
    let query = sqlx::query(sql).bind(object_type).bind(PATIENCE);
    let query = query.bind(with_links).bind(object_type).bind(UNLINKED).bind(object_type);
    let type_id = ObjectType::named(object_type).map(|known| known.type_id);
    let query = query.bind(WebhookOutcome::StillThere.word()).bind(type_id).bind(object_type);
    let shown = query.execute(&mut *transaction).await;
    shown.map_err(StorageError::query(format!("show the lanes of {object_type} that failed")))?;
    transaction.commit().await
}

/// Asks the process that holds the lease for a pass as `how` says, in the lane's own words; it looks every second.
///
/// # Errors
/// When the database cannot be written.
pub async fn request_lane(
    database: &Database,
    object_type: &str,
    lane: UpkeepLane,
    how: &Value,
) -> Result<(), StorageError> {
    load_lane(database, object_type, lane).await?;
    // The time names the request, so it must rise even within a millisecond.
    let sql = "UPDATE sync_lanes SET requested = ?, \
               requested_at = GREATEST(UTC_TIMESTAMP(3), COALESCE(requested_at + INTERVAL 1000 MICROSECOND, UTC_TIMESTAMP(3))) \
               WHERE object_type = ? AND lane = ?";
    let query = sqlx::query(sql).bind(how.to_string()).bind(object_type).bind(lane.word());
    let failed = StorageError::query(format!("ask for a pass of the {lane} lane of {object_type}"));
    query.execute(database.pool()).await.map(|_| ()).map_err(failed)
}

/// Reads the row of a lane, making it first where there is none.
async fn load_lane(
    database: &Database,
    object_type: &str,
    lane: UpkeepLane,
) -> Result<LaneState, StorageError> {
    let failed = || StorageError::query(format!("read the {lane} lane of {object_type}"));
    sqlx::query("INSERT IGNORE INTO sync_lanes (object_type, lane) VALUES (?, ?)")
        .bind(object_type)
        .bind(lane.word())
        .execute(database.pool())
        .await
        .map_err(failed())?;
    let row = sqlx::query("SELECT * FROM sync_lanes WHERE object_type = ? AND lane = ?")
        .bind(object_type)
        .bind(lane.word())
        .fetch_one(database.pool())
        .await
        .map_err(failed())?;
    from_row(&row)
}

/// Turns a row into a [`LaneState`].
fn from_row(row: &MySqlRow) -> Result<LaneState, StorageError> {
    let object_type: String =
        row.try_get("object_type").map_err(StorageError::query("read a row of sync_lanes"))?;
    let inconsistent = |column, value| StorageError::Inconsistent {
        table: "sync_lanes",
        row: object_type.clone(),
        column,
        value,
    };
    let read = || -> Result<_, sqlx::Error> {
        let (lane, status): (String, String) = (row.try_get("lane")?, row.try_get("status")?);
        let state = LaneState {
            object_type: object_type.clone(),
            lane: UpkeepLane::Audit,
            status: SyncStatus::Idle,
            pass_cursor: row.try_get("pass_cursor")?,
            pass_state: row.try_get("pass_state")?,
            pass_started_at: row.try_get("pass_started_at")?,
            completed_at: row.try_get("completed_at")?,
            last_error: row.try_get("last_error")?,
            error_kind: None,
            consecutive_failures: row.try_get("consecutive_failures")?,
            next_run_at: row.try_get("next_run_at")?,
            requested: row.try_get("requested")?,
            requested_at: row.try_get("requested_at")?,
        };
        let kind: Option<String> = row.try_get("error_kind")?;
        Ok((lane, status, kind, state))
    };
    let (lane, status, kind, state) = read().map_err(StorageError::query("read a row of sync_lanes"))?;
    Ok(LaneState {
        lane: lane.parse().map_err(|()| inconsistent("lane", lane))?,
        status: status.parse().map_err(|()| inconsistent("status", status))?,
        error_kind: kind
            .map(|kind| kind.parse().map_err(|()| inconsistent("error_kind", kind)))
            .transpose()?,
        ..state
    })
}
