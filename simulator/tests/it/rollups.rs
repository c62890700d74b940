//! Properties that count linked records. Source: people who run connectors, on changes without last-modified.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::Sim;

/// A counting property of a type, and what its records are linked to.
const COUNTS: [(&str, &str, &str); 5] = [
    ("companies", "num_associated_contacts", "contacts"),
    ("companies", "num_associated_deals", "deals"),
    ("contacts", "num_associated_deals", "deals"),
    ("deals", "num_associated_contacts", "contacts"),
    ("tickets", "hs_num_associated_companies", "companies"),
];

/// How many records each is linked to.
async fn counted(sim: &Sim, from: &str, to: &str) -> BTreeMap<String, u64> {
    let text = sim.get(&format!("/_sim/associations/{from}/{to}")).await.text();
    let mut counts = BTreeMap::new();
    for link in text.lines().map(|line| serde_json::from_str::<Value>(line).expect("lines of JSON")) {
        *counts.entry(link["from"].as_str().expect("an id").to_owned()).or_default() += 1;
    }
    counts
}

/// Checks that every count is what the links say.
async fn check(sim: &Sim, when: &str) {
    for (plural, name, to) in COUNTS {
        let counts = counted(sim, plural, to).await;
        for line in sim.truth(plural).await {
            let id = line["id"].as_str().expect("an id");
            let expected = counts.get(id).copied().unwrap_or_default().to_string();
            assert_eq!(line["properties"][name], expected, "{name} of {plural} {id} {when}");
        }
    }
}

/// When each record was last modified.
async fn stamps(sim: &Sim, plural: &str) -> Vec<(Value, Value)> {
    let truth = sim.truth(plural).await;
    truth.iter().map(|line| (line["id"].clone(), line["updatedAt"].clone())).collect()
}

#[tokio::test]
async fn counts_agree_with_the_links_of_the_seed() {
    check(&Sim::small().await, "at the start").await;
}

#[tokio::test]
async fn counts_follow_links_that_come_and_go_and_last_modified_stays() {
    let sim = Sim::small().await;
    sim.set(json!({ "rollUpsFollow": true })).await;
    let id = async |plural: &str, position: usize| {
        sim.truth(plural).await[position]["id"].as_str().expect("an id").to_owned()
    };
    let before = stamps(&sim, "companies").await;
    let (contact, company) = (id("contacts", 7).await, id("companies", 20).await);
    let path = format!("associations/contacts/{contact}/companies/{company}");
    sim.control("PUT", &path, &json!({})).await;
    check(&sim, "after a link").await;
    sim.control("DELETE", &path, &json!({})).await;
    check(&sim, "after the link went").await;
    sim.control("DELETE", &format!("objects/contacts/{contact}"), &json!({})).await;
    check(&sim, "after a record went to the bin").await;
    sim.control("POST", &format!("objects/contacts/{contact}/restore"), &json!({})).await;
    check(&sim, "after it came back").await;
    sim.control("POST", "objects/contacts", &json!({ "count": 9 })).await;
    sim.control("POST", "objects/deals", &json!({ "count": 9 })).await;
    check(&sim, "after new records").await;
    sim.control("POST", &format!("objects/contacts/{contact}/purge"), &json!({})).await;
    check(&sim, "after one is gone for good").await;
    assert_eq!(stamps(&sim, "companies").await, before, "nobody wrote to a company");
    let body = json!({ "properties": { "associatedcompanyid": company } });
    sim.control("PATCH", &format!("objects/contacts/{}", id("contacts", 3).await), &body).await;
    check(&sim, "after a new primary company").await;
    let (one, other) = (id("companies", 1).await, id("companies", 2).await);
    let body = json!({ "primaryObjectId": one, "objectIdToMerge": other });
    sim.control("POST", "objects/companies/merge", &body).await;
    check(&sim, "after a merge").await;
}

#[tokio::test]
async fn children_are_counted_too() {
    let sim = Sim::small().await;
    sim.set(json!({ "rollUpsFollow": true })).await;
    let companies = sim.truth("companies").await;
    let id = |position: usize| companies[position]["id"].as_str().expect("an id");
    let count = |line: &Value| -> u64 {
        line["properties"]["hs_num_child_companies"].as_str().and_then(|text| text.parse().ok()).unwrap_or(99)
    };
    let before = [count(&companies[30]), count(&companies[31])];
    let body = |parent: &str| json!({ "properties": { "hs_parent_company_id": parent } });
    sim.control("PATCH", &format!("objects/companies/{}", id(22)), &body(id(30))).await;
    let counts = async || {
        let companies = sim.truth("companies").await;
        [count(&companies[30]), count(&companies[31])]
    };
    assert_eq!(counts().await, [before[0] + 1, before[1]]);
    sim.control("PATCH", &format!("objects/companies/{}", id(22)), &body(id(31))).await;
    assert_eq!(counts().await, [before[0], before[1] + 1]);
}

#[tokio::test]
async fn counts_stay_as_they_are_unless_switched() {
    let sim = Sim::small().await;
    let before = sim.truth("companies").await;
    sim.control("POST", "objects/contacts", &json!({ "count": 9 })).await;
    assert_eq!(sim.truth("companies").await, before);
}
