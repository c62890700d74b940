//! Rules of search. Source: HubSpot, "Search the CRM"; index behaviour as reported by people who run connectors.

use std::collections::BTreeSet;

use hubspot_simulator::Config;
use serde_json::{Value, json};

use crate::harness::{Sim, millis, number, small};

/// A filter as JSON.
fn filter(name: &str, operator: &str, value: &str) -> Value {
    json!({ "propertyName": name, "operator": operator, "value": value })
}

/// A search with one group.
fn group(filters: &Value) -> Value {
    json!({ "filterGroups": [{ "filters": filters }], "limit": 200, "sorts": ["hs_object_id"] })
}

/// Ids of the true records that satisfy a condition.
async fn expected(sim: &Sim, plural: &str, is_meant: impl Fn(&Value) -> bool) -> Vec<u64> {
    let truth = sim.truth(plural).await;
    truth.iter().filter(|line| is_meant(line)).map(|line| number(&line["id"])).take(200).collect()
}

#[tokio::test]
async fn every_operator_finds_what_the_truth_says() {
    let sim = Sim::small().await;
    let text = |line: &Value, name: &str| line["properties"][name].as_str().map(str::to_owned);
    let amount = |line: &Value| text(line, "amount").and_then(|amount| amount.parse::<f64>().ok());
    let check = async |filters: Value, is_meant: &dyn Fn(&Value) -> bool| {
        let wanted = expected(&sim, "deals", is_meant).await;
        let found = sim.search("deals", group(&filters)).await;
        assert_eq!(found.ids(), wanted, "{filters}");
        assert_eq!(found.json()["total"], json!(wanted.len()), "{filters}");
        assert!(!wanted.is_empty() && wanted.len() < 60, "the filter must split the deals: {filters}");
    };
    check(json!([filter("pipeline", "EQ", "default")]), &|line| {
        text(line, "pipeline").as_deref() == Some("default")
    })
    .await;
    check(json!([filter("pipeline", "NEQ", "default")]), &|line| {
        text(line, "pipeline").as_deref() != Some("default")
    })
    .await;
    check(json!([filter("amount", "GT", "20000")]), &|line| {
        amount(line).is_some_and(|amount| amount > 20_000.0)
    })
    .await;
    check(json!([filter("amount", "LTE", "20000")]), &|line| {
        amount(line).is_some_and(|amount| amount <= 20_000.0)
    })
    .await;
    check(
        json!([{ "propertyName": "amount", "operator": "BETWEEN", "value": 1000, "highValue": "20000" }]),
        &|line| amount(line).is_some_and(|amount| (1_000.0..=20_000.0).contains(&amount)),
    )
    .await;
    check(
        json!([{ "propertyName": "dealstage", "operator": "IN", "values": ["closedwon", "closedlost"] }]),
        &|line| matches!(text(line, "dealstage").as_deref(), Some("closedwon" | "closedlost")),
    )
    .await;
    check(
        json!([{ "propertyName": "dealstage", "operator": "NOT_IN", "values": ["closedwon", "closedlost"] }]),
        &|line| !matches!(text(line, "dealstage").as_deref(), Some("closedwon" | "closedlost")),
    )
    .await;
    check(json!([{ "propertyName": "hs_priority", "operator": "HAS_PROPERTY" }]), &|line| {
        text(line, "hs_priority").is_some()
    })
    .await;
    check(json!([{ "propertyName": "hs_priority", "operator": "NOT_HAS_PROPERTY" }]), &|line| {
        text(line, "hs_priority").is_none()
    })
    .await;
    let renewal = |line: &Value| text(line, "dealname").is_some_and(|name| name.contains("Renewal"));
    check(json!([filter("dealname", "CONTAINS_TOKEN", "renewal")]), &renewal).await;
    check(json!([filter("dealname", "CONTAINS_TOKEN", "*enewa*")]), &renewal).await;
    check(json!([filter("dealname", "NOT_CONTAINS_TOKEN", "renewal")]), &|line| !renewal(line)).await;
    check(json!([filter("pipeline", "EQ", "default"), filter("amount", "GTE", "20000")]), &|line| {
        text(line, "pipeline").as_deref() == Some("default")
            && amount(line).is_some_and(|amount| amount >= 20_000.0)
    })
    .await;
}

#[tokio::test]
async fn groups_are_alternatives_and_a_bare_filter_list_is_one_group() {
    let sim = Sim::small().await;
    let won = filter("dealstage", "EQ", "closedwon");
    let high = filter("amount", "GT", "500000");
    let either = json!({ "filterGroups": [{ "filters": [won] }, { "filters": [high] }], "sorts": ["hs_object_id"], "limit": 200 });
    let wanted = expected(&sim, "deals", |line| {
        let amount = line["properties"]["amount"].as_str().and_then(|amount| amount.parse::<f64>().ok());
        line["properties"]["dealstage"] == "closedwon" || amount.is_some_and(|amount| amount > 500_000.0)
    })
    .await;
    assert_eq!(sim.search("deals", either).await.ids(), wanted);
    let bare =
        sim.search("deals", json!({ "filters": [won], "limit": 200, "sorts": ["hs_object_id"] })).await;
    assert_eq!(bare.ids(), sim.search("deals", group(&json!([won]))).await.ids());
}

#[tokio::test]
async fn a_misspelt_key_is_ignored_so_everything_is_found() {
    let sim = Sim::small().await;
    let found = sim
        .search("deals", json!({ "filterGroup": [{ "filters": [filter("pipeline", "EQ", "none")] }] }))
        .await;
    assert_eq!(found.json()["total"], json!(60));
    assert_eq!(found.ids().len(), 10);
}

#[tokio::test]
async fn text_is_compared_without_case_but_options_and_listed_values_are_not() {
    let sim = Sim::small().await;
    let total = async |filters: Value| {
        sim.search("contacts", group(&filters)).await.json()["total"].as_u64().unwrap()
    };
    let city = expected(&sim, "contacts", |line| line["properties"]["city"] == "Berlin").await.len() as u64;
    assert!(city > 0);
    assert_eq!(total(json!([filter("city", "EQ", "bERLIN")])).await, city);
    assert_eq!(
        total(json!([{ "propertyName": "city", "operator": "IN", "values": ["berlin"] }])).await,
        city
    );
    assert_eq!(total(json!([{ "propertyName": "city", "operator": "IN", "values": ["Berlin"] }])).await, 0);
    assert!(total(json!([filter("lifecyclestage", "EQ", "lead")])).await > 0);
    assert_eq!(total(json!([filter("lifecyclestage", "EQ", "Lead")])).await, 0);
}

#[tokio::test]
async fn free_text_looks_into_the_searchable_properties() {
    let sim = Sim::small().await;
    let truth = sim.truth("contacts").await;
    let line = truth.iter().find(|line| line["properties"]["email"].is_string()).unwrap();
    let found = sim.search("contacts", json!({ "query": line["properties"]["email"] })).await;
    assert_eq!(found.ids(), [number(&line["id"])]);
}

#[tokio::test]
async fn contacts_have_their_own_last_modified_and_the_other_name_finds_nothing_without_error() {
    let sim = Sim::small().await;
    let since = |name: &str| group(&json!([filter(name, "GTE", "1500000000000")]));
    let right = sim.search("contacts", since("lastmodifieddate")).await;
    assert_eq!(right.json()["total"], json!(300));
    let wrong = sim.search("contacts", since("hs_lastmodifieddate")).await;
    assert_eq!((wrong.status, &wrong.json()["total"]), (200, &json!(0)));
    assert_eq!(sim.search("deals", since("hs_lastmodifieddate")).await.json()["total"], json!(60));
    assert_eq!(sim.search("deals", since("lastmodifieddate")).await.status, 400);
}

#[tokio::test]
async fn a_window_of_time_includes_both_ends_and_takes_iso_and_milliseconds() {
    let sim = Sim::small().await;
    let truth = sim.truth("contacts").await;
    let mut times: Vec<i64> = truth.iter().map(|line| millis(&line["updatedAt"])).collect();
    times.sort_unstable();
    let (low, high) = (times[100], times[150]);
    let wanted = times.iter().filter(|time| (low..=high).contains(time)).count();
    let iso = |time: i64| chrono::DateTime::from_timestamp_millis(time).unwrap().to_rfc3339();
    for (low, high) in [(low.to_string(), high.to_string()), (iso(low), iso(high))] {
        let window = json!([{ "propertyName": "lastmodifieddate", "operator": "BETWEEN", "value": low, "highValue": high }]);
        assert_eq!(sim.search("contacts", group(&window)).await.json()["total"], json!(wanted));
    }
    let seconds = json!([filter("lastmodifieddate", "LTE", &(high / 1_000).to_string())]);
    assert_eq!(
        sim.search("contacts", group(&seconds)).await.json()["total"],
        json!(0),
        "seconds silently mean 1970"
    );
    let epoch = group(&json!([filter("lastmodifieddate", "GTE", "0")]));
    assert_eq!(sim.search("contacts", epoch).await.status, 500);
}

#[tokio::test]
async fn results_follow_one_sort_in_either_direction() {
    let sim = Sim::small().await;
    let sorted = async |sort: Value| {
        let found = sim.search("contacts", json!({ "sorts": [sort], "limit": 200 })).await.json();
        let results = found["results"].as_array().unwrap().clone();
        results.iter().map(|record| millis(&record["updatedAt"])).collect::<Vec<_>>()
    };
    let up = sorted(json!({ "propertyName": "lastmodifieddate", "direction": "ASCENDING" })).await;
    assert!(up.is_sorted());
    assert!(sorted(json!("-lastmodifieddate")).await.is_sorted_by(|a, b| a >= b));
    let two = sim.search("contacts", json!({ "sorts": ["email", "city"] })).await;
    assert_eq!(two.status, 400);
    let keyset = group(&json!([filter(
        "hs_object_id",
        "GT",
        sim.truth("contacts").await[99]["id"].as_str().unwrap()
    )]));
    let ids = sim.search("contacts", keyset).await.ids();
    assert_eq!(ids.len(), 200);
    assert!(ids.is_sorted());
}

#[tokio::test]
async fn pages_go_by_offset_sent_as_text_or_number_and_the_last_has_no_paging() {
    let sim = Sim::small().await;
    let page = async |after: Value| {
        sim.search("contacts", json!({ "limit": 120, "after": after, "sorts": ["hs_object_id"] })).await
    };
    let first = page(Value::Null).await;
    assert_eq!(first.after().as_deref(), Some("120"));
    assert!(first.json()["paging"]["next"].get("link").is_none());
    let (second, again) = (page(json!("120")).await, page(json!(120)).await);
    assert_eq!(second.ids(), again.ids());
    let last = page(json!("240")).await;
    assert_eq!(last.ids().len(), 60);
    assert!(last.json().get("paging").is_none());
    let all: BTreeSet<u64> = [first.ids(), second.ids(), last.ids()].concat().into_iter().collect();
    assert_eq!(all.len(), 300);
}

#[tokio::test]
async fn nothing_beyond_ten_thousand_results_can_be_reached() {
    let sim = Sim::start(Config { contacts: 10_500, ..small() }).await;
    let page =
        async |after: u64| sim.search("contacts", json!({ "limit": 100, "after": after.to_string() })).await;
    let last = page(9_900).await;
    assert_eq!((last.status, last.ids().len()), (200, 100));
    assert_eq!(last.json()["total"], json!(10_500));
    assert_eq!(last.after().as_deref(), Some("10000"), "offered, though it will be refused");
    let beyond = page(10_000).await;
    assert_eq!(beyond.status, 400);
    let body = beyond.json();
    assert_eq!(body["message"], "There was a problem with the request.");
    assert!(body.get("category").is_none());
}

#[tokio::test]
async fn page_size_filters_and_body_are_limited() {
    let sim = Sim::small().await;
    let status = async |body: Value| sim.search("contacts", body).await.status;
    let one = filter("city", "EQ", "x");
    let some = |count: usize| json!({ "filters": vec![one.clone(); count] });
    assert_eq!(status(json!({ "limit": 200 })).await, 200);
    assert_eq!(status(json!({ "limit": 201 })).await, 400);
    assert_eq!(status(json!({ "filterGroups": vec![some(1); 5] })).await, 200);
    assert_eq!(status(json!({ "filterGroups": vec![some(1); 6] })).await, 400);
    assert_eq!(status(json!({ "filterGroups": [some(6)] })).await, 200);
    assert_eq!(status(json!({ "filterGroups": [some(7)] })).await, 400);
    assert_eq!(status(json!({ "filterGroups": [some(6), some(6), some(6)] })).await, 200);
    assert_eq!(status(json!({ "filterGroups": [some(6), some(6), some(6), some(1)] })).await, 400);
    assert_eq!(status(json!({ "query": "x".repeat(2_900) })).await, 200);
    assert_eq!(status(json!({ "query": "x".repeat(3_000) })).await, 400);
}

#[tokio::test]
async fn malformed_filters_get_the_wordings_people_met() {
    let sim = Sim::small().await;
    let message = async |filter: Value| {
        let answer = sim.search("contacts", json!({ "filters": [filter] })).await;
        assert_eq!(answer.status, 400, "{filter}");
        answer.json()["message"].as_str().unwrap().to_owned()
    };
    let bare = "There was a problem with the request.";
    assert_eq!(message(filter("nosuchproperty", "EQ", "1")).await, bare);
    assert_eq!(message(filter("lastmodifieddate", "GTE", "yesterday")).await, bare);
    assert_eq!(sim.search("contacts", json!({ "sorts": ["nosuchproperty"] })).await.json()["message"], bare);
    assert!(
        message(json!({ "propertyName": "city", "operator": "IN", "value": "x" }))
            .await
            .ends_with("operator IN requires values")
    );
    let between = json!({ "propertyName": "createdate", "operator": "BETWEEN", "value": "1" });
    assert!(message(between).await.ends_with("operator BETWEEN requires a highValue"));
    assert!(message(filter("city", "LIKE", "x")).await.starts_with("Invalid input JSON on line "));
}

#[tokio::test]
async fn a_change_reaches_the_index_late_while_reads_show_it_at_once() {
    let sim = Sim::small().await;
    sim.set(json!({ "indexLagMs": 60_000 })).await;
    let created =
        sim.control("POST", "objects/contacts", &json!({ "properties": { "email": "new@x.example" } })).await;
    let id = created["ids"][0].as_str().unwrap();
    let by_email = group(&json!([filter("email", "EQ", "new@x.example")]));
    assert_eq!(sim.get(&format!("/crm/v3/objects/contacts/{id}")).await.status, 200);
    assert_eq!(sim.search("contacts", by_email.clone()).await.json()["total"], json!(0));
    sim.control("POST", "clock/advance", &json!({ "ms": 60_000 })).await;
    assert_eq!(sim.search("contacts", by_email).await.ids(), [number(&created["ids"][0])]);
}

#[tokio::test]
async fn a_page_shows_records_as_they_are_though_it_matched_them_as_they_were() {
    let sim = Sim::small().await;
    let truth = sim.truth("contacts").await;
    let line = truth.iter().find(|line| line["properties"]["city"] == "Berlin").unwrap();
    let id = line["id"].as_str().unwrap();
    sim.set(json!({ "indexLagMs": 60_000 })).await;
    sim.control("PATCH", &format!("objects/contacts/{id}"), &json!({ "properties": { "city": "Bonn" } }))
        .await;
    let window = json!([filter("city", "EQ", "Berlin"), filter("lastmodifieddate", "LTE", "1793491200000")]);
    let mut search = group(&window);
    search["properties"] = json!(["city"]);
    let found = sim.search("contacts", search).await.json();
    let stale =
        found["results"].as_array().unwrap().iter().find(|record| record["id"] == id).unwrap().clone();
    assert_eq!(stale["properties"]["city"], "Bonn");
    assert!(millis(&stale["updatedAt"]) > 1_793_491_200_000, "newer than the window asked for");
}

#[tokio::test]
async fn a_deleted_record_is_still_counted_until_the_index_knows() {
    let sim = Sim::small().await;
    let id = sim.truth("contacts").await[0]["id"].as_str().unwrap().to_owned();
    sim.set(json!({ "indexLagMs": 60_000 })).await;
    sim.control("DELETE", &format!("objects/contacts/{id}"), &json!({})).await;
    let by_id = group(&json!([filter("hs_object_id", "EQ", &id)]));
    let found = sim.search("contacts", by_id.clone()).await.json();
    assert_eq!((&found["total"], &found["results"]), (&json!(1), &json!([])));
    sim.control("POST", "clock/advance", &json!({ "ms": 60_000 })).await;
    assert_eq!(sim.search("contacts", by_id).await.json()["total"], json!(0));
}

#[tokio::test]
async fn changes_arrive_out_of_order_but_an_older_state_never_replaces_a_newer_one() {
    let sim = Sim::small().await;
    sim.set(json!({ "indexJitterMs": 10_000 })).await;
    let mut ids = Vec::new();
    for number in 0..40 {
        let body =
            json!({ "properties": { "email": format!("n{number}@x.example"), "city": "Jitterstadt" } });
        ids.push(crate::harness::number(&sim.control("POST", "objects/contacts", &body).await["ids"][0]));
    }
    let everyone = group(&json!([filter("city", "EQ", "Jitterstadt")]));
    sim.control("POST", "clock/advance", &json!({ "ms": 5_000 })).await;
    let seen = sim.search("contacts", everyone.clone()).await.ids();
    assert!((1..40).contains(&seen.len()), "about half has arrived: {}", seen.len());
    assert_ne!(seen, ids[..seen.len()], "not the oldest half");
    for id in &ids {
        let body = json!({ "properties": { "city": "Anderswo" } });
        sim.control("PATCH", &format!("objects/contacts/{id}"), &body).await;
    }
    sim.control("POST", "clock/advance", &json!({ "ms": 10_001 })).await;
    assert!(sim.search("contacts", everyone).await.ids().is_empty());
}

#[tokio::test]
async fn records_of_one_millisecond_come_in_another_order_each_time_unless_switched_off() {
    let sim = Sim::small().await;
    sim.control("POST", "mutate", &json!({ "type": "contacts", "count": 200, "sameMillisecond": true }))
        .await;
    let since = json!({
        "filters": [filter("lastmodifieddate", "GT", "1793491200000")],
        "sorts": ["lastmodifieddate"],
        "limit": 200,
    });
    let first = sim.search("contacts", since.clone()).await.ids();
    assert_eq!(first.len(), 200);
    assert_ne!(sim.search("contacts", since.clone()).await.ids(), first);
    sim.set(json!({ "stableTies": true })).await;
    assert!(sim.search("contacts", since).await.ids().is_sorted());
}

#[tokio::test]
async fn archived_records_are_never_found() {
    let sim = Sim::small().await;
    let id = sim.truth("deals").await[0]["id"].as_str().unwrap().to_owned();
    sim.control("DELETE", &format!("objects/deals/{id}"), &json!({})).await;
    let by_id = group(&json!([filter("hs_object_id", "EQ", &id)]));
    assert_eq!(sim.search("deals", by_id).await.json()["total"], json!(0));
}

#[tokio::test]
async fn totals_can_be_made_to_disagree_with_the_results() {
    let sim = Sim::small().await;
    sim.set(json!({ "totalDrift": 50 })).await;
    let mut totals = BTreeSet::new();
    for after in [1, 3, 5, 7, 9] {
        totals.insert(sim.search("deals", json!({ "after": after })).await.json()["total"].as_u64().unwrap());
    }
    assert!(totals.iter().all(|total| (60..=110).contains(total)));
    assert!(totals.iter().any(|&total| total > 60), "{totals:?}");
}
