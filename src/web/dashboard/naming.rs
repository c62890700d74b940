//! What types and records are called, wherever they are shown.

use std::borrow::Cow;

use super::listing::shortened;
use crate::model::{ColumnType, ObjectType};
use crate::storage::RowView;

/// Most characters of the name of a record.
const LONGEST: usize = 120;

/// A name made of words with `_` between them as people write it: `line_items` is `Line items`.
pub(super) fn in_words(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What a record is called: by a name of its own, else by its number.
pub(super) fn name_of(object_type: &ObjectType, row: &RowView) -> String {
    name_by(object_type, row.key, |property| row.properties.get(property))
}

/// The same of the row `key` with those values; only those of its [`naming_properties`] are asked for.
pub(super) fn name_by<'v>(
    object_type: &ObjectType,
    key: i64,
    value: impl Fn(&str) -> Option<Cow<'v, str>>,
) -> String {
    let told = |property: &&str| {
        let value = value(property)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    };
    let properties = naming_properties(object_type);
    // The first two are parts of one name.
    let parts = if object_type.name == "contacts" { 2 } else { 0 };
    let (parts, others) = properties.split_at(parts);
    let full: Vec<_> = parts.iter().filter_map(told).collect();
    let name = if full.is_empty() { others.iter().find_map(told) } else { Some(full.join(" ")) };
    name.map_or_else(|| format!("{} {key}", in_words(object_type.singular)), |name| shortened(&name, LONGEST))
}

/// The properties a record of the type may be called by, the best first.
pub(super) fn naming_properties(object_type: &ObjectType) -> Vec<&'static str> {
    match object_type.name {
        "contacts" => vec!["firstname", "lastname", "email", "phone", "company"],
        "companies" => vec!["name", "domain"],
        "deals" => vec!["dealname"],
        _ => naming_columns(object_type),
    }
}

/// The columns a record of any type may be called by: those that are names by their own name first.
fn naming_columns(object_type: &ObjectType) -> Vec<&'static str> {
    let is_text = |column_type| matches!(column_type, ColumnType::Text | ColumnType::LongText);
    let texts = object_type.columns.iter().filter(|column| is_text(column.column_type));
    let is_name = |name: &&str| ["name", "title", "subject", "label"].iter().any(|word| name.contains(word));
    let (mut named, others): (Vec<_>, Vec<_>) = texts.map(|column| column.name).partition(is_name);
    named.extend(others);
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of a record with those values.
    fn name(object_type: &str, values: &[(&str, &str)]) -> String {
        name_of(ObjectType::named(object_type).unwrap(), &RowView::holding(values))
    }

    #[test]
    fn a_record_has_the_best_name_it_can_have() {
        assert_eq!(name("contacts", &[("firstname", "Ada"), ("lastname", "Byron")]), "Ada Byron");
        assert_eq!(name("contacts", &[("lastname", "Byron"), ("email", "a@b.example")]), "Byron");
        assert_eq!(name("contacts", &[("firstname", " "), ("email", "a@b.example")]), "a@b.example");
        assert_eq!(name("contacts", &[]), "Contact 7");
        assert_eq!(name("companies", &[("domain", "b.example")]), "b.example");
        assert_eq!(name("tickets", &[("source_type", "EMAIL"), ("subject", "Help")]), "Help");
        assert_eq!(name("line_items", &[("hs_sku", "A1")]), "A1");
        assert_eq!(name("line_items", &[]), "Line item 7");
        assert_eq!(name("deals", &[("dealname", &"x".repeat(500))]).chars().count(), 121);
    }

    #[test]
    fn a_type_is_called_by_its_words() {
        assert_eq!(in_words("line_items"), "Line items");
        assert_eq!(in_words(""), "");
    }
}
