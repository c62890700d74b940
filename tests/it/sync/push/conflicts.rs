//! Both sides change the same record.

use serde_json::{Value, json};

use super::{account, arrived, contact, history, is_asked_for, set, settled};
use crate::support::daemon::text;
use crate::support::database::TestDatabase;
use crate::support::{eventually, holds};

/// The open conflicts: kind, fields, and what both sides have.
async fn open(test: &TestDatabase) -> Vec<String> {
    test.rows(
        "conflicts",
        &["kind", "fields", "local_json", "hubspot_json"],
        "WHERE status = 'pending' ORDER BY id",
    )
    .await
}

/// What a row holds of the four properties that have different policies, and how it stands.
async fn row(test: &TestDatabase, id: &str) -> String {
    let value = |name: &str| format!("JSON_VALUE(properties_json, '$.{name}')");
    let columns = ["firstname", "city", "jobtitle", "address"].map(value);
    let mut columns: Vec<_> = columns.iter().map(String::as_str).collect();
    columns.push("sync_status");
    test.rows("hubspot_contacts", &columns, &format!("WHERE hubspot_id = {id}")).await.remove(0)
}

/// Waits until the clock shows another millisecond: of two edits within one, HubSpot's counts.
async fn a_millisecond_passes(test: &TestDatabase) {
    let now = test.value("(SELECT NOW(3))").await;
    eventually("the clock has moved on", async || {
        let later = test.value("(SELECT NOW(3))").await;
        holds(later > now, later)
    })
    .await;
}

#[tokio::test]
async fn each_property_follows_its_own_policy() {
    let (simulator, test, setup) = account(3, 1).await;
    let ids = test.rows("hubspot_contacts", &["hubspot_id"], "ORDER BY hubspot_id").await;
    for (property, policy) in [("city", "newest"), ("jobtitle", "hubspot"), ("address", "local")] {
        let row = format!("('contacts', '{property}', '{policy}')");
        test.execute(&format!("INSERT INTO conflict_policies (object_type, property, policy) VALUES {row}"))
            .await;
    }
    let here = json!({"firstname": "ours", "city": "ours", "jobtitle": "ours", "address": "ours"});
    let there = json!({"firstname": "theirs", "city": "theirs", "jobtitle": "theirs", "address": "theirs"});
    // Of the first HubSpot's edit is the later one, of the second ours.
    set(&test, &ids[0], &here).await;
    simulator.edit("contacts", &ids[0], there.clone()).await;
    simulator.edit("contacts", &ids[1], there).await;
    a_millisecond_passes(&test).await;
    set(&test, &ids[1], &here).await;
    let daemon = setup.start(&["run"]);
    settled(&test, "hubspot_contacts").await;
    assert_eq!(row(&test, &ids[0]).await, "ours|theirs|theirs|ours|conflict");
    assert_eq!(row(&test, &ids[1]).await, "ours|ours|theirs|ours|conflict");
    let expected = r#"fields|["firstname"]|{"firstname":"ours"}|{"firstname":"theirs"}"#;
    assert_eq!(open(&test).await, [expected, expected]);
    for (id, city) in [(&ids[0], "theirs"), (&ids[1], "ours")] {
        let properties = contact(&simulator, id).await["properties"].clone();
        let values = ["firstname", "city", "jobtitle", "address"].map(|name| properties[name].clone());
        assert_eq!(values, ["theirs", city, "theirs", "ours"].map(Value::from));
    }
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_type_follows_its_own_policy() {
    for (policy, winner) in [("hubspot", "theirs"), ("local", "ours")] {
        let (simulator, test, setup) = account(2, 1).await;
        let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
        set(&test, &id, &json!({"city": "ours"})).await;
        simulator.edit("contacts", &id, json!({"city": "theirs"})).await;
        let daemon = setup.clone().set("CONFLICT_POLICY_CONTACTS", policy).start(&["run"]);
        settled(&test, "hubspot_contacts").await;
        assert_eq!(contact(&simulator, &id).await["properties"]["city"], winner, "{policy}");
        assert!(row(&test, &id).await.ends_with("|synced"), "{policy}");
        assert!(open(&test).await.is_empty(), "{policy}");
        assert!(daemon.stop().await.success());
    }
}

#[tokio::test]
async fn an_open_conflict_follows_both_sides_and_closes_when_they_agree() {
    let (simulator, test, setup) = account(2, 1).await;
    let setup = setup.at("* * * * * *");
    let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    set(&test, &id, &json!({"city": "ours"})).await;
    simulator.edit("contacts", &id, json!({"city": "theirs"})).await;
    let daemon = setup.start(&["run"]);
    let expect = async |expected: &[&str]| {
        eventually("the conflict is as it should be", async || {
            let found = open(&test).await;
            holds(found == expected, found)
        })
        .await;
    };
    expect(&[r#"fields|["city"]|{"city":"ours"}|{"city":"theirs"}"#]).await;
    simulator.edit("contacts", &id, json!({"city": "theirs still"})).await;
    expect(&[r#"fields|["city"]|{"city":"ours"}|{"city":"theirs still"}"#]).await;
    set(&test, &id, &json!({"city": "ours still"})).await;
    expect(&[r#"fields|["city"]|{"city":"ours still"}|{"city":"theirs still"}"#]).await;
    // What is not in question goes out meanwhile.
    set(&test, &id, &json!({"jobtitle": "Pilot"})).await;
    arrived(&simulator, &id, "jobtitle", "Pilot").await;
    simulator.edit("contacts", &id, json!({"city": "ours still"})).await;
    expect(&[]).await;
    settled(&test, "hubspot_contacts").await;
    assert!(row(&test, &id).await.ends_with("|synced"));
    assert_eq!(
        test.rows("conflicts", &["status", "resolved_by"], "").await,
        ["superseded|hubspot-connector"]
    );
    let steps = test.rows("conflict_audit", &["step"], "ORDER BY id").await;
    assert_eq!(
        (steps.first().map(String::as_str), steps.last().map(String::as_str)),
        (Some("opened"), Some("superseded"))
    );
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn an_edit_that_comes_between_reading_and_writing_is_not_lost() {
    let (simulator, test, setup) = account(2, 1).await;
    let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    let daemon = setup.start(&["run"]);
    daemon.says("is up after").await;
    simulator.set(json!({"latencyMs": 700})).await;
    simulator.reset_stats().await;
    set(&test, &id, &json!({"city": "ours"})).await;
    is_asked_for(&simulator, "update").await;
    // HubSpot does the write when those 700 ms are over.
    simulator.edit("contacts", &id, json!({"city": "theirs"})).await;
    settled(&test, "hubspot_contacts").await;
    simulator.set(json!({"latencyMs": 0})).await;
    let values = history(&simulator, &id, "city").await;
    assert_eq!(values[..3], ["theirs", "ours", "theirs"], "it was overwritten and put back");
    assert_eq!(open(&test).await, [r#"fields|["city"]|{"city":"ours"}|{"city":"theirs"}"#]);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn an_edit_of_a_merged_record_follows_it_and_asks_where_the_survivor_differs() {
    let (simulator, test, setup) = account(0, 1).await;
    let mut ids = Vec::new();
    for (number, city) in ["Bonn", "Ulm"].into_iter().enumerate() {
        let email = format!("merged{number}@example.test");
        let properties = json!({"email": email, "city": city, "jobtitle": "Pilot"});
        ids.push(simulator.create_with("contacts", properties).await);
    }
    crate::support::truth::everything_is_searchable(&simulator).await;
    setup.sync(&[]).await;
    set(&test, &ids[1], &json!({"city": "Köln", "jobtitle": "Captain"})).await;
    let survivor = simulator.try_merge("contacts", &ids[0], &ids[1]).await.unwrap();
    let daemon = setup.start(&["run"]);
    settled(&test, "hubspot_contacts").await;
    arrived(&simulator, &survivor, "jobtitle", "Captain").await;
    assert_eq!(contact(&simulator, &survivor).await["properties"]["city"], "Bonn");
    assert_eq!(open(&test).await, [r#"fields|["city"]|{"city":"Köln"}|{"city":"Bonn"}"#]);
    let columns = ["hubspot_id", "archived", "sync_status"];
    let rows = test
        .rows(
            "hubspot_contacts",
            &columns,
            &format!("WHERE hubspot_id IN ({survivor}, {}) ORDER BY archived", ids[1]),
        )
        .await;
    assert_eq!(rows, [format!("{survivor}|0|conflict"), format!("{}|1|synced", ids[1])]);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn edits_of_two_rows_whose_records_were_merged_make_no_record_whatever_is_kept() {
    for (keep, city) in [("local", "Ulm"), ("hubspot", "Köln")] {
        let (simulator, test, setup) = account(0, 1).await;
        let mut ids = Vec::new();
        for number in 0..2 {
            let properties = json!({"email": format!("merged{number}@example.test"), "city": "Bonn"});
            ids.push(simulator.create_with("contacts", properties).await);
        }
        crate::support::truth::everything_is_searchable(&simulator).await;
        setup.sync(&[]).await;
        set(&test, &ids[0], &json!({"city": "Köln"})).await;
        set(&test, &ids[1], &json!({"city": "Ulm"})).await;
        let survivor = simulator.try_merge("contacts", &ids[0], &ids[1]).await.unwrap();
        let daemon = setup.start(&["run"]);
        arrived(&simulator, &survivor, "city", "Köln").await;
        settled(&test, "hubspot_contacts").await;
        let shown = r#"merged_in_hubspot|["city"]|{"city":"Ulm"}|{"city":"Köln"}"#;
        assert_eq!(open(&test).await, [shown]);
        let id = test.value("SELECT id FROM conflicts WHERE status = 'pending'").await;
        let said = text(&setup.run(&["conflicts", "show", &id]).await.stdout);
        assert!(said.contains("merged in HubSpot, changed here in both rows: city"), "{said}");
        let resolved = setup.run(&["conflicts", "resolve", &id, "--keep", keep]).await;
        assert!(resolved.status.success(), "{}", text(&resolved.stderr));
        arrived(&simulator, &survivor, "city", city).await;
        settled(&test, "hubspot_contacts").await;
        let columns = ["hubspot_id", "archived", "sync_status", "city"];
        let rows = test.rows("hubspot_contacts", &columns, "ORDER BY hubspot_id").await;
        let expected = [
            format!("{}|1|synced|Bonn", ids[0]),
            format!("{}|1|synced|Bonn", ids[1]),
            format!("{survivor}|0|synced|{city}"),
        ];
        assert_eq!(rows, expected, "{keep}");
        assert_eq!(simulator.truth("contacts", false).await.lines().count(), 1, "{keep}");
        assert!(open(&test).await.is_empty());
        assert!(daemon.stop().await.success());
    }
}
