//! Records changed over the API: the change arrives in HubSpot, and nobody's work is overwritten unseen.

use reqwest::Method;
use serde_json::{Value, json};

use super::Served;
use crate::support::edits::{all_is_sent, hubspot_contact};
use crate::support::{eventually, holds};

/// The path of a record.
fn path(record: &Value) -> String {
    format!("/api/contacts/{}", record["id"])
}

#[tokio::test]
async fn a_patch_arrives_in_hubspot() {
    let served = Served::start(3, 1).await;
    let before = served.contact().await;
    let body = json!({"firstName": "Ada", "phone": null, "properties": {"jobtitle": "Analyst", "numemployees": null}});
    let after = served.api.patch(&path(&before), &body).await.ok();
    assert_eq!((&after["firstName"], &after["phone"]), (&"Ada".into(), &Value::Null));
    assert_eq!((&after["syncStatus"], &after["email"]), (&"pending".into(), &before["email"]));
    assert_eq!(after["version"].as_i64(), before["version"].as_i64().map(|version| version + 1));
    assert!(after["lastModifiedLocal"].is_string());
    all_is_sent(&served.test, "hubspot_contacts").await;
    let there = hubspot_contact(&served.simulator, before["hubspotId"].as_str().unwrap()).await;
    let there = &there["properties"];
    assert_eq!((&there["firstname"], &there["jobtitle"]), (&"Ada".into(), &"Analyst".into()));
    assert!(there["phone"].is_null() || there["phone"] == "", "{there}");
    let settled = served.api.get(&path(&before)).await.ok();
    assert_eq!(settled["syncStatus"], "synced");
    // Nothing new is no edit.
    let same = served.api.patch(&path(&before), &json!({"firstName": "Ada"})).await.ok();
    assert_eq!(same, settled);
}

#[tokio::test]
async fn a_put_names_every_field_and_may_send_back_what_was_shown() {
    let served = Served::start(3, 1).await;
    let mut shown = served.contact().await;
    let missing = served.api.put(&path(&shown), &json!({"email": "ada@engine.example"})).await.wrong_fields();
    assert_eq!(missing, ["firstName", "lastName", "phone", "company"]);
    shown["lastName"] = json!("Lovelace");
    shown["phone"] = Value::Null;
    let after = served.api.put(&path(&shown), &shown).await.ok();
    assert_eq!((&after["lastName"], &after["phone"]), (&"Lovelace".into(), &Value::Null));
    assert_eq!(after["email"], shown["email"]);
    // What was shown of an older version is refused as a whole, not field by field.
    let stale = served.api.put(&path(&shown), &shown).await.refused(409, "stale_version");
    assert_eq!(stale["current"]["lastName"], "Lovelace");
    // What was answered before it was sent is the same version afterwards, whatever HubSpot keeps up in it.
    all_is_sent(&served.test, "hubspot_contacts").await;
    let sent = served.api.get(&path(&after)).await.ok();
    assert_ne!((&sent["syncStatus"], &sent["properties"]), (&after["syncStatus"], &after["properties"]));
    let mut again = after.clone();
    again["phone"] = json!("1");
    assert_eq!(served.api.put(&path(&again), &again).await.ok()["phone"], "1");
    let wrong = served.api.patch(&path(&again), &json!({"syncStatus": "error"})).await.wrong_fields();
    assert_eq!(wrong, ["syncStatus"]);
}

#[tokio::test]
async fn a_wrong_value_changes_nothing_and_is_named() {
    let served = Served::start(3, 1).await;
    let before = served.contact().await;
    let body = json!({"firstName": "Ada", "email": "nobody", "properties": {"hs_object_id": "7", "x": 1}});
    let wrong = served.api.patch(&path(&before), &body).await.wrong_fields();
    assert_eq!(wrong, ["email", "properties.hs_object_id", "properties.x"]);
    for injection in ["x\"', 1) -- ", "$.email", "a\\\" OR 1=1", "'; DROP TABLE hubspot_contacts; --"] {
        let body = json!({"properties": {injection: "x"}});
        let wrong = served.api.patch(&path(&before), &body).await.wrong_fields();
        assert_eq!(wrong, [format!("properties.{injection}")]);
    }
    assert_eq!(served.api.get(&path(&before)).await.ok(), before);
    // As a value it is a text like any other.
    let text = "'; DROP TABLE hubspot_contacts; -- <script>\u{1F600}\\\"%_";
    let after = served.api.patch(&path(&before), &json!({ "lastName": text })).await.ok();
    assert_eq!((&after["lastName"], &after["properties"]["lastname"]), (&text.into(), &text.into()));
}

#[tokio::test]
async fn who_edits_an_older_version_is_shown_the_newer_one() {
    let served = Served::start(3, 1).await;
    let first = served.api.get(&path(&served.contact().await)).await;
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    let before = first.ok();
    let with_tag = async |tag: &str, body: Value| {
        let request = served.api.request(Method::PATCH, &path(&before)).header("If-Match", tag);
        served.api.send(request.json(&body)).await
    };
    let after = with_tag(&tag, json!({"phone": "1"})).await.ok();
    let stale = with_tag(&tag, json!({"phone": "2"})).await.refused(409, "stale_version");
    assert_eq!(stale["current"]["phone"], "1");
    let version = before["version"].as_i64().unwrap();
    let by_body = served.api.patch(&path(&before), &json!({"phone": "3", "version": version})).await;
    by_body.refused(409, "stale_version");
    with_tag(&format!("\"{version}\""), json!({"phone": "4"})).await.refused(409, "stale_version");
    let request = served.api.request(Method::DELETE, &path(&before)).header("If-Match", &tag);
    served.api.send(request).await.refused(409, "stale_version");
    let newest = after["version"].as_i64().unwrap();
    let taken =
        with_tag(&format!("\"x\", \"{newest}\""), json!({"phone": "5", "version": newest})).await.ok();
    assert_eq!(taken["phone"], "5");
    with_tag("*", json!({"phone": "6"})).await.ok();

    // What HubSpot has changed counts as well: the tag is another one.
    all_is_sent(&served.test, "hubspot_contacts").await;
    let shown = served.api.get(&path(&before)).await;
    let (tag, hubspot_id) =
        (shown.headers["etag"].to_str().unwrap().to_owned(), before["hubspotId"].as_str().unwrap());
    served.simulator.edit("contacts", hubspot_id, json!({"phone": "7"})).await;
    served.api.post("/api/sync/trigger", &json!({"types": ["contacts"], "full": true})).await.ok();
    eventually("the change of HubSpot has come", async || {
        let phone = served.api.get(&path(&before)).await.ok()["phone"].clone();
        holds(phone == "7", phone)
    })
    .await;
    with_tag(&tag, json!({"phone": "8"})).await.refused(409, "stale_version");
    // And so is the version.
    let version = &shown.ok()["version"];
    let by_body = json!({"phone": "9", "version": version});
    served.api.patch(&path(&before), &by_body).await.refused(409, "stale_version");
    with_tag(&version.to_string(), json!({"phone": "10"})).await.refused(409, "stale_version");

    // Also when it comes with what is sent.
    let version = &served.api.get(&path(&before)).await.ok()["version"];
    served.simulator.edit("contacts", hubspot_id, json!({"city": "Lisboa"})).await;
    let edited = served.api.patch(&path(&before), &json!({"phone": "11", "version": version})).await.ok();
    all_is_sent(&served.test, "hubspot_contacts").await;
    let by_body = json!({"phone": "12", "version": edited["version"]});
    let stale = served.api.patch(&path(&before), &by_body).await.refused(409, "stale_version");
    assert_eq!(
        (&stale["current"]["phone"], &stale["current"]["properties"]["city"]),
        (&"11".into(), &"Lisboa".into())
    );
}

#[tokio::test]
async fn of_edits_at_once_with_one_version_one_is_taken() {
    let served = Served::start(2, 1).await;
    let before = served.contact().await;
    let version = &before["version"];
    let edits = (0..8).map(|number| {
        let body = json!({"phone": number.to_string(), "version": version});
        async { served.api.patch(&path(&before), &{ body }).await.status.as_u16() }
    });
    let mut statuses = futures_util::future::join_all(edits).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn a_deleted_record_stays_as_a_row_and_goes_from_hubspot() {
    let served = Served::start(3, 1).await;
    let before = served.contact().await;
    let gone = served.api.delete(&path(&before)).await.ok();
    assert_eq!((&gone["archived"], &gone["syncStatus"]), (&true.into(), &"pending".into()));
    all_is_sent(&served.test, "hubspot_contacts").await;
    let id = before["hubspotId"].as_str().unwrap();
    assert_eq!(hubspot_contact(&served.simulator, id).await, Value::Null);
    let shown = served.api.get(&path(&before)).await.ok();
    assert!(shown["archivedAt"].is_string(), "{shown}");
    assert_eq!(served.api.delete(&path(&before)).await.ok(), shown, "twice is once");
    let edit = served.api.patch(&path(&before), &json!({"phone": "1"})).await.refused(409, "deleted");
    assert_eq!(edit["current"]["id"], before["id"]);
    let listed = served.api.get("/api/contacts").await.ok();
    assert_eq!(listed["pagination"]["total"], 2);
    for method in [Method::PATCH, Method::PUT, Method::DELETE] {
        let request = served.api.request(method, "/api/contacts/999999").json(&json!({}));
        served.api.send(request).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn an_edit_that_would_not_be_captured_is_not_taken() {
    let served = Served::start(2, 1).await;
    let before = served.contact().await;
    for trigger in ["before_insert", "after_insert", "before_update", "after_delete"] {
        served.test.execute(&format!("DROP TRIGGER hubspot_contacts_capture_{trigger}")).await;
    }
    served.api.patch(&path(&before), &json!({"phone": "1"})).await.refused(503, "not_ready");
    served.api.delete(&path(&before)).await.refused(503, "not_ready");
    served.api.post("/api/contacts", &json!({"email": "a@engine.example"})).await.refused(503, "not_ready");
    assert_eq!(served.api.get(&path(&before)).await.ok(), before);
    assert_eq!(served.test.number("SELECT COUNT(*) FROM hubspot_contacts").await, 2);
}

#[tokio::test]
async fn a_row_somebody_holds_holds_up_no_other() {
    let served = Served::start(4, 1).await;
    let ids = served.test.rows("hubspot_contacts", &["id"], "ORDER BY id").await;
    let mut holder = served.test.sql.begin().await.unwrap();
    let hold = format!("SELECT id FROM hubspot_contacts WHERE id = {} FOR UPDATE", ids[0]);
    sqlx::query(sqlx::AssertSqlSafe(hold)).execute(&mut *holder).await.unwrap();
    // As many as there are connections for edits, and some more.
    let path = format!("/api/contacts/{}", ids[0]);
    let body = json!({"phone": "1"});
    let edits = futures_util::future::join_all((0..6).map(|_| served.api.patch(&path, &body)));
    let others = async {
        for id in &ids[1..] {
            served.api.patch(&format!("/api/contacts/{id}"), &json!({"phone": "2"})).await.ok();
            served.api.get("/api/contacts").await.ok();
        }
    };
    let (refused, ()) = tokio::join!(edits, others);
    for answer in refused {
        answer.refused(503, "locked");
    }
    holder.rollback().await.unwrap();
    served.api.patch(&path, &body).await.ok();
}
