//! Object types a portal defines. Source: HubSpot, "Custom objects"; the lag of reads as seen live.

use std::collections::BTreeSet;

use hubspot_simulator::Config;
use serde_json::{Value, json};

use crate::harness::{Answer, Sim, number, small};

/// A small account with two types of its own.
fn with_boats() -> Config {
    Config { custom: vec![("boats".into(), 30), ("harbours".into(), 4)], ..small() }
}

/// Where definitions are read.
const SCHEMAS: &str = "/crm-object-schemas/2026-09/schemas";

/// Names of the types a list shows.
fn names(list: &Answer) -> Vec<String> {
    let results = list.json()["results"].as_array().cloned().unwrap_or_default();
    results.iter().map(|schema| schema["name"].as_str().expect("a name").to_owned()).collect()
}

/// The definition of a type.
async fn schema(sim: &Sim, name: &str) -> Value {
    sim.get(&format!("{SCHEMAS}/p62515_{name}")).await.json()
}

#[tokio::test]
async fn a_type_of_the_portal_answers_everywhere_to_its_id_and_its_full_name() {
    let sim = Sim::start(with_boats()).await;
    let boats = schema(&sim, "boats").await;
    let type_id = boats["objectTypeId"].as_str().unwrap().to_owned();
    assert!(type_id.starts_with("2-") && boats["fullyQualifiedName"] == "p62515_boats");
    let truth = sim.truth("p62515_boats").await;
    assert_eq!(truth.len(), 30);
    let ids: Vec<u64> = truth.iter().map(|line| number(&line["id"])).collect();
    let pipelines = format!("/crm/pipelines/2026-09/{type_id}");
    assert_eq!(sim.get(&pipelines).await.json()["results"].as_array().unwrap().len(), 2);
    for name in [type_id.as_str(), "p62515_boats", "P62515_Boats"] {
        assert_eq!(sim.get(&format!("/crm/objects/2026-09/{name}?limit=100")).await.ids(), ids, "{name}");
        assert_eq!(sim.search(name, json!({})).await.json()["total"], 30, "{name}");
        let body = json!({ "inputs": [{ "id": ids[3].to_string() }], "properties": ["serial_number"] });
        let read = sim.post(&format!("/crm/v3/objects/{name}/batch/read"), &body).await.json();
        assert_eq!(
            read["results"][0]["properties"]["serial_number"],
            truth[3]["properties"]["serial_number"]
        );
        assert_eq!(sim.get(&format!("/crm/properties/2026-09/{name}/serial_number")).await.status, 200);
        assert_eq!(sim.get(&format!("/crm/v4/associations/{name}/contacts/labels")).await.status, 200);
    }
}

#[tokio::test]
async fn a_bare_name_is_not_taken_for_a_type() {
    let sim = Sim::start(with_boats()).await;
    for path in [
        "/crm/objects/2026-09/boats",
        "/crm/properties/2026-09/boats",
        "/crm/pipelines/2026-09/boats",
        "/crm-object-schemas/2026-09/schemas/boats",
        "/crm/v4/associations/boats/contacts/labels",
        "/crm/objects/2026-09/contacts?associations=boats",
    ] {
        let answer = sim.get(path).await;
        let message = answer.json()["message"].clone();
        assert_eq!((answer.status, message.as_str()), (400, Some("Unable to infer object type from: boats")));
    }
}

#[tokio::test]
async fn records_of_the_portals_types_are_changed_archived_and_merged_like_others() {
    let sim = Sim::start(with_boats()).await;
    let before = sim.truth("p62515_boats").await;
    sim.control("POST", "mutate", &json!({ "type": "p62515_boats", "count": 30, "seed": 7 })).await;
    let after = sim.truth("p62515_boats").await;
    assert!(before.iter().zip(&after).all(|(old, new)| old["properties"] != new["properties"]));
    let id = |position: usize| after[position]["id"].as_str().unwrap();
    sim.control("DELETE", &format!("objects/p62515_boats/{}", id(0)), &json!({})).await;
    assert_eq!(sim.bin("p62515_boats").await.len(), 1);
    let body = json!({ "primaryObjectId": id(1), "objectIdToMerge": id(2) });
    let merged = sim.post("/crm/objects/2026-09/p62515_boats/merge", &body).await.json()["id"].clone();
    let survivor = sim.get(&format!("/crm/objects/2026-09/p62515_boats/{}", id(2))).await.json();
    assert_eq!(survivor["id"], merged);
}

#[tokio::test]
async fn the_definition_names_properties_labels_and_links_and_leaves_out_what_is_not_asked_for() {
    let sim = Sim::start(with_boats()).await;
    let boats = schema(&sim, "boats").await;
    assert_eq!(boats["primaryDisplayProperty"], "name");
    let shown = boats["properties"].as_array().unwrap();
    let names: BTreeSet<&str> = shown.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(["name", "serial_number", "hs_object_id", "hs_pipeline_stage"].iter().all(|n| names.contains(n)));
    let links = boats["associations"].as_array().unwrap();
    let type_ids: BTreeSet<[&str; 2]> = links
        .iter()
        .map(|link| ["fromObjectTypeId", "toObjectTypeId"].map(|side| link[side].as_str().unwrap()))
        .collect();
    let own = boats["objectTypeId"].as_str().unwrap();
    assert_eq!(type_ids, BTreeSet::from([[own, "0-1"], ["0-1", own], [own, "0-2"], ["0-2", own]]));
    let bare = format!("{SCHEMAS}?includePropertyDefinitions=false&includeAssociationDefinitions=false");
    let first = &sim.get(&bare).await.json()["results"][0];
    assert_eq!((&first["properties"], &first["associations"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn a_type_is_defined_over_the_api_changed_and_taken_out_of_use() {
    let sim = Sim::small().await;
    let body = json!({
        "name": "car",
        "labels": { "singular": "Car", "plural": "Cars" },
        "primaryDisplayProperty": "model",
        "searchableProperties": ["model"],
        "requiredProperties": ["model"],
        "properties": [
            { "name": "model", "label": "Model", "type": "string", "fieldType": "text" },
            { "name": "vin", "label": "VIN", "type": "string", "fieldType": "text", "hasUniqueValue": true },
            { "name": "doors", "label": "Doors", "type": "number", "fieldType": "number" },
        ],
        "associatedObjects": ["CONTACT"],
    });
    let created = sim.post(SCHEMAS, &body).await;
    assert_eq!((created.status, created.json()["labels"]["plural"].as_str()), (201, Some("Cars")));
    assert_eq!(sim.post(SCHEMAS, &body).await.status, 409);
    assert_eq!(sim.post(SCHEMAS, &json!({ "name": "no spaces" })).await.status, 400);
    assert_eq!(names(&sim.get(SCHEMAS).await), ["car"]);
    let record = json!({ "properties": { "model": "Roadster", "doors": 2 } });
    let made = sim.control("POST", "objects/p62515_car", &record).await["ids"][0].clone();
    let made = made.as_str().unwrap();
    assert_eq!(
        sim.search("p62515_car", json!({ "query": "roads" })).await.ids(),
        [made.parse::<u64>().unwrap()]
    );
    let one = format!("{SCHEMAS}/p62515_car");
    let patch = json!({ "labels": { "singular": "Auto", "plural": "Autos" } }).to_string();
    assert_eq!(sim.send("PATCH", &one, &patch).await.json()["labels"]["singular"], "Auto");
    assert_eq!(sim.send("DELETE", &one, "").await.status, 400, "it has a record");
    sim.control("DELETE", &format!("objects/p62515_car/{made}"), &json!({})).await;
    assert_eq!(sim.send("DELETE", &one, "").await.status, 204);
    assert_eq!(sim.get("/crm/objects/2026-09/p62515_car").await.status, 400);
    assert!(names(&sim.get(SCHEMAS).await).is_empty());
    assert_eq!(sim.send("PATCH", &format!("{SCHEMAS}/0-1"), &patch).await.status, 400);
}

#[tokio::test]
async fn the_list_of_archived_types_shows_those_in_use_as_well() {
    let sim = Sim::start(with_boats()).await;
    let made = sim.control("POST", "schemas", &json!({ "name": "old" })).await;
    let one = format!("{SCHEMAS}/{}", made["objectTypeId"].as_str().unwrap());
    assert_eq!(sim.send("DELETE", &one, "").await.status, 204);
    let list = sim.get(&format!("{SCHEMAS}?archived=true")).await.json();
    let flags: Vec<bool> =
        list["results"].as_array().unwrap().iter().map(|one| one["archived"].as_bool().unwrap()).collect();
    assert_eq!(flags, [false, false, true]);
    assert_eq!(names(&sim.get(SCHEMAS).await), ["boats", "harbours"]);
}

#[tokio::test]
async fn reads_of_a_definition_lag_behind_its_changes_for_as_long_as_set() {
    const READS: usize = 60;
    let sim = Sim::start(with_boats()).await;
    sim.set(json!({ "schemaLagMs": 60_000 })).await;
    let body = json!({ "labels": { "singular": "Ship", "plural": "Ships" } }).to_string();
    sim.send("PATCH", &format!("{SCHEMAS}/p62515_boats"), &body).await;
    sim.control("POST", "schemas", &json!({ "name": "cranes", "count": 3 })).await;
    let (mut labels, mut lists, mut statuses) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for _ in 0..READS {
        labels.insert(schema(&sim, "boats").await["labels"]["singular"].to_string());
        statuses.insert(sim.get(&format!("{SCHEMAS}/p62515_cranes")).await.status);
        lists.insert(names(&sim.get(SCHEMAS).await));
    }
    assert_eq!(labels, BTreeSet::from(["\"Ship\"".to_owned(), "\"boats\"".to_owned()]));
    assert_eq!(statuses, BTreeSet::from([200, 404]));
    let both = ["boats", "harbours"].map(str::to_owned).to_vec();
    assert_eq!(lists, BTreeSet::from([both, vec!["harbours".to_owned()]]), "old, or not at all");
    assert_eq!(sim.truth("p62515_cranes").await.len(), 3, "only definitions lag");
    sim.control("POST", "clock/advance", &json!({ "ms": 60_000 })).await;
    for _ in 0..READS {
        assert_eq!(schema(&sim, "boats").await["labels"]["singular"], "Ship");
        assert_eq!(names(&sim.get(SCHEMAS).await), ["boats", "harbours", "cranes"]);
    }
}

#[tokio::test]
async fn a_type_without_pipelines_has_neither_pipelines_nor_properties_for_them() {
    let sim = Sim::small().await;
    sim.control("POST", "schemas", &json!({ "name": "plain", "count": 2, "hasPipelines": false })).await;
    let pipelines = sim.get("/crm/pipelines/2026-09/p62515_plain").await;
    assert_eq!((pipelines.status, &pipelines.json()["results"]), (200, &json!([])));
    assert_eq!(sim.get("/crm/properties/2026-09/p62515_plain/hs_pipeline").await.status, 404);
}

#[tokio::test]
async fn records_of_the_portals_types_are_linked_to_any_other() {
    let sim = Sim::start(with_boats()).await;
    let [boat, other] = [0, 1].map(|position| (position, "p62515_boats"));
    let id = async |(position, name): (usize, &str)| {
        sim.truth(name).await[position]["id"].as_str().unwrap().to_owned()
    };
    let (boat, other) = (id(boat).await, id(other).await);
    for target in ["contacts", "deals", "line_items", "p62515_harbours", "p62515_boats"] {
        let to = match target {
            "p62515_boats" => other.clone(),
            "line_items" => {
                let made = sim.control("POST", "objects/line_items", &json!({})).await;
                made["ids"][0].as_str().unwrap().to_owned()
            }
            _ => id((0, target)).await,
        };
        let path = format!("/crm/objects/2026-09/p62515_boats/{boat}/associations/default/{target}/{to}");
        let made = sim.send("PUT", &path, "").await;
        let spec = made.json()["results"][0]["associationSpec"].clone();
        assert_eq!((made.status, spec["associationCategory"].as_str()), (200, Some("USER_DEFINED")));
        let read = json!({ "inputs": [{ "id": to }] });
        let back = sim.post(&format!("/crm/v4/associations/{target}/p62515_boats/batch/read"), &read).await;
        let shown = &back.json()["results"][0]["to"][0];
        assert_eq!((back.status, shown["toObjectId"].as_u64()), (200, boat.parse().ok()), "{target}");
        assert_eq!(shown["associationTypes"][0]["label"], Value::Null);
    }
}

#[tokio::test]
async fn without_their_scope_the_portals_types_are_refused_with_its_name() {
    let sim = Sim::start(with_boats()).await;
    sim.set(json!({ "deniedTypes": ["custom"] })).await;
    for path in ["/crm/objects/2026-09/p62515_boats", SCHEMAS] {
        let answer = sim.get(path).await;
        let scope = answer.json()["errors"][0]["context"]["requiredGranularScopes"][0].clone();
        assert_eq!(answer.status, 403, "{path}");
        assert!(scope.as_str().unwrap().ends_with(".custom.read"), "{scope}");
    }
    sim.set(json!({ "deniedTypes": ["p62515_boats"] })).await;
    assert_eq!(sim.get("/crm/objects/2026-09/p62515_boats").await.status, 403);
    assert_eq!(sim.get("/crm/objects/2026-09/p62515_harbours").await.status, 200);
}

#[tokio::test]
async fn the_portals_types_and_their_records_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { state: Some(directory.path().join("state.jsonl")), ..with_boats() };
    let sim = Sim::start(config.clone()).await;
    sim.control("POST", "schemas", &json!({ "name": "cranes", "count": 5 })).await;
    sim.control("POST", "mutate", &json!({ "type": "p62515_cranes", "count": 2, "seed": 1 })).await;
    sim.control("POST", "mutate", &json!({ "type": "p62515_boats", "count": 9, "seed": 2 })).await;
    let (boat, crane) = (
        sim.truth("p62515_boats").await[0]["id"].as_str().unwrap().to_owned(),
        sim.truth("p62515_cranes").await[0]["id"].as_str().unwrap().to_owned(),
    );
    sim.control("PUT", &format!("associations/p62515_cranes/{crane}/p62515_boats/{boat}"), &json!({})).await;
    let everything = async |sim: &Sim| {
        let links = sim.get("/_sim/associations/p62515_boats/p62515_cranes").await.text();
        let list = sim.get(SCHEMAS).await.json();
        (sim.truth("p62515_boats").await, sim.truth("p62515_cranes").await, links, list)
    };
    let before = everything(&sim).await;
    assert_eq!((before.1.len(), before.2.lines().count()), (5, 1));
    sim.server.stop().await;
    for _ in 0..2 {
        let sim = Sim::start(config.clone()).await;
        assert_eq!(everything(&sim).await, before);
        sim.server.stop().await;
    }
    let without = Config { custom: Vec::new(), ..config };
    assert!(hubspot_simulator::Server::start(without).await.is_err(), "a file of another account");
}
