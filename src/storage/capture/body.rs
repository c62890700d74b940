//! What the triggers do, as SQL.
//!
//! A trigger runs with the SQL mode and the character set it was made with, but in the time zone of who edits, and with
//! the limits of that session: nothing here may depend on them.

use std::fmt::Write as _;

use super::value::{is_day, is_number, is_time, value_of};
use crate::model::{ColumnType, ObjectType};
use crate::storage::jobs::{JobKind, enqueue_sql};
use crate::storage::mirror_schema::TypedColumn;

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

/// Longest name of a property a document is searched for, in characters: far more than HubSpot allows, so that one that
/// is cut off is refused like any other it does not know.
const NAME: usize = 1024;

/// What a body that looks at values declares: the names of the properties whose columns were edited, whether the document
/// was edited directly, how many properties have another value in the end, and why the edit is refused.
const DECLARATIONS: &str = "DECLARE named LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT '[]'; \
     DECLARE by_document BOOLEAN DEFAULT FALSE; \
     DECLARE edits INT DEFAULT 0; \
     DECLARE refusal TEXT CHARACTER SET utf8mb4; ";

/// The new document and the one it replaces.
const NEW: &str = "NEW.properties_json";
const OLD: &str = "OLD.properties_json";

/// The body of the trigger for new rows.
///
/// It sees a statement with ON DUPLICATE KEY UPDATE before the row that is there does. So a row that has an id of HubSpot
/// passes here, and is refused behind the insert if it came to that.
pub(super) fn before_insert(object_type: &ObjectType, columns: &[TypedColumn]) -> String {
    let mut body =
        format!("{DECLARATIONS}SET {NEW} = COALESCE({NEW}, '{{}}'); IF NEW.hubspot_id IS NULL THEN ");
    refuse_if(&mut body, "NEW.archived", object_type, "a new record cannot be archived");
    body.push_str("SET by_document = TRUE; ");
    expect_document(&mut body, object_type);
    let is_edited = |column: &TypedColumn| format!("NEW.`{}` IS NOT NULL", column.name);
    columns_to_document(&mut body, columns, is_edited);
    find_edits(&mut body, object_type, ("'{}'", "'{}'"), &format!("JSON_KEYS({NEW})"));
    refuse_with_reason(&mut body);
    document_to_columns(&mut body, columns, "'{}'", is_edited);
    body.push_str(
        "SET NEW.hubspot_created_at = NULL, NEW.hubspot_updated_at = NULL, NEW.purged_at = NULL, \
         NEW.content_hash = NULL, NEW.last_synced_at = NULL, NEW.archived_at = NULL, \
         NEW.base_properties_json = '{}', NEW.remote_properties_json = NULL, NEW.version = 1, \
         NEW.created_at = UTC_TIMESTAMP(3); ",
    );
    mark_pending(&mut body, "UTC_TIMESTAMP(3)");
    body.push_str("END IF; ");
    of_others(&body)
}

/// The body of the trigger behind new rows, which have their key by then.
pub(super) fn after_insert(object_type: &ObjectType) -> String {
    let mut body = String::new();
    let message = "hubspot_id is given by HubSpot; leave it out to make a record";
    refuse_if(&mut body, "NEW.hubspot_id IS NOT NULL", object_type, message);
    put(&mut body, format_args!("{}; ", job_for(object_type, JobKind::Push, "NEW.id")));
    of_others(&body)
}

/// The body of the trigger for edits.
pub(super) fn before_update(object_type: &ObjectType, columns: &[TypedColumn]) -> String {
    let mut body = DECLARATIONS.to_owned();
    refuse_what_is_not_theirs(&mut body, object_type);
    put(&mut body, format_args!("SET by_document = NOT ({NEW} <=> {OLD}); IF by_document THEN "));
    expect_document(&mut body, object_type);
    body.push_str("END IF; ");
    columns_to_document(&mut body, columns, is_changed);
    body.push_str("IF by_document OR named <> '[]' THEN ");
    let all = format!("JSON_MERGE_PRESERVE(JSON_KEYS({NEW}), JSON_KEYS({OLD}))");
    let base = format!("COALESCE(OLD.base_properties_json, {OLD})");
    find_edits(&mut body, object_type, (OLD, &base), &format!("IF(by_document, {all}, named)"));
    let condition = "edits > 0 AND OLD.archived AND OLD.sync_status = 'synced'";
    refuse_if(&mut body, condition, object_type, "the record is deleted in HubSpot");
    refuse_with_reason(&mut body);
    document_to_columns(&mut body, columns, OLD, is_changed);
    put(
        &mut body,
        format_args!(
            "END IF; SET NEW.created_at = OLD.created_at; \
             IF edits > 0 OR NEW.archived <> OLD.archived OR NEW.sync_status <> OLD.sync_status THEN \
             SET NEW.base_properties_json = COALESCE(OLD.base_properties_json, {OLD}), \
             NEW.archived_at = IF(NEW.archived, COALESCE(OLD.archived_at, UTC_TIMESTAMP(3)), NULL), \
             NEW.version = OLD.version + 1; "
        ),
    );
    // To try again is no edit, whose time decides under the policy `newest`.
    let edited_at =
        "IF(edits > 0 OR NEW.archived <> OLD.archived, UTC_TIMESTAMP(3), OLD.last_modified_local)";
    mark_pending(&mut body, edited_at);
    put(&mut body, format_args!("{}; ", job_for(object_type, JobKind::Push, "OLD.id")));
    // Nothing that matters: another spelling of the same document, or a column that is nobody's.
    put(
        &mut body,
        format_args!(
            "ELSE SET {NEW} = {OLD}, NEW.archived_at = OLD.archived_at, NEW.version = OLD.version, \
             NEW.last_modified_local = OLD.last_modified_local, NEW.sync_error = OLD.sync_error; END IF; "
        ),
    );
    of_others(&body)
}

/// The body of the trigger behind deletes. What was never sent is gone with its row.
pub(super) fn after_delete(object_type: &ObjectType) -> String {
    let job = job_for(object_type, JobKind::Deleted, "OLD.hubspot_id");
    of_others(&format!("IF OLD.hubspot_id IS NOT NULL AND OLD.purged_at IS NULL THEN {job}; END IF; "))
}

/// The whole of a body that is for other writers than the daemon, in a block of its own: the daemon's rows do not pay for
/// what is declared in it.
fn of_others(body: &str) -> String {
    format!("IF @hubspot_connector IS NULL THEN BEGIN {body}END; END IF")
}

/// Adds to a body.
fn put(body: &mut String, text: std::fmt::Arguments<'_>) {
    body.write_fmt(text).expect("a string can be written to");
}

/// The statement that puts a job.
fn job_for(object_type: &ObjectType, kind: JobKind, record_id: &str) -> String {
    enqueue_sql(&format!("'{object_type}'"), &format!("'{kind}'"), record_id)
}

/// Refuses the statement where the condition holds.
fn refuse_if(body: &mut String, condition: &str, object_type: &ObjectType, message: &str) {
    let message = format!("{}: {message}", object_type.table);
    debug_assert!(message.len() <= MESSAGE, "{message}");
    put(
        body,
        format_args!("IF {condition} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{message}'; END IF; "),
    );
}

/// Refuses an edit that is wrong whatever the values are.
fn refuse_what_is_not_theirs(body: &mut String, object_type: &ObjectType) {
    let own: Vec<_> = OWN_COLUMNS.iter().map(|name| format!("NEW.{name} <=> OLD.{name}")).collect();
    refuse_if(
        body,
        &format!("NOT ({})", own.join(" AND ")),
        object_type,
        "this column belongs to hubspot-connector; edit properties or archived",
    );
    refuse_if(
        body,
        "NEW.sync_status <> OLD.sync_status AND NOT (NEW.sync_status = 'pending' AND OLD.sync_status = 'error')",
        object_type,
        "sync_status can only be set from error to pending, to try again",
    );
    body.push_str("SET NEW.archived = NEW.archived <> 0; ");
    refuse_if(
        body,
        "OLD.archived AND OLD.sync_status = 'synced' AND NOT NEW.archived",
        object_type,
        "HubSpot has no way to restore a record from here; restore it there",
    );
}

/// Refuses a document of which nothing could be said: no object, or one that has a property twice.
fn expect_document(body: &mut String, object_type: &ObjectType) {
    let condition = format!("COALESCE(JSON_TYPE({NEW}), '') <> 'OBJECT'");
    refuse_if(body, &condition, object_type, "properties_json has to be a JSON object");
    let condition = format!("JSON_LENGTH({NEW}) <> JSON_LENGTH(JSON_KEYS({NEW}))");
    refuse_if(body, &condition, object_type, "properties_json has a property twice");
}

/// Brings the columns that are edited into the document, and notes their names. Edited both, the column counts.
fn columns_to_document(
    body: &mut String,
    columns: &[TypedColumn],
    is_edited: impl Fn(&TypedColumn) -> String,
) {
    for column in columns {
        let (name, edited) = (&column.name, is_edited(column));
        put(body, format_args!("IF {edited} THEN "));
        if column.column_type == ColumnType::Bool {
            put(body, format_args!("SET NEW.`{name}` = NEW.`{name}` <> 0; "));
        }
        let text = column.column_type.to_text(name);
        put(
            body,
            format_args!(
                "SET named = JSON_ARRAY_APPEND(named, '$', '{name}'), {NEW} = IF(NEW.`{name}` IS NULL, \
                 JSON_REMOVE({NEW}, '$.\"{name}\"'), JSON_SET({NEW}, '$.\"{name}\"', {text})); END IF; "
            ),
        );
    }
}

/// Brings what the document changes into those columns that are not edited themselves.
fn document_to_columns(
    body: &mut String,
    columns: &[TypedColumn],
    old: &str,
    is_edited: impl Fn(&TypedColumn) -> String,
) {
    body.push_str("IF by_document THEN ");
    for column in columns {
        let (name, edited) = (&column.name, is_edited(column));
        let path = format!("'$.\"{name}\"'");
        let (new, old) = (value_of(NEW, &path), value_of(old, &path));
        let value = column.column_type.of_text(&new);
        put(
            body,
            format_args!(
                "IF NOT ({edited}) AND NOT (BINARY {new} <=> BINARY {old}) THEN SET NEW.`{name}` = {value}; END IF; "
            ),
        );
    }
    body.push_str("END IF; ");
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

/// Counts which of the `names`, a JSON array, have another value than in the `old` document, and finds a reason to refuse
/// one of them: what HubSpot would refuse, as far as SQL can tell. What an enumeration of several choices may hold, and
/// whatever rules the account has, HubSpot says when the edit is sent.
///
/// Values are compared as texts, for that is what HubSpot takes: a number and its digits in quotes are the same. What an
/// edit is taken back to, the value in the `base`, is right whatever the catalogue says: nothing is sent then.
fn find_edits(body: &mut String, object_type: &ObjectType, (old, base): (&str, &str), names: &str) {
    let path = "CONCAT('$.', JSON_QUOTE(listed.name))";
    let (new, old, base) = (value_of(NEW, path), value_of(old, path), value_of(base, path));
    let (is_number, is_day, is_time) = (is_number("value"), is_day("value"), is_time("value"));
    put(
        body,
        format_args!(
            "SELECT COUNT(*), MIN(CONCAT('`', name, '` ', CASE \
             WHEN BINARY value <=> BINARY base_value THEN NULL \
             WHEN known IS NULL OR archived THEN 'is no property of {object_type}' \
             WHEN read_only THEN 'is read-only in HubSpot' \
             WHEN value IS NULL OR value = '' THEN NULL \
             WHEN json_kind IN ('OBJECT', 'ARRAY') THEN 'has to be a text' \
             WHEN data_type = 'number' AND NOT {is_number} THEN 'has to be a number' \
             WHEN data_type = 'bool' AND BINARY value NOT IN ('true', 'false') THEN 'has to be true or false' \
             WHEN data_type = 'date' AND NOT {is_day} THEN 'has to be a date as 2026-01-31' \
             WHEN data_type = 'datetime' AND NOT {is_time} THEN 'has to be a time as 2026-01-31T08:00:00Z' \
             WHEN data_type = 'enumeration' AND field_type <> 'checkbox' AND JSON_LENGTH(options) > 0 \
             AND NOT JSON_CONTAINS(JSON_EXTRACT(options, '$[*].value'), JSON_QUOTE(value)) \
             THEN 'has to be one of its options' END)) INTO edits, refusal FROM (\
             SELECT listed.name, {new} AS value, {old} AS old_value, {base} AS base_value, \
             JSON_TYPE(JSON_EXTRACT({NEW}, {path})) AS json_kind, property.name AS known, property.archived, \
             property.read_only, property.data_type, property.field_type, property.options FROM (\
             SELECT DISTINCT name FROM JSON_TABLE({names}, '$[*]' COLUMNS (name VARCHAR({NAME}) \
             CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$')) AS one) AS listed \
             LEFT JOIN hubspot_properties AS property \
             ON property.object_type = '{object_type}' AND property.name = listed.name) AS edited \
             WHERE NOT (BINARY value <=> BINARY old_value); ",
            object_type = object_type.name,
        ),
    );
    let table = object_type.table;
    put(body, format_args!("SET refusal = LEFT(CONCAT('{table}: ', refusal), {MESSAGE}); "));
}

/// Refuses the edit where there is a reason to.
fn refuse_with_reason(body: &mut String) {
    body.push_str("IF refusal IS NOT NULL THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = refusal; END IF; ");
}

/// Marks the row as one to be sent, edited here at that time. Times are those of UTC, whatever the session's zone is.
fn mark_pending(body: &mut String, edited_at: &str) {
    put(
        body,
        format_args!(
            "SET NEW.sync_status = 'pending', NEW.sync_error = NULL, NEW.last_modified_local = {edited_at}, \
             NEW.updated_at = UTC_TIMESTAMP(3); "
        ),
    );
}
