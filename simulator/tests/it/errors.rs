//! Error bodies. Source: HubSpot, "Handling errors"; wordings as published by people who met them.

use hubspot_simulator::Config;
use serde_json::json;

use crate::harness::{Sim, small};

#[tokio::test]
async fn a_missing_or_wrong_token_is_401_with_category_and_correlation_id() {
    let sim = Sim::small().await;
    for token in [None, Some("other"), Some("")] {
        let answer = sim.try_send("GET", "/crm/v3/objects/contacts", token, "").await.unwrap();
        assert_eq!(answer.status, 401, "{token:?}");
        let body = answer.json();
        assert_eq!(body["status"], "error");
        assert_eq!(body["category"], "INVALID_AUTHENTICATION");
        assert!(body["message"].as_str().unwrap().starts_with("Authentication credentials not found."));
        assert_eq!(body["correlationId"].as_str().unwrap(), answer.header("x-hubspot-correlation-id"));
    }
}

#[tokio::test]
async fn a_type_without_scope_is_403_and_names_the_scope() {
    let sim = Sim::small().await;
    sim.set(json!({ "deniedTypes": ["deals"] })).await;
    for path in ["/crm/v3/objects/deals", "/crm/v3/properties/deals", "/crm/objects/2026-09/0-3"] {
        let answer = sim.get(path).await;
        assert_eq!(answer.status, 403, "{path}");
        let body = answer.json();
        assert_eq!(body["category"], "MISSING_SCOPES");
        assert_eq!(body["errors"][0]["context"]["requiredGranularScopes"][0], "crm.objects.deals.read");
    }
    assert_eq!(sim.get("/crm/v3/objects/contacts").await.status, 200);
}

#[tokio::test]
async fn an_unknown_type_is_400_and_unknown_paths_are_html() {
    let sim = Sim::small().await;
    let answer = sim.get("/crm/v3/objects/p62515_boats").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["message"], "Unable to infer object type from: p62515_boats");
    for (method, path, status) in [("GET", "/crm/v3/nothing", 404), ("DELETE", "/crm/v3/owners", 405)] {
        let answer = sim.send(method, path, "").await;
        assert_eq!(answer.status, status);
        assert!(answer.header("content-type").starts_with("text/html"));
    }
}

#[tokio::test]
async fn ids_that_do_not_exist_are_404_in_json_by_kind() {
    let sim = Sim::small().await;
    let body = async |id: &str| {
        let answer = sim.get(&format!("/crm/v3/objects/contacts/{id}")).await;
        assert_eq!(answer.status, 404, "{id}");
        answer.json()
    };
    let unknown = body("512").await;
    assert_eq!(unknown["message"], "resource not found");
    assert!(unknown.get("category").is_none());
    assert_eq!(body("0").await["message"], "Object not found. objectId is usually positive.");
    let text = body("abc").await;
    assert_eq!(text["message"], "Object not found.  objectId are usually numeric.");
    assert_eq!(
        (&text["context"]["id"], text["category"].as_str()),
        (&json!(["abc"]), Some("OBJECT_NOT_FOUND"))
    );
}

#[tokio::test]
async fn a_path_beyond_the_limit_is_414_before_the_token_is_looked_at() {
    let sim = Sim::start(Config { url_limit: 5_000, ..small() }).await;
    let path = |bytes: usize| {
        let start = "/crm/v3/objects/contacts?limit=1&properties=";
        format!("{start}{}", "x".repeat(bytes - start.len()))
    };
    assert_eq!(sim.get(&path(5_000)).await.status, 200);
    assert_eq!(sim.get(&path(5_001)).await.status, 414);
    let catalogue = sim.get("/crm/v3/properties/contacts").await.json();
    let names: Vec<&str> =
        catalogue["results"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    let all = format!("/crm/v3/objects/contacts?properties={}", names.join(","));
    assert!(all.len() > 9_000, "the default catalogue alone makes a URL of {} bytes", all.len());
    assert_eq!(sim.get(&all).await.status, 414);
}

#[tokio::test]
async fn content_type_is_written_as_hubspot_writes_it() {
    let sim = Sim::small().await;
    assert_eq!(sim.get("/crm/v3/owners").await.header("content-type"), "application/json;charset=utf-8");
}
