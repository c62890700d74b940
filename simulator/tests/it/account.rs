//! Account, owners, pipelines, definitions and token. Source: HubSpot, "Account information", "Owners", "Pipelines",
//! "Properties", "Private apps".

use std::collections::BTreeSet;

use hubspot_simulator::Config;
use serde_json::{Value, json};

use crate::harness::{Sim, small};

#[tokio::test]
async fn account_details_tell_portal_currency_and_zone() {
    let sim = Sim::start(Config { time_zone: chrono_tz::Asia::Kolkata, ..small() }).await;
    for path in ["/account-info/v3/details", "/account-info/2026-09/details"] {
        let details = sim.get(path).await.json();
        assert!(details["portalId"].is_u64());
        assert_eq!(details["timeZone"], "Asia/Kolkata");
        assert_eq!(details["utcOffset"], "+05:30");
        assert_eq!(details["utcOffsetMilliseconds"], json!(19_800_000));
        assert_eq!(details["companyCurrency"], "USD");
    }
}

#[tokio::test]
async fn a_token_tells_its_app_and_scopes_without_being_sent_as_a_header() {
    let sim = Sim::small().await;
    sim.set(json!({ "deniedTypes": ["companies"] })).await;
    let path = "/oauth/v2/private-apps/get/access-token-info";
    let answer = sim.try_send("POST", path, None, "{\"tokenKey\":\"sim-token\"}").await.unwrap();
    let info = answer.json();
    assert!(info["appId"].is_u64() && info["userId"].is_u64());
    assert_eq!(info["hubId"], sim.get("/account-info/v3/details").await.json()["portalId"]);
    let scopes: BTreeSet<&str> =
        info["scopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
    assert!(scopes.contains("crm.objects.contacts.read") && !scopes.contains("crm.objects.companies.read"));
    assert_ne!(sim.try_send("POST", path, None, "{\"tokenKey\":\"x\"}").await.unwrap().status, 200);
}

#[tokio::test]
async fn owners_in_use_and_archived_ones_are_listed_apart_and_paged() {
    let sim = Sim::small().await;
    let active = sim.get("/crm/v3/owners").await;
    let archived = sim.get("/crm/owners/2026-09?archived=true").await.json();
    assert_eq!((active.ids().len(), archived["results"].as_array().unwrap().len()), (21, 3));
    let owner = &active.json()["results"][0];
    assert!(owner["userId"].is_u64() && owner["type"] == "PERSON");
    assert_eq!(archived["results"][0]["userId"], Value::Null);
    assert!(archived["results"][0]["userIdIncludingInactive"].is_u64());
    let first = sim.get("/crm/v3/owners?limit=20").await;
    let rest = sim.get(&format!("/crm/v3/owners?limit=20&after={}", first.after().unwrap())).await;
    assert_eq!([first.ids(), rest.ids()].concat(), active.ids());
    assert!(rest.after().is_none());
    let by_user = format!("/crm/v3/owners/{}?idProperty=userId", owner["userId"]);
    assert_eq!(sim.get(&by_user).await.json()["id"], owner["id"]);
}

#[tokio::test]
async fn records_name_owners_that_exist_some_of_them_archived() {
    let sim = Sim::small().await;
    let mut known = BTreeSet::new();
    for query in ["", "?archived=true"] {
        known.extend(sim.get(&format!("/crm/v3/owners{query}")).await.ids());
    }
    let archived: BTreeSet<u64> = sim.get("/crm/v3/owners?archived=true").await.ids().into_iter().collect();
    let owners: BTreeSet<u64> = sim
        .truth("contacts")
        .await
        .iter()
        .filter_map(|line| line["properties"]["hubspot_owner_id"].as_str())
        .map(|id| id.parse().unwrap())
        .collect();
    assert!(owners.is_subset(&known));
    assert!(!owners.is_disjoint(&archived));
}

#[tokio::test]
async fn pipelines_come_unsorted_with_text_metadata_and_default_stages() {
    let sim = Sim::small().await;
    let pipelines = sim.get("/crm/v3/pipelines/deals").await.json()["results"].clone();
    let orders: Vec<i64> =
        pipelines.as_array().unwrap().iter().map(|one| one["displayOrder"].as_i64().unwrap()).collect();
    assert!(!orders.is_sorted(), "{orders:?}");
    let default = pipelines.as_array().unwrap().iter().find(|one| one["id"] == "default").unwrap();
    assert_eq!(default["createdAt"], "1970-01-01T00:00:00Z");
    let won = default["stages"].as_array().unwrap().iter().find(|stage| stage["id"] == "closedwon").unwrap();
    assert_eq!(won["metadata"], json!({ "isClosed": "true", "probability": "1.0" }));
    assert_eq!(
        sim.get("/crm/v3/pipelines/contacts").await.json()["results"][0]["stages"].as_array().unwrap().len(),
        8
    );
    let support = sim.get("/crm/v3/pipelines/tickets/0/stages/4").await.json();
    assert_eq!(support["metadata"], json!({ "isClosed": "true", "ticketState": "CLOSED" }));
    let unknown = sim.get("/crm/v3/pipelines/deals/none").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.header("content-type").starts_with("text/html"), "HTML without an Accept header");
}

#[tokio::test]
async fn deals_stand_in_stages_of_their_pipelines_and_agree_with_themselves() {
    let sim = Sim::start(Config { deals: 500, ..small() }).await;
    let pipelines = sim.get("/crm/v3/pipelines/deals").await.json()["results"].clone();
    let companies: BTreeSet<String> =
        sim.truth("companies").await.iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect();
    let mut used = BTreeSet::new();
    for line in sim.truth("deals").await {
        let deal = &line["properties"];
        let pipeline =
            pipelines.as_array().unwrap().iter().find(|one| one["id"] == deal["pipeline"]).unwrap();
        let stage =
            pipeline["stages"].as_array().unwrap().iter().find(|one| one["id"] == deal["dealstage"]).unwrap();
        assert_eq!(stage["metadata"]["isClosed"], deal["hs_is_closed"]);
        assert_eq!(stage["metadata"]["probability"], deal["hs_deal_stage_probability"]);
        used.insert(stage["id"].as_str().unwrap().to_owned());
        if let Some(company) = deal["hs_primary_associated_company"].as_str() {
            assert!(companies.contains(company));
        }
    }
    assert_eq!(used.len(), 17, "every stage of every pipeline is in use");
}

#[tokio::test]
async fn contacts_and_their_companies_agree() {
    let sim = Sim::small().await;
    let companies = sim.truth("companies").await;
    let mut counts = std::collections::BTreeMap::new();
    for line in sim.truth("contacts").await {
        let Some(id) = line["properties"]["associatedcompanyid"].as_str() else { continue };
        let company = companies.iter().find(|company| company["id"] == id).unwrap();
        assert_eq!(
            line["properties"].get("company"),
            company["properties"].get("name").or(line["properties"].get("company"))
        );
    }
    let links = sim.get("/_sim/associations/companies/contacts").await.text();
    for link in links.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        *counts.entry(link["from"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    for company in &companies {
        let count = counts.get(company["id"].as_str().unwrap()).copied().unwrap_or(0);
        assert_eq!(company["properties"]["num_associated_contacts"], count.to_string());
    }
}

#[tokio::test]
async fn catalogues_have_the_default_names_and_mark_what_is_read_only() {
    let sim = Sim::small().await;
    for (plural, hubspot_defined, custom) in
        [("contacts", 364, 6), ("companies", 267, 4), ("deals", 207, 5), ("tickets", 77, 0)]
    {
        let results = sim.get(&format!("/crm/properties/2026-09/{plural}")).await.json()["results"].clone();
        let results = results.as_array().unwrap();
        let defined = results.iter().filter(|property| property["hubspotDefined"] == json!(true)).count();
        assert_eq!((defined, results.len() - defined), (hubspot_defined, custom), "{plural}");
        let id = results.iter().find(|property| property["name"] == "hs_object_id").unwrap();
        assert_eq!(id["modificationMetadata"]["readOnlyValue"], json!(true));
        let flag = results.iter().find(|property| property["type"] == "bool").unwrap();
        assert_eq!(flag["options"].as_array().unwrap().len(), 2);
    }
    let email = sim.get("/crm/v3/properties/contacts/email").await.json();
    assert_eq!(email["hasUniqueValue"], json!(true));
    let missing = sim.get("/crm/v3/properties/contacts/nosuchproperty").await;
    assert_eq!((missing.status, missing.json()["category"].as_str()), (404, Some("OBJECT_NOT_FOUND")));
    let groups = sim.get("/crm/v3/properties/contacts/groups").await.json();
    assert!(groups["results"].as_array().unwrap().iter().any(|group| group["name"] == "contactinformation"));
    let sensitive = sim.get("/crm/v3/properties/contacts?dataSensitivity=sensitive").await;
    assert_eq!(sensitive.json(), json!({ "results": [] }));
}

#[tokio::test]
async fn definitions_are_read_in_batches() {
    let sim = Sim::small().await;
    let body = json!({ "archived": false, "inputs": [{ "name": "email" }, { "name": "nosuchproperty" }] });
    let answer = sim.post("/crm/v3/properties/contacts/batch/read", &body).await;
    assert_eq!(answer.status, 207);
    assert_eq!(answer.json()["results"][0]["name"], "email");
}

#[tokio::test]
async fn an_account_without_custom_types_lists_no_schemas_but_describes_standard_ones() {
    let sim = Sim::small().await;
    assert_eq!(sim.get("/crm-object-schemas/2026-09/schemas").await.json(), json!({ "results": [] }));
    assert_eq!(sim.get("/crm/v3/schemas/0-1").await.json()["name"], "CONTACT");
}
