//! What a token may see. Source: HubSpot, "Scopes", "Error handling".

use serde_json::json;

use crate::harness::Sim;

/// Everything that is about deals: records, definitions, links.
const RECORDS: [&str; 4] = [
    "/crm/objects/2026-09/deals",
    "/crm/v3/objects/0-3/512",
    "/crm/v3/objects/contacts?associations=companies,deals",
    "/crm/v4/associations/contacts/deals/labels",
];

/// What describes deals.
const DEFINITIONS: [&str; 4] = [
    "/crm/properties/2026-09/deals",
    "/crm/v3/properties/0-3/dealname",
    "/crm/pipelines/2026-09/deals",
    "/crm-object-schemas/2026-09/schemas/deals",
];

/// The status of each answer.
async fn statuses(sim: &Sim, paths: &[&str]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for path in paths {
        statuses.push(sim.get(path).await.status);
    }
    statuses
}

/// The scopes the token has.
async fn granted(sim: &Sim) -> Vec<String> {
    let path = "/oauth/v2/private-apps/get/access-token-info";
    let info = sim.post(path, &json!({ "tokenKey": "sim-token" })).await.json();
    let scopes = info["scopes"].as_array().expect("a list").iter();
    scopes.map(|scope| scope.as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn a_type_taken_from_the_token_is_refused_everywhere_until_it_is_given_back() {
    let sim = Sim::small().await;
    let before = [statuses(&sim, &RECORDS).await, statuses(&sim, &DEFINITIONS).await];
    assert!(before.iter().flatten().all(|&status| status != 403));
    sim.control("DELETE", "scopes/0-3", &json!({})).await;
    assert_eq!(statuses(&sim, &RECORDS).await, [403; 4]);
    assert_eq!(statuses(&sim, &DEFINITIONS).await, [403; 4]);
    assert_eq!(sim.search("deals", json!({})).await.status, 403);
    let read = json!({ "inputs": [{ "id": "512" }] });
    assert_eq!(sim.post("/crm/v4/associations/deals/contacts/batch/read", &read).await.status, 403);
    assert_eq!(sim.get("/crm/objects/2026-09/contacts").await.status, 200);
    assert!(granted(&sim).await.iter().all(|scope| !scope.contains(".deals.")));
    sim.control("PUT", "scopes/deals", &json!({})).await;
    assert_eq!([statuses(&sim, &RECORDS).await, statuses(&sim, &DEFINITIONS).await], before);
}

#[tokio::test]
async fn without_the_scope_over_records_definitions_are_still_answered() {
    let sim = Sim::small().await;
    sim.control("DELETE", "scopes/crm.objects.deals.read", &json!({})).await;
    assert_eq!(statuses(&sim, &RECORDS).await, [403; 4]);
    assert_eq!(statuses(&sim, &DEFINITIONS).await, [200; 4]);
    sim.control("DELETE", "scopes/crm.schemas.deals.read", &json!({})).await;
    assert_eq!(statuses(&sim, &DEFINITIONS).await, [403; 4]);
    let body = sim.get(DEFINITIONS[0]).await.json();
    let named = &body["errors"][0]["context"]["requiredGranularScopes"];
    assert_eq!(named, &json!(["crm.objects.deals.read", "crm.schemas.deals.read"]));
    sim.control("PUT", "scopes/crm.objects.deals.read", &json!({})).await;
    assert_eq!(statuses(&sim, &DEFINITIONS).await, [200; 4]);
    assert!(granted(&sim).await.contains(&"crm.objects.deals.read".to_owned()));
}

#[tokio::test]
async fn owners_have_a_scope_of_their_own() {
    let sim = Sim::small().await;
    sim.control("DELETE", "scopes/crm.objects.owners.read", &json!({})).await;
    let refused = sim.get("/crm/v3/owners").await;
    assert_eq!((refused.status, refused.json()["category"].as_str()), (403, Some("MISSING_SCOPES")));
    sim.control("PUT", "scopes/crm.objects.owners.read", &json!({})).await;
    assert_eq!(sim.get("/crm/v3/owners").await.status, 200);
}

#[tokio::test]
async fn links_are_written_with_the_write_scope_of_the_type_they_start_from() {
    let sim = Sim::small().await;
    let [contact, company] =
        ["contacts", "companies"].map(|plural| format!("/crm/v3/objects/{plural}?limit=1"));
    let (contact, company) = (sim.get(&contact).await.ids()[0], sim.get(&company).await.ids()[0]);
    let there = format!("/crm/objects/2026-09/contacts/{contact}/associations/default/companies/{company}");
    let back = format!("/crm/objects/2026-09/companies/{company}/associations/default/contacts/{contact}");
    sim.control("DELETE", "scopes/crm.objects.contacts.write", &json!({})).await;
    assert_eq!(sim.send("PUT", &there, "").await.status, 403);
    assert_eq!(sim.send("PUT", &back, "").await.status, 200);
    assert_eq!(statuses(&sim, &RECORDS[..1]).await, [200], "reads are left alone");
    let merge = json!({ "primaryObjectId": "1", "objectIdToMerge": "2" });
    assert_eq!(sim.post("/crm/objects/2026-09/contacts/merge", &merge).await.status, 403);
    assert!(!granted(&sim).await.contains(&"crm.objects.contacts.write".to_owned()));
    sim.control("PUT", "scopes/crm.objects.contacts.write", &json!({})).await;
    assert_eq!(sim.send("PUT", &there, "").await.status, 200);
    assert!(granted(&sim).await.contains(&"crm.objects.contacts.write".to_owned()));
}

#[tokio::test]
async fn only_scopes_of_types_there_are_can_be_taken_away() {
    let sim = Sim::small().await;
    assert_eq!(sim.send("DELETE", "/_sim/scopes/boats", "").await.status, 404);
}
