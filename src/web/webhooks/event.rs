//! HubSpot's events as JSON, and what of them is kept.
//!
//! A field that is not used is not looked at, and one that is not understood spoils its own event only: of the bodies
//! HubSpot sends for merges, restores and generic links nobody has published a complete one.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::{OBJECT_TYPES, ObjectId, ObjectType};
use crate::storage::{NewWebhookEvent, WebhookKind};

/// Longest property name that is kept. HubSpot's are shorter by far.
const LONGEST_PROPERTY: usize = 255;
/// Longest word for the source of a change that is kept.
const LONGEST_SOURCE: usize = 64;
/// Longest id of a type that is kept; `2-` and a number.
const LONGEST_TYPE: usize = 32;
/// Years something may have happened in: HubSpot is younger, and a `DATETIME` ends there.
const YEARS: RangeInclusive<i32> = 2000..=9999;

/// An event as it is delivered. Source: HubSpot, "Webhooks"; captures of deliveries.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Delivered {
    #[serde(deserialize_with = "number")]
    event_id: Option<i64>,
    #[serde(deserialize_with = "number")]
    subscription_id: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub(super) portal_id: Option<i64>,
    #[serde(deserialize_with = "number")]
    app_id: Option<i64>,
    #[serde(deserialize_with = "number")]
    occurred_at: Option<i64>,
    subscription_type: Option<String>,
    /// What the documentation calls the type of a subscription in places; deliveries were seen to say
    /// `subscriptionType`, which counts where both are there.
    event_type: Option<String>,
    #[serde(deserialize_with = "number")]
    attempt_number: Option<i64>,
    #[serde(deserialize_with = "number")]
    object_id: Option<i64>,
    object_type_id: Option<String>,
    property_name: Option<String>,
    change_source: Option<String>,
    #[serde(deserialize_with = "text")]
    source_id: Option<String>,
    #[serde(deserialize_with = "number")]
    primary_object_id: Option<i64>,
    #[serde(deserialize_with = "number")]
    new_object_id: Option<i64>,
    #[serde(deserialize_with = "number")]
    from_object_id: Option<i64>,
    #[serde(deserialize_with = "number")]
    to_object_id: Option<i64>,
    from_object_type_id: Option<String>,
    to_object_type_id: Option<String>,
    association_type: Option<String>,
}

/// Why an event is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// Its type is none we know what to do with.
    UnknownType,
    /// It tells of a link and of neither end's type.
    UntypedLink,
    /// It lacks what it should say.
    Malformed,
}

/// A whole number, also as text; `None` for anything else.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    })
}

/// A text, also as a number; `None` for anything else.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text),
        _ => None,
    })
}

impl Delivered {
    /// What is kept of the event.
    ///
    /// # Errors
    /// When nothing can be made of it.
    pub(super) fn into_event(self) -> Result<NewWebhookEvent, Unusable> {
        let (prefix, what) = self.subscription().split_once('.').ok_or(Unusable::UnknownType)?;
        let kind = kind(what).ok_or(Unusable::UnknownType)?;
        let (object_type_id, id) = self.record(prefix, kind)?;
        let occurred_at = self.occurred_at.and_then(DateTime::from_timestamp_millis);
        let occurred_at = occurred_at.filter(|at| YEARS.contains(&at.year())).ok_or(Unusable::Malformed)?;
        // The column is signed.
        let attempt = i32::try_from(self.attempt_number.unwrap_or(0)).map_err(|_| Unusable::Malformed)?;
        Ok(NewWebhookEvent {
            key: self.key(),
            object_type_id,
            id,
            kind,
            event_id: self.event_id.unwrap_or(0),
            attempt: u32::try_from(attempt).map_err(|_| Unusable::Malformed)?,
            is_own: self.is_own(),
            occurred_at,
            property: self.property_name.map(|name| shortened(&name, LONGEST_PROPERTY)),
            change_source: self.change_source.map(|source| shortened(&source, LONGEST_SOURCE)),
        })
    }

    /// The type of the subscription, such as `contact.creation`; empty where the event says none.
    fn subscription(&self) -> &str {
        let named = self.subscription_type.as_deref().filter(|name| !name.is_empty());
        named.or(self.event_type.as_deref()).unwrap_or_default()
    }

    /// The record to read, and HubSpot's id of its type: classic events name the type, generic ones say its id.
    fn record(&self, prefix: &str, kind: WebhookKind) -> Result<(String, ObjectId), Unusable> {
        if prefix == "object" && kind == WebhookKind::AssociationChange {
            return self.linked_record();
        }
        let type_id = if prefix == "object" {
            checked(self.object_type_id.as_ref().ok_or(Unusable::Malformed)?)?
        } else {
            let known = OBJECT_TYPES.iter().find(|known| known.singular == prefix);
            known.map(|known| known.type_id.to_owned()).ok_or(Unusable::UnknownType)?
        };
        Ok((type_id, positive(self.number(kind))?))
    }

    /// A record of a link that is told of generically: the one it is told from, or the other where the type of the first
    /// is not known. That generic events say the types of both ends is hearsay; the name of the link does it for standard
    /// types.
    fn linked_record(&self) -> Result<(String, ObjectId), Unusable> {
        let (from, to) = self.association_type.as_deref().and_then(|name| name.split_once("_TO_")).unzip();
        let from_id = self.from_object_type_id.as_ref().or(self.object_type_id.as_ref());
        let from = from_id.map(String::as_str).or_else(|| type_called(from));
        let to = self.to_object_type_id.as_deref().or_else(|| type_called(to));
        match (from, to) {
            (Some(type_id), _) => Ok((checked(type_id)?, positive(self.from_object_id.or(self.object_id))?)),
            (None, Some(type_id)) => Ok((checked(type_id)?, positive(self.to_object_id)?)),
            (None, None) => Err(Unusable::UntypedLink),
        }
    }

    /// The record to read: of a merge the one that remains, of a link the one it is told from. Which of its ids the
    /// `objectId` of a merge is, is not known.
    fn number(&self, kind: WebhookKind) -> Option<i64> {
        match kind {
            WebhookKind::Merge => self.new_object_id.or(self.primary_object_id).or(self.object_id),
            WebhookKind::AssociationChange => self.from_object_id.or(self.object_id),
            WebhookKind::Creation
            | WebhookKind::PropertyChange
            | WebhookKind::Deletion
            | WebhookKind::PrivacyDeletion
            | WebhookKind::Restore
            | WebhookKind::Request => self.object_id,
        }
    }

    /// Whether the app that is told made the change itself. Source: captures of deliveries to private apps.
    fn is_own(&self) -> bool {
        let by_app = matches!(self.change_source.as_deref(), Some("INTEGRATION" | "API"));
        let app = self.app_id.map(|id| id.to_string());
        by_app && app.is_some() && app == self.source_id
    }

    /// What tells the event from all others. `eventId` is not unique, so everything counts that may differ between two
    /// events, but not `attemptNumber`: what is sent again is the same event.
    fn key(&self) -> [u8; 32] {
        let numbers = [
            self.event_id,
            self.subscription_id,
            self.occurred_at,
            self.object_id,
            self.primary_object_id,
            self.new_object_id,
            self.from_object_id,
            self.to_object_id,
        ];
        let texts = [
            &self.object_type_id,
            &self.from_object_type_id,
            &self.to_object_type_id,
            &self.property_name,
            &self.association_type,
        ];
        let mut digest = Sha256::new();
        digest.update(self.subscription().as_bytes());
        for number in numbers {
            digest.update([u8::from(number.is_some())]);
            digest.update(number.unwrap_or(0).to_be_bytes());
        }
        for text in texts.map(|text| text.as_deref().unwrap_or_default()) {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        }
        digest.finalize().into()
    }
}

/// What the second half of a subscription type says. Source: HubSpot, "Webhooks".
fn kind(what: &str) -> Option<WebhookKind> {
    Some(match what {
        "creation" => WebhookKind::Creation,
        "propertyChange" => WebhookKind::PropertyChange,
        "deletion" => WebhookKind::Deletion,
        "privacyDeletion" => WebhookKind::PrivacyDeletion,
        "merge" => WebhookKind::Merge,
        "restore" => WebhookKind::Restore,
        "associationChange" => WebhookKind::AssociationChange,
        _ => return None,
    })
}

/// The id of a type, if it is one.
fn checked(id: &str) -> Result<String, Unusable> {
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_id = id.split_once('-').is_some_and(|(left, right)| is_number(left) && is_number(right));
    if is_id && id.len() <= LONGEST_TYPE { Ok(id.to_owned()) } else { Err(Unusable::Malformed) }
}

/// The id of a record, if it is one.
fn positive(id: Option<i64>) -> Result<ObjectId, Unusable> {
    id.filter(|id| *id > 0).map(ObjectId).ok_or(Unusable::Malformed)
}

/// The id of the standard type that names of links call so, such as `LINE_ITEM`.
fn type_called(name: Option<&str>) -> Option<&'static str> {
    let called = |known: &&ObjectType| name.is_some_and(|name| known.singular.eq_ignore_ascii_case(name));
    OBJECT_TYPES.iter().find(called).map(|known| known.type_id)
}

/// The first characters of a text, at most so many.
fn shortened(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A delivered event with these fields besides the usual ones.
    fn event(fields: Value) -> Result<NewWebhookEvent, Unusable> {
        let mut event = json!({
            "eventId": 1, "subscriptionId": 2, "portalId": 62515, "appId": 54321, "occurredAt": 1_742_175_136_625_i64,
            "attemptNumber": 0, "changeSource": "CRM_UI", "sourceId": "userId:123"
        });
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        event.as_object_mut().expect("an object").extend(fields);
        serde_json::from_value::<Delivered>(event).expect("an event").into_event()
    }

    /// The type id, the record and the kind of an event.
    fn about(fields: Value) -> (String, i64, WebhookKind) {
        let event = event(fields).expect("a usable event");
        (event.object_type_id, event.id.0, event.kind)
    }

    #[test]
    fn each_form_of_event_names_its_record() {
        let classic = json!({"subscriptionType": "contact.creation", "objectId": 512});
        assert_eq!(about(classic), ("0-1".to_owned(), 512, WebhookKind::Creation));
        let documented = json!({"eventType": "line_item.deletion", "objectId": "512"});
        assert_eq!(about(documented), ("0-8".to_owned(), 512, WebhookKind::Deletion));
        let generic = json!({
            "subscriptionType": "object.propertyChange", "objectId": 900, "objectTypeId": "2-1234567",
            "propertyName": "stage", "propertyValue": "won", "isSensitive": false
        });
        assert_eq!(about(generic), ("2-1234567".to_owned(), 900, WebhookKind::PropertyChange));
        let merge = json!({
            "subscriptionType": "contact.merge", "objectId": 100, "primaryObjectId": 100, "mergedObjectIds": [200],
            "newObjectId": 300, "numberOfPropertiesMoved": 14
        });
        assert_eq!(about(merge), ("0-1".to_owned(), 300, WebhookKind::Merge));
        let kept =
            json!({"subscriptionType": "contact.merge", "primaryObjectId": 100, "mergedObjectIds": [200]});
        assert_eq!(about(kept), ("0-1".to_owned(), 100, WebhookKind::Merge));
        let link = json!({
            "subscriptionType": "contact.associationChange", "associationType": "CONTACT_TO_COMPANY",
            "fromObjectId": 100, "toObjectId": 200, "associationRemoved": false, "isPrimaryAssociation": true
        });
        assert_eq!(about(link), ("0-1".to_owned(), 100, WebhookKind::AssociationChange));
        let generic_link = json!({
            "subscriptionType": "object.associationChange", "fromObjectTypeId": "0-3", "toObjectTypeId": "0-1",
            "fromObjectId": 7, "toObjectId": 8
        });
        assert_eq!(about(generic_link), ("0-3".to_owned(), 7, WebhookKind::AssociationChange));
        for (types, expected) in [
            (json!({"associationType": "DEAL_TO_CONTACT"}), ("0-3", 7)),
            (json!({"associationType": "LINE_ITEM_TO_DEAL"}), ("0-8", 7)),
            (json!({"associationType": "P123_CARS_TO_CONTACT"}), ("0-1", 8)),
            (json!({"associationType": "P123_CARS_TO_P123_BOATS", "toObjectTypeId": "2-9"}), ("2-9", 8)),
            (json!({"objectTypeId": "2-7"}), ("2-7", 7)),
        ] {
            let mut link =
                json!({"subscriptionType": "object.associationChange", "fromObjectId": 7, "toObjectId": 8});
            link.as_object_mut().unwrap().extend(types.as_object().unwrap().clone());
            let (type_id, id) = expected;
            assert_eq!(about(link), (type_id.to_owned(), id, WebhookKind::AssociationChange), "{types}");
        }
        for (what, kind) in
            [("privacyDeletion", WebhookKind::PrivacyDeletion), ("restore", WebhookKind::Restore)]
        {
            let fields = json!({"subscriptionType": format!("contact.{what}"), "objectId": 9});
            assert_eq!(about(fields), ("0-1".to_owned(), 9, kind));
        }
    }

    #[test]
    fn both_names_for_the_type_of_an_event_may_be_there() {
        let both =
            json!({"subscriptionType": "contact.restore", "eventType": "contact.restore", "objectId": 9});
        assert_eq!(about(both), ("0-1".to_owned(), 9, WebhookKind::Restore));
        let different =
            json!({"subscriptionType": "contact.restore", "eventType": "deal.creation", "objectId": 9});
        assert_eq!(about(different), ("0-1".to_owned(), 9, WebhookKind::Restore), "deliveries say the first");
        for nothing in [json!(""), Value::Null] {
            let other = json!({"subscriptionType": nothing, "eventType": "deal.creation", "objectId": 9});
            assert_eq!(about(other), ("0-3".to_owned(), 9, WebhookKind::Creation));
        }
    }

    #[test]
    fn a_link_between_records_of_unknown_types_is_told_apart() {
        for name in [Value::Null, json!("P123_CARS_TO_P123_BOATS"), json!("CARS")] {
            let link = json!({
                "subscriptionType": "object.associationChange", "fromObjectId": 7, "toObjectId": 8,
                "associationType": name
            });
            assert_eq!(event(link), Err(Unusable::UntypedLink), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_apart() {
        for name in ["conversation.creation", "contact.explosion", "contact", "", "event.completed"] {
            let unusable = event(json!({"subscriptionType": name, "objectId": 1}));
            assert_eq!(unusable, Err(Unusable::UnknownType), "{name}");
        }
        for fields in [
            json!({"subscriptionType": "contact.creation"}),
            json!({"subscriptionType": "contact.creation", "objectId": "many"}),
            json!({"subscriptionType": "contact.creation", "objectId": 1, "occurredAt": null}),
            json!({"subscriptionType": "contact.creation", "objectId": 1, "occurredAt": 0}),
            json!({"subscriptionType": "contact.creation", "objectId": 1, "occurredAt": 946_684_799_999_i64}),
            json!({"subscriptionType": "contact.creation", "objectId": 1, "occurredAt": 253_402_300_800_000_i64}),
            json!({"subscriptionType": "contact.creation", "objectId": 1, "occurredAt": i64::MAX}),
            json!({"subscriptionType": "contact.creation", "objectId": 1, "attemptNumber": -1}),
            json!({"subscriptionType": "contact.creation", "objectId": 1, "attemptNumber": 2_147_483_648_i64}),
            json!({"subscriptionType": "object.creation", "objectId": 1}),
            json!({"subscriptionType": "object.creation", "objectId": 1, "objectTypeId": "2-1' OR 1"}),
        ] {
            assert_eq!(event(fields.clone()), Err(Unusable::Malformed), "{fields}");
        }
    }

    #[test]
    fn a_change_is_our_own_only_if_our_own_app_made_it() {
        let is_own = |source: &str, id: Value| {
            let fields = json!({
                "subscriptionType": "contact.creation", "objectId": 1, "changeSource": source, "sourceId": id
            });
            event(fields).expect("usable").is_own
        };
        assert!(is_own("INTEGRATION", json!("54321")) && is_own("API", json!(54321)));
        assert!(!is_own("INTEGRATION", json!("54322")) && !is_own("CRM_UI", json!("54321")));
        assert!(!is_own("INTEGRATION", Value::Null));
    }

    #[test]
    fn events_with_one_number_are_told_apart_and_an_event_sent_again_is_not() {
        let key = |fields: Value| event(fields).expect("usable").key;
        let one =
            json!({"subscriptionType": "contact.propertyChange", "objectId": 1, "propertyName": "email"});
        let changed = |name: &str, value: Value| {
            let mut fields = one.clone();
            fields[name] = value;
            key(fields)
        };
        assert_eq!(key(one.clone()), changed("propertyValue", json!("another")), "values do not count");
        assert_eq!(key(one.clone()), changed("attemptNumber", json!(7)), "HubSpot got no answer in time");
        for other in [
            changed("objectId", json!(2)),
            changed("propertyName", json!("phone")),
            changed("subscriptionType", json!("company.propertyChange")),
            changed("occurredAt", json!(1_742_175_136_626_i64)),
            changed("fromObjectTypeId", json!("0-1")),
            changed("fromObjectTypeId", json!("0-2")),
            changed("toObjectTypeId", json!("0-2")),
        ] {
            assert_ne!(key(one.clone()), other);
        }
    }
}
