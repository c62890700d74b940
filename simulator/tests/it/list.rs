//! Rules of the list and of single records. Source: HubSpot, "Using object APIs"; "Search the CRM" for defaults.

use serde_json::{Value, json};

use crate::harness::{Sim, millis, number, small};

#[tokio::test]
async fn pages_are_ten_unless_asked_and_a_hundred_at_most() {
    let sim = Sim::small().await;
    assert_eq!(sim.get("/crm/v3/objects/contacts").await.ids().len(), 10);
    assert_eq!(sim.get("/crm/v3/objects/contacts?limit=100").await.ids().len(), 100);
    assert_eq!(sim.get("/crm/v3/objects/contacts?limit=101").await.status, 400);
    assert_eq!(sim.get("/crm/v3/objects/contacts?limit=0").await.status, 400);
    sim.set(json!({ "clampPageSize": true })).await;
    assert_eq!(sim.get("/crm/v3/objects/contacts?limit=101").await.ids().len(), 100);
}

#[tokio::test]
async fn pages_join_to_all_records_in_ascending_order_of_id_with_gaps() {
    let sim = Sim::small().await;
    let ids: Vec<u64> =
        sim.list_all("contacts", "").await.iter().map(|record| number(&record["id"])).collect();
    assert_eq!(ids.len(), 300);
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(ids.windows(2).any(|pair| pair[1] > pair[0] + 1), "ids have gaps");
    assert_eq!(sim.control("GET", "count/contacts", &json!({})).await, json!({ "live": 300, "archived": 0 }));
}

#[tokio::test]
async fn after_is_the_id_of_the_next_record_and_the_last_page_has_no_paging() {
    let sim = Sim::small().await;
    let first = sim.get("/crm/objects/2026-09/deals?limit=59").await;
    let after = first.after().unwrap();
    let last = sim.get(&format!("/crm/objects/2026-09/deals?limit=59&after={after}")).await;
    assert_eq!(last.ids(), [after.parse::<u64>().unwrap()]);
    assert!(last.json().get("paging").is_none());
    assert!(first.json().get("total").is_none());
    let link = first.json()["paging"]["next"]["link"].as_str().unwrap().to_owned();
    assert!(link.starts_with("https://api.hubapi.com/crm/v3/objects/deals?"), "{link}");
}

#[tokio::test]
async fn a_record_deleted_between_pages_neither_repeats_nor_hides_others() {
    let sim = Sim::small().await;
    let first = sim.get("/crm/objects/2026-09/contacts?limit=50").await;
    let after = first.after().unwrap();
    sim.control("DELETE", &format!("objects/contacts/{after}"), &json!({})).await;
    let second = sim.get(&format!("/crm/objects/2026-09/contacts?limit=50&after={after}")).await;
    assert_eq!(second.status, 200);
    assert!(second.ids()[0] > after.parse::<u64>().unwrap());
    assert_eq!(second.ids().len(), 50);
}

#[tokio::test]
async fn a_read_that_names_no_properties_shows_the_defaults_of_the_type_sorted() {
    let sim = Sim::small().await;
    let defaults = [
        (
            "contacts",
            vec!["createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"],
        ),
        ("companies", vec!["createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"]),
        (
            "deals",
            vec![
                "amount",
                "closedate",
                "createdate",
                "dealname",
                "dealstage",
                "hs_lastmodifieddate",
                "hs_object_id",
                "pipeline",
            ],
        ),
        (
            "tickets",
            vec![
                "content",
                "createdate",
                "hs_lastmodifieddate",
                "hs_object_id",
                "hs_pipeline",
                "hs_pipeline_stage",
                "hs_ticket_category",
                "hs_ticket_priority",
                "subject",
            ],
        ),
    ];
    for (plural, expected) in defaults {
        let page = sim.get(&format!("/crm/v3/objects/{plural}?limit=1")).await;
        assert_eq!(names(&page.json()["results"][0]), expected);
        // serde_json sorts keys while parsing, so the order on the wire is looked at in the text.
        let text = page.text();
        let places: Vec<usize> =
            expected.iter().map(|name| text.find(&format!("\"{name}\":")).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }
}

/// Names of a record's properties.
fn names(record: &Value) -> Vec<&str> {
    record["properties"].as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default()
}

#[tokio::test]
async fn named_properties_come_with_id_and_times_and_unknown_ones_are_left_out() {
    let sim = Sim::small().await;
    let query = "properties=city,nosuchproperty,city&properties=fax";
    let record = sim.list_all("contacts", query).await.remove(0);
    assert_eq!(names(&record), ["city", "createdate", "fax", "hs_object_id", "lastmodifieddate"]);
    assert_eq!(record["properties"]["fax"], Value::Null, "a property that exists but was never set is null");
}

#[tokio::test]
async fn values_are_text_or_null_and_agree_with_the_record() {
    let sim = Sim::small().await;
    let catalogue = sim.get("/crm/v3/properties/contacts").await.json();
    let all: Vec<&str> =
        catalogue["results"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    let half = all.len() / 2;
    for list in [&all[..half], &all[half..]] {
        for record in sim.list_all("contacts", &format!("properties={}", list.join(","))).await {
            let properties = record["properties"].as_object().unwrap();
            assert!(properties.values().all(|value| value.is_string() || value.is_null()));
            assert_eq!(properties["hs_object_id"], record["id"]);
            assert_eq!(properties["createdate"], record["createdAt"]);
            assert_eq!(properties["lastmodifieddate"], record["updatedAt"]);
            assert!(millis(&record["createdAt"]) <= millis(&record["updatedAt"]));
            assert!(millis(&record["updatedAt"]) < 1_793_491_200_000, "before 2026-11-01");
            assert_eq!(record["archived"], json!(false));
        }
    }
}

#[tokio::test]
async fn a_zero_fraction_of_a_second_is_left_out() {
    let sim = Sim::small().await;
    let times: Vec<String> = sim
        .list_all("contacts", "")
        .await
        .iter()
        .map(|record| record["updatedAt"].as_str().unwrap().to_owned())
        .collect();
    assert!(times.iter().any(|time| !time.contains('.')), "some times have whole seconds");
    assert!(times.iter().all(|time| !time.contains(".000")));
    let (contact, updated_at) = ("objects/contacts", "2026-11-20T10:00:00Z");
    let id = sim.control("POST", contact, &json!({})).await["ids"][0].as_str().unwrap().to_owned();
    let given = json!({ "type": "contacts", "count": 400, "lastModified": 1_795_168_800_000_i64 });
    sim.control("POST", "mutate", &given).await;
    assert_eq!(sim.get(&format!("/crm/v3/objects/contacts/{id}")).await.json()["updatedAt"], updated_at);
}

#[tokio::test]
async fn the_bin_is_listed_apart_in_order_of_id_with_the_time_of_deletion() {
    let sim = Sim::small().await;
    let ids = sim.get("/crm/v3/objects/companies?limit=5").await.ids();
    for id in [ids[3], ids[1]] {
        sim.control("DELETE", &format!("objects/companies/{id}"), &json!({})).await;
    }
    let bin = sim.get("/crm/v3/objects/companies?archived=true").await;
    assert_eq!(bin.ids(), [ids[1], ids[3]]);
    let record = &bin.json()["results"][0];
    assert_eq!(record["archived"], json!(true));
    assert!(millis(&record["archivedAt"]) > millis(&record["createdAt"]));
    assert_eq!(sim.list_all("companies", "").await.len(), 38);
    let paged = sim.get("/crm/v3/objects/companies?archived=true&limit=1").await;
    assert_eq!(paged.after(), Some(ids[3].to_string()));
    assert_eq!(sim.control("GET", "count/companies", &json!({})).await, json!({ "live": 38, "archived": 2 }));
}

#[tokio::test]
async fn an_archived_record_is_read_only_when_asked_for_and_comes_back_with_its_id() {
    let sim = Sim::small().await;
    let id = sim.get("/crm/v3/objects/contacts?limit=1").await.ids()[0];
    let path = format!("/crm/v3/objects/contacts/{id}");
    let before = sim.get(&path).await.json();
    assert_eq!(sim.get(&format!("{path}?archived=true")).await.status, 404);
    sim.control("DELETE", &format!("objects/contacts/{id}"), &json!({})).await;
    assert_eq!(sim.get(&path).await.status, 404);
    assert_eq!(sim.get(&format!("{path}?archived=true")).await.json()["archived"], json!(true));
    sim.control("POST", &format!("objects/contacts/{id}/restore"), &json!({})).await;
    let after = sim.get(&path).await.json();
    assert_eq!(after["id"], before["id"]);
    assert_eq!(after["properties"]["email"], before["properties"]["email"]);
    assert!(millis(&after["updatedAt"]) > millis(&before["updatedAt"]));
}

#[tokio::test]
async fn a_record_leaves_the_bin_without_trace_after_ninety_days_and_on_a_privacy_deletion_at_once() {
    let sim = Sim::small().await;
    let ids = sim.get("/crm/v3/objects/contacts?limit=2").await.ids();
    sim.control("DELETE", &format!("objects/contacts/{}", ids[0]), &json!({})).await;
    sim.control("POST", &format!("objects/contacts/{}/purge", ids[1]), &json!({})).await;
    assert_eq!(sim.get("/crm/v3/objects/contacts?archived=true").await.ids(), [ids[0]]);
    assert_eq!(sim.get(&format!("/crm/v3/objects/contacts/{}?archived=true", ids[1])).await.status, 404);
    let pass_days = async |days: i64| {
        sim.control("POST", "clock/advance", &json!({ "ms": days * 86_400_000 })).await;
        sim.get("/crm/v3/objects/contacts?archived=true").await.ids()
    };
    assert_eq!(pass_days(89).await, [ids[0]]);
    assert!(pass_days(2).await.is_empty());
    let path = format!("/crm/v3/objects/contacts/{}?archived=true", ids[0]);
    assert_eq!(sim.get(&path).await.status, 404);
    let count = sim.control("GET", "count/contacts", &json!({})).await;
    assert_eq!(count, json!({ "live": 298, "archived": 0 }));
}

#[tokio::test]
async fn types_answer_to_plural_singular_any_case_and_type_id_in_every_version() {
    let sim = Sim::small().await;
    let expected = sim.get("/crm/v3/objects/contacts?limit=3").await.body;
    for version in ["/crm/v3/objects", "/crm/objects/2025-09", "/crm/objects/2026-03", "/crm/objects/2026-09"]
    {
        for name in ["contacts", "contact", "CONTACT", "0-1"] {
            assert_eq!(
                sim.get(&format!("{version}/{name}?limit=3")).await.body,
                expected,
                "{version}/{name}"
            );
        }
    }
}

#[tokio::test]
async fn a_record_is_found_by_a_unique_property_in_any_case() {
    let sim = Sim::small().await;
    let records = sim.list_all("contacts", "properties=customer_number,email").await;
    let record = records.iter().find(|record| record["properties"]["email"].is_string()).unwrap();
    let email = record["properties"]["email"].as_str().unwrap();
    for asked in [email.to_owned(), email.to_uppercase(), email.replace('@', "%40")] {
        let found = sim.get(&format!("/crm/v3/objects/contacts/{asked}?idProperty=email")).await;
        assert_eq!(found.json()["id"], record["id"], "{asked}");
    }
    let numbered = records.iter().find(|record| record["properties"]["customer_number"].is_string()).unwrap();
    let value = numbered["properties"]["customer_number"].as_str().unwrap();
    let found = sim.get(&format!("/crm/v3/objects/contacts/{value}?idProperty=customer_number")).await;
    assert_eq!(found.json()["id"], numbered["id"]);
    assert_eq!(sim.get("/crm/v3/objects/contacts/x@y.example?idProperty=email").await.status, 404);
    assert_eq!(sim.get("/crm/v3/objects/contacts/Berlin?idProperty=city").await.status, 400);
}

#[tokio::test]
async fn a_changed_address_is_found_and_the_old_one_is_not() {
    let sim = Sim::small().await;
    let records = sim.list_all("contacts", "").await;
    let record = records.iter().find(|record| record["properties"]["email"].is_string()).unwrap();
    let id = record["id"].as_str().unwrap();
    let change = json!({ "properties": { "email": "New.Address@Some.example" } });
    sim.control("PATCH", &format!("objects/contacts/{id}"), &change).await;
    let by = |email: &str| format!("/crm/v3/objects/contacts/{email}?idProperty=email");
    let found = sim.get(&by("new.address@some.example")).await.json();
    assert_eq!(
        (&found["id"], found["properties"]["email"].as_str()),
        (&record["id"], Some("new.address@some.example"))
    );
    assert_eq!(sim.get(&by(record["properties"]["email"].as_str().unwrap())).await.status, 404);
}

#[tokio::test]
async fn a_cleared_value_shows_as_empty_text_or_as_null_by_switch() {
    let sim = Sim::small().await;
    let ids = sim.get("/crm/v3/objects/contacts?limit=2").await.ids();
    for (id, as_empty, expected) in [(ids[0], true, json!("")), (ids[1], false, Value::Null)] {
        sim.set(json!({ "clearedAsEmpty": as_empty })).await;
        sim.control("PATCH", &format!("objects/contacts/{id}"), &json!({ "properties": { "city": "" } }))
            .await;
        let record = sim.get(&format!("/crm/v3/objects/contacts/{id}?properties=city")).await.json();
        assert_eq!(record["properties"]["city"], expected);
        let truth = sim.truth("contacts").await;
        let line = truth.iter().find(|line| number(&line["id"]) == id).unwrap();
        assert!(line["properties"].get("city").is_none());
    }
}

#[tokio::test]
async fn cursors_and_ids_of_any_size_are_answered() {
    let sim = Sim::small().await;
    let huge = u64::MAX;
    assert!(sim.get(&format!("/crm/v3/objects/contacts?after={huge}")).await.ids().is_empty());
    assert_eq!(sim.get(&format!("/crm/v3/objects/contacts/{huge}")).await.status, 404);
    assert_eq!(sim.get("/crm/v3/objects/contacts?after=next").await.status, 400);
    assert_eq!(sim.search("contacts", json!({ "after": huge.to_string() })).await.status, 400);
}

#[tokio::test]
async fn an_empty_account_lists_nothing() {
    let config = hubspot_simulator::Config { contacts: 0, companies: 0, deals: 0, ..small() };
    let sim = Sim::start(config).await;
    let page = sim.get("/crm/v3/objects/contacts").await;
    assert_eq!(page.json(), json!({ "results": [] }));
    assert!(sim.truth("deals").await.is_empty());
    let id = sim.control("POST", "objects/contacts", &json!({})).await["ids"][0].as_str().unwrap().to_owned();
    assert_eq!(
        sim.get("/crm/v3/objects/contacts").await.json()["results"][0]["id"].as_str(),
        Some(id.as_str())
    );
}

#[tokio::test]
async fn a_record_comes_back_with_a_newer_the_same_or_an_older_last_modified() {
    let sim = Sim::small().await;
    let record = sim.truth("companies").await[0].clone();
    let path = format!("objects/companies/{}", record["id"].as_str().unwrap());
    let come_back = async |switch: &str| {
        sim.control("PATCH", &path, &json!({ "properties": { "city": switch } })).await;
        let before = millis(&sim.truth("companies").await[0]["updatedAt"]);
        sim.set(json!({ "restoredLastModified": switch })).await;
        sim.control("DELETE", &path, &json!({})).await;
        sim.control("POST", &format!("{path}/restore"), &json!({})).await;
        millis(&sim.truth("companies").await[0]["updatedAt"]) - before
    };
    assert!(come_back("newer").await > 0);
    assert_eq!(come_back("same").await, 0);
    assert!(come_back("older").await < 0);
    assert_eq!(sim.truth("companies").await[0]["createdAt"], record["createdAt"]);
}

#[tokio::test]
async fn a_large_bin_times_out_when_set_to_and_nothing_else_does() {
    let sim = Sim::small().await;
    for id in sim.get("/crm/v3/objects/companies?limit=3").await.ids() {
        sim.control("DELETE", &format!("objects/companies/{id}"), &json!({})).await;
    }
    let status = async |query: &str| sim.get(&format!("/crm/v3/objects/companies{query}")).await.status;
    sim.set(json!({ "binTimeoutAbove": 3 })).await;
    assert_eq!(status("?archived=true").await, 200);
    sim.set(json!({ "binTimeoutAbove": 2 })).await;
    assert_eq!((status("?archived=true").await, status("").await), (504, 200));
    assert_eq!(sim.get("/crm/v3/objects/contacts?archived=true").await.status, 200);
    sim.set(json!({ "binTimeoutAbove": null })).await;
    assert_eq!(status("?archived=true").await, 200);
}
