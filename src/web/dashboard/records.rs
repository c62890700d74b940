//! Records: lists of them, each of them, and the forms that make, change and delete one.
//!
//! | Part | Does |
//! | --- | --- |
//! | `list`, `columns`, `heads` | a page of records, found, narrowed and ordered |
//! | `show`, `links`, `history` | one record with all that is known of it |
//! | `edit`, `form`, `field` | the form of a record: inputs, and what is read out of them |
//! | `remove` | deleting one, after a question |
//! | `lexicon`, `value` | names and values as people read them |
//!
//! Contacts, companies and deals have paths of their own; every other type is below `/objects`.

mod columns;
mod edit;
mod field;
mod form;
mod heads;
mod history;
mod lexicon;
mod links;
mod list;
mod remove;
mod show;
mod value;

use axum::Router;
use axum::extract::Extension;
use axum::routing::{MethodRouter, get};

use super::frame::Section;
use crate::model::ObjectType;
use crate::storage::RowStatus;
use crate::web::App;
use crate::web::api::query::Fixed;

pub(super) use self::lexicon::Lexicon;
pub(super) use self::value::money;

/// The paths of records: those of three types, and one for all types.
const PATHS: [(&str, Option<&str>); 4] = [
    ("/contacts", Some("contacts")),
    ("/companies", Some("companies")),
    ("/deals", Some("deals")),
    ("/objects/{type}", None),
];

/// The routes of every type.
pub(super) fn routes() -> Router<App> {
    PATHS.iter().fold(Router::new(), |router, (path, name)| router.merge(routes_of(path, *name)))
}

/// The routes below a path.
fn routes_of(path: &str, name: Option<&'static str>) -> Router<App> {
    let about = |handler: MethodRouter<App>| match name {
        Some(name) => handler.layer(Extension(Fixed(name))),
        None => handler,
    };
    let list = if name == Some("deals") { "/deals/list" } else { path };
    Router::new()
        .route(list, about(get(list::show)))
        .route(&format!("{path}/new"), about(get(edit::begin).post(edit::make)))
        .route(&format!("{path}/{{id}}"), about(get(show::show)))
        .route(&format!("{path}/{{id}}/edit"), about(get(edit::open).post(edit::save)))
        .route(&format!("{path}/{{id}}/delete"), about(get(remove::ask).post(remove::remove)))
}

/// Where the pages of a type are.
pub(super) fn home(object_type: &ObjectType) -> String {
    match object_type.name {
        name @ ("contacts" | "companies" | "deals") => format!("/{name}"),
        name => format!("/objects/{name}"),
    }
}

/// Where the list of a type is; deals have a board at their first page.
pub(super) fn list_path(object_type: &ObjectType) -> String {
    if object_type.name == "deals" { "/deals/list".to_owned() } else { home(object_type) }
}

/// Where the page of a record is.
pub(super) fn record_path(object_type: &ObjectType, key: i64) -> String {
    format!("{}/{key}", home(object_type))
}

/// The entry of the navigation a type belongs to.
fn section(object_type: &ObjectType) -> Section {
    match object_type.name {
        "contacts" => Section::Contacts,
        "companies" => Section::Companies,
        "deals" => Section::Deals,
        _ => Section::Objects,
    }
}

/// How a row stands, as a word with a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pill {
    /// Its class.
    pub(super) tone: &'static str,
    /// The word, as in SQL and in the API.
    pub(super) word: &'static str,
}

/// How a row stands to HubSpot.
pub(super) fn status_pill(status: RowStatus) -> Pill {
    let tone = match status {
        RowStatus::Synced => "good",
        RowStatus::Pending => "busy",
        RowStatus::Conflict => "warn",
        RowStatus::Error => "bad",
    };
    Pill { tone, word: status.word() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_place() {
        let at = |name: &str| {
            let object_type = ObjectType::named(name).unwrap();
            (home(object_type), list_path(object_type))
        };
        assert_eq!(at("contacts"), ("/contacts".to_owned(), "/contacts".to_owned()));
        assert_eq!(at("deals"), ("/deals".to_owned(), "/deals/list".to_owned()));
        assert_eq!(at("tickets"), ("/objects/tickets".to_owned(), "/objects/tickets".to_owned()));
    }
}
