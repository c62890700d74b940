//! The forms that make and change a record. What they send goes the way of the API: the same rules, the same refusals.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::field::{Draft, Fields, Input};
use super::form::Sent;
use super::lexicon::Lexicon;
use super::show::row_named;
use super::value::Shown;
use super::{home, list_path, record_path, section};
use crate::clock;
use crate::model::{ObjectType, Properties};
use crate::storage::{
    HandEdit, MirrorTable, NotEdited, Remembered, RowName, RowView, create_by_hand, edit_by_hand, recall,
};
use crate::web::App;
use crate::web::api::input::read_texts;
use crate::web::api::query::{About, Named, Parameters};
use crate::web::api::writes::{explain, writable};
use crate::web::dashboard::frame::{Frame, page_with};
use crate::web::dashboard::naming::{in_words, name_of};
use crate::web::error::{ApiError, FieldError};

/// What somebody looks for in a form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FormParameters {
    /// A part of the name or label of a property.
    find: Option<String>,
}

/// The page.
#[derive(Template)]
#[template(path = "records_form.html")]
struct FormPage {
    frame: Frame,
    title: String,
    singular: String,
    /// Where it is sent.
    action: String,
    /// Where to go without sending it.
    back: String,
    back_title: String,
    version: Option<i64>,
    once: String,
    /// What is wrong with all of it.
    problem: Option<Problem>,
    /// What somebody else has changed meanwhile.
    changes: Vec<Change>,
    fields: Fields,
    find: Option<String>,
    is_new: bool,
}

/// What is wrong with a form.
struct Problem {
    words: String,
    /// A record it has to do with.
    link: Option<String>,
}

/// A property somebody else has changed meanwhile.
#[derive(Debug)]
struct Change {
    label: String,
    /// What it is now.
    now: Shown,
    /// What was entered here, if something was.
    entered: Option<String>,
}

/// What a form page is made from, besides its inputs.
#[derive(Default)]
struct Words {
    status: StatusCode,
    problem: Option<Problem>,
    changes: Vec<Change>,
}

/// Why a form was not carried out.
enum Refusal {
    /// The record has changed.
    Stale(Box<RowView>),
    /// Something is wrong with what was entered.
    Wrong(StatusCode, Option<Problem>, Vec<FieldError>),
    /// It cannot be helped by entering something else.
    Failed(ApiError),
}

/// Shows the form of a new record.
pub(super) async fn begin(State(app): State<App>, About(object_type): About) -> Result<Response, ApiError> {
    writable(&app, object_type).await?;
    let lexicon = Lexicon::load(&app, object_type).await?;
    let draft = Draft { lexicon: &lexicon, current: None, sent: None, wrong: &[], find: None };
    shown(&app, &draft, Words::default()).await
}

/// Makes a record.
pub(super) async fn make(
    State(app): State<App>,
    About(object_type): About,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let table = writable(&app, object_type).await?;
    let lexicon = Lexicon::load(&app, object_type).await?;
    let note = note(object_type, &pairs);
    let sent = Sent::read(pairs);
    match try_make(&app, &table, &lexicon, &sent, &note).await {
        Ok(key) => {
            app.tell_edited(object_type, key);
            Ok(Redirect::to(&format!("{}/{key}?done=made", home(object_type))).into_response())
        }
        Err(refusal) => again(&app, &lexicon, None, &sent, refusal).await,
    }
}

/// What identifies a form that is sent twice.
fn note(object_type: &ObjectType, pairs: &[(String, String)]) -> Remembered {
    let mut hash = Sha256::new();
    hash.update(b"a form of the dashboard");
    for text in
        [object_type.name].into_iter().chain(pairs.iter().flat_map(|(name, value)| [name.as_str(), value]))
    {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let status = StatusCode::SEE_OTHER.as_u16();
    Remembered {
        key_hash: digest,
        request_hash: digest,
        status,
        row_id: None,
        answer: None,
        at: clock::now(),
    }
}

/// Makes a record, unless this form has made it before. Returns its key.
async fn try_make(
    app: &App,
    table: &MirrorTable,
    lexicon: &Lexicon,
    sent: &Sent,
    note: &Remembered,
) -> Result<i64, Refusal> {
    if let Some(key) = made_before(app, note).await? {
        return Ok(key);
    }
    let object_type = lexicon.object_type;
    let changes = read_texts(&sent.edits(lexicon), object_type, &lexicon.catalogue, None);
    let filled = changes.map_err(wrong)?.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let properties: Properties = filled.collect();
    if properties.is_empty() {
        let words = format!("A new {} needs a value at least", in_words(object_type.singular).to_lowercase());
        let problem = Problem { words, link: None };
        return Err(Refusal::Wrong(StatusCode::UNPROCESSABLE_ENTITY, Some(problem), Vec::new()));
    }
    match create_by_hand(&app.database, table, &properties, Some(note)).await {
        Ok(row) => Ok(row.key),
        // The same form may have been quicker.
        Err(error) => match made_before(app, note).await? {
            Some(key) => Ok(key),
            None => Err(refused(object_type, error)),
        },
    }
}

/// The key of the record this form has made before.
async fn made_before(app: &App, note: &Remembered) -> Result<Option<i64>, Refusal> {
    let found = recall(&app.database, &note.key_hash, note.at).await;
    Ok(found.map_err(|error| Refusal::Failed(error.into()))?.and_then(|found| found.row_id))
}

/// Shows the form of a record.
pub(super) async fn open(
    State(app): State<App>,
    About(object_type): About,
    Named(name): Named,
    Parameters(parameters): Parameters<FormParameters>,
) -> Result<Response, ApiError> {
    writable(&app, object_type).await?;
    let row = row_named(&app, object_type, name).await?;
    if row.archived {
        return Ok(Redirect::to(&record_path(object_type, row.key)).into_response());
    }
    let lexicon = Lexicon::load(&app, object_type).await?;
    let find = parameters.find.as_deref().map(str::trim).filter(|find| !find.is_empty());
    let draft = Draft { lexicon: &lexicon, current: Some(&row), sent: None, wrong: &[], find };
    shown(&app, &draft, Words::default()).await
}

/// Changes a record.
pub(super) async fn save(
    State(app): State<App>,
    About(object_type): About,
    Named(name): Named,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let table = writable(&app, object_type).await?;
    let row = row_named(&app, object_type, name).await?;
    let lexicon = Lexicon::load(&app, object_type).await?;
    let sent = Sent::read(pairs);
    match try_save(&app, &table, &lexicon, &row, &sent).await {
        Ok(saved) => {
            let done = if saved.version == row.version { "same" } else { "saved" };
            app.tell_edited(object_type, saved.key);
            let path = record_path(object_type, saved.key);
            Ok(Redirect::to(&format!("{path}?done={done}")).into_response())
        }
        Err(refusal) => again(&app, &lexicon, Some(&row), &sent, refusal).await,
    }
}

/// Changes a record, if it is what the form was about.
async fn try_save(
    app: &App,
    table: &MirrorTable,
    lexicon: &Lexicon,
    row: &RowView,
    sent: &Sent,
) -> Result<RowView, Refusal> {
    if !sent.is_current(lexicon, row) {
        return Err(Refusal::Stale(Box::new(row.clone())));
    }
    let object_type = lexicon.object_type;
    let changes = read_texts(&sent.edits(lexicon), object_type, &lexicon.catalogue, Some(row));
    let edit = HandEdit::Set(changes.map_err(wrong)?);
    let is_expected = |row: &RowView| sent.is_current(lexicon, row);
    let saved = edit_by_hand(&app.database, table, RowName::Key(row.key), &edit, is_expected).await;
    saved.map_err(|error| refused(object_type, error))
}

/// What is wrong with single fields.
fn wrong(error: ApiError) -> Refusal {
    match error.wrong_fields() {
        [] => Refusal::Failed(error),
        fields => Refusal::Wrong(error.status(), None, fields.to_vec()),
    }
}

/// Why an edit was refused, as the API explains it.
fn refused(object_type: &'static ObjectType, error: NotEdited) -> Refusal {
    match error {
        NotEdited::Stale(row) => Refusal::Stale(row),
        NotEdited::EmailTaken(key) => {
            let words = "Another record has this e-mail address.".to_owned();
            let problem = Problem { words, link: Some(format!("{}/{key}", home(object_type))) };
            let field = FieldError { field: "email".into(), message: "is that of another record".into() };
            Refusal::Wrong(StatusCode::CONFLICT, Some(problem), vec![field])
        }
        error => {
            let explained = explain(object_type, error);
            let bare = |field: &FieldError| FieldError {
                field: field.field.trim_start_matches("properties.").to_owned(),
                message: field.message.clone(),
            };
            let fields: Vec<_> = explained.wrong_fields().iter().map(bare).collect();
            if explained.status().is_server_error() {
                return Refusal::Failed(explained);
            }
            let problem = Problem { words: explained.message().to_owned(), link: None };
            Refusal::Wrong(explained.status(), Some(problem).filter(|_| fields.is_empty()), fields)
        }
    }
}

/// Shows a form again that was not carried out, with what was entered.
async fn again(
    app: &App,
    lexicon: &Lexicon,
    row: Option<&RowView>,
    sent: &Sent,
    refusal: Refusal,
) -> Result<Response, ApiError> {
    let draft = Draft { lexicon, current: row, sent: Some(sent), wrong: &[], find: None };
    match refusal {
        Refusal::Failed(error) => Err(error),
        Refusal::Wrong(status, problem, wrong) => {
            let known = |field: &FieldError| sent.texts.contains_key(&field.field);
            let unknown =
                wrong.iter().find(|field| !known(field) || lexicon.property(&field.field).is_none());
            let unknown = unknown.map(|field| Problem {
                words: format!("{} {}", lexicon.label(&field.field), field.message),
                link: None,
            });
            let words = Words { status, problem: problem.or(unknown), changes: Vec::new() };
            shown(app, &Draft { wrong: &wrong, ..draft }, words).await
        }
        Refusal::Stale(current) => {
            let changes = changes(lexicon, &current, sent);
            let words = "It was changed meanwhile, so nothing is saved yet. What you entered is still below: \
                         look at it and save again.";
            let problem = Some(Problem { words: words.to_owned(), link: None });
            let words = Words { status: StatusCode::CONFLICT, problem, changes };
            shown(app, &Draft { current: Some(&current), ..draft }, words).await
        }
    }
}

/// What somebody else has changed of what the form showed.
fn changes(lexicon: &Lexicon, current: &RowView, sent: &Sent) -> Vec<Change> {
    let outdated = lexicon.catalogue.iter().filter(|property| sent.is_outdated(property, current));
    let in_words = |name: &str, text: &str| {
        if text.is_empty() { Shown::text("nothing") } else { lexicon.shown(name, text) }
    };
    let change = |property: &crate::model::Property| {
        let name = property.name.as_str();
        let typed = sent.texts.get(name).filter(|_| sent.is_edited(property));
        Change {
            label: lexicon.label(name),
            now: in_words(name, &current.properties.get(name).unwrap_or_default()),
            entered: typed.map(|text| in_words(name, text).text),
        }
    };
    outdated.map(change).collect()
}

/// The page with a form.
async fn shown(app: &App, draft: &Draft<'_>, words: Words) -> Result<Response, ApiError> {
    let object_type = draft.lexicon.object_type;
    let singular = in_words(object_type.singular).to_lowercase();
    let (title, action, back, back_title) = if let Some(row) = draft.current {
        let (name, path) = (name_of(object_type, row), record_path(object_type, row.key));
        (format!("Edit {name}"), format!("{path}/edit"), path, name)
    } else {
        let path = format!("{}/new", home(object_type));
        (format!("New {singular}"), path, list_path(object_type), in_words(object_type.name))
    };
    let once = draft.sent.map(|sent| sent.once.clone()).filter(|once| !once.is_empty());
    Ok(page_with(
        words.status,
        &FormPage {
            frame: Frame::new(app, section(object_type)).await?,
            title,
            singular,
            action,
            back,
            back_title,
            version: draft.current.map(|row| row.version),
            once: once.unwrap_or_else(|| Uuid::new_v4().to_string()),
            problem: words.problem,
            changes: words.changes,
            fields: draft.fields(),
            find: draft.find.map(str::to_owned),
            is_new: draft.current.is_none(),
        },
    ))
}
