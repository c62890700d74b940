//! Rules of associations. Source: HubSpot, "Associate records"; errors as published by people who met them.

use std::collections::{BTreeMap, BTreeSet};

use hubspot_simulator::Config;
use serde_json::{Value, json};

use crate::harness::{Answer, Sim, number, small};

/// Where links of many records are read.
fn bulk(from: &str, to: &str) -> String {
    format!("/crm/associations/2026-09/{from}/{to}/batch/read")
}

/// Links of records as a batch read shows them.
async fn read(sim: &Sim, from: &str, to: &str, ids: &[&str]) -> Answer {
    let inputs: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
    sim.post(&bulk(from, to), &json!({ "inputs": inputs })).await
}

/// What a record is linked to, with the numbers of the labels.
async fn linked(sim: &Sim, from: &str, id: &str, to: &str) -> BTreeMap<u64, BTreeSet<u64>> {
    let answer = read(sim, from, to, &[id]).await.json();
    let entries = answer["results"][0]["to"].as_array().cloned().unwrap_or_default();
    let types_of = |entry: &Value| {
        let types = entry["associationTypes"].as_array().expect("labels are a list").iter();
        types.map(|one| one["typeId"].as_u64().expect("numbers, not texts")).collect()
    };
    entries
        .iter()
        .map(|entry| (entry["toObjectId"].as_u64().expect("numbers, not texts"), types_of(entry)))
        .collect()
}

/// The truth about the links of two types: from, to, numbers of the labels.
async fn truth(sim: &Sim, from: &str, to: &str) -> BTreeMap<(String, String), BTreeSet<u64>> {
    let text = sim.get(&format!("/_sim/associations/{from}/{to}")).await.text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("lines of JSON"));
    lines
        .map(|line| {
            let types = line["types"].as_array().expect("labels are a list").iter();
            let ids = types.map(|one| one["typeId"].as_u64().expect("numbers, not texts")).collect();
            let text = |name: &str| line[name].as_str().expect("ids are texts").to_owned();
            ((text("from"), text("to")), ids)
        })
        .collect()
}

/// The id of the record at a position among the live ones.
async fn id_at(sim: &Sim, plural: &str, position: usize) -> String {
    sim.truth(plural).await[position]["id"].as_str().expect("ids are texts").to_owned()
}

#[tokio::test]
async fn both_directions_tell_the_same_links_with_their_own_type_ids() {
    let sim = Sim::small().await;
    let pairs = [
        ("contacts", "companies", vec![(279, 280), (1, 2)]),
        ("contacts", "deals", vec![(4, 3)]),
        ("contacts", "tickets", vec![(15, 16)]),
        ("deals", "companies", vec![(341, 342), (5, 6)]),
        ("tickets", "companies", vec![(339, 340), (26, 25)]),
        ("deals", "tickets", vec![(27, 28)]),
    ];
    for (from, to, numbers) in pairs {
        let there = truth(&sim, from, to).await;
        let back = truth(&sim, to, from).await;
        assert!(!there.is_empty(), "{from} {to}");
        let back_of = BTreeMap::from_iter(numbers);
        let turned: BTreeMap<_, BTreeSet<u64>> = there
            .iter()
            .map(|((a, b), types)| ((b.clone(), a.clone()), types.iter().map(|one| back_of[one]).collect()))
            .collect();
        assert_eq!(turned, back, "{from} {to}");
        let primaries = there.values().filter(|types| types.len() > 1).count();
        assert_eq!(primaries > 0, back_of.len() > 1, "{from} {to}");
    }
}

#[tokio::test]
async fn the_primary_company_is_the_one_the_property_names() {
    let sim = Sim::small().await;
    for (plural, name, primary) in [
        ("contacts", "associatedcompanyid", 1),
        ("deals", "hs_primary_associated_company", 5),
        ("tickets", "hs_primary_company_id", 26),
    ] {
        let links = truth(&sim, plural, "companies").await;
        let by_link: BTreeMap<String, String> =
            links.into_iter().filter(|(_, types)| types.contains(&primary)).map(|(ids, _)| ids).collect();
        let by_property: BTreeMap<String, String> = sim
            .truth(plural)
            .await
            .iter()
            .filter_map(|line| {
                let company = line["properties"][name].as_str()?.to_owned();
                Some((line["id"].as_str()?.to_owned(), company))
            })
            .collect();
        assert_eq!(by_link, by_property, "{plural}");
    }
}

#[tokio::test]
async fn a_batch_read_reports_records_without_links_and_unknown_ones_as_errors() {
    let sim = Sim::small().await;
    let lonely = sim.control("POST", "objects/contacts", &json!({ "properties": {} })).await;
    let lonely = lonely["ids"][0].as_str().unwrap().to_owned();
    let first = id_at(&sim, "contacts", 0).await;
    let answer = read(&sim, "contacts", "companies", &[&first, &lonely, "77"]).await;
    assert_eq!(answer.status, 207);
    let body = answer.json();
    assert_eq!(body["results"].as_array().unwrap().len(), 1);
    assert_eq!(body["results"][0]["from"]["id"], first);
    assert!(body["results"][0]["to"][0]["toObjectId"].is_u64(), "a number, not a text");
    assert_eq!(body["numErrors"], json!(2));
    let error = &body["errors"][0];
    assert_eq!(error["category"], "OBJECT_NOT_FOUND");
    assert_eq!(error["subCategory"], "crm.associations.NO_ASSOCIATIONS_FOUND");
    assert_eq!(error["message"], format!("No company is associated with contact {lonely}."));
    assert_eq!(error["context"]["fromObjectId"], json!([lonely]));
    assert_eq!(read(&sim, "contacts", "companies", &[&first]).await.status, 200);
    let many: Vec<Value> = (0..1_001).map(|id| json!({ "id": id.to_string() })).collect();
    let refused = sim.post(&bulk("contacts", "companies"), &json!({ "inputs": many })).await;
    assert_eq!((refused.status, refused.json()["category"].as_str()), (400, Some("VALIDATION_ERROR")));
}

#[tokio::test]
async fn links_beyond_a_page_are_reached_record_by_record() {
    let sim = Sim::small().await;
    sim.set(json!({ "associationPageSize": 3 })).await;
    let company = id_at(&sim, "companies", 0).await;
    let expected = truth(&sim, "companies", "contacts").await;
    let expected: Vec<u64> =
        expected.keys().filter(|(from, _)| *from == company).map(|(_, to)| to.parse().unwrap()).collect();
    assert!(expected.len() > 6);
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let input = json!({ "inputs": [{ "id": company, "after": after }] });
        let result = sim.post(&bulk("companies", "contacts"), &input).await.json()["results"][0].clone();
        let page = result["to"].as_array().unwrap();
        assert!(page.len() <= 3);
        found.extend(page.iter().map(|entry| entry["toObjectId"].as_u64().unwrap()));
        match &result["paging"]["next"]["after"] {
            Value::Null => break,
            next => after = next.clone(),
        }
    }
    assert_eq!(found, expected);
    let path = format!("/crm/v4/objects/companies/{company}/associations/contacts");
    let page = sim.get(&format!("{path}?limit=4")).await;
    assert_eq!(page.json()["results"].as_array().unwrap().len(), 4);
    let rest = sim.get(&format!("{path}?after={}", page.after().unwrap())).await;
    assert_eq!(rest.json()["results"].as_array().unwrap().len(), expected.len() - 4);
    let refused = sim.get(&format!("{path}?limit=501")).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["message"], "You can only request at most 500 associations at once.");
}

#[tokio::test]
async fn a_labelled_write_replaces_labels_and_the_plain_link_carries_them() {
    let sim = Sim::small().await;
    let defined = sim
        .control("POST", "labels/deals/contacts", &json!({ "label": "Buyer", "inverseLabel": "Buys" }))
        .await;
    let [there, back] = [0, 1].map(|at| defined["typeIds"][at].as_u64().unwrap());
    let labels = sim.get("/crm/associations/2026-09/contacts/deals/labels").await.json();
    let buys = json!({ "category": "USER_DEFINED", "typeId": back, "label": "Buys" });
    assert!(labels["results"].as_array().unwrap().contains(&buys), "{labels}");
    let other = sim.control("POST", "labels/deals/contacts", &json!({ "label": "Payer" })).await;
    let other = other["typeIds"][0].as_u64().unwrap();
    let (deal, contact) = (id_at(&sim, "deals", 0).await, id_at(&sim, "contacts", 200).await);
    let id: u64 = contact.parse().unwrap();
    let path = format!("/crm/objects/2026-09/deals/{deal}/associations/contacts/{contact}");
    let label = async |numbers: &[u64]| {
        let types: Vec<Value> = numbers
            .iter()
            .map(|id| json!({ "associationCategory": "USER_DEFINED", "associationTypeId": id }))
            .collect();
        sim.send("PUT", &path, &json!(types).to_string()).await
    };
    let written = label(&[there]).await;
    assert_eq!((written.status, &written.json()["labels"]), (201, &json!(["Buyer"])));
    assert_eq!(linked(&sim, "deals", &deal, "contacts").await[&id], BTreeSet::from([3, there]));
    let from_contact = linked(&sim, "contacts", &contact, "deals").await;
    assert_eq!(from_contact[&deal.parse().unwrap()], BTreeSet::from([4, back]));
    label(&[other]).await;
    assert_eq!(linked(&sim, "deals", &deal, "contacts").await[&id], BTreeSet::from([3, other]));
    assert_eq!(label(&[9_999]).await.status, 400);

    let archive = async |category: &str, number: u64| {
        let types = json!([{ "associationCategory": category, "associationTypeId": number }]);
        let input =
            json!({ "inputs": [{ "from": { "id": deal }, "to": { "id": contact }, "types": types }] });
        sim.post("/crm/associations/2026-09/deals/contacts/batch/labels/archive", &input).await.status
    };
    assert_eq!(archive("USER_DEFINED", other).await, 200);
    assert_eq!(linked(&sim, "deals", &deal, "contacts").await[&id], BTreeSet::from([3]));
    label(&[there]).await;
    assert_eq!(archive("HUBSPOT_DEFINED", 3).await, 200);
    assert!(!linked(&sim, "deals", &deal, "contacts").await.contains_key(&id));
}

#[tokio::test]
async fn a_pair_takes_fifty_labels_and_numbers_may_repeat_hubspots_own() {
    let sim = Sim::small().await;
    let body = json!({ "label": "Same number", "typeIds": [279, 280] });
    sim.control("POST", "labels/contacts/companies", &body).await;
    for number in 1..50 {
        let body = json!({ "label": format!("Label {number}"), "name": format!("label_{number}") });
        let made = sim.post("/crm/associations/2026-09/contacts/companies/labels", &body).await;
        assert_eq!(made.status, 200, "{number}");
    }
    let body = json!({ "label": "One too many", "name": "too_many" });
    assert_eq!(sim.post("/crm/associations/2026-09/contacts/companies/labels", &body).await.status, 437);
    let (contact, company) = (id_at(&sim, "contacts", 0).await, id_at(&sim, "companies", 30).await);
    let path = format!("associations/contacts/{contact}/companies/{company}");
    let types = json!({ "types": [{ "category": "USER_DEFINED", "typeId": 279 }] });
    sim.control("PUT", &path, &types).await;
    let entry = read(&sim, "contacts", "companies", &[&contact]).await.json();
    let entries = entry["results"][0]["to"].as_array().unwrap().clone();
    let entry = entries.iter().find(|entry| entry["toObjectId"].as_u64() == company.parse().ok()).unwrap();
    let shown: Vec<&str> = entry["associationTypes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["typeId"] == json!(279))
        .map(|one| one["category"].as_str().unwrap())
        .collect();
    assert_eq!(BTreeSet::from_iter(shown), BTreeSet::from(["HUBSPOT_DEFINED", "USER_DEFINED"]));
}

#[tokio::test]
async fn links_are_made_and_taken_away_one_by_one_and_in_bulk() {
    let sim = Sim::small().await;
    let (ticket, contact) = (id_at(&sim, "tickets", 0).await, id_at(&sim, "contacts", 250).await);
    let id: u64 = contact.parse().unwrap();
    let is_linked = async || linked(&sim, "tickets", &ticket, "contacts").await.contains_key(&id);
    let one = format!("/crm/objects/2026-09/tickets/{ticket}/associations");
    assert!(!is_linked().await);
    let made = sim.send("PUT", &format!("{one}/default/contacts/{contact}"), "").await;
    assert_eq!((made.status, is_linked().await), (200, true));
    assert_eq!(made.json()["results"][0]["associationSpec"]["associationTypeId"], json!(16));
    let gone = sim.send("DELETE", &format!("{one}/contacts/{contact}"), "").await;
    assert_eq!((gone.status, is_linked().await), (204, false));
    let input = json!({ "inputs": [{ "from": { "id": ticket }, "to": { "id": contact } }] });
    let made = sim.post("/crm/v4/associations/tickets/contacts/batch/associate/default", &input).await;
    assert_eq!((made.status, is_linked().await), (200, true));
    let input = json!({ "inputs": [{ "from": { "id": ticket }, "to": [{ "id": contact }] }] });
    let gone = sim.post("/crm/v4/associations/tickets/contacts/batch/archive", &input).await;
    assert_eq!((gone.status, gone.body.len(), is_linked().await), (204, 0, false));
    let types = json!([{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 16 }]);
    let create = json!({ "inputs": [{ "from": { "id": ticket }, "to": { "id": contact }, "types": types }] });
    let made = sim.post("/crm/associations/2026-03/tickets/contacts/batch/create", &create).await;
    assert_eq!((made.status, is_linked().await), (201, true));
    let gone = sim.post("/crm/associations/2026-03/tickets/contacts/batch/archive", &input).await;
    assert_eq!((gone.status, &gone.json()["status"], is_linked().await), (200, &json!("COMPLETE"), false));
    let mut half = create.clone();
    half["inputs"].as_array_mut().unwrap().push(json!({ "from": { "id": ticket }, "to": { "id": contact },
        "types": [{ "associationCategory": "USER_DEFINED", "associationTypeId": 9_999 }] }));
    let refused = sim.post("/crm/associations/2026-03/tickets/contacts/batch/create", &half).await;
    assert_eq!((refused.status, is_linked().await), (400, false), "all or nothing");
    let bad = json!({ "inputs": [{ "from": { "id": ticket }, "to": { "id": "77" } }] });
    let refused = sim.post("/crm/v4/associations/tickets/contacts/batch/associate/default", &bad).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["context"]["INVALID_OBJECT_IDS"], json!(["CONTACT=77 is not valid"]));
}

#[tokio::test]
async fn a_new_primary_company_replaces_the_old_one_and_shows_in_the_property() {
    let sim = Sim::small().await;
    let (contact, company) = (id_at(&sim, "contacts", 0).await, id_at(&sim, "companies", 30).await);
    let before = linked(&sim, "contacts", &contact, "companies").await;
    let old = *before.iter().find(|(_, types)| types.contains(&1)).unwrap().0;
    let updated_at = sim.truth("contacts").await[0]["updatedAt"].clone();
    let types = json!({ "types": [{ "category": "HUBSPOT_DEFINED", "typeId": 1 }] });
    sim.control("PUT", &format!("associations/contacts/{contact}/companies/{company}"), &types).await;
    let after = linked(&sim, "contacts", &contact, "companies").await;
    assert_eq!(after[&old], BTreeSet::from([279]));
    assert_eq!(after[&company.parse().unwrap()], BTreeSet::from([1, 279]));
    let line = sim.truth("contacts").await[0].clone();
    assert_eq!(line["properties"]["associatedcompanyid"], company);
    assert_eq!(line["updatedAt"], updated_at, "last-modified stays unless switched");
    // The property leads the other way as well.
    let body = json!({ "properties": { "associatedcompanyid": old } });
    sim.control("PATCH", &format!("objects/contacts/{contact}"), &body).await;
    assert_eq!(linked(&sim, "contacts", &contact, "companies").await[&old], BTreeSet::from([1, 279]));
    sim.control("DELETE", &format!("associations/contacts/{contact}/companies/{old}"), &json!({})).await;
    assert_eq!(sim.truth("contacts").await[0]["properties"]["associatedcompanyid"], Value::Null);
}

#[tokio::test]
async fn a_switch_makes_linking_move_last_modified_of_both() {
    let sim = Sim::small().await;
    let stamps = async || {
        let (deals, tickets) = (sim.truth("deals").await, sim.truth("tickets").await);
        [deals[1]["updatedAt"].clone(), tickets[1]["updatedAt"].clone()]
    };
    let (deal, ticket) = (id_at(&sim, "deals", 1).await, id_at(&sim, "tickets", 1).await);
    let path = format!("associations/deals/{deal}/tickets/{ticket}");
    let before = stamps().await;
    sim.control("PUT", &path, &json!({})).await;
    assert_eq!(stamps().await, before);
    sim.set(json!({ "associationTouches": true })).await;
    sim.control("DELETE", &path, &json!({})).await;
    assert!(stamps().await.iter().zip(&before).all(|(after, before)| after != before));
}

#[tokio::test]
async fn a_record_in_the_bin_has_no_links_and_has_its_old_ones_when_it_comes_back() {
    let sim = Sim::small().await;
    let before = truth(&sim, "contacts", "companies").await;
    let company = before.keys().next().unwrap().1.clone();
    sim.control("DELETE", &format!("objects/companies/{company}"), &json!({})).await;
    let without = truth(&sim, "contacts", "companies").await;
    assert!(without.len() < before.len() && without.keys().all(|(_, to)| *to != company));
    assert!(linked(&sim, "companies", &company, "contacts").await.is_empty());
    sim.control("POST", &format!("objects/companies/{company}/restore"), &json!({})).await;
    assert_eq!(truth(&sim, "contacts", "companies").await, before);
}

#[tokio::test]
async fn merging_moves_links_and_the_primary_records_primary_company_stays() {
    for keeps_id in [false, true] {
        let sim = Sim::small().await;
        sim.set(json!({ "mergeKeepsPrimaryId": keeps_id })).await;
        let (primary, other) = (id_at(&sim, "contacts", 0).await, id_at(&sim, "contacts", 5).await);
        let own = linked(&sim, "contacts", &primary, "companies").await;
        let theirs = linked(&sim, "contacts", &other, "companies").await;
        let body = json!({ "primaryObjectId": primary, "objectIdToMerge": other });
        let merged = sim.control("POST", "objects/contacts/merge", &body).await["id"].clone();
        let merged = merged.as_str().unwrap();
        assert_eq!(merged == primary, keeps_id);
        let joined = linked(&sim, "contacts", merged, "companies").await;
        let companies: BTreeSet<u64> = own.keys().chain(theirs.keys()).copied().collect();
        assert_eq!(joined.keys().copied().collect::<BTreeSet<_>>(), companies);
        let primary_of = |links: &BTreeMap<u64, BTreeSet<u64>>| -> Vec<u64> {
            links.iter().filter(|(_, types)| types.contains(&1)).map(|(&id, _)| id).collect()
        };
        assert_eq!(primary_of(&joined), primary_of(&own));
        assert!(linked(&sim, "contacts", &other, "companies").await.is_empty());
    }
}

#[tokio::test]
async fn merging_companies_renames_the_primary_company_of_their_contacts() {
    let sim = Sim::small().await;
    let (primary, other) = (id_at(&sim, "companies", 0).await, id_at(&sim, "companies", 1).await);
    let named = async |company: &str| -> BTreeSet<u64> {
        let contacts = sim.truth("contacts").await;
        let has = |line: &&Value| line["properties"]["associatedcompanyid"] == company;
        contacts.iter().filter(has).map(|line| number(&line["id"])).collect()
    };
    let expected: BTreeSet<u64> = named(&primary).await.union(&named(&other).await).copied().collect();
    let body = json!({ "primaryObjectId": primary, "objectIdToMerge": other });
    let merged = sim.control("POST", "objects/companies/merge", &body).await["id"].clone();
    let merged = merged.as_str().unwrap();
    assert_eq!(named(merged).await, expected);
    let linked = linked(&sim, "companies", merged, "contacts").await;
    let primaries: BTreeSet<u64> =
        linked.iter().filter(|(_, types)| types.contains(&2)).map(|(&id, _)| id).collect();
    assert_eq!(primaries, expected);
}

#[tokio::test]
async fn records_show_their_links_when_asked_once_per_label() {
    let sim = Sim::small().await;
    let page = sim.get("/crm/v3/objects/contacts?limit=100&associations=companies,deals").await.json();
    let expected = truth(&sim, "contacts", "companies").await;
    for record in page["results"].as_array().unwrap() {
        let entries = record["associations"]["companies"]["results"].as_array().cloned().unwrap_or_default();
        let id = record["id"].as_str().unwrap();
        let count: usize =
            expected.iter().filter(|((from, _), _)| from == id).map(|(_, types)| types.len()).sum();
        assert_eq!(entries.len(), count);
        assert!(count > 0 || record["associations"].get("companies").is_none());
        for entry in entries {
            let kind = entry["type"].as_str().unwrap();
            assert!(["contact_to_company", "contact_to_company_unlabeled"].contains(&kind));
        }
    }
    let first = page["results"][0]["id"].as_str().unwrap();
    let one = sim.get(&format!("/crm/v3/objects/contacts/{first}?associations=companies,deals")).await;
    assert_eq!(one.json()["associations"], page["results"][0]["associations"]);
    assert_eq!(sim.get("/crm/v3/objects/contacts?associations=boats").await.status, 400);
}

#[tokio::test]
async fn associations_have_a_quota_of_their_own() {
    let sim = Sim::start(Config { no_limits: false, limit_per_10_seconds: 1, ..small() }).await;
    sim.set(json!({ "associationLimitPer10Seconds": 2, "associationDailyLimit": 4 })).await;
    let status = async || read(&sim, "contacts", "deals", &["1"]).await;
    let first = status().await;
    assert_eq!((first.status, first.header("x-hubspot-ratelimit-max")), (207, "2"));
    assert_eq!(first.header("x-hubspot-ratelimit-daily-remaining"), "3");
    assert_eq!(sim.get("/crm/v3/owners").await.status, 200, "the general quota is untouched");
    assert_eq!(status().await.status, 207);
    let refused = status().await;
    assert_eq!((refused.status, refused.json()["policyName"].as_str()), (429, Some("TEN_SECONDLY_ROLLING")));
    sim.control("POST", "clock/advance", &json!({ "ms": 10_001 })).await;
    assert_eq!(status().await.status, 207);
    let refused = status().await;
    assert_eq!((refused.status, refused.json()["policyName"].as_str()), (429, Some("DAILY")));
    sim.set(json!({ "deniedTypes": ["deals"], "associationDailyLimit": 100 })).await;
    sim.control("POST", "clock/advance", &json!({ "ms": 10_001 })).await;
    assert_eq!(status().await.status, 403, "both types need a scope");
}

#[tokio::test]
async fn links_and_labels_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { state: Some(directory.path().join("state.jsonl")), ..small() };
    let sim = Sim::start(config.clone()).await;
    let defined = sim.control("POST", "labels/contacts/deals", &json!({ "label": "Buyer" })).await;
    let (contact, deal) = (id_at(&sim, "contacts", 0).await, id_at(&sim, "deals", 50).await);
    let types = json!({ "types": [{ "category": "USER_DEFINED", "typeId": defined["typeIds"][0] }] });
    sim.control("PUT", &format!("associations/contacts/{contact}/deals/{deal}"), &types).await;
    let gone = truth(&sim, "contacts", "companies").await.into_keys().next().unwrap();
    let path = format!("associations/contacts/{}/companies/{}", gone.0, gone.1);
    sim.control("DELETE", &path, &json!({})).await;
    let everything = async |sim: &Sim| {
        let labels = sim.get("/crm/associations/2026-09/contacts/deals/labels").await.json();
        (truth(sim, "contacts", "deals").await, truth(sim, "contacts", "companies").await, labels)
    };
    let before = everything(&sim).await;
    sim.server.stop().await;
    for _ in 0..2 {
        let sim = Sim::start(config.clone()).await;
        assert_eq!(everything(&sim).await, before);
        sim.server.stop().await;
    }
}
