//! One record that is asked for is read again, also where no webhooks come.

use reqwest::Method;
use serde_json::json;

use super::Served;
use crate::support::{eventually, holds};

#[tokio::test]
async fn a_record_that_is_asked_for_is_read_again() {
    let served = Served::start(4, 2).await;
    let contact = served.contact().await;
    let hubspot_id = contact["hubspotId"].as_str().unwrap();
    for (phone, id) in [("1", contact["id"].to_string()), ("2", format!("hs-{hubspot_id}"))] {
        served.simulator.edit("contacts", hubspot_id, json!({ "phone": phone })).await;
        let answer = served.api.post(&format!("/api/sync/entity/contacts/{id}"), &json!({})).await;
        assert_eq!(answer.status, 202);
        let asked = answer.ok();
        assert_eq!((&asked["objectType"], &asked["hubspotId"]), (&"contacts".into(), &hubspot_id.into()));
        eventually("the change is here", async || {
            let shown =
                served.api.get(&format!("/api/contacts/{}", contact["id"])).await.ok()["phone"].clone();
            holds(shown == phone, shown)
        })
        .await;
        let outcome = format!("SELECT outcome FROM webhook_events WHERE id = {}", asked["eventId"]);
        eventually("it is said what came of it", async || {
            let outcome = served.test.value(&outcome).await;
            holds(outcome == "read", outcome)
        })
        .await;
    }
}

#[tokio::test]
async fn what_somebody_asks_for_does_not_count_as_told_by_hubspot() {
    let served = Served::start(4, 2).await;
    let contact = served.contact().await;
    let sources = "SELECT GROUP_CONCAT(CONCAT_WS(' ', object_type, last_event_at, unannounced, unannounced_runs) \
                   ORDER BY object_type) FROM webhook_sources";
    let long_ago = "REPLACE INTO webhook_sources (object_type, last_event_at, unannounced, unannounced_runs, \
                    unannounced_since) VALUES ('contacts', '2026-01-01', 7, 2, '2026-01-01')";
    served.test.execute(long_ago).await;
    let before = served.test.value(sources).await;
    let path = format!("/api/sync/entity/contacts/hs-{}", contact["hubspotId"].as_str().unwrap());
    let asked = served.api.post(&path, &json!({})).await.ok();
    let outcome =
        format!("SELECT COALESCE(outcome, '-') FROM webhook_events WHERE id = {}", asked["eventId"]);
    eventually("it is read", async || {
        let outcome = served.test.value(&outcome).await;
        holds(outcome == "read", outcome)
    })
    .await;
    assert_eq!(served.test.value(sources).await, before);
}

#[tokio::test]
async fn a_record_that_is_not_here_yet_can_be_asked_for_and_what_is_nowhere_does_no_harm() {
    let served = Served::start(4, 2).await;
    let contact = served.contact().await;
    let id = contact["hubspotId"].as_str().unwrap();
    served.test.execute(&format!("DELETE FROM hubspot_contacts WHERE hubspot_id = {id}")).await;
    let nowhere = served.api.post("/api/sync/entity/0-1/hs-987654321", &json!({})).await.ok();
    let request = served.api.request(Method::POST, &format!("/api/sync/entity/contacts/hs-{id}"));
    let with_key = || request.try_clone().unwrap().header("Idempotency-Key", "again");
    let asked = served.api.send(with_key()).await.ok();
    eventually("the record is here", async || {
        let shown = served.api.get(&format!("/api/contacts/hs-{id}")).await;
        holds(shown.status == 200, shown)
    })
    .await;
    assert_eq!(served.api.send(with_key()).await.ok(), asked, "it is asked for once");
    let outcome =
        format!("SELECT COALESCE(outcome, '-') FROM webhook_events WHERE id = {}", nowhere["eventId"]);
    eventually("it is found nowhere", async || {
        let outcome = served.test.value(&outcome).await;
        holds(outcome == "absent", outcome)
    })
    .await;
    assert_eq!(served.test.number("SELECT COUNT(*) FROM hubspot_contacts").await, 4);
}

#[tokio::test]
async fn what_is_not_mirrored_or_not_made_yet_cannot_be_asked_for() {
    let served = Served::start_with(1, 1, |setup| setup.set("PUSH_ENABLED", "false")).await;
    served.api.post("/api/sync/entity/tickets/1", &json!({})).await.refused(404, "not_found");
    served.api.post("/api/sync/entity/contacts/999999", &json!({})).await.refused(404, "not_found");
    served.api.post("/api/sync/entity/contacts/x", &json!({})).await.refused(400, "bad_request");
    let made = served.api.post("/api/contacts", &json!({"email": "ada@engine.example"})).await.ok();
    let path = format!("/api/sync/entity/contacts/{}", made["id"]);
    served.api.post(&path, &json!({})).await.refused(409, "not_in_hubspot");
}
