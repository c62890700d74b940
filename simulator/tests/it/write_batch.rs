//! Rules of writing many records at once. Source: HubSpot, "Handling errors", "Contacts".

use serde_json::{Value, json};

use crate::harness::{Answer, Sim, number};
use crate::write::{create, truth_of};

/// Sends a batch.
async fn batch(sim: &Sim, plural: &str, what: &str, inputs: Value) -> Answer {
    let path = format!("/crm/objects/2026-09/{plural}/batch/{what}");
    sim.post(&path, &json!({ "inputs": inputs })).await
}

/// New contacts with these addresses, each named after its address when `traced`.
fn contacts(emails: &[&str], traced: bool) -> Value {
    let input = |email: &&str| {
        let mut input = json!({ "properties": { "email": email, "city": "Riga" } });
        if traced {
            input["objectWriteTraceId"] = json!(email);
        }
        input
    };
    emails.iter().map(input).collect()
}

#[tokio::test]
async fn new_records_come_back_in_another_order_with_their_trace_ids() {
    let sim = Sim::small().await;
    let emails: Vec<String> = (0..100).map(|number| format!("p{number}@batch.test")).collect();
    let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
    let answer = batch(&sim, "contacts", "create", contacts(&emails, true)).await;
    assert_eq!(answer.status, 201);
    let body = answer.json();
    let results = body["results"].as_array().unwrap();
    let order: Vec<&str> = results.iter().map(|one| one["objectWriteTraceId"].as_str().unwrap()).collect();
    assert!(results.iter().all(|one| one["properties"]["email"] == one["objectWriteTraceId"]));
    assert_ne!(order, emails);
    assert_eq!((results.len(), body["status"].as_str()), (100, Some("COMPLETE")));
    assert!(body["startedAt"].is_string() && body["completedAt"].is_string());
}

#[tokio::test]
async fn without_trace_ids_one_bad_row_refuses_all_and_with_them_only_itself() {
    let sim = Sim::small().await;
    let taken = create(&sim, "contacts", json!({ "email": "taken@batch.test" })).await["id"].clone();
    let before = sim.truth("contacts").await.len();
    let emails = ["one@batch.test", "Taken@batch.test", "a@b.c", "two@batch.test"];
    let refused = batch(&sim, "contacts", "create", contacts(&emails[..2], false)).await;
    assert_eq!(refused.status, 409);
    let message = format!("Contact already exists. Existing ID: {}", taken.as_str().unwrap());
    assert_eq!(
        (&refused.json()["message"], &refused.json()["category"]),
        (&json!(message), &json!("CONFLICT"))
    );
    let invalid = batch(&sim, "contacts", "create", contacts(&[emails[0], emails[2]], false)).await;
    assert_eq!((invalid.status, invalid.json()["category"].as_str()), (400, Some("VALIDATION_ERROR")));
    assert_eq!(sim.truth("contacts").await.len(), before, "nothing was written");

    let partly = batch(&sim, "contacts", "create", contacts(&emails, true)).await;
    assert_eq!(partly.status, 207);
    let body = partly.json();
    assert_eq!((body["results"].as_array().unwrap().len(), &body["numErrors"]), (2, &json!(2)));
    let errors = body["errors"].as_array().unwrap();
    assert_eq!(errors[0]["context"]["objectWriteTraceId"], json!([emails[1]]));
    assert_eq!((&errors[0]["category"], &errors[0]["message"]), (&json!("CONFLICT"), &json!(message)));
    assert_eq!(errors[1]["context"]["objectWriteTraceId"], json!([emails[2]]));
    assert_eq!(errors[1]["errors"][0]["code"], "INVALID_EMAIL");
    assert_eq!(sim.truth("contacts").await.len(), before + 2);
}

#[tokio::test]
async fn trace_ids_that_repeat_or_are_incomplete_do_not_help() {
    let sim = Sim::small().await;
    let mut inputs = contacts(&["one@batch.test", "a@b.c"], true);
    inputs[1]["objectWriteTraceId"] = inputs[0]["objectWriteTraceId"].clone();
    assert_eq!(batch(&sim, "contacts", "create", inputs.clone()).await.status, 400);
    inputs[1]["objectWriteTraceId"] = Value::Null;
    assert_eq!(batch(&sim, "contacts", "create", inputs).await.status, 400);
}

#[tokio::test]
async fn two_new_records_of_one_batch_cannot_share_an_address() {
    let sim = Sim::small().await;
    let emails = ["same@batch.test", "SAME@batch.test"];
    let refused = batch(&sim, "contacts", "create", contacts(&emails, false)).await;
    assert_eq!((refused.status, refused.json()["message"].as_str()), (409, Some("Contact already exists")));
    let partly = batch(&sim, "contacts", "create", contacts(&emails, true)).await;
    assert_eq!((partly.status, partly.ids().len()), (207, 1));
}

#[tokio::test]
async fn updates_change_what_exists_and_report_the_rest_in_one_error() {
    let sim = Sim::small().await;
    let ids = sim.get("/crm/v3/objects/deals?limit=4").await.ids();
    let body = json!({ "primaryObjectId": ids[2].to_string(), "objectIdToMerge": ids[3].to_string() });
    assert_eq!(sim.post("/crm/objects/2026-09/deals/merge", &body).await.status, 200);
    let input = |id: u64| json!({ "id": id.to_string(), "properties": { "amount": "7.50" } });
    let inputs = json!([input(ids[0]), input(512), input(ids[1]), input(ids[3])]);
    let answer = batch(&sim, "deals", "update", inputs).await;
    assert_eq!(answer.status, 207);
    let mut found = answer.ids();
    found.sort_unstable();
    assert_eq!(found, ids[..2]);
    let body = answer.json();
    assert_eq!(body["errors"][0]["category"], "OBJECT_NOT_FOUND");
    assert_eq!(
        body["errors"][0]["context"]["ids"],
        json!(["512", ids[3].to_string()]),
        "merged away ids fail"
    );
    let truth = truth_of(&sim, "deals", &json!(ids[1].to_string())).await;
    assert_eq!(truth["properties"]["amount"], "7.5");
}

#[tokio::test]
async fn updates_find_records_by_address() {
    let sim = Sim::small().await;
    let id = create(&sim, "contacts", json!({ "email": "find@batch.test" })).await["id"].clone();
    let inputs = json!([
        { "id": "Find@batch.test", "idProperty": "email", "properties": { "city": "Nice" }, "objectWriteTraceId": "a" },
        { "id": "none@batch.test", "idProperty": "email", "properties": { "city": "Nice" }, "objectWriteTraceId": "b" },
    ]);
    let answer = batch(&sim, "contacts", "update", inputs).await;
    assert_eq!((answer.status, answer.ids()), (207, vec![number(&id)]));
    assert_eq!(answer.json()["results"][0]["objectWriteTraceId"], "a");
    assert_eq!(answer.json()["errors"][0]["context"]["objectWriteTraceId"], json!(["b"]));
    let refused = batch(
        &sim,
        "contacts",
        "update",
        json!([
            { "id": "x", "idProperty": "city", "properties": {} },
        ]),
    )
    .await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["message"], "Unable to perform update/upsert by non-unique 0-1 property city");
}

#[tokio::test]
async fn upserts_say_what_is_new_and_write_the_value_they_look_for() {
    let sim = Sim::small().await;
    let known = create(&sim, "contacts", json!({ "email": "known@batch.test" })).await["id"].clone();
    let input = |email: &str| json!({ "id": email, "idProperty": "email", "properties": { "city": "Graz" }, "objectWriteTraceId": email });
    let answer =
        batch(&sim, "contacts", "upsert", json!([input("KNOWN@batch.test"), input("fresh@batch.test")]));
    let answer = answer.await;
    assert_eq!(answer.status, 200);
    for result in answer.json()["results"].as_array().unwrap() {
        let is_known = result["id"] == known;
        assert_eq!(result["new"], json!(!is_known));
        let email = if is_known { "known@batch.test" } else { "fresh@batch.test" };
        assert_eq!(truth_of(&sim, "contacts", &result["id"]).await["properties"]["email"], email);
    }
    let twice =
        batch(&sim, "contacts", "upsert", json!([input("x@batch.test"), input("X@batch.test")])).await;
    assert_eq!(
        twice.json()["message"],
        "Duplicate IDs found in batch input: [x@batch.test]. IDs must be unique"
    );
    let unnamed =
        batch(&sim, "contacts", "upsert", json!([{ "id": "x@batch.test", "properties": {} }])).await;
    assert_eq!((unnamed.status, unnamed.json()["message"].as_str()), (404, Some("resource not found")));
    let by_number =
        json!([{ "id": "C-9", "idProperty": "customer_number", "properties": { "city": "Linz" } }]);
    let first = batch(&sim, "contacts", "upsert", by_number.clone()).await.json()["results"][0].clone();
    let second = batch(&sim, "contacts", "upsert", by_number).await.json()["results"][0].clone();
    assert_eq!((&first["new"], &second["new"], &first["id"]), (&json!(true), &json!(false), &second["id"]));
}

#[tokio::test]
async fn archives_are_answered_alike_whatever_the_ids() {
    let sim = Sim::small().await;
    let ids = sim.get("/crm/v3/objects/companies?limit=3").await.ids();
    let inputs = json!([{ "id": ids[0].to_string() }, { "id": 77 }, { "id": ids[2].to_string() }]);
    let answer = batch(&sim, "companies", "archive", inputs.clone()).await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(batch(&sim, "companies", "archive", inputs).await.status, 204);
    let bin: Vec<u64> = sim.bin("companies").await.iter().map(|line| number(&line["id"])).collect();
    assert_eq!(bin, [ids[0], ids[2]]);
}

#[tokio::test]
async fn sizes_and_ids_are_checked_before_anything_is_written() {
    let sim = Sim::small().await;
    let ids = sim.get("/crm/v3/objects/contacts?limit=100").await.ids();
    let input = |id: u64| json!({ "id": id.to_string(), "properties": { "city": "Cork" }, "objectWriteTraceId": id.to_string() });
    let mut inputs: Vec<Value> = ids.iter().map(|&id| input(id)).collect();
    inputs.push(input(ids[99] + 1));
    let refused = batch(&sim, "contacts", "update", json!(inputs)).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.json()["message"].as_str().unwrap().starts_with("The maximum number of inputs supported")
    );
    inputs[100] = input(ids[0]);
    inputs.remove(50);
    let refused = batch(&sim, "contacts", "update", json!(inputs)).await;
    let message = format!("Duplicate IDs found in batch input: [{}]. IDs must be unique", ids[0]);
    assert_eq!((refused.status, &refused.json()["message"]), (400, &json!(message)));
    assert!(sim.truth("contacts").await.iter().all(|line| line["properties"]["city"] != "Cork"));
}
