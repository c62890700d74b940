//! Conflicts settled over the API, and the push that carries the decision out.

use reqwest::Method;
use serde_json::{Value, json};

use super::Served;
use crate::support::edits::hubspot_contact;
use crate::support::{eventually, holds};

/// A contact that both sides change.
pub(super) struct Stage {
    pub(super) served: Served,
    pub(super) path: String,
    pub(super) hubspot_id: String,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let served = Served::start(3, 1).await;
        let contact = served.contact().await;
        let path = format!("/api/contacts/{}", contact["id"]);
        let hubspot_id = contact["hubspotId"].as_str().unwrap().to_owned();
        let stage = Self { served, path, hubspot_id };
        stage.edit_both("1", ("Ulm", "Ulm"), ("Dean", "Dean")).await;
        stage.is("synced", "Ulm", "Dean").await;
        stage
    }

    /// Both sides change city and job title; here with a phone number, so that it is an edit in any case.
    pub(super) async fn edit_both(&self, phone: &str, city: (&str, &str), title: (&str, &str)) {
        let there = json!({"city": city.1, "jobtitle": title.1});
        self.served.simulator.edit("contacts", &self.hubspot_id, there).await;
        let here = json!({"phone": phone, "properties": {"city": city.0, "jobtitle": title.0}});
        self.served.api.patch(&self.path, &here).await.ok();
    }

    /// Waits until the record is as it should be.
    pub(super) async fn is(&self, status: &str, city: &str, title: &str) {
        eventually("the record is as it should be", async || {
            let shown = self.served.api.get(&self.path).await.ok();
            let properties = &shown["properties"];
            let is = shown["syncStatus"] == status
                && properties["city"] == city
                && properties["jobtitle"] == title;
            holds(is, shown)
        })
        .await;
    }

    /// Has both sides disagree about the city and the job title; the conflict.
    pub(super) async fn disagree(&self, phone: &str) -> Value {
        self.edit_both(phone, ("Kiel", "Bonn"), ("Cook", "Poet")).await;
        self.is("conflict", "Kiel", "Cook").await;
        let open = self.served.api.get("/api/conflicts?type=contacts").await.ok();
        assert_eq!(open["data"].as_array().unwrap().len(), 1, "{open}");
        open["data"][0].clone()
    }

    /// Settles a conflict.
    pub(super) async fn resolve(&self, conflict: &Value, decision: Value) -> super::client::Answer {
        self.served.api.post(&format!("/api/conflicts/{}/resolve", conflict["id"]), &decision).await
    }
}

#[tokio::test]
async fn a_conflict_is_shown_settled_field_by_field_and_carried_out() {
    let stage = Stage::new().await;
    let api = &stage.served.api;
    let conflict = stage.disagree("2").await;
    assert_eq!((&conflict["kind"], &conflict["fields"]), (&"fields".into(), &json!(["city", "jobtitle"])));
    let sides = ["base", "local", "hubspot"].map(|side| conflict[side]["city"].clone());
    assert_eq!(sides, ["Ulm", "Kiel", "Bonn"]);
    assert!(conflict["sources"]["city"]["at"].is_string(), "{conflict}");

    for (decision, wrong) in [
        (json!({"resolution": "mine"}), vec!["resolution"]),
        (json!({"resolution": "merged"}), vec!["fields"]),
        (json!({"resolution": "merged", "fields": {"city": "local"}}), vec!["fields"]),
        (json!({"resolution": "keep_local", "fields": {"city": "local"}}), vec!["fields"]),
        (
            json!({"resolution": "merged", "fields": {"city": "both", "jobtitle": {"value": []}}}),
            vec!["fields.city", "fields.jobtitle"],
        ),
        (json!({"resolution": "keep_local", "resolvedBy": "a\nb"}), vec!["resolvedBy"]),
    ] {
        assert_eq!(stage.resolve(&conflict, decision).await.wrong_fields(), wrong);
    }
    stage.resolve(&conflict, json!({"decision": "x"})).await.refused(400, "bad_request");

    let fields = json!({"city": {"value": "Hof"}, "jobtitle": "hubspot"});
    let decision = json!({"resolution": "merged", "fields": fields, "resolvedBy": "eve"});
    let request = api.request(Method::POST, &format!("/api/conflicts/{}/resolve", conflict["id"]));
    let with_key = || request.try_clone().unwrap().header("Idempotency-Key", "settle").json(&decision);
    // As if the process ended when the key is to be noted: the decision is as little there as its note.
    let test = &stage.served.test;
    test.execute(
        "CREATE TRIGGER end_here BEFORE INSERT ON idempotency_keys FOR EACH ROW SIGNAL SQLSTATE '40001'",
    )
    .await;
    assert!(api.send(with_key()).await.status.is_server_error());
    test.execute("DROP TRIGGER end_here").await;
    assert_eq!(test.value("SELECT status FROM conflicts").await, "pending");
    let settled = api.send(with_key()).await.ok();
    assert_eq!((&settled["status"], &settled["resolvedBy"]), (&"merged".into(), &"eve".into()));
    let steps: Vec<_> =
        settled["steps"].as_array().unwrap().iter().map(|step| step["step"].clone()).collect();
    assert_eq!(steps, ["opened", "merged"]);
    stage.is("synced", "Hof", "Poet").await;
    let there = hubspot_contact(&stage.served.simulator, &stage.hubspot_id).await;
    assert_eq!(
        (&there["properties"]["city"], &there["properties"]["jobtitle"]),
        (&"Hof".into(), &"Poet".into())
    );

    stage.resolve(&conflict, json!({"resolution": "keep_local"})).await.refused(409, "already_settled");
    let again = api.send(with_key()).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.ok()["status"], "merged");
    assert_eq!(api.get("/api/conflicts").await.ok()["data"], json!([]));
    let history = api.get("/api/conflicts/history").await.ok();
    assert_eq!(history["data"][0]["id"], conflict["id"]);
    assert_eq!(api.get("/api/conflicts/history?type=companies").await.ok()["data"], json!([]));
    let kept = "SELECT COUNT(*) FROM idempotency_keys WHERE answer LIKE '%Hof%'";
    assert_eq!(stage.served.test.number(kept).await, 0, "no value is kept under a key");
}

#[tokio::test]
async fn a_side_is_kept_as_a_whole_unless_it_has_changed_since() {
    let stage = Stage::new().await;
    let conflict = stage.disagree("2").await;
    let path = format!("/api/conflicts/{}", conflict["id"]);
    stage.served.simulator.edit("contacts", &stage.hubspot_id, json!({"city": "Essen"})).await;
    let entity = format!("/api/sync/entity/contacts/hs-{}", stage.hubspot_id);
    stage.served.api.post(&entity, &json!({})).await.ok();
    eventually("the conflict has HubSpot's new value", async || {
        let now = stage.served.api.get(&path).await.ok();
        holds(now["hubspot"]["city"] == "Essen", now)
    })
    .await;
    let unseen = json!({"resolution": "keep_hubspot", "updatedAt": conflict["updatedAt"]});
    stage.resolve(&conflict, unseen).await.refused(409, "stale_conflict");
    assert_eq!(stage.served.api.get(&path).await.ok()["status"], "pending");

    let now = stage.served.api.get(&path).await.ok();
    let seen = json!({"resolution": "keep_hubspot", "updatedAt": now["updatedAt"]});
    let kept = stage.resolve(&conflict, seen).await.ok();
    assert_eq!((&kept["status"], &kept["resolvedBy"]), (&"keep_hubspot".into(), &"API".into()));
    stage.is("synced", "Essen", "Poet").await;
    assert_eq!(stage.served.api.get(&path).await.ok()["status"], "keep_hubspot");
    for path in ["/api/conflicts/999999", "/api/conflicts/x"] {
        let status = stage.served.api.get(path).await.status.as_u16();
        assert!([404, 400].contains(&status), "{path}: {status}");
    }
    stage
        .served
        .api
        .post("/api/conflicts/999999/resolve", &json!({"resolution": "keep_local"}))
        .await
        .refused(404, "not_found");
    stage.served.api.get("/api/conflicts?status=x").await.refused(400, "bad_request");
}
