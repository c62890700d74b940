//! How a page mentions records it is not about: by name, with a link to their own page.

use std::collections::HashMap;

use super::records::record_path;
use crate::model::{ObjectId, ObjectType};
use crate::storage::{ConflictRecord, Glance, LogRow, StorageError, glance_at_rows};
use crate::web::App;

/// A record that is mentioned: its row counts where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RecordName {
    /// Its type.
    pub(super) object_type: String,
    /// `id` of its row.
    pub(super) row_id: Option<i64>,
    /// Its id in HubSpot.
    pub(super) hubspot_id: Option<ObjectId>,
}

/// What a page says of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    /// What people call it.
    pub(super) name: String,
    /// Its type and ids, exactly.
    pub(super) ids: String,
    /// Its own page; `None`: it has no row.
    pub(super) path: Option<String>,
}

/// The rows of mentioned records.
#[derive(Debug, Default)]
pub(super) struct Mentions(HashMap<RecordName, (&'static ObjectType, Glance)>);

impl From<&ConflictRecord> for RecordName {
    fn from(record: &ConflictRecord) -> Self {
        let ConflictRecord { object_type, row_id, hubspot_id } = record.clone();
        Self { object_type, row_id, hubspot_id }
    }
}

impl From<&LogRow> for RecordName {
    fn from(row: &LogRow) -> Self {
        let (row_id, hubspot_id) = (row.entry.row_id, row.entry.hubspot_id);
        Self { object_type: row.object_type.clone(), row_id, hubspot_id }
    }
}

impl Mentions {
    /// Reads what is needed to mention the records, with two questions a type at most.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) async fn of(app: &App, records: &[RecordName]) -> Result<Self, StorageError> {
        let mut found = HashMap::new();
        if records.is_empty() {
            return Ok(Self(found));
        }
        for object_type in app.types().await? {
            let of_type = || records.iter().filter(|record| record.object_type == object_type.name);
            let keys: Vec<_> = of_type().filter_map(|record| record.row_id).collect();
            let ids: Vec<_> = of_type()
                .filter(|record| record.row_id.is_none())
                .filter_map(|record| record.hubspot_id)
                .collect();
            let properties = name_properties(object_type);
            for glance in glance_at_rows(&app.database, object_type, &keys, &ids, &properties).await? {
                let is_meant = |record: &&RecordName| match record.row_id {
                    Some(key) => key == glance.key,
                    None => record.hubspot_id.is_some() && record.hubspot_id == glance.hubspot_id,
                };
                for record in of_type().filter(is_meant) {
                    found.insert(record.clone(), (object_type, glance.clone()));
                }
            }
        }
        Ok(Self(found))
    }

    /// What is seen of the row of a record; `None`: it has none.
    pub(super) fn glance(&self, record: &RecordName) -> Option<&Glance> {
        self.0.get(record).map(|(_, glance)| glance)
    }

    /// How to mention a record.
    pub(super) fn mention(&self, record: &RecordName) -> Mention {
        let (row_id, hubspot_id) = (record.row_id, record.hubspot_id);
        let Some((object_type, glance)) = self.0.get(record) else {
            return Mention { name: ids(record), ids: ids(record), path: None };
        };
        let hubspot_id = hubspot_id.or(glance.hubspot_id);
        let whole = RecordName { row_id: row_id.or(Some(glance.key)), hubspot_id, ..record.clone() };
        let ids = ids(&whole);
        let name = name(object_type, &glance.values).unwrap_or_else(|| ids.clone());
        Mention { name, ids, path: Some(record_path(object_type, glance.key)) }
    }
}

/// The type and ids of a record.
fn ids(record: &RecordName) -> String {
    let row = record.row_id.map(|id| format!("row {id}"));
    let hubspot = record.hubspot_id.map(|id| format!("HubSpot {id}"));
    let ids: Vec<_> = row.into_iter().chain(hubspot).collect();
    format!("{} · {}", record.object_type, ids.join(" · "))
}

/// The properties a record of the type is known by.
fn name_properties(object_type: &ObjectType) -> Vec<&'static str> {
    match object_type.name {
        "contacts" => vec!["firstname", "lastname", "email"],
        "companies" => vec!["name", "domain"],
        "deals" => vec!["dealname"],
        _ => object_type.columns.iter().map(|column| column.name).take(1).collect(),
    }
}

/// What people call a record with these values of its [`name_properties`]; `None` where it has none of them.
fn name(object_type: &ObjectType, values: &[Option<String>]) -> Option<String> {
    let mut set = values.iter().flatten().map(|value| value.trim()).filter(|value| !value.is_empty());
    if object_type.name == "contacts" {
        let person = values.iter().take(2).flatten().map(|part| part.trim()).filter(|part| !part.is_empty());
        let person: Vec<_> = person.collect();
        if !person.is_empty() {
            return Some(person.join(" "));
        }
    }
    set.next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_called_by_what_people_know_it_by() {
        let called = |object_type: &str, values: &[&str]| {
            let values: Vec<_> = values
                .iter()
                .map(|value| Some((*value).to_owned()).filter(|value| !value.is_empty()))
                .collect();
            name(ObjectType::named(object_type).unwrap(), &values)
        };
        assert_eq!(called("contacts", &["Ada", "Byron", "a@b.test"]).unwrap(), "Ada Byron");
        assert_eq!(called("contacts", &["", "Byron", "a@b.test"]).unwrap(), "Byron");
        assert_eq!(called("contacts", &["", " ", "a@b.test"]).unwrap(), "a@b.test");
        assert_eq!(called("contacts", &["", "", ""]), None);
        assert_eq!(called("companies", &["", "b.test"]).unwrap(), "b.test");
    }

    #[test]
    fn a_record_without_a_row_is_mentioned_by_its_ids() {
        let record =
            RecordName { object_type: "contacts".into(), row_id: None, hubspot_id: Some(ObjectId(512)) };
        let mention = Mentions::default().mention(&record);
        assert_eq!((mention.name.as_str(), mention.path), ("contacts · HubSpot 512", None));
    }

    #[test]
    fn only_some_types_have_pages_of_their_own() {
        assert_eq!(record_path(ObjectType::named("deals").unwrap(), 7), "/deals/7");
        assert_eq!(record_path(ObjectType::named("tickets").unwrap(), 7), "/objects/tickets/7");
    }
}
