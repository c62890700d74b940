//! Rows that were edited here differ from HubSpot on purpose: the audit leaves them alone.

use serde_json::json;
use sqlx::Executor;

use super::{assert_found, contacts, differences, verify};
use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::everything_is_searchable;

/// What an audit may not change of rows that were edited.
const OURS: [&str; 7] = ["id", "hubspot_id", "sync_status", "version", "archived", "city", "properties_json"];

/// The rows that were edited.
async fn edited(test: &TestDatabase) -> Vec<String> {
    test.rows("hubspot_contacts", &OURS, "WHERE sync_status <> 'synced' ORDER BY id").await
}

/// Writes as the daemon does, past the triggers.
async fn as_daemon(test: &TestDatabase, sql: &str) {
    let mut connection = test.sql.acquire().await.unwrap();
    connection.execute("SET @hubspot_connector = TRUE").await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.execute("SET @hubspot_connector = NULL").await.unwrap();
}

/// An account whose edits are kept back, with rows edited here in every state. Returns the ids of all contacts; those
/// from the second to the fifth have a pending edit, a conflict, a refused edit and a pending delete.
async fn account() -> (Simulator, TestDatabase, Setup, Vec<String>) {
    let (simulator, test) = (Simulator::start(250, 5, 5), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url).writable().set("PUSH_ENABLED", "false");
    setup.sync(&[]).await;
    everything_is_searchable(&simulator).await;
    setup.sync(&[]).await;
    let ids = contacts(&test).await;
    let listed = ids[1..4].join(", ");
    test.execute(&format!("UPDATE hubspot_contacts SET city = 'Atlantis' WHERE hubspot_id IN ({listed})"))
        .await;
    test.execute(&format!("UPDATE hubspot_contacts SET archived = 1 WHERE hubspot_id = {}", ids[4])).await;
    test.execute("INSERT INTO hubspot_contacts (email) VALUES ('new@example.test')").await;
    for (id, status) in [(&ids[2], "conflict"), (&ids[3], "error")] {
        let sql = format!("UPDATE hubspot_contacts SET sync_status = '{status}' WHERE hubspot_id = {id}");
        as_daemon(&test, &sql).await;
    }
    (simulator, test, setup, ids)
}

#[tokio::test]
async fn what_was_edited_here_is_no_difference() {
    let (_simulator, test, setup, _) = account().await;
    let before = edited(&test).await;
    assert_eq!(before.len(), 5);
    for arguments in [&["--deep"][..], &["--deep", "--repair"]] {
        for report in verify(&setup, arguments).await.as_object().unwrap().values() {
            assert_eq!(differences(report), 0, "{report:#}");
        }
        assert_eq!(edited(&test).await, before);
    }
}

#[tokio::test]
async fn what_hubspot_changes_of_an_edited_row_is_set_aside_once() {
    let (simulator, test, setup, ids) = account().await;
    let before = edited(&test).await;
    // Without a word of it in the modification date.
    let sql = format!(
        "UPDATE hubspot_contacts SET base_properties_json = JSON_SET(base_properties_json, '$.city', 'Ys') \
         WHERE hubspot_id IN ({}, {})",
        ids[1], ids[2]
    );
    as_daemon(&test, &sql).await;
    simulator.edit("contacts", &ids[3], json!({"city": "Vineta"})).await;
    everything_is_searchable(&simulator).await;
    setup.sync(&["contacts"]).await;
    let deep = &verify(&setup, &["contacts", "--deep", "--repair"]).await["contacts"];
    assert_found(deep, &[("different", &[&ids[1], &ids[2]])]);
    let deep = &verify(&setup, &["contacts", "--deep"]).await["contacts"];
    assert_found(deep, &[]);
    let woken: Vec<_> = before
        .iter()
        .map(|row| row.replace("|conflict|", "|pending|").replace("|error|", "|pending|"))
        .collect();
    assert_eq!(edited(&test).await, woken);
    let aside = "SELECT COUNT(*) FROM hubspot_contacts WHERE remote_properties_json IS NOT NULL";
    assert_eq!(test.number(aside).await, 3);
}

#[tokio::test]
async fn a_delete_that_a_person_has_been_asked_about_is_no_difference_until_it_is_undone() {
    let (simulator, test, setup, ids) = account().await;
    simulator.delete("contacts", &ids[2]).await;
    everything_is_searchable(&simulator).await;
    setup.sync(&["contacts"]).await;
    let deep = &verify(&setup, &["contacts", "--deep"]).await["contacts"];
    assert_found(deep, &[("gone", &[&ids[2]])]);
    let asked = format!(
        "INSERT INTO conflicts (object_type, row_id, hubspot_id, kind, fields, base_json, local_json, hubspot_json, sources, created_at, \
         updated_at) SELECT 'contacts', id, hubspot_id, 'deleted_in_hubspot', '[]', '{{}}', '{{}}', '{{}}', '{{}}', \
         UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) FROM hubspot_contacts WHERE hubspot_id = {}",
        ids[2]
    );
    test.execute(&asked).await;
    let before = edited(&test).await;
    let deep = &verify(&setup, &["contacts", "--deep", "--repair"]).await["contacts"];
    assert_found(deep, &[]);
    assert_eq!(edited(&test).await, before);

    simulator.post(&format!("/objects/contacts/{}/restore", ids[2]), json!({})).await;
    everything_is_searchable(&simulator).await;
    verify(&setup, &["contacts", "--deep", "--repair"]).await;
    let woken: Vec<_> = before.iter().map(|row| row.replace("|conflict|", "|pending|")).collect();
    assert_eq!(edited(&test).await, woken);
    assert_found(&verify(&setup, &["contacts", "--deep"]).await["contacts"], &[]);
}
