//! An edit made here arrives in HubSpot, whatever it is, and comes back as what both sides have.

mod again;
mod conflicts;
mod creates;
mod deletes;
mod interrupted;
mod locked;
mod refusals;
mod rules;

use serde_json::{Value, json};

use crate::support::database::TestDatabase;
use crate::support::edits::{
    all_is_sent as settled, hubspot_contact as contact, writable_account as account,
};
use crate::support::simulator::Simulator;
use crate::support::truth::everything_is_searchable;
use crate::support::{eventually, holds};

/// The values a property of a contact had, newest first; empty ones were cleared.
async fn history(simulator: &Simulator, id: &str, property: &str) -> Vec<String> {
    let history = simulator.get(&format!("/history/contacts/{id}")).await;
    let entries = history["properties"][property].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["value"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Gives a contact other values with SQL.
async fn set(test: &TestDatabase, id: &str, values: &Value) {
    let sets = values.as_object().unwrap().iter();
    let sets: Vec<_> =
        sets.map(|(name, value)| format!("'$.{name}', '{}'", value.as_str().unwrap())).collect();
    test.execute(&format!(
        "UPDATE hubspot_contacts SET properties_json = JSON_SET(properties_json, {}) WHERE hubspot_id = {id}",
        sets.join(", ")
    ))
    .await;
}

/// Waits until HubSpot has that value of a contact's property.
async fn arrived(simulator: &Simulator, id: &str, property: &str, value: &str) {
    eventually(&format!("{property} of {id} is {value}"), async || {
        let found = contact(simulator, id).await["properties"][property].clone();
        holds(found == value, found)
    })
    .await;
}

/// Waits until HubSpot was asked for a write of this family.
async fn is_asked_for(simulator: &Simulator, family: &str) {
    eventually(&format!("the {family} is under way"), async || {
        let begun = simulator.stats().await["byFamily"][family].as_u64().unwrap_or_default();
        holds(begun > 0, begun)
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

#[tokio::test]
async fn a_type_that_is_not_writable_any_more_is_an_exact_copy_again() {
    let (simulator, test, setup) = account(4, 1).await;
    let ids = test.rows("hubspot_contacts", &["hubspot_id"], "ORDER BY hubspot_id").await;
    let cities = test.rows("hubspot_contacts", &["city"], "ORDER BY hubspot_id").await;
    set(&test, &ids[0], &json!({"city": "ours"})).await;
    set(&test, &ids[1], &json!({"city": "ours"})).await;
    test.execute(&format!("UPDATE hubspot_contacts SET archived = 1 WHERE hubspot_id = {}", ids[2])).await;
    test.execute("INSERT INTO hubspot_contacts (email) VALUES ('new@person.test')").await;
    simulator.edit("contacts", &ids[1], json!({"city": "theirs"})).await;
    everything_is_searchable(&simulator).await;
    // Where edits only cannot be sent, they wait.
    setup.clone().set("PUSH_ENABLED", "false").sync(&[]).await;
    let pending = "SELECT COUNT(*) FROM hubspot_contacts WHERE sync_status = 'pending'";
    assert_eq!(test.number(pending).await, 4);

    setup.clone().set("WRITABLE_OBJECTS", "none").sync(&[]).await;
    let columns = ["sync_status", "archived", "base_properties_json", "remote_properties_json", "city"];
    let rows = test.rows("hubspot_contacts", &columns, "ORDER BY hubspot_id").await;
    let cities = [&cities[0], "theirs", &cities[2], &cities[3]];
    assert_eq!(rows, cities.map(|city| format!("synced|0|-|-|{city}")));
    assert_eq!(test.number("SELECT COUNT(*) FROM jobs").await, 0);
}
