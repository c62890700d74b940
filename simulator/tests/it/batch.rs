//! Rules of batch reads. Source: HubSpot, "Using object APIs", "Handling errors".

use serde_json::{Value, json};

use crate::harness::{Sim, number};

/// The path of contact batch reads.
const READ: &str = "/crm/objects/2026-09/contacts/batch/read";

/// Inputs of these ids.
fn inputs(ids: &[u64]) -> Value {
    ids.iter().map(|id| json!({ "id": id.to_string() })).collect()
}

#[tokio::test]
async fn all_asked_records_come_back_in_another_order() {
    let sim = Sim::small().await;
    let ids = sim.get("/crm/v3/objects/contacts?limit=100").await.ids();
    let answer = sim.post(READ, &json!({ "properties": ["city"], "inputs": inputs(&ids) })).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["status"], "COMPLETE");
    assert!(body["startedAt"].is_string() && body["completedAt"].is_string());
    let mut found = answer.ids();
    assert_ne!(found, ids);
    found.sort_unstable();
    assert_eq!(found, ids);
    sim.set(json!({ "shuffleBatches": false })).await;
    assert_eq!(sim.post(READ, &json!({ "inputs": inputs(&ids) })).await.ids(), ids);
}

#[tokio::test]
async fn unknown_and_archived_ids_make_a_207_with_one_error_for_all() {
    let sim = Sim::small().await;
    let ids = sim.get("/crm/v3/objects/contacts?limit=2").await.ids();
    sim.control("DELETE", &format!("objects/contacts/{}", ids[1]), &json!({})).await;
    let answer = sim.post(READ, &json!({ "inputs": inputs(&[512, ids[0], ids[1]]) })).await;
    assert_eq!(answer.status, 207);
    assert_eq!(answer.ids(), [ids[0]]);
    let body = answer.json();
    assert_eq!(body["numErrors"], json!(1));
    assert_eq!(body["errors"][0]["category"], "OBJECT_NOT_FOUND");
    assert_eq!(
        body["errors"][0]["message"],
        "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."
    );
    assert_eq!(body["errors"][0]["context"]["ids"], json!(["512", ids[1].to_string()]));
    let archived = sim.post(&format!("{READ}?archived=true"), &json!({ "inputs": inputs(&ids) })).await;
    assert_eq!((archived.status, archived.ids()), (207, vec![ids[1]]));
}

#[tokio::test]
async fn more_than_a_hundred_inputs_are_refused_and_fifty_with_history() {
    let sim = Sim::small().await;
    let ids: Vec<u64> =
        sim.list_all("contacts", "").await.iter().map(|record| number(&record["id"])).collect();
    let refused = sim.post(READ, &json!({ "inputs": inputs(&ids[..101]) })).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json()["message"],
        "The maximum number of inputs supported in a batch is 100. Please reduce the number of items and try again"
    );
    assert_eq!(refused.json()["category"], "VALIDATION_ERROR");
    let with_history =
        |count: usize| json!({ "propertiesWithHistory": ["city"], "inputs": inputs(&ids[..count]) });
    assert_eq!(sim.post(READ, &with_history(50)).await.status, 200);
    let refused = sim.post(READ, &with_history(51)).await;
    assert!(refused.json()["message"].as_str().unwrap().contains("property histories is 50"));
}

#[tokio::test]
async fn one_id_twice_is_refused() {
    let sim = Sim::small().await;
    let id = sim.get("/crm/v3/objects/contacts?limit=1").await.ids()[0];
    let answer = sim.post(READ, &json!({ "inputs": inputs(&[id, id]) })).await;
    assert_eq!(answer.status, 400);
    let body = answer.json();
    assert_eq!(body["message"], format!("Duplicate IDs found in batch input: [{id}]. IDs must be unique"));
    assert_eq!(body["context"]["ids"], json!([id.to_string()]));
}

#[tokio::test]
async fn records_are_read_by_address_and_ids_may_be_numbers() {
    let sim = Sim::small().await;
    let records = sim.list_all("contacts", "").await;
    let record = records.iter().find(|record| record["properties"]["email"].is_string()).unwrap();
    let by_email = json!({ "idProperty": "email", "inputs": [{ "id": record["properties"]["email"] }] });
    assert_eq!(sim.post(READ, &by_email).await.json()["results"][0]["id"], record["id"]);
    let by_number = json!({ "inputs": [{ "id": number(&record["id"]) }] });
    assert_eq!(sim.post(READ, &by_number).await.json()["results"][0]["id"], record["id"]);
}

#[tokio::test]
async fn bodies_that_say_too_little_are_refused_with_the_place() {
    let sim = Sim::small().await;
    for (body, end) in [("{}", "[inputs]"), (r#"{"inputs":[{}]}"#, "[id]")] {
        let answer = sim.send("POST", READ, body).await;
        assert_eq!(answer.status, 400);
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.ends_with(&format!("Some required fields were not set: {end}")), "{message}");
    }
    let message =
        sim.send("POST", READ, "{\n\"inputs\": x}").await.json()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("Invalid input JSON on line 2, column "), "{message}");
}
