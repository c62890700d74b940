//! Changes kept over restarts.

use std::path::Path;

use hubspot_simulator::{Config, Server};
use serde_json::{Value, json};

use crate::harness::{Sim, small};

/// A small account that keeps its changes.
fn keeping(path: &Path) -> Config {
    Config { state: Some(path.to_owned()), ..small() }
}

/// Everything a reader can see.
async fn everything(sim: &Sim) -> Vec<Value> {
    let mut all = Vec::new();
    for plural in ["contacts", "companies", "deals", "tickets"] {
        all.extend(sim.truth(plural).await);
        all.extend(sim.bin(plural).await);
        all.push(sim.get(&format!("/crm/v3/properties/{plural}")).await.json());
        all.push(sim.get(&format!("/crm/v3/pipelines/{plural}")).await.json());
    }
    all.push(sim.get("/crm/v3/owners").await.json());
    all
}

#[tokio::test]
async fn a_restarted_simulator_continues_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.jsonl");
    let sim = Sim::start(keeping(&path)).await;
    let ids = sim.get("/crm/v3/objects/contacts?limit=5").await.ids();
    sim.control("POST", "mutate", &json!({ "type": "contacts", "count": 20 })).await;
    sim.control("POST", "objects/companies", &json!({ "count": 2 })).await;
    sim.control("DELETE", &format!("objects/contacts/{}", ids[0]), &json!({})).await;
    sim.control("POST", &format!("objects/contacts/{}/purge", ids[1]), &json!({})).await;
    let merge = json!({ "primaryObjectId": ids[2].to_string(), "objectIdToMerge": ids[3].to_string() });
    sim.control("POST", "objects/contacts/merge", &merge).await;
    sim.control("PATCH", "properties/deals/extra", &json!({ "label": "Extra" })).await;
    sim.control("POST", "owners", &json!({})).await;
    let mut pipelines = sim.control("GET", "pipelines/deals", &json!({})).await["pipelines"].clone();
    pipelines[1]["label"] = json!("Renamed");
    sim.control("PUT", "pipelines/deals", &json!({ "pipelines": pipelines })).await;
    let before = everything(&sim).await;
    sim.server.stop().await;

    for _ in 0..2 {
        // The second start reads the file the first one has rewritten.
        let sim = Sim::start(keeping(&path)).await;
        assert_eq!(everything(&sim).await, before);
        sim.server.stop().await;
    }
    let sim = Sim::start(keeping(&path)).await;
    let new = sim.control("POST", "objects/companies", &json!({})).await["ids"][0].clone();
    let known: Vec<&Value> = before.iter().map(|line| &line["id"]).collect();
    assert!(!known.contains(&&new), "ids are never given out twice");
}

#[tokio::test]
async fn a_torn_last_line_loses_only_the_change_it_was_about() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.jsonl");
    let sim = Sim::start(keeping(&path)).await;
    sim.control("POST", "touch", &json!({ "type": "deals", "count": 3 })).await;
    let before = everything(&sim).await;
    sim.server.stop().await;
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"kind\":\"record\",\"objectT");
    std::fs::write(&path, text).unwrap();
    let sim = Sim::start(keeping(&path)).await;
    assert_eq!(everything(&sim).await, before);
}

#[tokio::test]
async fn a_file_of_another_account_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.jsonl");
    Sim::start(keeping(&path)).await.server.stop().await;
    let error = Server::start(Config { seed: 1, ..keeping(&path) }).await.unwrap_err();
    assert!(error.to_string().contains("another seed"), "{error:#}");
}
