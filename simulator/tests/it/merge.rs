//! Rules of merging. Source: HubSpot changelog, "Updated merge functionality for contacts and companies".

use serde_json::{Value, json};

use crate::harness::{Sim, millis, number};

/// Merges the first two contacts that have an address; returns both before and the id after.
async fn merge_two(sim: &Sim) -> (Value, Value, u64) {
    let truth = sim.truth("contacts").await;
    let mut two = truth.into_iter().filter(|line| line["properties"]["email"].is_string());
    let (primary, other) = two.next().zip(two.next()).expect("more than two contacts have an address");
    let body = json!({ "primaryObjectId": primary["id"], "objectIdToMerge": other["id"] });
    let merged = sim.control("POST", "objects/contacts/merge", &body).await;
    (primary, other, number(&merged["id"]))
}

#[tokio::test]
async fn the_result_is_a_new_record_in_which_the_primary_wins() {
    let sim = Sim::small().await;
    let (primary, other, id) = merge_two(&sim).await;
    assert!(id > number(&sim.truth("contacts").await[200]["id"]), "the new id is the greatest");
    let truth = sim.truth("contacts").await;
    let merged = &truth.iter().find(|line| number(&line["id"]) == id).unwrap()["properties"];
    assert_eq!(merged["email"], primary["properties"]["email"]);
    assert_eq!(merged["hs_additional_emails"], other["properties"]["email"]);
    let (primary_id, other_id) = (primary["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    assert_eq!(merged["hs_merged_object_ids"], format!("{primary_id};{other_id}"));
    for (name, value) in other["properties"].as_object().unwrap() {
        if primary["properties"].get(name).is_none() {
            assert_eq!(&merged[name], value, "{name} comes from the other record");
        }
    }
    assert_eq!(truth.len(), 299);
}

#[tokio::test]
async fn both_old_ids_answer_for_the_survivor_and_are_in_no_list() {
    let sim = Sim::small().await;
    let (primary, other, id) = merge_two(&sim).await;
    for old in [&primary["id"], &other["id"]] {
        let old = old.as_str().unwrap();
        assert_eq!(number(&sim.get(&format!("/crm/v3/objects/contacts/{old}")).await.json()["id"]), id);
        let batch =
            sim.post("/crm/v3/objects/contacts/batch/read", &json!({ "inputs": [{ "id": old }] })).await;
        assert_eq!((batch.status, batch.ids()), (200, vec![id]));
    }
    let listed: Vec<u64> =
        sim.list_all("contacts", "").await.iter().map(|record| number(&record["id"])).collect();
    assert!(
        listed.contains(&id)
            && !listed.contains(&number(&primary["id"]))
            && !listed.contains(&number(&other["id"]))
    );
    assert!(sim.bin("contacts").await.is_empty());
    for email in [&primary["properties"]["email"], &other["properties"]["email"]] {
        let path = format!("/crm/v3/objects/contacts/{}?idProperty=email", email.as_str().unwrap());
        assert_eq!(number(&sim.get(&path).await.json()["id"]), id);
    }
}

#[tokio::test]
async fn the_list_of_merged_ids_grows_with_each_merge() {
    let sim = Sim::small().await;
    let (_, _, first) = merge_two(&sim).await;
    let third = sim.truth("contacts").await[50]["id"].as_str().unwrap().to_owned();
    let body = json!({ "primaryObjectId": first.to_string(), "objectIdToMerge": third });
    let last = sim.control("POST", "objects/contacts/merge", &body).await["id"].as_str().unwrap().to_owned();
    let record =
        sim.get(&format!("/crm/v3/objects/contacts/{last}?properties=hs_merged_object_ids")).await.json();
    let ids: Vec<&str> = record["properties"]["hs_merged_object_ids"].as_str().unwrap().split(';').collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(ids[2..], [first.to_string(), third]);
}

#[tokio::test]
async fn keeping_the_primary_id_and_an_untouched_last_modified_are_switches() {
    let sim = Sim::small().await;
    sim.set(json!({ "mergeKeepsPrimaryId": true, "mergeTouches": false })).await;
    let (primary, _, id) = merge_two(&sim).await;
    assert_eq!(id, number(&primary["id"]));
    let merged = sim.get(&format!("/crm/v3/objects/contacts/{id}")).await.json();
    assert_eq!(millis(&merged["updatedAt"]), millis(&primary["updatedAt"]));
}

#[tokio::test]
async fn the_api_merges_and_answers_with_the_record_that_remains() {
    let sim = Sim::small().await;
    let ids = sim.get("/crm/v3/objects/companies?limit=3").await.ids();
    let body = json!({ "primaryObjectId": ids[0].to_string(), "objectIdToMerge": ids[1].to_string() });
    let answer = sim.post("/crm/objects/2026-09/companies/merge", &body).await;
    assert_eq!(answer.status, 200);
    let survivor = number(&answer.json()["id"]);
    let aliased = sim.get(&format!("/crm/v3/objects/companies/{}", ids[1])).await.json();
    assert_eq!(number(&aliased["id"]), survivor);
    let body = json!({ "primaryObjectId": ids[2].to_string(), "objectIdToMerge": "77" });
    assert_eq!(sim.post("/crm/objects/2026-09/companies/merge", &body).await.status, 404);
}

#[tokio::test]
async fn a_kept_primary_id_is_not_among_the_merged_ones() {
    let sim = Sim::small().await;
    sim.set(json!({ "mergeKeepsPrimaryId": true })).await;
    let (_, other, id) = merge_two(&sim).await;
    let path = format!("/crm/v3/objects/contacts/{id}?properties=hs_merged_object_ids");
    assert_eq!(sim.get(&path).await.json()["properties"]["hs_merged_object_ids"], other["id"]);
}

#[tokio::test]
async fn merged_away_ids_are_archived_only_when_switched_and_for_ninety_days() {
    let sim = Sim::small().await;
    let (primary, other, _) = merge_two(&sim).await;
    let deleted = sim.get("/crm/v3/objects/contacts?limit=1").await.ids()[0];
    sim.control("DELETE", &format!("objects/contacts/{deleted}"), &json!({})).await;
    let archived = async || sim.get("/crm/v3/objects/contacts?archived=true").await;
    assert_eq!(archived().await.ids(), [deleted]);
    sim.set(json!({ "mergedAreArchived": true })).await;
    let mut expected = vec![number(&primary["id"]), number(&other["id"]), deleted];
    expected.sort_unstable();
    assert_eq!(archived().await.ids(), expected);
    assert!(archived().await.json()["results"][0]["archivedAt"].is_string());
    sim.control("POST", "clock/advance", &json!({ "ms": 91_i64 * 86_400_000 })).await;
    assert!(archived().await.ids().is_empty());
}

#[tokio::test]
async fn a_privacy_deletion_leaves_nothing_by_id_by_address_and_from_the_bin() {
    let sim = Sim::small().await;
    let truth = sim.truth("contacts").await;
    let with_email: Vec<&Value> =
        truth.iter().filter(|line| line["properties"]["email"].is_string()).take(3).collect();
    let path = "/crm/objects/2026-09/contacts/gdpr-delete";
    sim.control("DELETE", &format!("objects/contacts/{}", with_email[2]["id"].as_str().unwrap()), &json!({}))
        .await;
    let by_email = json!({ "objectId": with_email[0]["properties"]["email"], "idProperty": "email" });
    for body in
        [by_email, json!({ "objectId": with_email[1]["id"] }), json!({ "objectId": with_email[2]["id"] })]
    {
        assert_eq!(sim.post(path, &body).await.status, 204);
    }
    for line in with_email {
        let id = line["id"].as_str().unwrap();
        for query in ["", "?archived=true"] {
            assert_eq!(sim.get(&format!("/crm/v3/objects/contacts/{id}{query}")).await.status, 404);
        }
        let batch =
            sim.post("/crm/v3/objects/contacts/batch/read", &json!({ "inputs": [{ "id": id }] })).await;
        assert_eq!(batch.status, 207);
    }
    assert!(sim.get("/crm/v3/objects/contacts?archived=true").await.ids().is_empty());
    let unknown = json!({ "objectId": "nobody@example.test", "idProperty": "email" });
    assert_eq!(sim.post(path, &unknown).await.status, 204, "an unknown address is blocked");
    assert_eq!(sim.post(path, &json!({ "objectId": "77" })).await.status, 404);
    assert_eq!(sim.post("/crm/v3/objects/deals/gdpr-delete", &json!({ "objectId": "77" })).await.status, 404);
}

#[tokio::test]
async fn a_switch_leaves_last_modified_where_the_primary_had_it() {
    let sim = Sim::small().await;
    sim.set(json!({ "mergeTouches": false })).await;
    let (primary, _, id) = merge_two(&sim).await;
    let truth = sim.truth("contacts").await;
    let merged = truth.iter().find(|line| number(&line["id"]) == id).unwrap();
    assert_eq!(merged["updatedAt"], primary["updatedAt"]);
    sim.set(json!({ "mergeTouches": true })).await;
    let (primary, other, id) = merge_two(&sim).await;
    let truth = sim.truth("contacts").await;
    let merged = truth.iter().find(|line| number(&line["id"]) == id).unwrap();
    assert!(millis(&merged["updatedAt"]) > millis(&primary["updatedAt"]).max(millis(&other["updatedAt"])));
}
