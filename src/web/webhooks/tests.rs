//! What is kept of a delivery, without HTTP and without a database.

use serde_json::json;

use super::*;
use crate::model::CustomName;

/// The account of these tests.
const PORTAL: i64 = 62_515;

/// A creation of a type, in an account.
fn creation(portal: i64, subscription: &str, type_id: Option<&str>) -> Value {
    json!({
        "eventId": 1, "portalId": portal, "occurredAt": 1_742_175_136_625_i64, "attemptNumber": 0,
        "subscriptionType": subscription, "objectId": 512, "objectTypeId": type_id
    })
}

/// What became of events where these types are mirrored.
fn fates(events: Vec<Value>, types: &[Selected]) -> (usize, Counts) {
    let (kept, counts) = sort(events, Some(PORTAL), types);
    (kept.len(), counts)
}

#[test]
fn what_concerns_no_mirrored_type_of_this_account_is_counted_and_not_kept() {
    let contacts = [Selected::Known(ObjectType::named("contacts").expect("a standard type"))];
    let events = vec![
        creation(PORTAL, "contact.creation", None),
        creation(PORTAL + 1, "contact.creation", None),
        creation(PORTAL, "company.creation", None),
        creation(PORTAL, "object.creation", Some("2-7")),
        creation(PORTAL, "conversation.creation", None),
        json!("no event"),
        json!({"portalId": PORTAL, "subscriptionType": "contact.creation"}),
    ];
    let expected =
        [("malformed", 2), ("not_mirrored", 2), ("other_account", 1), ("received", 1), ("unknown_type", 1)];
    assert_eq!(fates(events, &contacts), (1, Counts::from(expected)));
}

#[test]
fn before_the_account_is_known_nothing_is_kept() {
    let contacts = [Selected::Known(ObjectType::named("contacts").expect("a standard type"))];
    let (kept, counts) = sort(vec![creation(PORTAL, "contact.creation", None)], None, &contacts);
    assert_eq!((kept.len(), counts), (0, Counts::from([("other_account", 1)])));
}

#[test]
fn a_custom_object_known_by_name_only_may_be_any() {
    let cars = [Selected::Unread(CustomName::parse("p123_cars").expect("a name"))];
    let events = vec![
        creation(PORTAL, "object.creation", Some("2-7")),
        creation(PORTAL, "object.creation", Some("0-1")),
    ];
    assert_eq!(fates(events, &cars), (1, Counts::from([("not_mirrored", 1), ("received", 1)])));
}
