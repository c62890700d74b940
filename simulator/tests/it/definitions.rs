//! Definitions that change. Source: HubSpot, "Properties", "Pipelines"; deletions in use as seen live.

use std::collections::BTreeSet;

use hubspot_simulator::Config;
use hubspot_simulator::object_type::Kind;
use serde_json::{Value, json};

use crate::harness::{Sim, millis, small};

#[tokio::test]
async fn a_property_is_made_retyped_archived_and_revived_with_the_new_type() {
    let sim = Sim::small().await;
    let path = "/crm/properties/2026-09/contacts";
    let body = json!({ "name": "shoe_size", "label": "Shoe size", "type": "number", "fieldType": "number",
                       "groupName": "contactinformation" });
    assert_eq!(sim.post(path, &body).await.status, 201);
    let again = sim.post(path, &body).await;
    assert_eq!((again.status, again.json()["category"].as_str()), (409, Some("OBJECT_ALREADY_EXISTS")));
    let id = sim.truth("contacts").await[0]["id"].as_str().unwrap().to_owned();
    let values = json!({ "properties": { "shoe_size": "43" } });
    sim.control("PATCH", &format!("objects/contacts/{id}"), &values).await;
    let one = format!("{path}/shoe_size");
    let retyped =
        sim.send("PATCH", &one, &json!({ "type": "string", "fieldType": "text" }).to_string()).await;
    assert_eq!((retyped.status, retyped.json()["type"].as_str()), (200, Some("string")));
    assert_eq!(sim.send("DELETE", &one, "").await.status, 204);
    assert_eq!(sim.get(&one).await.status, 404);
    let archived = sim.get(&format!("{path}?archived=true")).await.json();
    assert_eq!(archived["results"][0]["name"], "shoe_size");
    assert_eq!(sim.truth("contacts").await[0]["properties"]["shoe_size"], Value::Null);
    let revived = json!({ "name": "shoe_size", "type": "enumeration", "fieldType": "select",
                          "options": [{ "label": "43", "value": "43" }] });
    assert_eq!(sim.post(path, &revived).await.status, 201);
    assert_eq!(sim.get(&one).await.json()["type"], "enumeration");
    assert_eq!(sim.truth("contacts").await[0]["properties"]["shoe_size"], "43", "values come back");
    assert_eq!(sim.send("PATCH", &format!("{path}/nothing"), "{}").await.status, 404);
    assert_eq!(sim.send("DELETE", &format!("{path}/country"), "").await.status, 400);
}

#[tokio::test]
async fn an_archived_property_is_gone_with_its_values_after_ninety_days() {
    const DAY: u64 = 86_400_000;
    let directory = tempfile::tempdir().unwrap();
    let config = Config { state: Some(directory.path().join("state.jsonl")), ..small() };
    let sim = Sim::start(config.clone()).await;
    let path = "/crm/properties/2026-09/contacts";
    let archived = async |sim: &Sim| {
        let list = sim.get(&format!("{path}?archived=true")).await.json();
        list["results"].as_array().unwrap().len()
    };
    let id = sim.truth("contacts").await[0]["id"].as_str().unwrap().to_owned();
    let value = json!({ "properties": { "loyalty_points": "43" } });
    sim.control("PATCH", &format!("objects/contacts/{id}"), &value).await;
    let one = format!("{path}/loyalty_points");
    assert_eq!(sim.send("DELETE", &one, "").await.status, 204);
    let shown = sim.get(&format!("{one}?archived=true")).await.json();
    assert!(shown["archivedAt"].is_string());
    sim.control("POST", "clock/advance", &json!({ "ms": 89 * DAY })).await;
    assert_eq!(archived(&sim).await, 1);
    sim.control("POST", "clock/advance", &json!({ "ms": 2 * DAY })).await;
    assert_eq!((archived(&sim).await, sim.get(&format!("{one}?archived=true")).await.status), (0, 404));
    let again =
        json!({ "name": "loyalty_points", "type": "number", "fieldType": "number", "label": "Again" });
    sim.server.stop().await;
    let sim = Sim::start(config.clone()).await;
    assert_eq!(archived(&sim).await, 0, "also after a restart");
    assert_eq!(sim.post(path, &again).await.status, 201);
    let is_empty = async |sim: &Sim| {
        let truth = sim.truth("contacts").await;
        truth.iter().all(|line| line["properties"]["loyalty_points"] == Value::Null)
    };
    assert!(is_empty(&sim).await, "a new property of the old name has no values");
    sim.server.stop().await;
    let sim = Sim::start(config).await;
    assert!(is_empty(&sim).await && sim.get(&one).await.json()["label"] == "Again");
}

#[tokio::test]
async fn recalculation_changes_calculated_values_and_nothing_else() {
    let sim = Sim::small().await;
    let catalogue = sim.get("/crm/v3/properties/deals").await.json();
    let is_calculated = |name: &str| {
        let found = catalogue["results"].as_array().unwrap().iter().find(|one| one["name"] == name);
        found.unwrap()["fieldType"].as_str().unwrap().starts_with("calculation")
    };
    let before = sim.truth("deals").await;
    let done = sim.control("POST", "recalculate", &json!({ "type": "deals", "count": 25, "seed": 3 })).await;
    let after = sim.truth("deals").await;
    let mut changed = 0;
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(old["updatedAt"], new["updatedAt"]);
        let (old, new) = (old["properties"].as_object().unwrap(), new["properties"].as_object().unwrap());
        let differing = new.iter().filter(|(name, value)| old.get(*name) != Some(value));
        for (name, _) in differing {
            assert!(is_calculated(name), "{name}");
            changed += 1;
        }
    }
    assert_eq!((changed, done["ids"].as_array().unwrap().len()), (25, 25));
}

/// The stages of the default deal pipeline.
async fn stages(sim: &Sim) -> Vec<Value> {
    let mut stages =
        sim.get("/crm/v3/pipelines/deals/default").await.json()["stages"].as_array().expect("a list").clone();
    stages.sort_by_key(|stage| stage["displayOrder"].as_i64());
    stages
}

#[tokio::test]
async fn a_stage_in_use_is_not_deleted_and_an_empty_one_is_gone_for_good() {
    let sim = Sim::small().await;
    let path = "/crm/pipelines/2026-09/deals/default/stages/qualifiedtobuy";
    let moved = json!({ "properties": { "dealstage": "closedwon" } });
    let in_stage: Vec<String> = sim
        .truth("deals")
        .await
        .iter()
        .filter(|line| line["properties"]["dealstage"] == "qualifiedtobuy")
        .map(|line| line["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(!in_stage.is_empty());
    let refused = sim.send("DELETE", path, "").await;
    assert_eq!((refused.status, refused.json()["category"].as_str()), (400, Some("STAGE_ID_IN_USE")));
    assert_eq!(refused.json()["context"]["objectIds"], json!(in_stage));
    for id in in_stage {
        sim.control("PATCH", &format!("objects/deals/{id}"), &moved).await;
    }
    assert_eq!(sim.send("DELETE", path, "").await.status, 204);
    assert!(stages(&sim).await.iter().all(|stage| stage["id"] != "qualifiedtobuy"));
    assert_eq!(sim.send("DELETE", path, "").await.status, 204, "what is gone is deleted again");
}

#[tokio::test]
async fn stages_and_pipelines_are_renamed_and_reordered_and_their_times_move() {
    let sim = Sim::small().await;
    let before = stages(&sim).await;
    let path = "/crm/pipelines/2026-09/deals/default";
    let body = json!({ "label": "Sent", "displayOrder": 0, "metadata": { "probability": "0.50" } });
    let last = before[4]["id"].as_str().unwrap();
    assert_eq!(sim.send("PATCH", &format!("{path}/stages/{last}"), &body.to_string()).await.status, 200);
    let after = stages(&sim).await;
    assert_eq!(after[0]["id"], before[4]["id"]);
    assert_eq!(after[0]["label"], "Sent");
    assert_eq!(after[0]["metadata"]["probability"], "0.5");
    let orders: Vec<i64> = after.iter().map(|stage| stage["displayOrder"].as_i64().unwrap()).collect();
    assert_eq!(orders, (0..7).collect::<Vec<_>>(), "no two share a place");
    assert!(after.iter().all(|stage| millis(&stage["updatedAt"]) > millis(&before[0]["updatedAt"])));
    let renamed = sim.send("PATCH", path, &json!({ "label": "Renamed" }).to_string()).await;
    assert_eq!((renamed.status, renamed.json()["label"].as_str()), (200, Some("Renamed")));
    assert_eq!(sim.send("DELETE", "/crm/pipelines/2026-09/tickets/0", "").await.status, 400, "in use");
    let bad = json!({ "metadata": { "probability": "7" } });
    assert_eq!(sim.send("PATCH", &format!("{path}/stages/{last}"), &bad.to_string()).await.status, 400);
}

#[tokio::test]
async fn pipelines_and_stages_are_made_replaced_and_keep_the_ids_they_are_given() {
    let sim = Sim::start(Config { objects: vec![(Kind::LEAD, 20)], ..small() }).await;
    let path = "/crm/pipelines/2026-09/deals";
    let stage = |id: &str, order: i64| json!({ "stageId": id, "label": id, "displayOrder": order, "metadata": { "probability": "0.50" } });
    let body =
        json!({ "pipelineId": "mine", "label": "Mine", "displayOrder": 0, "stages": [stage("one", 0)] });
    assert_eq!(sim.post(path, &body).await.status, 201);
    assert_eq!(sim.post(path, &body).await.status, 409);
    let all = sim.get(path).await.json();
    let orders: BTreeSet<i64> =
        all["results"].as_array().unwrap().iter().map(|one| one["displayOrder"].as_i64().unwrap()).collect();
    assert_eq!(orders, (0..4).collect(), "no two share a place");
    let added = sim.post(&format!("{path}/mine/stages"), &stage("two", 0)).await;
    assert_eq!((added.status, added.json()["metadata"]["probability"].as_str()), (201, Some("0.5")));
    let unlikely = json!({ "label": "None", "displayOrder": 3 });
    assert_eq!(sim.post(&format!("{path}/mine/stages"), &unlikely).await.status, 400);
    let nameless = json!({ "label": "x", "metadata": { "probability": "1" } });
    let made = sim.post(&format!("{path}/mine/stages"), &nameless).await.json();
    assert!(made["id"].as_str().unwrap().parse::<u64>().is_ok() && made["metadata"]["isClosed"] == "true");
    let long = json!({ "pipelineId": "x".repeat(37), "label": "Long" });
    assert_eq!(sim.post(path, &long).await.status, 500);
    let body = json!({ "label": "Yours", "displayOrder": 9, "stages": [stage("two", 1), stage("three", 0)] });
    let replaced = sim.send("PUT", &format!("{path}/mine"), &body.to_string()).await;
    assert_eq!(replaced.status, 200);
    let stages: BTreeSet<String> = replaced.json()["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| stage["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(stages, BTreeSet::from(["two".to_owned(), "three".to_owned()]));
    let emptied = json!({ "label": "Empty", "displayOrder": 0, "stages": [] }).to_string();
    let refused = sim.send("PUT", "/crm/pipelines/2026-09/leads/lead-pipeline-id", &emptied).await;
    assert_eq!((refused.status, refused.json()["category"].as_str()), (400, Some("STAGE_ID_IN_USE")));
}

#[tokio::test]
async fn every_type_with_pipelines_has_its_records_in_their_stages() {
    let kinds = [Kind::LEAD, Kind::ORDER, Kind::SERVICE, Kind::COURSE, Kind::LISTING, Kind::APPOINTMENT];
    let sim = Sim::start(Config {
        objects: kinds.map(|kind| (kind, 40)).to_vec(),
        custom: vec![("boats".into(), 40)],
        ..small()
    })
    .await;
    let names = ["leads", "orders", "services", "courses", "listings", "appointments", "tickets"];
    for name in names.into_iter().chain(["p62515_boats"]) {
        let pipelines = sim.get(&format!("/crm/pipelines/2026-09/{name}")).await.json();
        let pipelines = pipelines["results"].as_array().unwrap();
        assert!(!pipelines.is_empty(), "{name}");
        for line in sim.truth(name).await {
            let values = &line["properties"];
            let own = pipelines.iter().find(|one| one["id"] == values["hs_pipeline"]).unwrap();
            let stages = own["stages"].as_array().unwrap();
            assert!(stages.iter().any(|stage| stage["id"] == values["hs_pipeline_stage"]), "{name}");
        }
    }
}
