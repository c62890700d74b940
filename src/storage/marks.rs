//! Whether anything has happened in the database, for a process that does not do it.

use super::{Database, StorageError};

/// What of the database moves on when something happens. Equal marks: nothing did, as far as marks tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks(String);

/// Looks where everything is. Cheap: newest numbers, and tables of one row a type.
///
/// # Errors
/// When the database cannot be read.
pub async fn load_marks(database: &Database) -> Result<Marks, StorageError> {
    let sql = "SELECT CONCAT_WS(' ', \
               (SELECT MAX(run_id) FROM sync_runs), \
               (SELECT MAX(updated_at) FROM sync_state), \
               (SELECT MAX(updated_at) FROM sync_lanes), \
               (SELECT MAX(last_event_at) FROM webhook_sources), \
               (SELECT MAX(id) FROM sync_log), \
               (SELECT MAX(id) FROM jobs), \
               (SELECT MAX(id) FROM conflict_audit))";
    let marks = sqlx::query_scalar(sql).fetch_one(database.pool()).await;
    marks.map(Marks).map_err(StorageError::query("look whether anything has happened"))
}
