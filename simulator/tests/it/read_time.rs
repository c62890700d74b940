//! Values that HubSpot calculates when they are read. Source: HubSpot, "Properties"; that last-modified stays is
//! reported by people who run connectors.

use serde_json::{Value, json};

use crate::harness::{Sim, millis, small};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// The number a property of a line holds.
fn value(line: &Value, name: &str) -> Option<i64> {
    line["properties"][name].as_str().and_then(|text| text.parse().ok())
}

#[tokio::test]
async fn they_change_with_the_day_and_last_modified_stays() {
    let sim = Sim::small().await;
    sim.set(json!({ "readTimeValues": true })).await;
    let before = [sim.truth("contacts").await, sim.truth("companies").await];
    sim.control("POST", "clock/advance", &json!({ "ms": 3 * DAY })).await;
    let after = [sim.truth("contacts").await, sim.truth("companies").await];
    for (old, new) in before[0].iter().zip(&after[0]) {
        let grown = value(new, "age_in_days").unwrap() - value(old, "age_in_days").unwrap();
        // A fourth midnight may pass while this runs.
        assert!((3..=4).contains(&grown), "{new}");
        assert_eq!(old["updatedAt"], new["updatedAt"]);
    }
    for (old, new) in before[1].iter().zip(&after[1]) {
        let stage = old["properties"]["lifecyclestage"].as_str().unwrap();
        let name = format!("hs_time_in_{stage}");
        assert!(value(new, &name).unwrap() >= value(old, &name).unwrap() + 3 * DAY, "{name} of {new}");
        assert_eq!(old["updatedAt"], new["updatedAt"]);
    }
}

#[tokio::test]
async fn lists_batches_and_searches_show_the_value_of_the_day() {
    let sim = Sim::small().await;
    sim.set(json!({ "readTimeValues": true })).await;
    sim.control("POST", "clock/advance", &json!({ "ms": 10 * DAY })).await;
    let line = sim.truth("deals").await[0].clone();
    let (id, age) = (line["id"].clone(), line["properties"]["age_in_days"].clone());
    let now = sim.control("POST", "clock/advance", &json!({ "ms": 0 })).await["now"].as_i64().unwrap();
    let expected = (now - now % DAY - millis(&line["createdAt"])) / DAY;
    let told = value(&line, "age_in_days").unwrap();
    assert!((expected - 1..=expected).contains(&told), "{told} days, expected {expected}");
    let listed = sim.get("/crm/v3/objects/deals?limit=1&properties=age_in_days").await.json();
    let body = json!({ "inputs": [{ "id": id }], "properties": ["age_in_days"] });
    let read = sim.post("/crm/v3/objects/deals/batch/read", &body).await.json();
    let filter = json!({ "propertyName": "hs_object_id", "operator": "EQ", "value": id });
    let body = json!({ "filterGroups": [{ "filters": [filter] }], "properties": ["age_in_days"] });
    let found = sim.search("deals", body).await.json();
    for answer in [listed, read, found] {
        assert_eq!(answer["results"][0]["properties"]["age_in_days"], age);
    }
}

#[tokio::test]
async fn they_stay_unless_switched() {
    let sim = Sim::start(small()).await;
    let before = sim.truth("contacts").await;
    sim.control("POST", "clock/advance", &json!({ "ms": 30 * DAY })).await;
    assert_eq!(sim.truth("contacts").await, before);
}

#[tokio::test]
async fn their_definitions_say_so() {
    let sim = Sim::small().await;
    let definition = sim.get("/crm/v3/properties/contacts/age_in_days").await.json();
    assert_eq!(definition["fieldType"], "calculation_read_time");
    assert_eq!(definition["modificationMetadata"]["readOnlyValue"], true);
    assert_eq!(definition["calculated"], true);
}
