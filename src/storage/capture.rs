//! Capturing edits: triggers on the writable mirror tables, so that plain SQL is a way to change HubSpot.
//!
//! | Somebody's statement | What the trigger makes of it |
//! | --- | --- |
//! | changes a typed column or `properties_json` | each is brought into line with the other; the row is `pending`, its first base is kept, a job is due |
//! | sets `archived` | the same; the delete is what is to be sent |
//! | inserts a row without `hubspot_id` | the same; the record is to be made |
//! | deletes a row | a job is due that restores the row, or sends the delete, as `SQL_DELETE` says |
//! | writes what HubSpot calculates, does not know, or takes in another form | refused with a message that names the property |
//! | writes what belongs to the daemon | refused |
//!
//! What the daemon writes passes: each of its sessions has `@hubspot_connector` set. The triggers of a table name its
//! typed columns and nothing else that may change; the catalogue is asked when an edit is made.

mod body;
mod value;

use sqlx::MySqlConnection;
use tracing::info;

use super::mirror::MirrorTable;
use super::{Database, StorageError};

/// A trigger of a table.
struct Trigger {
    name: String,
    /// When it fires, as in `BEFORE UPDATE`.
    event: &'static str,
    body: String,
}

/// Makes the table's triggers what they should be: those that capture edits where it `is_writable`, else none.
/// Idempotent; nothing is written when nothing is to be changed.
///
/// # Errors
/// When the user may not make triggers, or the database fails.
pub async fn ensure_capture(
    database: &Database,
    table: &MirrorTable,
    is_writable: bool,
) -> Result<(), StorageError> {
    let wanted = if is_writable { triggers(table) } else { Vec::new() };
    let name = table.object_type().table;
    database.on_own_connection(async |connection| apply(connection, name, &wanted).await).await
}

/// Brings the triggers of a table in line.
async fn apply(
    connection: &mut MySqlConnection,
    table: &str,
    wanted: &[Trigger],
) -> Result<(), StorageError> {
    // One of a user that is gone lets nobody write the table, so each is to be of who looks after it now.
    // By these two columns the server looks at one table; by others it opens every table of every database.
    let sql = "SELECT trigger_name, IF(definer = CURRENT_USER(), action_statement, '') \
               FROM information_schema.triggers WHERE event_object_schema = DATABASE() AND event_object_table = ?";
    let failed = || StorageError::query(format!("make the triggers of {table}"));
    let present: Result<Vec<(String, String)>, _> =
        sqlx::query_as(sql).bind(table).fetch_all(&mut *connection).await;
    let mut present = present.map_err(failed())?;
    // Others may have triggers of their own.
    present.retain(|(name, _)| name.starts_with(&prefix(table)));
    for (name, _) in present.iter().filter(|(name, _)| wanted.iter().all(|trigger| trigger.name != *name)) {
        execute(connection, format!("DROP TRIGGER IF EXISTS {name}")).await.map_err(failed())?;
    }
    if wanted.is_empty() && !present.is_empty() {
        info!("Edits of {table} are not captured any more");
    }
    let mut is_changed = false;
    for Trigger { name, event, body } in wanted {
        if present.iter().any(|(known, statement)| known == name && statement == body) {
            continue;
        }
        let sql = format!("CREATE OR REPLACE TRIGGER {name} {event} ON {table} FOR EACH ROW {body}");
        execute(connection, sql).await.map_err(failed())?;
        is_changed = true;
    }
    if is_changed {
        info!("Edits of {table} are captured and sent to HubSpot");
    }
    Ok(())
}

/// How the names of the triggers of a table begin.
fn prefix(table: &str) -> String {
    format!("{table}_capture_")
}

/// Runs a statement that cannot be prepared.
async fn execute(connection: &mut MySqlConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
}

/// The triggers of a writable table.
fn triggers(table: &MirrorTable) -> Vec<Trigger> {
    let (object_type, columns) = (table.object_type(), table.columns());
    let trigger = |event: &'static str, body: String| {
        let word = event.to_ascii_lowercase().replace(' ', "_");
        Trigger { name: prefix(object_type.table) + &word, event, body }
    };
    vec![
        trigger("BEFORE INSERT", body::before_insert(object_type, columns)),
        trigger("AFTER INSERT", body::after_insert(object_type)),
        trigger("BEFORE UPDATE", body::before_update(object_type, columns)),
        trigger("AFTER DELETE", body::after_delete(object_type)),
    ]
}
