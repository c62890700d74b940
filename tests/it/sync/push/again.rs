//! Deleted and made again, edited again, taken back: what the last word of a person is.

use serde_json::{Value, json};

use super::{account, arrived, contact, is_asked_for, set, settled};
use crate::support::{eventually, holds};

/// The contacts in HubSpot with this address, live ones only.
async fn live_with(simulator: &crate::support::simulator::Simulator, email: &str) -> Vec<Value> {
    let truth = simulator.truth("contacts", false).await;
    let records = truth.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.filter(|record| record["properties"]["email"] == *email).collect()
}

#[tokio::test]
async fn a_contact_deleted_and_made_again_is_there() {
    for (deleted, sql_delete) in [
        ("UPDATE hubspot_contacts SET archived = 1 WHERE email = 'ada@example.test'", "restore"),
        ("DELETE FROM hubspot_contacts WHERE email = 'ada@example.test'", "restore"),
        ("DELETE FROM hubspot_contacts WHERE email = 'ada@example.test'", "archive"),
    ] {
        let (simulator, test, setup) = account(1, 1).await;
        simulator.create_with("contacts", json!({"email": "ada@example.test", "city": "London"})).await;
        crate::support::truth::everything_is_searchable(&simulator).await;
        setup.sync(&[]).await;
        test.execute(deleted).await;
        test.execute("INSERT INTO hubspot_contacts (email, firstname) VALUES ('ada@example.test', 'Ada')")
            .await;
        let daemon = setup.clone().set("SQL_DELETE", sql_delete).start(&["run"]);
        eventually("the contact is live, with what was entered", async || {
            let live = live_with(&simulator, "ada@example.test").await;
            holds(live.len() == 1 && live[0]["properties"]["firstname"] == "Ada", live)
        })
        .await;
        settled(&test, "hubspot_contacts").await;
        let of_it = "WHERE email = 'ada@example.test' AND NOT archived";
        let rows = test.rows("hubspot_contacts", &["firstname", "sync_status"], of_it).await;
        assert_eq!(rows, ["Ada|synced"], "{deleted}, {sql_delete}");
        assert_eq!(live_with(&simulator, "ada@example.test").await.len(), 1, "{deleted}, {sql_delete}");
        assert!(daemon.stop().await.success());
    }
}

#[tokio::test]
async fn a_delete_that_is_taken_back_too_late_is_asked_about() {
    let (simulator, test, setup) = account(2, 1).await;
    let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    let daemon = setup.start(&["run"]);
    daemon.says("is up after").await;
    simulator.set(json!({"latencyMs": 700})).await;
    simulator.reset_stats().await;
    test.execute(&format!("UPDATE hubspot_contacts SET archived = 1 WHERE hubspot_id = {id}")).await;
    is_asked_for(&simulator, "batchArchive").await;
    test.execute(&format!("UPDATE hubspot_contacts SET archived = 0 WHERE hubspot_id = {id}")).await;
    simulator.set(json!({"latencyMs": 0})).await;
    settled(&test, "hubspot_contacts").await;
    assert_eq!(contact(&simulator, &id).await, Value::Null);
    assert_eq!(test.rows("conflicts", &["kind", "status"], "").await, ["deleted_in_hubspot|pending"]);
    let number = test.value("(SELECT id FROM conflicts)").await;
    let resolved = setup.run(&["conflicts", "resolve", &number, "--keep", "local"]).await;
    assert!(resolved.status.success());
    settled(&test, "hubspot_contacts").await;
    let row = test.rows("hubspot_contacts", &["archived", "sync_status"], "ORDER BY id LIMIT 1");
    assert_eq!(row.await, ["0|synced"]);
    assert_eq!(simulator.truth("contacts", false).await.lines().count(), 2, "it is made anew");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn what_arrived_without_our_knowing_is_no_edit_of_somebody_else() {
    for policy in ["ask", "hubspot"] {
        let (simulator, test, setup) = account(2, 1).await;
        let setup = setup.set("CONFLICT_POLICY", policy).set("PUSH_RETRY_BASE_SECONDS", "5");
        let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
        let daemon = setup.start(&["run"]);
        daemon.says("is up after").await;
        simulator.set(json!({"latencyMs": 700})).await;
        set(&test, &id, &json!({"city": "ours"})).await;
        arrived(&simulator, &id, "city", "ours").await;
        daemon.kill();
        // Nobody has recorded that it arrived.
        set(&test, &id, &json!({"city": "ours again"})).await;
        simulator.set(json!({"latencyMs": 0})).await;
        let daemon = setup.start(&["run"]);
        arrived(&simulator, &id, "city", "ours again").await;
        settled(&test, "hubspot_contacts").await;
        let row =
            test.rows("hubspot_contacts", &["city", "sync_status"], "ORDER BY hubspot_id LIMIT 1").await;
        assert_eq!(row, ["ours again|synced"], "{policy}");
        assert_eq!(test.rows("conflicts", &["kind"], "").await, Vec::<String>::new(), "{policy}");
        assert!(daemon.stop().await.success());
    }
}
