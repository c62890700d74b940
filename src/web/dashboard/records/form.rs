//! What the form of a record sends, and what of it is an edit.
//!
//! A form has every value it shows, and a mark of each: a digest of the value it was shown with. What still has its mark was
//! not touched, so it is no edit, whatever HubSpot has made of it meanwhile; and a value whose mark the record no longer
//! has was changed by somebody else.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use sha2::{Digest, Sha256};

use super::lexicon::Lexicon;
use super::value::{day, time};
use crate::model::Property;
use crate::storage::RowView;

/// How names of inputs with values begin.
const VALUE: &str = "value.";
/// How names of inputs with marks begin.
const MARK: &str = "mark.";
/// Bytes of a digest a mark has.
const MARK_BYTES: usize = 8;

/// A form that was sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// The version it was shown with.
    pub(super) version: Option<i64>,
    /// A word that is another one for each form that was shown.
    pub(super) once: String,
    /// Texts by property. The ways a choice of several is sent in are one text, as HubSpot has it.
    pub(super) texts: BTreeMap<String, String>,
    /// Marks by property; none of one that was not set.
    marks: BTreeMap<String, String>,
}

impl Sent {
    /// Reads the pairs of a form.
    pub(super) fn read(pairs: Vec<(String, String)>) -> Self {
        let mut sent = Self::default();
        for (name, value) in pairs {
            if let Some(property) = name.strip_prefix(VALUE) {
                let text = sent.texts.entry(property.to_owned()).or_default();
                // Boxes of one property are sent one by one, behind an empty value that says that there are some.
                if !text.is_empty() && !value.is_empty() {
                    text.push(';');
                }
                text.push_str(&value);
            } else if let Some(property) = name.strip_prefix(MARK) {
                sent.marks.insert(property.to_owned(), value);
            } else if name == "version" {
                sent.version = value.parse().ok();
            } else if name == "once" {
                sent.once = value;
            }
        }
        sent
    }

    /// Whether somebody has changed what the form showed of the property.
    pub(super) fn is_edited(&self, property: &Property) -> bool {
        let text = self.texts.get(&property.name);
        text.is_some_and(|text| mark(property, text) != self.mark(&property.name))
    }

    /// Whether the record has another value by now than the form showed.
    pub(super) fn is_outdated(&self, property: &Property, current: &RowView) -> bool {
        let now = current.properties.get(&property.name).unwrap_or_default();
        self.texts.contains_key(&property.name) && mark(property, &now) != self.mark(&property.name)
    }

    /// What somebody has entered, as HubSpot takes it. What is no property is kept: it is refused by name.
    pub(super) fn edits(&self, lexicon: &Lexicon) -> BTreeMap<String, String> {
        let edit = |(name, text): (&String, &String)| match lexicon.property(name) {
            Some(property) => self.is_edited(property).then(|| (name.clone(), entered(property, text))),
            None => Some((name.clone(), text.clone())),
        };
        self.texts.iter().filter_map(edit).collect()
    }

    /// Whether the form is about the record as it is: nobody has edited it here since, and what was entered was entered in
    /// place of what is still there.
    pub(super) fn is_current(&self, lexicon: &Lexicon, current: &RowView) -> bool {
        let known = self.texts.keys().filter_map(|name| lexicon.property(name));
        self.version == Some(current.version)
            && known
                .filter(|property| self.is_edited(property))
                .all(|property| !self.is_outdated(property, current))
    }

    /// The mark a property was shown with.
    fn mark(&self, name: &str) -> &str {
        self.marks.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// The mark of a value: another one for each value that means something else. Empty for no value.
pub(super) fn mark(property: &Property, text: &str) -> String {
    let text = entered(property, text);
    let meaning = match (property.data_type.as_str(), property.field_type.as_str()) {
        ("date", _) => day(&text).map(|day| day.to_string()),
        ("datetime", _) => time(&text).map(|at| at.timestamp_millis().to_string()),
        ("enumeration", "checkbox") => {
            let mut parts: Vec<_> = text.split(';').filter(|part| !part.is_empty()).collect();
            parts.sort_unstable();
            parts.dedup();
            Some(parts.join(";"))
        }
        _ => None,
    };
    let meaning = meaning.unwrap_or(text);
    if meaning.is_empty() {
        return String::new();
    }
    hex::encode(&Sha256::digest(meaning)[..MARK_BYTES])
}

/// A text as HubSpot takes it: browsers end lines in two characters, and have times without a zone.
fn entered(property: &Property, text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    let at = time(text).filter(|_| property.data_type == "datetime" && text.contains('T'));
    at.map_or_else(|| text.to_owned(), zoned)
}

/// A time as HubSpot writes it.
fn zoned(at: DateTime<Utc>) -> String {
    let form = if at.timestamp_subsec_millis() == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    at.to_rfc3339_opts(form, true)
}

/// A value as an input of its type takes it.
pub(super) fn as_input(property: &Property, value: &str) -> String {
    match property.data_type.as_str() {
        "date" => day(value).map(|day| day.to_string()),
        "datetime" => time(value).map(|at| zoned(at).trim_end_matches('Z').to_owned()),
        _ => None,
    }
    .unwrap_or_else(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::tests::{lexicon, property};
    use super::*;

    /// A form about a deal.
    fn sent(pairs: &[(&str, &str)]) -> Sent {
        Sent::read(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// What is known of deals.
    fn deals() -> Lexicon {
        lexicon(vec![
            property("dealname", ("string", "text"), &[]),
            property("notes", ("string", "textarea"), &[]),
            property("closedate", ("datetime", "date"), &[]),
            property("day", ("date", "date"), &[]),
            property("tags", ("enumeration", "checkbox"), &[("a", "A"), ("b", "B")]),
        ])
    }

    #[test]
    fn what_comes_back_as_it_was_shown_is_no_edit() {
        let lexicon = deals();
        for (name, stored, sent_back) in [
            ("dealname", "Ship", "Ship"),
            ("notes", "a\nb\n", "a\r\nb"),
            ("closedate", "2026-01-31T08:00:00.000Z", "2026-01-31T08:00"),
            ("closedate", "2026-01-31T08:00:00.250Z", "2026-01-31T08:00:00.250"),
            ("closedate", "1769846400000", "2026-01-31T08:00:00"),
            ("day", "1769817600000", "2026-01-31"),
            ("tags", "b;a", "a;b"),
            ("tags", ";a;", "a"),
        ] {
            let mark = mark(lexicon.property(name).unwrap(), stored);
            let (value_name, mark_name) = (format!("value.{name}"), format!("mark.{name}"));
            let sent = sent(&[(&value_name, sent_back), (&mark_name, &mark)]);
            assert!(sent.edits(&lexicon).is_empty(), "{name} {stored}");
        }
        assert!(sent(&[("value.dealname", "")]).edits(&lexicon).is_empty());
    }

    #[test]
    fn edits_are_sent_as_hubspot_takes_them() {
        let lexicon = deals();
        let sent = sent(&[
            ("version", "3"),
            ("value.dealname", " Boat "),
            ("value.notes", "a\r\nb"),
            ("value.closedate", "2026-01-31T08:00"),
            ("value.tags", ""),
            ("value.tags", "a"),
            ("value.tags", "b"),
            ("value.unknown", "x"),
            ("other", "y"),
        ]);
        let expected = [
            ("closedate", "2026-01-31T08:00:00Z"),
            ("dealname", "Boat"),
            ("notes", "a\nb"),
            ("tags", "a;b"),
            ("unknown", "x"),
        ];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(sent.edits(&lexicon), BTreeMap::from(expected));
        assert_eq!(sent.version, Some(3));
    }

    #[test]
    fn a_form_is_outdated_by_other_edits_and_by_changes_of_what_it_edits() {
        let lexicon = deals();
        let marks = |name: &str, value: &str| mark(lexicon.property(name).unwrap(), value);
        let sent = sent(&[
            ("version", "3"),
            ("value.dealname", "Boat"),
            ("mark.dealname", &marks("dealname", "Ship")),
            ("value.notes", "old"),
            ("mark.notes", &marks("notes", "old")),
        ]);
        let now = RowView::holding(&[("dealname", "Ship"), ("notes", "old")]);
        assert!(sent.is_current(&lexicon, &now));
        // What nobody edits may change in HubSpot meanwhile, and is not changed back.
        assert!(sent.is_current(&lexicon, &RowView::holding(&[("dealname", "Ship"), ("notes", "new")])));
        assert!(!sent.edits(&lexicon).contains_key("notes"));
        assert!(!sent.is_current(&lexicon, &RowView::holding(&[("dealname", "Raft"), ("notes", "old")])));
        assert!(!sent.is_current(&lexicon, &RowView::holding(&[("notes", "old")])));
        assert!(!sent.is_current(&lexicon, &RowView { version: 4, ..now }));
    }
}
