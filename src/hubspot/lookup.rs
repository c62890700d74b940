//! Finding records by what they hold: for creations that were refused or whose answer was lost.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::records::{ID, percent_encode};
use super::transport::Call;
use super::wire::page::parse_list;
use super::wire::write::parse_written;
use super::{ErrorKind, HubSpotClient, HubSpotError, Priority};
use crate::clock;
use crate::model::{ObjectId, ObjectType, Record};

/// Values a search for made records filters by, besides its time. HubSpot allows 6 filters in a group.
/// Source: HubSpot, "Search the CRM".
const MOST_VALUES: usize = 5;

/// Longest value a search filters by, in characters: a search of more than 3,000 is refused.
const LONGEST_VALUE: usize = 200;

/// Records that are looked at, more than can be meant.
const MOST_FOUND: usize = 100;

impl HubSpotClient {
    /// The contact with an e-mail address, `None` when there is none. Reads the store and not the search index, so it
    /// shows what was made a moment ago.
    pub async fn find_by_email(
        &self,
        email: &str,
        priority: Priority,
    ) -> Result<Option<ObjectId>, HubSpotError> {
        let contacts = ObjectType::named("contacts").expect("a standard type");
        let path = self.shared.paths.records(contacts);
        let query = format!("idProperty=email&properties={ID}");
        let call = Call::get("find a contact by its address".to_owned(), path, query, priority);
        let mut tail = "/".to_owned();
        percent_encode(email, &mut tail);
        match self.send(&Call { tail, ..call }, parse_written).await {
            Ok(found) => Ok(Some(found.id)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The records made at `since` or later that hold these values, with the properties named there and in ascending
    /// id order; at most 100. Of the values, names and texts as they were sent, the first five that are short enough
    /// count; HubSpot compares them without regard to case.
    ///
    /// The search index trails behind: what was made within the last half minute may be missing.
    pub async fn find_created(
        &self,
        object_type: &ObjectType,
        since: DateTime<Utc>,
        values: &[(String, String)],
        priority: Priority,
    ) -> Result<Vec<Record>, HubSpotError> {
        let is_usable =
            |(_, value): &&(String, String)| !value.is_empty() && value.chars().count() <= LONGEST_VALUE;
        let equal = values.iter().filter(is_usable).take(MOST_VALUES);
        let made = json!({"propertyName": object_type.created_property(), "operator": "GTE",
                          "value": since.timestamp_millis().max(1).to_string()});
        let mut filters = vec![made];
        filters.extend(
            equal.map(|(name, value)| json!({"propertyName": name, "operator": "EQ", "value": value})),
        );
        let names: Vec<_> = values.iter().map(|(name, _)| name.as_str()).collect();
        let question = json!({
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": ID, "direction": "ASCENDING"}],
            "properties": names,
            "limit": MOST_FOUND,
        });
        let call = self.search_call(format!("find new {object_type}"), object_type, &question, priority);
        let read_at = clock::now();
        Ok(self.send(&call, |body| parse_list(body, read_at)).await?.records)
    }
}
