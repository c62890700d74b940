//! Finding records whose creation was refused or not answered: by their e-mail address, or by when they were made.

use serde_json::json;

use super::records::{ID, SEARCH_PAGE, percent_encode};
use super::transport::Call;
use super::wire::page::parse_search;
use super::wire::write::parse_written;
use super::{ErrorKind, HubSpotClient, HubSpotError, Priority};
use crate::model::{ObjectId, ObjectType, Window};

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

    /// The next records behind `after` in ascending id order that were made in `window`, at most 200; an empty page is
    /// the end. What a record holds is not asked: it may have been edited since, and long values do not fit.
    ///
    /// The search index trails behind: what was made within the last half minute may be missing.
    pub async fn find_created(
        &self,
        object_type: &ObjectType,
        window: Window,
        after: ObjectId,
        priority: Priority,
    ) -> Result<Vec<ObjectId>, HubSpotError> {
        // A lower bound of 0 is answered with 500.
        let since = window.start.timestamp_millis().max(1);
        let until = window.end.timestamp_millis().max(since);
        let behind = json!({"propertyName": ID, "operator": "GT", "value": after.to_string()});
        let made = |property: &&str| {
            let made = json!({"propertyName": property, "operator": "BETWEEN",
                              "value": since.to_string(), "highValue": until.to_string()});
            json!({ "filters": [made, behind] })
        };
        // What meets one group is a match.
        let groups: Vec<_> = object_type.created_properties().iter().map(made).collect();
        let question = json!({
            "filterGroups": groups,
            "sorts": [{"propertyName": ID, "direction": "ASCENDING"}],
            "properties": [ID],
            "limit": SEARCH_PAGE,
        });
        let call = self.search_call(format!("find new {object_type}"), object_type, &question, priority);
        let page = self.send(&call, |body| parse_search(body, window)).await?;
        Ok(page.hits.into_iter().map(|hit| hit.id).collect())
    }
}
