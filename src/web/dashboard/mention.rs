//! How a page mentions records it is not about: by name, with a link to their own page.

use std::borrow::Cow;
use std::collections::HashMap;

use super::naming::{name_by, naming_properties};
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
            let properties = naming_properties(object_type);
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
        let values = naming_properties(object_type).into_iter().zip(&glance.values);
        let values: HashMap<_, _> = values.collect();
        let value = |property: &str| values.get(property)?.as_deref().map(Cow::Borrowed);
        let name = name_by(object_type, glance.key, value);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A mention of row 7 of a type, of which these values are seen.
    fn mention(object_type: &str, values: &[&str]) -> Mention {
        let record = RecordName { object_type: object_type.into(), row_id: Some(7), hubspot_id: None };
        let given = |value: &&str| Some((*value).to_owned()).filter(|value| !value.is_empty());
        let glance = Glance {
            key: 7,
            hubspot_id: Some(ObjectId(512)),
            edited_at: None,
            values: values.iter().map(given).collect(),
        };
        let object_type = ObjectType::named(object_type).unwrap();
        Mentions(HashMap::from([(record.clone(), (object_type, glance))])).mention(&record)
    }

    #[test]
    fn a_record_is_called_as_on_its_own_page() {
        let contact = mention("contacts", &["", "Byron", "a@b.test", "", ""]);
        assert_eq!((contact.name.as_str(), contact.path.as_deref()), ("Byron", Some("/contacts/7")));
        assert_eq!(contact.ids, "contacts · row 7 · HubSpot 512");
        assert_eq!(mention("contacts", &["", "", "", "", ""]).name, "Contact 7");
        assert_eq!(mention("companies", &["", "b.test"]).name, "b.test");
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
