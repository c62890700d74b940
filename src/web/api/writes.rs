//! Writing records. A write is an edit like any other: it is captured in the row, and the daemon sends it to HubSpot.

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;

use super::idempotent::{earlier, note, replayed};
use super::input::{Extent, read};
use super::query::{About, Named};
use super::record::{Record, tag};
use crate::model::{ObjectType, Properties};
use crate::storage::{
    HandEdit, MirrorTable, NotEdited, Remembered, RowName, RowView, create_by_hand, edit_by_hand,
    load_catalogue, load_mirror_table, load_row,
};
use crate::web::App;
use crate::web::access::Caller;
use crate::web::error::ApiError;

/// Makes a record.
pub(super) async fn create(
    State(app): State<App>,
    About(object_type): About,
    Extension(caller): Extension<Caller>,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Bytes,
) -> Result<Response, ApiError> {
    let table = writable(&app, object_type).await?;
    let note = note(&headers, caller, (&method, &uri), &body)?;
    let note = note.map(|note| Remembered { status: StatusCode::CREATED.as_u16(), ..note });
    if let Some(response) = replay(&app, &table, note.as_ref()).await? {
        return Ok(response);
    }
    let catalogue = load_catalogue(&app.database, object_type).await?;
    let input = read(&body, object_type, &catalogue, None, Extent::Part)?;
    if input.version.is_some() {
        return Err(ApiError::field("version", "cannot be set"));
    }
    let set = input.changes.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let properties: Properties = set.collect();
    if properties.is_empty() {
        return Err(ApiError::fields(Vec::new()).saying("A new record needs a value at least"));
    }
    match create_by_hand(&app.database, &table, &properties, note.as_ref()).await {
        Ok(row) => {
            app.tell_edited(object_type, row.key);
            Ok(Record { object_type, row: &row }.answer(StatusCode::CREATED))
        }
        // It may be a request with the same key that was quicker.
        Err(error) => match replay(&app, &table, note.as_ref()).await? {
            Some(response) => Ok(response),
            None => Err(explain(object_type, error)),
        },
    }
}

/// What was answered to this request before.
async fn replay(
    app: &App,
    table: &MirrorTable,
    note: Option<&Remembered>,
) -> Result<Option<Response>, ApiError> {
    let Some(note) = note else { return Ok(None) };
    let Some(Remembered { row_id: Some(key), .. }) = earlier(app, note).await? else { return Ok(None) };
    // It is shown as it is now; its row may have been deleted by SQL, or have given way to an older one.
    let row = load_row(&app.database, table, RowName::Key(key)).await?;
    let gone =
        || ApiError::conflict("already_done", "This was done before, and the row it made is gone by now");
    let row = row.ok_or_else(gone)?;
    let record = Record { object_type: table.object_type(), row: &row };
    Ok(Some(replayed(record.answer(StatusCode::CREATED))))
}

/// Changes what is named.
pub(super) async fn change(
    State(app): State<App>,
    About(object_type): About,
    Named(name): Named,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    write(&app, object_type, name, &headers, Some((&body, Extent::Part))).await
}

/// Replaces every field.
pub(super) async fn replace(
    State(app): State<App>,
    About(object_type): About,
    Named(name): Named,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    write(&app, object_type, name, &headers, Some((&body, Extent::Whole))).await
}

/// Marks the record as deleted.
pub(super) async fn remove(
    State(app): State<App>,
    About(object_type): About,
    Named(name): Named,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    write(&app, object_type, name, &headers, None).await
}

/// Writes a record: what a body says, or that it is deleted.
async fn write(
    app: &App,
    object_type: &'static ObjectType,
    name: RowName,
    headers: &HeaderMap,
    body: Option<(&[u8], Extent)>,
) -> Result<Response, ApiError> {
    let table = writable(app, object_type).await?;
    let current = load_row(&app.database, &table, name).await?;
    let current = current.ok_or_else(|| ApiError::not_found("There is no such record"))?;
    let expected = expected_tags(headers)?;
    let (edit, version) = match body {
        None => (HandEdit::Delete, None),
        Some((body, extent)) => {
            // What was shown of an older version is no mistake of this request.
            if !is_expected(&current, expected.as_deref(), None) {
                return Err(stale(object_type, &current));
            }
            let catalogue = load_catalogue(&app.database, object_type).await?;
            let input = match read(body, object_type, &catalogue, Some(&current), extent) {
                Err(_) if is_outdated(body, &current) => return Err(stale(object_type, &current)),
                input => input?,
            };
            (HandEdit::Set(input.changes), input.version)
        }
    };
    let still_expected = |row: &RowView| is_expected(row, expected.as_deref(), version);
    match edit_by_hand(&app.database, &table, name, &edit, still_expected).await {
        Ok(row) => {
            app.tell_edited(object_type, row.key);
            Ok(Record { object_type, row: &row }.answer(StatusCode::OK))
        }
        Err(error) => Err(explain(object_type, error)),
    }
}

/// The table of a type that may be written.
///
/// # Errors
/// 403 when it may not.
pub(in crate::web) async fn writable(
    app: &App,
    object_type: &'static ObjectType,
) -> Result<MirrorTable, ApiError> {
    if !app.config.sync.push.is_writable(object_type) {
        let message = format!("{object_type} are read-only here: they are not in WRITABLE_OBJECTS");
        return Err(ApiError::new(StatusCode::FORBIDDEN, "read_only_type", message));
    }
    Ok(load_mirror_table(&app.database, object_type).await?)
}

/// What `If-Match` names; `None` when anything is fine.
fn expected_tags(headers: &HeaderMap) -> Result<Option<Vec<String>>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().map_err(|_| ApiError::bad_request("If-Match has to be an ETag"))?;
    let tags: Vec<_> = text.split(',').map(|tag| tag.trim().to_owned()).collect();
    Ok(Some(tags).filter(|tags| !tags.contains(&"*".to_owned())))
}

/// Whether the row is the one somebody looked at: by its `ETag`, or its version in quotes or without.
fn is_expected(row: &RowView, tags: Option<&[String]>, version: Option<i64>) -> bool {
    let (tag, number) = (tag(row), row.version.to_string());
    let is_named = |given: &String| *given == tag || given.trim_matches('"') == number;
    version.is_none_or(|version| version == row.version) && tags.is_none_or(|tags| tags.iter().any(is_named))
}

/// Whether a body says that it is about another version: the rest of it is wrong for that reason alone, perhaps.
fn is_outdated(body: &[u8], row: &RowView) -> bool {
    let version = super::input::object(body).ok().and_then(|body| body.get("version")?.get().parse().ok());
    version.is_some_and(|version: i64| version != row.version)
}

/// The error of an edit of another version.
fn stale(object_type: &'static ObjectType, row: &RowView) -> ApiError {
    let message = "The record has changed since; look at it again";
    ApiError::conflict("stale_version", message).with_current(Record { object_type, row }.to_json())
}

/// The error of an edit that was not made.
pub(in crate::web) fn explain(object_type: &'static ObjectType, error: NotEdited) -> ApiError {
    match error {
        NotEdited::NoRow => ApiError::not_found("There is no such record"),
        NotEdited::Stale(row) => stale(object_type, &row),
        NotEdited::EmailTaken(key) => {
            let message = format!("The record with the id {key} has this e-mail address");
            ApiError::conflict("duplicate_email", message)
        }
        NotEdited::Deleted(row) => {
            let message =
                "The record is deleted; HubSpot has no way to restore one from here, so restore it there";
            ApiError::conflict("deleted", message).with_current(Record { object_type, row: &row }.to_json())
        }
        NotEdited::NotCaptured => {
            let message =
                format!("Edits of {object_type} are not taken before their first run; try again later");
            ApiError::unavailable("not_ready", message)
        }
        NotEdited::Refused(words) => match words.strip_prefix('`').and_then(|rest| rest.split_once("` ")) {
            Some((property, rule)) => ApiError::field(format!("properties.{property}"), rule),
            None => ApiError::fields(Vec::new()).saying(words),
        },
        NotEdited::Storage(error) if error.is_locked() => {
            let message = "Somebody else is changing the same record and has not finished; nothing was changed, try again";
            ApiError::unavailable("locked", message)
        }
        NotEdited::Storage(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_trigger_says_of_a_property_becomes_an_error_of_its_field() {
        let contacts = ObjectType::named("contacts").unwrap();
        let refused = |words: &str| explain(contacts, NotEdited::Refused(words.to_owned())).body("id");
        assert!(
            refused("`phone` has to be a text")
                .contains(r#""fields":[{"field":"properties.phone","message":"has to be a text"}]"#)
        );
        let other = refused("a new record cannot be archived");
        assert!(other.contains(r#""message":"a new record cannot be archived""#), "{other}");
        assert!(!other.contains("fields\":"), "{other}");
    }
}
