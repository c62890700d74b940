//! Who set which value and when. Source: HubSpot, "Properties", on histories; captured answers for sources.

use serde_json::{Value, json};

use crate::harness::{Sim, millis, number, small};
use crate::write::{create, patch};

/// The history of one property of a contact, as the API shows it.
async fn history(sim: &Sim, id: &Value, property: &str) -> Vec<Value> {
    let id = id.as_str().expect("an id is text");
    let path = format!("/crm/objects/2026-09/contacts/{id}?propertiesWithHistory={property}");
    let read = sim.get(&path).await.json()["propertiesWithHistory"].clone();
    let inputs = json!({ "propertiesWithHistory": [property], "inputs": [{ "id": id }] });
    let batch = sim.post("/crm/objects/2026-09/contacts/batch/read", &inputs).await.json();
    assert_eq!(batch["results"][0]["propertiesWithHistory"], read, "both reads agree");
    read[property].as_array().expect("a list").clone()
}

/// Values, source types and source ids of entries.
fn sources(entries: &[Value]) -> Vec<[&str; 3]> {
    let text = |entry: &'_ Value, name: &str| entry[name].as_str().map(str::len).is_some();
    assert!(entries.iter().all(|entry| text(entry, "timestamp")));
    entries
        .iter()
        .map(|entry| ["value", "sourceType", "sourceId"].map(|name| entry[name].as_str().expect("a text")))
        .collect()
}

#[tokio::test]
async fn a_value_knows_who_set_it_and_what_was_there_before() {
    let sim = Sim::small().await;
    let id = create(&sim, "contacts", json!({ "city": "Ulm" })).await["id"].clone();
    let path = format!("objects/contacts/{}", id.as_str().unwrap());
    sim.control("PATCH", &path, &json!({ "properties": { "city": "Jena" } })).await;
    sim.control("PATCH", &path, &json!({ "properties": { "city": "Gera" }, "app": 77 })).await;
    sim.control("PATCH", &path, &json!({ "properties": { "city": "Gera" } })).await;
    assert_eq!(patch(&sim, "contacts", &id, json!({ "city": "" })).await.status, 200);
    let entries = history(&sim, &id, "city").await;
    assert_eq!(
        sources(&entries),
        [
            ["", "INTEGRATION", "1845122"],
            ["Gera", "INTEGRATION", "77"],
            ["Jena", "CRM_UI", "userId:9584300"],
            ["Ulm", "INTEGRATION", "1845122"],
        ]
    );
    assert_eq!(entries[2]["updatedByUserId"], 9_584_300);
    assert!(entries.windows(2).all(|two| millis(&two[0]["timestamp"]) >= millis(&two[1]["timestamp"])));
    let truth = sim.control("GET", &format!("history/contacts/{}", id.as_str().unwrap()), &json!({})).await;
    let values: Vec<&Value> =
        truth["properties"]["city"].as_array().unwrap().iter().map(|one| &one["value"]).collect();
    assert_eq!(values, ["", "Gera", "Jena", "Ulm"]);
}

#[tokio::test]
async fn the_apps_id_and_how_its_writes_show_are_settings() {
    let sim = Sim::small().await;
    sim.set(json!({ "appId": 4_711, "writesShowAs": "api" })).await;
    let id = create(&sim, "contacts", json!({ "city": "Ulm" })).await["id"].clone();
    assert_eq!(sources(&history(&sim, &id, "city").await), [["Ulm", "API", "4711"]]);
    assert_eq!(sources(&history(&sim, &id, "hs_object_source_id").await)[0][0], "4711");
    let info =
        sim.post("/oauth/v2/private-apps/get/access-token-info", &json!({ "tokenKey": "sim-token" })).await;
    assert_eq!(info.json()["appId"], 4_711);
}

#[tokio::test]
async fn a_generated_value_stays_behind_what_was_set_and_is_nobodys_here() {
    let sim = Sim::small().await;
    let truth = sim.truth("contacts").await;
    let with_city = truth.iter().find(|line| line["properties"]["city"].is_string()).unwrap();
    let before = with_city["properties"]["city"].as_str().unwrap();
    assert_eq!(patch(&sim, "contacts", &with_city["id"], json!({ "city": "Ulm" })).await.status, 200);
    let entries = history(&sim, &with_city["id"], "city").await;
    let found = sources(&entries);
    assert_eq!(found, [["Ulm", "INTEGRATION", "1845122"], [before, "IMPORT", "58213370"]]);
    assert_eq!(entries[1]["timestamp"], with_city["createdAt"]);
}

#[tokio::test]
async fn only_changes_make_history_and_only_twenty_are_remembered() {
    let sim = Sim::small().await;
    let id = create(&sim, "contacts", json!({ "city": "Town 0" })).await["id"].clone();
    for number in 1..30 {
        for _ in 0..2 {
            let city = json!({ "city": format!("Town {number}") });
            assert_eq!(patch(&sim, "contacts", &id, city).await.status, 200);
        }
    }
    let entries = history(&sim, &id, "city").await;
    let values: Vec<&str> = entries.iter().map(|entry| entry["value"].as_str().unwrap()).collect();
    let expected: Vec<String> = (10..30).rev().map(|number| format!("Town {number}")).collect();
    assert_eq!(values, expected);
}

#[tokio::test]
async fn a_merged_record_keeps_the_history_of_both() {
    let sim = Sim::small().await;
    let one = create(&sim, "contacts", json!({ "city": "Ulm" })).await["id"].clone();
    let two = create(&sim, "contacts", json!({ "city": "Jena", "zip": "07743" })).await["id"].clone();
    let body = json!({ "primaryObjectId": one, "objectIdToMerge": two });
    let survivor = sim.post("/crm/objects/2026-09/contacts/merge", &body).await.json()["id"].clone();
    let entries = history(&sim, &survivor, "city").await;
    assert_eq!(sources(&entries).iter().map(|entry| entry[0]).collect::<Vec<_>>(), ["Ulm", "Jena"]);
    assert_eq!(history(&sim, &survivor, "zip").await.last().unwrap()["value"], "07743");
}

#[tokio::test]
async fn histories_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = hubspot_simulator::Config { state: Some(folder.path().join("state.jsonl")), ..small() };
    let sim = Sim::start(config.clone()).await;
    let id = create(&sim, "contacts", json!({ "city": "Ulm" })).await["id"].clone();
    assert_eq!(patch(&sim, "contacts", &id, json!({ "city": "Jena" })).await.status, 200);
    let before = history(&sim, &id, "city").await;
    sim.server.stop().await;
    let sim = Sim::start(config).await;
    assert_eq!(history(&sim, &id, "city").await, before);
    assert_eq!(before.len(), 2);
}

#[tokio::test]
async fn creates_are_counted_by_any_value_they_were_made_with() {
    let sim = Sim::small().await;
    let first = create(&sim, "companies", json!({ "name": "Twin" })).await["id"].clone();
    create(&sim, "companies", json!({ "name": "Twin" })).await;
    create(&sim, "companies", json!({ "name": "Single", "domain": "single.example" })).await;
    assert_eq!(patch(&sim, "companies", &first, json!({ "name": "Renamed" })).await.status, 200);
    sim.control("POST", "objects/companies", &json!({ "properties": { "name": "By hand" } })).await;
    let counts = sim.control("GET", "creates/companies?by=name", &json!({})).await;
    assert_eq!(counts, json!({ "counts": { "Single": 1, "Twin": 2 } }));
    let lines = sim.get("/_sim/creates/companies").await.text();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["id"]), (3, &first));
    assert_eq!(lines[2]["properties"]["domain"], "single.example");
    let written = sim.get("/_sim/history/companies").await.text();
    let ids: Vec<u64> =
        written.lines().map(|line| number(&serde_json::from_str::<Value>(line).unwrap()["id"])).collect();
    assert!(ids.contains(&number(&first)) && ids.is_sorted());
}
