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
use super::listing::shortened;
use crate::model::{ColumnType, ObjectType};
use crate::storage::{RowStatus, RowView};
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

/// Most characters of the name of a record.
const LONGEST_NAME: usize = 120;

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

/// The entry of the navigation a type belongs to; `None`: it has none.
fn section(object_type: &ObjectType) -> Option<Section> {
    match object_type.name {
        "contacts" => Some(Section::Contacts),
        "companies" => Some(Section::Companies),
        "deals" => Some(Section::Deals),
        _ => None,
    }
}

/// A name made of words with `_` between them as people write it: `line_items` is `Line items`.
fn in_words(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What a record is called: by a name of its own, else by its number.
pub(super) fn name_of(object_type: &ObjectType, row: &RowView) -> String {
    let value = |name: &str| row.properties.get(name).map(|value| value.trim().to_owned());
    let first_of =
        |names: &[&str]| names.iter().find_map(|name| value(name).filter(|value| !value.is_empty()));
    let own = match object_type.name {
        "contacts" => {
            let parts = [value("firstname"), value("lastname")].into_iter().flatten();
            let full = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
            if full.is_empty() { first_of(&["email", "phone", "company"]) } else { Some(full) }
        }
        "companies" => first_of(&["name", "domain"]),
        "deals" => first_of(&["dealname"]),
        _ => first_of(&naming_columns(object_type)),
    };
    own.map_or_else(
        || format!("{} {}", in_words(object_type.singular), row.key),
        |name| shortened(&name, LONGEST_NAME),
    )
}

/// The columns a record of any type may be named by.
fn naming_columns(object_type: &ObjectType) -> Vec<&'static str> {
    let is_text = |column_type| matches!(column_type, ColumnType::Text | ColumnType::LongText);
    let texts = object_type.columns.iter().filter(|column| is_text(column.column_type));
    let is_name = |name: &&str| ["name", "title", "subject", "label"].iter().any(|word| name.contains(word));
    let (mut named, others): (Vec<_>, Vec<_>) = texts.map(|column| column.name).partition(is_name);
    named.extend(others);
    named
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

    /// A row with some values.
    pub(super) fn row(values: &[(&str, &str)]) -> RowView {
        RowView {
            key: 7,
            hubspot_id: None,
            status: RowStatus::Synced,
            version: 3,
            archived: false,
            archived_at: None,
            edited_at: None,
            hubspot_created_at: None,
            hubspot_updated_at: None,
            synced_at: None,
            error: None,
            properties: values.iter().copied().collect(),
        }
    }

    /// The name of a record with those values.
    fn name(object_type: &str, values: &[(&str, &str)]) -> String {
        name_of(ObjectType::named(object_type).unwrap(), &row(values))
    }

    #[test]
    fn a_record_has_the_best_name_it_can_have() {
        assert_eq!(name("contacts", &[("firstname", "Ada"), ("lastname", "Byron")]), "Ada Byron");
        assert_eq!(name("contacts", &[("firstname", " "), ("email", "a@b.example")]), "a@b.example");
        assert_eq!(name("contacts", &[]), "Contact 7");
        assert_eq!(name("companies", &[("domain", "b.example")]), "b.example");
        assert_eq!(name("tickets", &[("source_type", "EMAIL"), ("subject", "Help")]), "Help");
        assert_eq!(name("line_items", &[("hs_sku", "A1")]), "A1");
        assert_eq!(name("line_items", &[]), "Line item 7");
        assert_eq!(name("deals", &[("dealname", &"x".repeat(500))]).chars().count(), 121);
    }

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
