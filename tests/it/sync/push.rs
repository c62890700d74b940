//! An edit made here arrives in HubSpot, whatever it is, and comes back as what both sides have.

use serde_json::{Value, json};

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::{eventually, holds};

/// An account with a daemon that has synced it and takes edits.
async fn account(contacts: u32, companies: u32) -> (Simulator, TestDatabase, Setup) {
    let (simulator, test) = (Simulator::start(contacts, companies, 0), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url).writable();
    setup.sync(&[]).await;
    (simulator, test, setup)
}

/// What HubSpot has of a contact.
async fn contact(simulator: &Simulator, id: &str) -> Value {
    let truth = simulator.truth("contacts", false).await;
    let records = truth.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.into_iter().find(|record| record["id"] == *id).unwrap_or(Value::Null)
}

/// Waits until no row of the table waits for anything.
async fn settled(test: &TestDatabase, table: &str) {
    let sql = format!("SELECT COUNT(*) FROM {table} WHERE sync_status = 'pending'");
    eventually("every edit is sent", async || {
        let left =
            test.number(&sql).await + test.number("SELECT COUNT(*) FROM jobs WHERE state <> 'dead'").await;
        holds(left == 0, left)
    })
    .await;
}

#[tokio::test]
async fn an_edit_of_a_column_or_of_the_document_arrives_and_settles() {
    let (simulator, test, setup) = account(20, 5).await;
    let ids = test.rows("hubspot_contacts", &["hubspot_id"], "ORDER BY hubspot_id").await;
    let daemon = setup.start(&["run"]);
    daemon.says("is up after").await;
    test.execute(&format!(
        "UPDATE hubspot_contacts SET firstname = 'Ada', city = NULL WHERE hubspot_id = {}",
        ids[0]
    ))
    .await;
    test.execute(&format!(
        "UPDATE hubspot_contacts SET properties_json = JSON_SET(properties_json, '$.lastname', 'Lovelace') \
         WHERE hubspot_id = {}",
        ids[1]
    ))
    .await;
    settled(&test, "hubspot_contacts").await;
    assert_eq!(contact(&simulator, &ids[0]).await["properties"]["firstname"], "Ada");
    assert_eq!(contact(&simulator, &ids[0]).await["properties"]["city"], Value::Null);
    assert_eq!(contact(&simulator, &ids[1]).await["properties"]["lastname"], "Lovelace");
    let columns = ["sync_status", "lastname", "base_properties_json", "remote_properties_json", "version"];
    let row = test.rows("hubspot_contacts", &columns, &format!("WHERE hubspot_id = {}", ids[1])).await;
    assert_eq!(row, ["synced|Lovelace|-|-|2"]);
    let log = test
        .rows(
            "sync_log",
            &["hubspot_id", "action", "direction", "status", "changed_fields"],
            "WHERE direction = 'push' ORDER BY hubspot_id",
        )
        .await;
    let expected = [
        format!(r#"{}|update|push|success|["city","firstname"]"#, ids[0]),
        format!(r#"{}|update|push|success|["lastname"]"#, ids[1]),
    ];
    assert_eq!(log, expected);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_row_made_here_is_made_in_hubspot_once() {
    let (simulator, test, setup) = account(5, 5).await;
    let daemon = setup.start(&["run"]);
    test.execute(
        "INSERT INTO hubspot_contacts (email, firstname) VALUES ('Grace@Navy.test', 'Grace Brewster')",
    )
    .await;
    test.execute("INSERT INTO hubspot_companies (name, domain) VALUES ('Navy', 'navy.test')").await;
    settled(&test, "hubspot_contacts").await;
    settled(&test, "hubspot_companies").await;
    let id = test.value("(SELECT hubspot_id FROM hubspot_contacts WHERE firstname = 'Grace Brewster')").await;
    let made = contact(&simulator, &id).await;
    assert_eq!(made["properties"]["email"], "grace@navy.test");
    let row = test
        .rows(
            "hubspot_contacts",
            &["sync_status", "email", "hubspot_created_at IS NOT NULL"],
            "WHERE firstname = 'Grace Brewster'",
        )
        .await;
    assert_eq!(row, ["synced|grace@navy.test|1"]);
    assert_eq!(simulator.get("/creates/contacts?by=email").await["counts"]["grace@navy.test"], json!(1));
    assert!(daemon.stop().await.success());
}
