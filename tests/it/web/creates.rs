//! Records made over the API: they arrive in HubSpot, once, and not at all when something is wrong with them.

use reqwest::Method;
use serde_json::{Value, json};

use super::Served;
use crate::support::edits::hubspot_contact;
use crate::support::{eventually, holds};

/// Waits until the record is in step with HubSpot; its id there.
async fn arrived(served: &Served, id: &Value) -> String {
    eventually("the record is made in HubSpot", async || {
        let shown = served.api.get(&format!("/api/contacts/{id}")).await.ok();
        let hubspot_id = shown["hubspotId"].as_str().map(str::to_owned);
        hubspot_id.filter(|_| shown["syncStatus"] == "synced").ok_or_else(|| shown.to_string())
    })
    .await
}

#[tokio::test]
async fn a_new_contact_is_made_in_hubspot() {
    let served = Served::start(3, 1).await;
    let body = json!({
        "email": "ada@engine.example", "firstName": "Ada", "company": null,
        "properties": {"jobtitle": "Analyst", "numemployees": null},
    });
    let answer = served.api.post("/api/contacts", &body).await;
    assert_eq!(answer.status, 201);
    let tag = answer.headers["etag"].to_str().unwrap().to_owned();
    let made = answer.ok();
    assert_eq!((&made["hubspotId"], &made["syncStatus"]), (&Value::Null, &"pending".into()));
    let expected = json!({"email": "ada@engine.example", "firstname": "Ada", "jobtitle": "Analyst"});
    assert_eq!((&made["properties"], &made["version"]), (&expected, &1.into()));
    assert!(tag.starts_with("\"1-"), "{tag}");
    let hubspot_id = arrived(&served, &made["id"]).await;
    let properties = hubspot_contact(&served.simulator, &hubspot_id).await["properties"].clone();
    assert_eq!((&properties["firstname"], &properties["jobtitle"]), (&"Ada".into(), &"Analyst".into()));
}

#[tokio::test]
async fn everything_wrong_with_a_new_record_is_named_at_once() {
    let served = Served::start(3, 1).await;
    let wrong = json!({
        "email": "no address", "favourite": "red", "id": 5, "phone": ["1"],
        "properties": {
            "hs_object_id": "1", "no_such_property": "x", "lifecyclestage": "unheard-of", "createdate": "soon",
            "jobtitle": {"a": 1},
        },
    });
    let fields = served.api.post("/api/contacts", &wrong).await.wrong_fields();
    let expected = [
        "email",
        "favourite",
        "id",
        "phone",
        "properties.createdate",
        "properties.hs_object_id",
        "properties.jobtitle",
        "properties.lifecyclestage",
        "properties.no_such_property",
    ];
    assert_eq!(fields, expected);
    assert_eq!(served.api.post("/api/contacts", &json!({})).await.wrong_fields(), Vec::<String>::new());
    assert_eq!(served.api.post("/api/contacts", &json!({"version": 1})).await.wrong_fields(), ["version"]);
    for body in ["", "[]", "{", "\"x\"", "{\"email\": }"] {
        let request = served.api.request(Method::POST, "/api/contacts").body(body);
        served.api.send(request).await.refused(400, "bad_request");
    }
    assert_eq!(served.test.number("SELECT COUNT(*) FROM hubspot_contacts").await, 3);
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused_also_when_two_ask_at_once() {
    let served = Served::start(3, 1).await;
    let taken = served.contact().await;
    let shouted = taken["email"].as_str().unwrap().to_uppercase();
    for email in [taken["email"].clone(), shouted.into()] {
        let error = served.api.post("/api/contacts", &json!({ "email": email })).await;
        let error = error.refused(409, "duplicate_email");
        let message = format!("The record with the id {} has this e-mail address", taken["id"]);
        assert_eq!(error["error"]["message"], message);
    }
    let other = served.api.get("/api/contacts?limit=2").await.ok()["data"][1]["id"].clone();
    let edit = served.api.patch(&format!("/api/contacts/{other}"), &json!({"email": taken["email"]})).await;
    edit.refused(409, "duplicate_email");
    // An accent makes another address.
    served.api.post("/api/contacts", &json!({"email": "jose@engine.example"})).await.ok();
    served.api.post("/api/contacts", &json!({"email": "josé@engine.example"})).await.ok();
    let both = (0..8).map(|_| async {
        served.api.post("/api/contacts", &json!({"email": "twin@engine.example"})).await.status.as_u16()
    });
    let mut statuses = futures_util::future::join_all(both).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    let made = "SELECT COUNT(*) FROM hubspot_contacts WHERE email = 'twin@engine.example'";
    assert_eq!(served.test.number(made).await, 1);
}

#[tokio::test]
async fn a_repeated_request_with_a_key_makes_one_record() {
    let served = Served::start(1, 1).await;
    let ask = async |path: &str, key: &str, body: &Value| {
        let request = served.api.request(Method::POST, path).header("Idempotency-Key", key).json(body);
        served.api.send(request).await
    };
    let ada = json!({"email": "ada@engine.example"});
    let eight = futures_util::future::join_all((0..8).map(|_| ask("/api/contacts", "k-1", &ada))).await;
    let ids: Vec<_> =
        eight.iter().map(|answer| (answer.status.as_u16(), answer.body["id"].clone())).collect();
    assert!(ids.iter().all(|answer| *answer == (201, ids[0].1.clone())), "{ids:?}");
    let replayed = eight.iter().filter(|answer| answer.headers.contains_key("idempotency-replayed")).count();
    assert_eq!(replayed, 7);
    assert_eq!(served.test.number("SELECT COUNT(*) FROM hubspot_contacts").await, 2);
    // The record is shown as it is by then.
    served.api.patch(&format!("/api/contacts/{}", ids[0].1), &json!({"phone": "1"})).await.ok();
    assert_eq!(ask("/api/contacts", "k-1", &ada).await.ok()["phone"], "1");

    let other = json!({"email": "bob@engine.example"});
    ask("/api/contacts", "k-1", &other).await.refused(422, "idempotency_key_reused");
    ask("/api/contacts", "", &other).await.refused(400, "bad_request");
    ask("/api/contacts", &"x".repeat(256), &other).await.refused(400, "bad_request");
    // The same key means something else on another path, and a request that failed may be corrected.
    assert_eq!(ask("/api/companies", "k-1", &json!({"nme": "x"})).await.status, 422);
    assert_eq!(ask("/api/companies", "k-1", &json!({"name": "Engines"})).await.status, 201);
    let kept = "SELECT COUNT(*) FROM idempotency_keys WHERE answer IS NULL AND row_id IS NOT NULL";
    assert_eq!(served.test.number(kept).await, 2);

    // After a day it is a new request.
    served.test.execute("UPDATE idempotency_keys SET created_at = created_at - INTERVAL 25 HOUR").await;
    assert_eq!(ask("/api/contacts", "k-1", &other).await.status, 201);
    assert_eq!(served.test.number("SELECT COUNT(*) FROM idempotency_keys").await, 1);
}

#[tokio::test]
async fn a_type_that_is_not_writable_says_so() {
    let served = Served::start(1, 1).await;
    for (method, path) in [
        (Method::POST, "/api/deals"),
        (Method::PATCH, "/api/deals/1"),
        (Method::PUT, "/api/deals/1"),
        (Method::DELETE, "/api/deals/1"),
        (Method::POST, "/api/objects/deals"),
        (Method::DELETE, "/api/objects/0-3/hs-5"),
    ] {
        let request = served.api.request(method, path).json(&json!({"name": "x"}));
        let error = served.api.send(request).await.refused(403, "read_only_type");
        let message = "deals are read-only here: they are not in WRITABLE_OBJECTS";
        assert_eq!(error["error"]["message"], message, "{path}");
    }
    let made = served.api.post("/api/objects/companies", &json!({"name": "Engines"})).await.ok();
    assert_eq!((&made["objectType"], &made["name"]), (&"companies".into(), &"Engines".into()));
    eventually("the company is made", async || {
        let shown = served.api.get(&format!("/api/companies/{}", made["id"])).await.ok();
        holds(shown["syncStatus"] == "synced" && shown["hubspotId"].is_string(), shown)
    })
    .await;
}
