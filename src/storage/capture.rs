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

use std::fmt::Write as _;

use sqlx::MySqlConnection;
use tracing::info;

use super::jobs::{JobKind, enqueue_sql};
use super::mirror::MirrorTable;
use super::mirror_schema::TypedColumn;
use super::{Database, StorageError};
use crate::model::{ColumnType, ObjectType};

/// Columns that only the daemon writes.
const OWN_COLUMNS: [&str; 9] = [
    "id",
    "hubspot_id",
    "hubspot_created_at",
    "hubspot_updated_at",
    "purged_at",
    "content_hash",
    "base_properties_json",
    "remote_properties_json",
    "last_synced_at",
];

/// Longest message of a trigger, in characters. Source: MariaDB, "SIGNAL".
const MESSAGE: usize = 128;

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
    let sql = "SELECT trigger_name, action_statement FROM information_schema.triggers \
               WHERE trigger_schema = DATABASE() AND event_object_table = ?";
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
        trigger("BEFORE INSERT", on_insert(object_type, columns)),
        trigger("AFTER INSERT", after_insert(object_type)),
        trigger("BEFORE UPDATE", on_update(object_type, columns)),
        trigger("AFTER DELETE", after_delete(object_type)),
    ]
}

/// What every body that looks at values declares: the names of the properties that are given another value, whether
/// the document was edited directly, and why the edit is refused.
const DECLARATIONS: &str = "DECLARE changed LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT '[]'; \
     DECLARE by_document BOOLEAN DEFAULT FALSE; \
     DECLARE refusal TEXT CHARACTER SET utf8mb4; ";

/// The body of the trigger for new rows.
fn on_insert(object_type: &ObjectType, columns: &[TypedColumn]) -> String {
    let mut body = format!("BEGIN {DECLARATIONS}IF @hubspot_connector IS NULL THEN ");
    refuse_if(
        &mut body,
        "NEW.hubspot_id IS NOT NULL",
        object_type,
        "hubspot_id is given by HubSpot; leave it out to make a record",
    );
    refuse_if(&mut body, "NEW.archived", object_type, "a new record cannot be archived");
    body.push_str("SET NEW.properties_json = COALESCE(NEW.properties_json, '{}'); ");
    expect_document(&mut body, object_type);
    body.push_str("SET by_document = JSON_LENGTH(NEW.properties_json) > 0; ");
    fold(&mut body, columns, |column| format!("NEW.`{}` IS NOT NULL", column.name));
    body.push_str("SET changed = JSON_KEYS(NEW.properties_json); ");
    check_values(&mut body, object_type);
    body.push_str(
        "SET NEW.hubspot_created_at = NULL, NEW.hubspot_updated_at = NULL, NEW.purged_at = NULL, \
         NEW.content_hash = NULL, NEW.last_synced_at = NULL, NEW.archived_at = NULL, \
         NEW.base_properties_json = '{}', NEW.remote_properties_json = NULL, NEW.version = 1, \
         NEW.created_at = UTC_TIMESTAMP(3); ",
    );
    mark_pending(&mut body);
    body.push_str("END IF; END");
    body
}

/// The body of the trigger behind new rows, which have their key by then.
fn after_insert(object_type: &ObjectType) -> String {
    let job = job_for(object_type, JobKind::Push, "NEW.id");
    format!("BEGIN IF @hubspot_connector IS NULL THEN {job}; END IF; END")
}

/// The body of the trigger for edits.
fn on_update(object_type: &ObjectType, columns: &[TypedColumn]) -> String {
    let mut body = format!("BEGIN {DECLARATIONS}IF @hubspot_connector IS NULL THEN ");
    let own: Vec<_> = OWN_COLUMNS.iter().map(|name| format!("NEW.{name} <=> OLD.{name}")).collect();
    refuse_if(
        &mut body,
        &format!("NOT ({})", own.join(" AND ")),
        object_type,
        "this column belongs to hubspot-connector; edit properties or archived",
    );
    refuse_if(
        &mut body,
        "NEW.sync_status <> OLD.sync_status AND NOT (NEW.sync_status = 'pending' AND OLD.sync_status = 'error')",
        object_type,
        "sync_status can only be set from error to pending, to try again",
    );
    refuse_if(
        &mut body,
        "OLD.archived AND OLD.sync_status = 'synced' AND NOT NEW.archived",
        object_type,
        "HubSpot has no way to restore a record from here; restore it there",
    );
    expect_document(&mut body, object_type);
    body.push_str("SET by_document = NOT (NEW.properties_json <=> OLD.properties_json); ");
    fold(&mut body, columns, is_changed);
    // Of a document that was edited directly, whatever is different now. As bytes: `<=>` takes equal JSON values for
    // different ones.
    write!(
        body,
        "IF by_document THEN SET changed = COALESCE((SELECT JSON_ARRAYAGG(name) FROM ({}) AS named \
         WHERE NOT (BINARY JSON_EXTRACT(NEW.properties_json, CONCAT('$.\"', name, '\"')) \
         <=> BINARY JSON_EXTRACT(OLD.properties_json, CONCAT('$.\"', name, '\"')))), '[]'); END IF; ",
        names_in("JSON_MERGE_PRESERVE(JSON_KEYS(NEW.properties_json), JSON_KEYS(OLD.properties_json))"),
    )
    .expect("a string can be written to");
    refuse_if(
        &mut body,
        "OLD.archived AND OLD.sync_status = 'synced' AND JSON_LENGTH(changed) > 0",
        object_type,
        "the record is deleted in HubSpot",
    );
    check_values(&mut body, object_type);
    body.push_str(
        "IF JSON_LENGTH(changed) > 0 OR NEW.archived <> OLD.archived OR NEW.sync_status <> OLD.sync_status THEN \
         SET NEW.base_properties_json = COALESCE(OLD.base_properties_json, OLD.properties_json), \
         NEW.archived_at = IF(NEW.archived, COALESCE(OLD.archived_at, UTC_TIMESTAMP(3)), NULL), \
         NEW.version = OLD.version + 1, NEW.created_at = OLD.created_at; ",
    );
    mark_pending(&mut body);
    write!(body, "{}; ", job_for(object_type, JobKind::Push, "OLD.id")).expect("a string can be written to");
    // Nothing that matters: another spelling of the same document, or a column that is nobody's.
    body.push_str(
        "ELSE SET NEW.properties_json = OLD.properties_json, NEW.archived_at = OLD.archived_at, \
         NEW.version = OLD.version, NEW.last_modified_local = OLD.last_modified_local, \
         NEW.sync_error = OLD.sync_error; END IF; END IF; END",
    );
    body
}

/// The body of the trigger behind deletes. What was never sent is gone with its row.
fn after_delete(object_type: &ObjectType) -> String {
    let job = job_for(object_type, JobKind::Deleted, "OLD.hubspot_id");
    format!(
        "BEGIN IF @hubspot_connector IS NULL AND OLD.hubspot_id IS NOT NULL AND OLD.purged_at IS NULL THEN {job}; \
         END IF; END"
    )
}

/// The statement that puts a job.
fn job_for(object_type: &ObjectType, kind: JobKind, record_id: &str) -> String {
    enqueue_sql(&format!("'{object_type}'"), &format!("'{kind}'"), record_id)
}

/// Refuses the statement where the condition holds.
fn refuse_if(body: &mut String, condition: &str, object_type: &ObjectType, message: &str) {
    let message = format!("{}: {message}", object_type.table);
    debug_assert!(message.len() <= MESSAGE, "{message}");
    write!(body, "IF {condition} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{message}'; END IF; ")
        .expect("a string can be written to");
}

/// Refuses a document that is not an object, of which nothing could be said.
fn expect_document(body: &mut String, object_type: &ObjectType) {
    let condition = "COALESCE(JSON_TYPE(NEW.properties_json), '') <> 'OBJECT'";
    refuse_if(body, condition, object_type, "properties_json has to be a JSON object");
}

/// Brings typed columns and document into line: a column that `is_edited` goes into the document, else, where the
/// document was edited, its value comes into the column. Edited both, the column counts.
fn fold(body: &mut String, columns: &[TypedColumn], is_edited: impl Fn(&TypedColumn) -> String) {
    for column in columns {
        let name = &column.name;
        write!(
            body,
            "IF {} THEN SET changed = JSON_ARRAY_APPEND(changed, '$', '{name}'), NEW.properties_json = \
             IF(NEW.`{name}` IS NULL, JSON_REMOVE(NEW.properties_json, '$.\"{name}\"'), \
             JSON_SET(NEW.properties_json, '$.\"{name}\"', {})); \
             ELSEIF by_document THEN SET NEW.`{name}` = {}; END IF; ",
            is_edited(column),
            column.column_type.to_text(name),
            column.column_type.document_value(name),
        )
        .expect("a string can be written to");
    }
}

/// Whether a typed column is given another value. Texts are compared to the byte: case counts.
fn is_changed(column: &TypedColumn) -> String {
    let name = &column.name;
    match column.column_type {
        ColumnType::Text | ColumnType::LongText => {
            format!("NOT (BINARY NEW.`{name}` <=> BINARY OLD.`{name}`)")
        }
        _ => format!("NOT (NEW.`{name}` <=> OLD.`{name}`)"),
    }
}

/// A query of the names in a JSON array, in column `name`.
fn names_in(array: &str) -> String {
    format!(
        "SELECT DISTINCT name FROM JSON_TABLE({array}, '$[*]' COLUMNS (name VARCHAR(255) CHARACTER SET utf8mb4 \
         COLLATE utf8mb4_bin PATH '$')) AS listed"
    )
}

/// Refuses values HubSpot would refuse, as far as SQL can tell. What an enumeration of several choices may hold, and
/// whatever rules the account has, HubSpot says when the edit is sent.
fn check_values(body: &mut String, object_type: &ObjectType) {
    let value = "JSON_UNQUOTE(JSON_EXTRACT(NEW.properties_json, CONCAT('$.\"', named.name, '\"')))";
    let kind = "JSON_TYPE(JSON_EXTRACT(NEW.properties_json, CONCAT('$.\"', named.name, '\"')))";
    write!(
        body,
        "IF JSON_LENGTH(changed) > 0 THEN SET refusal = (SELECT CONCAT('`', name, '` ', reason) FROM \
         (SELECT named.name, CASE \
         WHEN property.name IS NULL OR property.archived THEN 'is no property of {object_type}' \
         WHEN property.read_only THEN 'is read-only in HubSpot' \
         WHEN {kind} IN ('OBJECT', 'ARRAY') THEN 'has to be a text' \
         WHEN COALESCE({kind}, 'NULL') = 'NULL' OR {value} = '' THEN NULL \
         WHEN property.data_type = 'number' AND {value} NOT REGEXP '{NUMBER}' THEN 'has to be a number' \
         WHEN property.data_type = 'bool' AND {value} NOT IN ('true', 'false') THEN 'has to be true or false' \
         WHEN property.data_type = 'date' AND {value} NOT REGEXP '{DATE}' THEN 'has to be a date as 2026-01-31' \
         WHEN property.data_type = 'datetime' AND {value} NOT REGEXP '{DATE_TIME}' \
         THEN 'has to be a time as 2026-01-31T08:00:00Z' \
         WHEN property.data_type = 'enumeration' AND property.field_type <> 'checkbox' \
         AND JSON_LENGTH(property.options) > 0 \
         AND NOT JSON_CONTAINS(JSON_EXTRACT(property.options, '$[*].value'), JSON_QUOTE({value})) \
         THEN 'has to be one of its options' \
         END AS reason FROM ({}) AS named LEFT JOIN hubspot_properties AS property \
         ON property.object_type = '{object_type}' AND property.name = named.name) AS looked_at \
         WHERE reason IS NOT NULL LIMIT 1); \
         IF refusal IS NOT NULL THEN SET refusal = LEFT(CONCAT('{}: ', refusal), {MESSAGE}); \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = refusal; END IF; END IF; ",
        names_in("changed"),
        object_type.table,
        object_type = object_type.name,
    )
    .expect("a string can be written to");
}

/// A number as HubSpot takes it.
const NUMBER: &str = "^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$";
/// A day, or milliseconds since 1970.
const DATE: &str = "^([0-9]{4}-[0-9]{2}-[0-9]{2}|-?[0-9]+)$";
/// A time in UTC or with its offset, or milliseconds since 1970.
const DATE_TIME: &str = "^([0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9]{2}:?[0-9]{2})?)?|-?[0-9]+)$";

/// Marks the row as edited here. Times are those of UTC, whatever the session's zone is.
fn mark_pending(body: &mut String) {
    body.push_str(
        "SET NEW.sync_status = 'pending', NEW.sync_error = NULL, NEW.last_modified_local = UTC_TIMESTAMP(3), \
         NEW.updated_at = UTC_TIMESTAMP(3); ",
    );
}

impl ColumnType {
    /// The text HubSpot takes, of the new value of a column.
    fn to_text(self, name: &str) -> String {
        let column = format!("NEW.`{name}`");
        match self {
            Self::Text | Self::LongText => column,
            Self::Id => format!("CAST({column} AS CHAR)"),
            Self::Number => {
                format!("TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST({column} AS CHAR)))")
            }
            Self::Bool => format!("IF({column}, 'true', 'false')"),
            Self::Date => format!("DATE_FORMAT({column}, '%Y-%m-%d')"),
            Self::DateTime => format!(
                "CONCAT(DATE_FORMAT({column}, '%Y-%m-%dT%H:%i:%s'), IF(MICROSECOND({column}) = 0, '', \
                 CONCAT('.', LPAD(MICROSECOND({column}) DIV 1000, 3, '0'))), 'Z')"
            ),
        }
    }

    /// The value of a column, out of the new document. What is not in the form HubSpot answers in is NULL until
    /// HubSpot has answered.
    fn document_value(self, name: &str) -> String {
        let text = format!(
            "JSON_UNQUOTE(NULLIF(CAST(JSON_EXTRACT(NEW.properties_json, '$.\"{name}\"') AS CHAR), 'null'))"
        );
        let matching = |pattern: &str, value: &str| format!("IF({text} REGEXP '{pattern}', {value}, NULL)");
        match self {
            Self::Text => format!("IF(CHAR_LENGTH({text}) > 255, NULL, NULLIF({text}, ''))"),
            Self::LongText => format!("IF(LENGTH({text}) > 65535, NULL, NULLIF({text}, ''))"),
            Self::Id => matching("^-?[0-9]{1,18}$", &format!("CAST({text} AS SIGNED)")),
            Self::Number => {
                matching("^[+-]?[0-9]{1,26}([.][0-9]*)?$", &format!("CAST({text} AS DECIMAL(38,12))"))
            }
            Self::Bool => format!("CASE LOWER({text}) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"),
            Self::Date => matching("^[0-9]{4}-[0-9]{2}-[0-9]{2}", &format!("CAST(LEFT({text}, 10) AS DATE)")),
            Self::DateTime => matching(
                "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$",
                &format!("CAST(REPLACE(REPLACE({text}, 'T', ' '), 'Z', '') AS DATETIME(3))"),
            ),
        }
    }
}
