//! Links between records of one type. Source: HubSpot, "Associate records", for the numbers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Sim, number};

/// Numbers of the labels between two records, from the first to the second.
async fn types(sim: &Sim, plural: &str, from: u64, to: u64) -> Vec<u64> {
    let path = format!("/crm/objects/2026-09/{plural}/{from}/associations/{plural}");
    let answer = sim.get(&path).await.json();
    let entries = answer["results"].as_array().cloned().unwrap_or_default();
    let entry = entries.iter().find(|entry| entry["toObjectId"] == to);
    let labels = entry.and_then(|entry| entry["associationTypes"].as_array().cloned()).unwrap_or_default();
    let mut numbers: Vec<u64> = labels.iter().filter_map(|label| label["typeId"].as_u64()).collect();
    numbers.sort_unstable();
    numbers
}

/// Ids of the live records of a type, ascending.
async fn ids(sim: &Sim, plural: &str) -> Vec<u64> {
    sim.truth(plural).await.iter().map(|line| number(&line["id"])).collect()
}

/// Labels a link from the control API.
async fn label(sim: &Sim, plural: &str, [from, to]: [u64; 2], type_id: u64) {
    let types = json!({ "types": [{ "category": "HUBSPOT_DEFINED", "typeId": type_id }] });
    sim.control("PUT", &format!("associations/{plural}/{from}/{plural}/{to}"), &types).await;
}

/// The parent each company names.
async fn parents(sim: &Sim) -> BTreeMap<u64, u64> {
    let companies = sim.truth("companies").await;
    let named = companies.iter().filter_map(|line| {
        let parent = line["properties"]["hs_parent_company_id"].as_str()?;
        Some((number(&line["id"]), parent.parse().ok()?))
    });
    named.collect()
}

#[tokio::test]
async fn records_of_one_type_are_linked_with_the_published_numbers_from_both_ends() {
    let sim = Sim::small().await;
    for (plural, type_id) in [("contacts", 449), ("companies", 450), ("deals", 451)] {
        let text = sim.get(&format!("/_sim/associations/{plural}/{plural}")).await.text();
        assert!(text.lines().count() > 3, "{plural} are linked from the start");
        for line in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let (from, to) = (number(&line["from"]), number(&line["to"]));
            assert!(types(&sim, plural, from, to).await.contains(&type_id), "{plural} {from} {to}");
            assert!(types(&sim, plural, to, from).await.contains(&type_id), "{plural} {to} {from}");
        }
    }
}

#[tokio::test]
async fn a_parent_is_thirteen_to_its_child_and_fourteen_back_whichever_id_is_lower() {
    let sim = Sim::small().await;
    let ids = ids(&sim, "companies").await;
    for [parent, child] in [[ids[10], ids[30]], [ids[31], ids[11]]] {
        label(&sim, "companies", [parent, child], 13).await;
        assert_eq!(types(&sim, "companies", parent, child).await, [13, 450]);
        assert_eq!(types(&sim, "companies", child, parent).await, [14, 450]);
        assert_eq!(parents(&sim).await[&child], parent);
    }
    let labels = sim.get("/crm/associations/2026-09/companies/companies/labels").await.json();
    let shown: Vec<u64> =
        labels["results"].as_array().unwrap().iter().map(|one| one["typeId"].as_u64().unwrap()).collect();
    assert_eq!(shown, [450, 13, 14]);
}

#[tokio::test]
async fn the_seed_names_the_parents_it_links() {
    let sim = Sim::small().await;
    let named = parents(&sim).await;
    assert!(named.len() > 3);
    for (child, parent) in named {
        assert_eq!(types(&sim, "companies", child, parent).await, [14, 450], "{child}");
    }
}

#[tokio::test]
async fn a_company_has_one_parent_which_the_property_may_choose() {
    let sim = Sim::small().await;
    let ids = ids(&sim, "companies").await;
    let (child, first, second) = (ids[20], ids[5], ids[35]);
    label(&sim, "companies", [child, first], 14).await;
    let updated_at = sim.truth("companies").await[20]["updatedAt"].clone();
    label(&sim, "companies", [second, child], 13).await;
    assert_eq!(types(&sim, "companies", child, first).await, [450], "the link stays, the label goes");
    assert_eq!(parents(&sim).await[&child], second);
    assert_eq!(sim.truth("companies").await[20]["updatedAt"], updated_at);
    let body = json!({ "properties": { "hs_parent_company_id": first } });
    sim.control("PATCH", &format!("objects/companies/{child}"), &body).await;
    assert_eq!(types(&sim, "companies", first, child).await, [13, 450]);
    assert_eq!(types(&sim, "companies", second, child).await, [450]);
    let path = format!("associations/companies/{first}/companies/{child}");
    sim.control("DELETE", &path, &json!({})).await;
    assert_eq!(parents(&sim).await.get(&child), None);
}

#[tokio::test]
async fn a_label_with_two_names_between_records_of_one_type_goes_either_way() {
    let sim = Sim::small().await;
    let ids = ids(&sim, "contacts").await;
    let defined = json!({ "label": "Manager", "inverseLabel": "Report", "name": "manager" });
    let made = sim.post("/crm/associations/2026-09/contacts/contacts/labels", &defined).await.json();
    let [there, back] = [0, 1].map(|side| made["results"][side]["typeId"].as_u64().unwrap());
    assert_ne!(there, back);
    for [from, to] in [[ids[1], ids[200]], [ids[201], ids[2]]] {
        let body = json!([{ "associationCategory": "USER_DEFINED", "associationTypeId": there }]).to_string();
        let path = format!("/crm/objects/2026-09/contacts/{from}/associations/contacts/{to}");
        assert_eq!(sim.send("PUT", &path, &body).await.status, 201);
        assert_eq!(types(&sim, "contacts", from, to).await, [there, 449]);
        assert_eq!(types(&sim, "contacts", to, from).await, [back, 449]);
    }
}

#[tokio::test]
async fn merging_a_company_leaves_children_and_parents_on_their_sides() {
    let sim = Sim::small().await;
    let ids = ids(&sim, "companies").await;
    let (parent, other, child) = (ids[9], ids[10], ids[33]);
    label(&sim, "companies", [parent, child], 13).await;
    let body = json!({ "primaryObjectId": parent.to_string(), "objectIdToMerge": other.to_string() });
    let merged = number(&sim.control("POST", "objects/companies/merge", &body).await["id"]);
    assert!(merged > child, "the new id is on the other side of the child's");
    assert_eq!(types(&sim, "companies", merged, child).await, [13, 450]);
    assert_eq!(parents(&sim).await[&child], merged);
}
