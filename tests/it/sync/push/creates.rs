//! Rows that were made here become records, each once.

use serde_json::{Map, Value, json};

use super::{account, contact, settled};
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::{eventually, holds};

#[tokio::test]
async fn a_record_whose_answer_was_lost_is_not_made_twice() {
    let (simulator, test, setup) = account(2, 2).await;
    // Each type's first attempt is done and not answered.
    simulator
        .fault(
            json!({"match": {"pathContains": "contacts", "writes": true}, "action": {"kind": "loseAnswer"}}),
        )
        .await;
    simulator
        .fault(json!({"match": {"pathContains": "companies", "writes": true}, "action": {"kind": "loseAnswer", "status": 504}}))
        .await;
    test.execute("INSERT INTO hubspot_contacts (email, lastname) VALUES ('ada@example.test', 'Lovelace')")
        .await;
    test.execute(
        "INSERT INTO hubspot_companies (name, domain) VALUES ('Navy', 'navy.test'), ('Army', 'army.test')",
    )
    .await;
    let daemon = setup.start(&["run"]);
    for table in ["hubspot_contacts", "hubspot_companies"] {
        settled(&test, table).await;
        let unmade =
            format!("SELECT COUNT(*) FROM {table} WHERE hubspot_id IS NULL OR sync_status <> 'synced'");
        assert_eq!(test.number(&unmade).await, 0, "{table}");
    }
    let contacts = simulator.get("/creates/contacts?by=lastname").await["counts"].clone();
    assert_eq!(contacts, json!({"Lovelace": 1}));
    let companies = simulator.get("/creates/companies?by=name").await["counts"].clone();
    assert_eq!(companies, json!({"Army": 1, "Navy": 1}));
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_creation_that_was_given_up_in_doubt_is_looked_for_first() {
    let (simulator, test, setup) = account(2, 2).await;
    simulator
        .fault(
            json!({"match": {"pathContains": "companies", "writes": true}, "action": {"kind": "loseAnswer"}}),
        )
        .await;
    test.execute("INSERT INTO hubspot_companies (name) VALUES ('Navy')").await;
    let daemon = setup.clone().set("PUSH_MAX_ATTEMPTS", "1").start(&["run"]);
    eventually("it is given up", async || {
        let row = test.rows("hubspot_companies", &["sync_status", "sync_error"], "WHERE name = 'Navy'").await;
        holds(row[0].starts_with("error|given up"), row)
    })
    .await;
    test.execute("UPDATE hubspot_companies SET city = 'Bonn' WHERE name = 'Navy'").await;
    settled(&test, "hubspot_companies").await;
    let row =
        test.rows("hubspot_companies", &["sync_status", "hubspot_id IS NULL"], "WHERE name = 'Navy'").await;
    assert_eq!(row, ["synced|0"]);
    assert_eq!(simulator.get("/creates/companies?by=name").await["counts"], json!({"Navy": 1}));
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn rows_with_the_same_content_become_one_record_each() {
    let (simulator, test, setup) = account(2, 2).await;
    simulator
        .fault(
            json!({"match": {"pathContains": "companies", "writes": true}, "action": {"kind": "loseAnswer"}}),
        )
        .await;
    test.execute("INSERT INTO hubspot_companies (name) VALUES ('Navy'), ('Navy'), ('Navy')").await;
    let daemon = setup.start(&["run"]);
    settled(&test, "hubspot_companies").await;
    let rows =
        test.number("SELECT COUNT(DISTINCT hubspot_id) FROM hubspot_companies WHERE name = 'Navy'").await;
    assert_eq!(rows, 3);
    assert_eq!(simulator.get("/creates/companies?by=name").await["counts"], json!({"Navy": 3}));
    assert!(daemon.stop().await.success());
}

/// Waits until the only row that was made here has failed to become a record, and returns the id of the one it is.
async fn lost_one(simulator: &Simulator, test: &TestDatabase, object_type: &str) -> String {
    eventually("the answer is lost", async || {
        let status = test.rows("sync_log", &["status"], "WHERE action = 'create'").await;
        holds(status == ["retrying"], status)
    })
    .await;
    let made = simulator.lines(&format!("/creates/{object_type}")).await;
    let made: Value = serde_json::from_str(made.trim()).unwrap();
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_record_whose_answer_was_lost_is_found_whatever_became_of_it_since() {
    for (object_type, table, insert, changed) in [
        (
            "companies",
            "hubspot_companies",
            "(name, city) VALUES ('Navy', 'Bonn')",
            json!({"name": "Navy Ltd", "domain": "navy.test"}),
        ),
        (
            "contacts",
            "hubspot_contacts",
            "(email, city) VALUES ('ada@example.test', 'Bonn')",
            json!({"email": "countess@example.test", "firstname": "Ada"}),
        ),
    ] {
        let (simulator, test, setup) = account(2, 2).await;
        let lost =
            json!({"match": {"pathContains": object_type, "writes": true}, "action": {"kind": "loseAnswer"}});
        simulator.fault(lost).await;
        test.execute(&format!("INSERT INTO {table} {insert}")).await;
        let daemon = setup.start(&["run"]);
        let id = lost_one(&simulator, &test, object_type).await;
        simulator.edit(object_type, &id, changed.clone()).await;
        test.execute(&format!("UPDATE {table} SET city = 'Ulm' WHERE hubspot_id IS NULL")).await;
        settled(&test, table).await;
        assert_eq!(simulator.lines(&format!("/creates/{object_type}")).await.lines().count(), 1);
        let mut columns = vec!["sync_status", "JSON_VALUE(properties_json, '$.city')"];
        columns.extend(changed.as_object().unwrap().keys().map(String::as_str));
        let row = test.rows(table, &columns, &format!("WHERE hubspot_id = {id}")).await;
        let values: Vec<_> =
            changed.as_object().unwrap().values().map(|value| value.as_str().unwrap()).collect();
        assert_eq!(row, [format!("synced|Ulm|{}", values.join("|"))]);
        let truth = simulator.truth(object_type, false).await;
        let record = truth.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let record = record.into_iter().find(|record| record["id"] == *id).unwrap();
        assert_eq!(record["properties"]["city"], "Ulm");
        assert!(daemon.stop().await.success());
    }
}

#[tokio::test]
async fn a_record_with_more_properties_than_fit_into_a_search_is_found() {
    let (simulator, test, setup) = account(1, 2).await;
    let name = |number: u32| format!("a_property_of_the_account_{number}");
    for number in 0..120 {
        let definition = json!({"label": "Of the account", "type": "string", "fieldType": "text"});
        simulator.define("contacts", &name(number), definition).await;
    }
    setup.sync(&["--full"]).await;
    let document: Map<_, _> = (0..120).map(|number| (name(number), Value::from("a value"))).collect();
    simulator
        .fault(
            json!({"match": {"pathContains": "contacts", "writes": true}, "action": {"kind": "loseAnswer"}}),
        )
        .await;
    sqlx::query("INSERT INTO hubspot_contacts (properties_json) VALUES (?)")
        .bind(Value::Object(document))
        .execute(&test.sql)
        .await
        .unwrap();
    let daemon = setup.start(&["run"]);
    let id = lost_one(&simulator, &test, "contacts").await;
    settled(&test, "hubspot_contacts").await;
    assert_eq!(simulator.lines("/creates/contacts").await.lines().count(), 1);
    let row = test.rows("hubspot_contacts", &["sync_status"], &format!("WHERE hubspot_id = {id}")).await;
    assert_eq!(row, ["synced"]);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_contact_that_is_there_is_linked_however_hubspot_says_so() {
    for body in ["withId", "withoutId", "withoutCategory", "rich"] {
        let (simulator, test, setup) = account(2, 1).await;
        simulator.set(json!({"conflictBody": body})).await;
        let there = json!({"email": "ada@example.test", "city": "London"});
        let id = simulator.create_with("contacts", there).await;
        test.execute(
            "INSERT INTO hubspot_contacts (email, firstname, city) VALUES ('Ada@example.test', 'Ada', 'Oxford')",
        )
        .await;
        let daemon = setup.start(&["run"]);
        settled(&test, "hubspot_contacts").await;
        let columns = ["hubspot_id", "firstname", "JSON_VALUE(properties_json, '$.city')", "sync_status"];
        let rows = test.rows("hubspot_contacts", &columns, "WHERE email = 'ada@example.test'").await;
        assert_eq!(rows, [format!("{id}|Ada|Oxford|conflict")], "{body}");
        assert_eq!(contact(&simulator, &id).await["properties"]["firstname"], "Ada", "{body}");
        assert_eq!(contact(&simulator, &id).await["properties"]["city"], "London", "{body}");
        assert_eq!(simulator.get("/creates/contacts?by=email").await["counts"], json!({}), "{body}");
        assert!(daemon.stop().await.success());
    }
}

#[tokio::test]
async fn only_contacts_are_linked_by_an_address() {
    let (simulator, test, setup) = account(1, 1).await;
    let definition = json!({"label": "E-mail", "type": "string", "fieldType": "text"});
    simulator.define("companies", "email", definition).await;
    setup.sync(&["--full"]).await;
    let contact = simulator.create_with("contacts", json!({"email": "office@navy.test"})).await;
    let body = r#"{"status": "error", "message": "Company already exists.", "category": "CONFLICT"}"#;
    let exists = json!({"kind": "status", "status": 409, "body": body});
    simulator.fault(json!({"match": {"pathContains": "companies", "writes": true}, "action": exists})).await;
    let document = r#"{"email":"office@navy.test","name":"Navy"}"#;
    test.execute(&format!("INSERT INTO hubspot_companies (properties_json) VALUES ('{document}')")).await;
    let daemon = setup.start(&["run"]);
    settled(&test, "hubspot_companies").await;
    let columns = ["sync_status", "hubspot_id IS NULL", "sync_error"];
    let row = test.rows("hubspot_companies", &columns, "WHERE name = 'Navy'").await;
    assert_eq!(row, ["error|1|HubSpot has such a record and does not say which"]);
    let linked = format!("SELECT COUNT(*) FROM hubspot_companies WHERE hubspot_id = {contact}");
    assert_eq!(test.number(&linked).await, 0);
    assert!(daemon.stop().await.success());
}
