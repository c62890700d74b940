//! Every standard object type. Source: HubSpot, "Understanding the CRM".

use std::collections::BTreeSet;

use clap::Parser;
use hubspot_simulator::Config;
use hubspot_simulator::object_type::STANDARD;
use serde_json::json;

use crate::harness::{Sim, number};

/// An account with ten records of every type.
fn of_everything() -> Config {
    let list: Vec<String> = STANDARD.iter().map(|object_type| format!("{}=10", object_type.plural)).collect();
    Config::parse_from(["hubspot-simulator", "--no-limits", "--objects", &list.join(",")])
}

#[tokio::test]
async fn every_type_lists_searches_and_describes_its_records() {
    let sim = Sim::start(of_everything()).await;
    for object_type in STANDARD.iter() {
        let plural = &object_type.plural;
        let truth = sim.truth(plural).await;
        assert_eq!(truth.len(), 10, "{plural}");
        let by_id = sim.get(&format!("/crm/objects/2026-09/{}?limit=100", object_type.type_id)).await;
        assert_eq!(by_id.ids(), truth.iter().map(|line| number(&line["id"])).collect::<Vec<_>>(), "{plural}");
        assert_eq!(sim.search(&object_type.singular, json!({})).await.json()["total"], json!(10), "{plural}");
        let definitions = sim.get(&format!("/crm/properties/2026-09/{}", object_type.type_id)).await.json();
        let definitions = definitions["results"].as_array().unwrap();
        let names: BTreeSet<&str> = definitions.iter().map(|one| one["name"].as_str().unwrap()).collect();
        for name in ["hs_object_id", "hs_createdate", object_type.last_modified] {
            assert!(names.contains(name), "{plural} has {name}");
        }
        for name in truth[0]["properties"].as_object().unwrap().keys() {
            assert!(names.contains(name.as_str()), "{plural} defines {name}");
        }
        assert_eq!(sim.get(&format!("/crm/pipelines/2026-09/{plural}")).await.status, 200);
        let schema = sim.get(&format!("/crm-object-schemas/2026-09/schemas/{}", object_type.type_id)).await;
        assert_eq!(schema.json()["objectTypeId"], object_type.type_id);
    }
}

#[tokio::test]
async fn every_type_is_changed_archived_restored_and_merged_like_the_others() {
    let sim = Sim::start(of_everything()).await;
    for object_type in STANDARD.iter() {
        let plural = &object_type.plural;
        let before = sim.truth(plural).await;
        sim.control("POST", "mutate", &json!({ "type": plural, "count": 10, "seed": 7 })).await;
        let after = sim.truth(plural).await;
        let is_changed =
            |(old, new): (&serde_json::Value, &serde_json::Value)| old["properties"] != new["properties"];
        assert!(before.iter().zip(&after).all(is_changed), "{plural}");
        let id = |position: usize| after[position]["id"].as_str().unwrap();
        sim.control("DELETE", &format!("objects/{plural}/{}", id(0)), &json!({})).await;
        assert_eq!(sim.bin(plural).await.len(), 1, "{plural}");
        sim.control("POST", &format!("objects/{plural}/{}/restore", id(0)), &json!({})).await;
        let body = json!({ "primaryObjectId": id(1), "objectIdToMerge": id(2) });
        let merged = sim.control("POST", &format!("objects/{plural}/merge"), &body).await["id"].clone();
        let path = format!("/crm/v3/objects/{plural}/{}?properties=hs_merged_object_ids", id(2));
        let record = sim.get(&path).await.json();
        assert_eq!(record["id"], merged, "{plural}");
        assert_eq!(record["properties"]["hs_merged_object_ids"], format!("{};{}", id(1), id(2)), "{plural}");
        assert_eq!(sim.truth(plural).await.len(), 9, "{plural}");
    }
}

#[tokio::test]
async fn line_items_and_notes_hang_on_deals_and_contacts_with_their_published_type_ids() {
    let sim = Sim::start(of_everything()).await;
    for (from, to, type_id) in [("line_items", "deals", 20), ("notes", "contacts", 202)] {
        let text = sim.get(&format!("/_sim/associations/{from}/{to}")).await.text();
        let types: BTreeSet<u64> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|line| line["types"][0]["typeId"].as_u64().unwrap())
            .collect();
        assert_eq!((text.lines().count(), types), (10, BTreeSet::from([type_id])));
    }
}

#[test]
fn counts_of_unknown_types_are_refused() {
    for bad in ["boats=1", "products", "products=many"] {
        assert!(Config::try_parse_from(["hubspot-simulator", "--objects", bad]).is_err(), "{bad}");
    }
}
