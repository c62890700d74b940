//! Events as JSON. Source: HubSpot, "Webhooks"; captures of deliveries for what the documentation leaves out. Of merges,
//! restores and generic links no capture is public: their fields are those of the documentation.

use serde_json::{Map, Value, json};

use super::target::Target;
use crate::account::{News, Source, What};
use crate::object_type::{Kind, ObjectType, Registry};

/// Types that have events in words of their own.
const CLASSIC: &[Kind] =
    &[Kind::CONTACT, Kind::COMPANY, Kind::DEAL, Kind::TICKET, Kind::PRODUCT, Kind::LINE_ITEM];
/// Stands for everything that is told of types with words of their own, and generically of all others.
const EVERYTHING: &str = "classic.*";
/// Stands for everything that is told generically.
const GENERIC: &str = "object.*";

/// The events the app is told of some news: one for each subscription that matches. They lack what only a delivery
/// knows: `eventId` and `attemptNumber`.
pub fn subscribed(target: &Target, registry: &Registry, news: &News) -> Vec<Value> {
    let object_type = registry.of(news.record.0);
    let kind = news.what.word();
    let is_classic = CLASSIC.contains(&object_type.kind)
        && !(object_type.kind == Kind::PRODUCT && kind == "associationChange");
    let matches = |subscription: &str| -> Option<bool> {
        if subscription == EVERYTHING {
            return Some(!is_classic);
        }
        // Privacy deletions are told of contacts alone, and in their words alone.
        if subscription == GENERIC {
            return (kind != "privacyDeletion").then_some(true);
        }
        let (name, property) =
            subscription.split_once(':').map_or((subscription, None), |(n, p)| (n, Some(p)));
        let is_meant = property.is_none_or(|property| news.what.property() == Some(property));
        let (prefix, wanted) = name.split_once('.')?;
        let is_generic = prefix == "object";
        let is_type = is_generic || (is_classic && prefix == object_type.singular);
        (wanted == kind && is_type && is_meant).then_some(is_generic)
    };
    let subscriptions = target.subscriptions.iter().enumerate();
    subscriptions
        .filter_map(|(number, subscription)| Some((number, matches(subscription)?)))
        .map(|(number, generic)| event(target, registry, object_type, news, (number, generic)))
        .collect()
}

/// One event.
fn event(
    target: &Target,
    registry: &Registry,
    object_type: &ObjectType,
    news: &News,
    (subscription, generic): (usize, bool),
) -> Value {
    let prefix = if generic { "object" } else { &object_type.singular };
    let source = match news.source {
        // What links show for people was seen to be another word.
        Source::User(_) if matches!(news.what, What::Linked { .. }) => "USER",
        source => source.kind(),
    };
    let mut event = Map::from_iter([
        ("subscriptionId".to_owned(), json!(subscription + 1)),
        ("portalId".to_owned(), json!(target.portal_id)),
        ("appId".to_owned(), json!(target.app_id)),
        ("occurredAt".to_owned(), json!(news.at)),
        ("subscriptionType".to_owned(), json!(format!("{prefix}.{}", news.what.word()))),
        ("changeSource".to_owned(), json!(source)),
        ("sourceId".to_owned(), json!(news.source.id())),
    ]);
    let Value::Object(details) = details(registry, object_type, news, generic) else { return Value::Null };
    event.extend(details);
    Value::Object(event)
}

/// What differs between kinds of events.
fn details(registry: &Registry, object_type: &ObjectType, news: &News, generic: bool) -> Value {
    let id = news.record.1;
    let mut details = match &news.what {
        What::Created => json!({"objectId": id, "changeFlag": "CREATED"}),
        What::Deleted => json!({"objectId": id, "changeFlag": "DELETED"}),
        What::Erased | What::Restored => json!({"objectId": id}),
        What::Changed { name, value } => {
            json!({"objectId": id, "propertyName": name, "propertyValue": value, "isSensitive": false})
        }
        What::Merged { primary, other } => json!({
            "objectId": primary, "primaryObjectId": primary, "mergedObjectIds": [other], "newObjectId": id,
            "numberOfPropertiesMoved": 1
        }),
        What::Linked { to, removed, primary } => {
            let other = registry.of(to.0);
            let mut link = json!({
                "associationType": format!("{}_TO_{}", object_type.error_name, other.error_name),
                "fromObjectId": id, "toObjectId": to.1, "associationRemoved": removed, "isPrimaryAssociation": primary
            });
            if generic {
                link["fromObjectTypeId"] = json!(object_type.type_id);
                link["toObjectTypeId"] = json!(other.type_id);
            }
            return link;
        }
    };
    if generic {
        details["objectTypeId"] = json!(object_type.type_id);
    }
    details
}

impl What {
    /// The second half of the subscription's name.
    const fn word(&self) -> &'static str {
        match self {
            Self::Created => "creation",
            Self::Deleted => "deletion",
            Self::Erased => "privacyDeletion",
            Self::Restored => "restore",
            Self::Changed { .. } => "propertyChange",
            Self::Merged { .. } => "merge",
            Self::Linked { .. } => "associationChange",
        }
    }

    /// The property that changed.
    fn property(&self) -> Option<&str> {
        match self {
            Self::Changed { name, .. } => Some(name),
            _ => None,
        }
    }
}
