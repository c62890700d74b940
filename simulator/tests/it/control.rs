//! The control API.

use std::collections::BTreeSet;

use hubspot_simulator::Config;
use serde_json::{Value, json};

use crate::harness::{Sim, millis, number, small};

#[tokio::test]
async fn truth_is_what_the_api_shows_without_nulls_and_empties() {
    let sim = Sim::small().await;
    sim.control("POST", "mutate", &json!({ "type": "deals", "count": 30, "seed": 7 })).await;
    sim.control("POST", "objects/deals", &json!({ "count": 5 })).await;
    let catalogue = sim.get("/crm/v3/properties/deals").await.json();
    let names: Vec<&str> = catalogue["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|property| property["name"].as_str().unwrap())
        .collect();
    let listed = sim.list_all("deals", &format!("properties={}", names.join(","))).await;
    let truth = sim.truth("deals").await;
    assert_eq!(listed.len(), 65);
    for (record, line) in listed.iter().zip(&truth) {
        let mut properties = record["properties"].as_object().unwrap().clone();
        properties.retain(|_, value| value.as_str().is_some_and(|text| !text.is_empty()));
        assert_eq!(line["id"], record["id"]);
        assert_eq!(line["updatedAt"], record["updatedAt"]);
        assert_eq!(line["properties"], Value::Object(properties));
    }
}

#[tokio::test]
async fn mutate_changes_distinct_records_for_good_and_repeats_with_its_seed() {
    let (one, two) = (Sim::small().await, Sim::small().await);
    let before = one.truth("contacts").await;
    let request = json!({ "type": "contacts", "count": 50, "seed": 7 });
    let changed = one.control("POST", "mutate", &request).await;
    let ids: BTreeSet<u64> = changed["ids"].as_array().unwrap().iter().map(number).collect();
    assert_eq!(ids.len(), 50);
    let after = one.truth("contacts").await;
    for (old, new) in before.iter().zip(&after) {
        let is_changed = ids.contains(&number(&old["id"]));
        assert_eq!(without_time(old) != without_time(new), is_changed, "{old} {new}");
        assert_eq!(millis(&new["updatedAt"]) > millis(&old["updatedAt"]), is_changed);
    }
    assert_eq!(two.control("POST", "mutate", &request).await, changed);
    let again = two.truth("contacts").await;
    assert!(after.iter().zip(&again).all(|(one, two)| without_time(one) == without_time(two)));
}

/// A line of truth without its last-modified.
fn without_time(line: &Value) -> Value {
    let mut line = line.clone();
    line["updatedAt"] = Value::Null;
    line["properties"]["lastmodifieddate"] = Value::Null;
    line
}

#[tokio::test]
async fn mutate_can_give_all_records_one_moment() {
    let sim = Sim::small().await;
    let times = async |body: Value| {
        sim.control("POST", "mutate", &body).await;
        let truth = sim.truth("companies").await;
        truth.iter().map(|line| millis(&line["updatedAt"])).collect::<BTreeSet<_>>()
    };
    assert_eq!(times(json!({ "type": "companies", "count": 40, "sameMillisecond": true })).await.len(), 1);
    let given = 1_795_000_000_000_i64;
    assert_eq!(
        times(json!({ "type": "companies", "count": 40, "lastModified": given })).await,
        BTreeSet::from([given])
    );
    assert!(times(json!({ "type": "companies", "count": 40 })).await.len() > 10, "spread otherwise");
}

#[tokio::test]
async fn last_modified_grows_with_every_change_of_a_record() {
    let sim = Sim::small().await;
    let id = sim.truth("deals").await[0]["id"].as_str().unwrap().to_owned();
    let mut earlier = 0;
    for number in 0..20 {
        let body = json!({ "properties": { "amount": number } });
        sim.control("PATCH", &format!("objects/deals/{id}"), &body).await;
        let updated_at = millis(&sim.get(&format!("/crm/v3/objects/deals/{id}")).await.json()["updatedAt"]);
        assert!(updated_at > earlier);
        earlier = updated_at;
    }
}

#[tokio::test]
async fn touch_moves_last_modified_alone_and_silent_moves_everything_but() {
    let sim = Sim::small().await;
    let before = sim.truth("contacts").await;
    let touched = sim.control("POST", "touch", &json!({ "type": "contacts", "count": 10 })).await;
    let after = sim.truth("contacts").await;
    assert!(before.iter().zip(&after).all(|(old, new)| without_time(old) == without_time(new)));
    let moved = before.iter().zip(&after).filter(|(old, new)| old["updatedAt"] != new["updatedAt"]).count();
    assert_eq!((moved, touched["ids"].as_array().unwrap().len()), (10, 10));
    let id = &after[3]["id"];
    let body = json!({ "type": "contacts", "id": id, "properties": { "hs_predictivecontactscore_v2": 3.5 } });
    sim.control("POST", "silent", &body).await;
    let silent = &sim.truth("contacts").await[3];
    assert_eq!(silent["updatedAt"], after[3]["updatedAt"]);
    assert_eq!(silent["properties"]["hs_predictivecontactscore_v2"], "3.5");
}

#[tokio::test]
async fn a_record_can_be_replaced_by_literal_text_and_come_back() {
    let sim = Sim::small().await;
    let id = sim.truth("contacts").await[1]["id"].as_str().unwrap().to_owned();
    let path = format!("/crm/v3/objects/contacts/{id}");
    sim.control("POST", &format!("raw/contacts/{id}"), &json!({ "json": "{\"id\":\"x\",\"properties\":7}" }))
        .await;
    assert_eq!(
        sim.get("/crm/v3/objects/contacts?limit=3").await.json()["results"][1],
        json!({ "id": "x", "properties": 7 })
    );
    assert_eq!(sim.get(&path).await.json()["id"], "x");
    sim.control("DELETE", &format!("raw/contacts/{id}"), &json!({})).await;
    assert_eq!(sim.get(&path).await.json()["id"], id);
}

#[tokio::test]
async fn created_records_hold_the_given_values_alone_or_realistic_ones() {
    let sim = Sim::small().await;
    let given = json!({ "properties": { "email": "A@B.example", "createdate": "2024-02-29T10:00:00Z" } });
    let id = sim.control("POST", "objects/contacts", &given).await["ids"][0].clone();
    let truth = sim.truth("contacts").await;
    let line = truth.iter().find(|line| line["id"] == id).unwrap();
    let names: Vec<&String> = line["properties"].as_object().unwrap().keys().collect();
    assert_eq!(line["properties"]["email"], "a@b.example");
    assert_eq!(line["createdAt"], "2024-02-29T10:00:00Z");
    assert!(
        names.iter().all(|name| [
            "createdate",
            "email",
            "hs_all_contact_vids",
            "hs_object_id",
            "lastmodifieddate"
        ]
        .contains(&name.as_str())),
        "{names:?}"
    );
    let many = sim.control("POST", "objects/companies", &json!({ "count": 3 })).await;
    assert_eq!(many["ids"].as_array().unwrap().len(), 3);
    let truth = sim.truth("companies").await;
    let line = truth.iter().find(|line| line["id"] == many["ids"][2]).unwrap();
    assert!(line["properties"].as_object().unwrap().len() > 15);
    let bad = json!({ "properties": { "nosuchproperty": 1 } });
    assert_eq!(sim.post("/_sim/objects/contacts", &bad).await.status, 400);
}

#[tokio::test]
async fn definitions_appear_change_type_and_are_archived() {
    let sim = Sim::small().await;
    let id = sim.truth("contacts").await[0]["id"].as_str().unwrap().to_owned();
    let path = "properties/contacts/shoe_size";
    sim.control("PATCH", path, &json!({ "label": "Shoe size", "type": "number", "fieldType": "number" }))
        .await;
    let definition = sim.get("/crm/objects/2026-09/x").await;
    assert_eq!(definition.status, 400);
    let definition = sim.get("/crm/properties/2026-09/contacts/shoe_size").await.json();
    assert_eq!(
        (definition["type"].as_str(), definition["archived"].as_bool()),
        (Some("number"), Some(false))
    );
    assert!(definition.get("hubspotDefined").is_none());
    sim.control("PATCH", &format!("objects/contacts/{id}"), &json!({ "properties": { "shoe_size": 43 } }))
        .await;
    sim.control("PATCH", path, &json!({ "type": "string" })).await;
    assert_eq!(sim.get("/crm/v3/properties/contacts/shoe_size").await.json()["type"], "string");
    sim.control("PATCH", path, &json!({ "archived": true })).await;
    assert_eq!(sim.get("/crm/v3/properties/contacts/shoe_size").await.status, 404);
    let archived = sim.get("/crm/v3/properties/contacts?archived=true").await.json();
    assert_eq!(archived["results"][0]["name"], "shoe_size");
    let record = sim.get(&format!("/crm/v3/objects/contacts/{id}?properties=shoe_size")).await.json();
    assert!(record["properties"].get("shoe_size").is_none());
    sim.control("PATCH", path, &json!({ "archived": false })).await;
    let record = sim.get(&format!("/crm/v3/objects/contacts/{id}?properties=shoe_size")).await.json();
    assert_eq!(record["properties"]["shoe_size"], "43", "a revived property has its values again");
}

#[tokio::test]
async fn pipelines_are_replaced_as_a_whole() {
    let sim = Sim::small().await;
    let mut pipelines = sim.control("GET", "pipelines/deals", &json!({})).await["pipelines"].clone();
    let list = pipelines.as_array_mut().unwrap();
    list[0]["label"] = json!("Renamed");
    list[0]["stages"].as_array_mut().unwrap().remove(1);
    list[0]["stages"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "id": "late", "label": "Late", "probability": "0.50" }));
    list.remove(2);
    sim.control("PUT", "pipelines/deals", &json!({ "pipelines": pipelines })).await;
    let shown = sim.get("/crm/v3/pipelines/deals/default").await.json();
    assert_eq!(shown["label"], "Renamed");
    assert!(millis(&shown["updatedAt"]) > 1_793_491_200_000);
    let stages = shown["stages"].as_array().unwrap();
    let late = stages.iter().find(|stage| stage["id"] == "late").unwrap();
    assert_eq!(late["metadata"], json!({ "probability": "0.5", "isClosed": "false" }));
    assert!(stages.iter().all(|stage| stage["id"] != "qualifiedtobuy"));
    assert_eq!(sim.get("/crm/v3/pipelines/deals").await.json()["results"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn owners_are_added_renamed_and_archived() {
    let sim = Sim::small().await;
    let id = sim.control("POST", "owners", &json!({ "firstName": "Ada" })).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(sim.get(&format!("/crm/v3/owners/{id}")).await.json()["firstName"], "Ada");
    sim.control("PATCH", &format!("owners/{id}"), &json!({ "archived": true })).await;
    assert_eq!(sim.get(&format!("/crm/v3/owners/{id}")).await.status, 404);
    assert_eq!(sim.get(&format!("/crm/v3/owners/{id}?archived=true")).await.json()["userId"], Value::Null);
}

#[tokio::test]
async fn live_changes_happen_by_themselves_at_about_the_set_rate() {
    let sim = Sim::start(Config { live_changes_per_second: 200.0, ..small() }).await;
    for _ in 0..500 {
        let records =
            [sim.truth("contacts").await, sim.truth("companies").await, sim.truth("deals").await].concat();
        let changed = records.iter().filter(|line| millis(&line["updatedAt"]) > 1_793_491_200_000).count();
        if changed > 60 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("no live changes came");
}

#[tokio::test]
async fn unknown_settings_and_calls_are_refused() {
    let sim = Sim::small().await;
    assert_eq!(sim.send("PATCH", "/_sim/settings", "{\"latency\":5}").await.status, 400);
    assert_eq!(sim.send("PATCH", "/_sim/settings", "{\"latencyMs\":\"5\"}").await.status, 400);
    for bad in [
        json!({ "faultRate": 1.5 }),
        json!({ "liveChangesPerSecond": -1 }),
        json!({ "liveChangesPerSecond": 1e9 }),
    ] {
        assert_eq!(sim.send("PATCH", "/_sim/settings", &bad.to_string()).await.status, 400, "{bad}");
    }
    assert_eq!(sim.get("/_sim/nothing").await.status, 404);
    let settings = sim.control("GET", "settings", &json!({})).await;
    assert_eq!(settings["latencyMs"], json!(0));
    assert_eq!(settings["otherAppsPer10Seconds"], json!(0));
}

#[tokio::test]
async fn a_definition_is_gone_for_good_at_once_with_its_values() {
    let sim = Sim::small().await;
    let has_city = async || {
        let truth = sim.truth("companies").await;
        truth.iter().any(|line| line["properties"].get("city").is_some())
    };
    assert!(has_city().await);
    sim.control("DELETE", "properties/companies/city", &json!({})).await;
    assert!(!has_city().await);
    for query in ["", "?archived=true"] {
        let path = format!("/crm/properties/2026-09/companies/city{query}");
        assert_eq!(sim.get(&path).await.status, 404, "{query}");
    }
    let page = sim.get("/crm/v3/objects/companies?properties=city,name").await.json();
    assert!(page["results"][0]["properties"].get("city").is_none());
    assert_eq!(sim.send("DELETE", "/_sim/properties/companies/city", "").await.status, 404);
    sim.control("PATCH", "properties/companies/city", &json!({ "label": "City again" })).await;
    assert!(!has_city().await, "a new property of the old name has no values");
}
