//! What the daemon writes itself comes back as webhooks, and causes no second write.

use serde_json::json;

use super::DEFAULT;
use crate::support::database::TestDatabase;
use crate::support::edits::{all_is_sent, hubspot_contact};
use crate::support::simulator::Simulator;
use crate::support::truth::in_step;
use crate::support::webhooks::{Receiving, all_is_processed, counts, without_polling};

#[tokio::test]
async fn our_own_changes_come_back_and_cause_neither_a_read_nor_a_write() {
    let (simulator, test) = (Simulator::start(40, 5, 0), TestDatabase::migrated().await);
    let daemon = without_polling(&simulator, &test).writable().start(&["run"]);
    in_step(&simulator, &test).await;
    let receiving = Receiving::start(&test, DEFAULT).await;
    receiving.told_by(&simulator, json!({})).await;
    simulator.reset_stats().await;
    test.execute("UPDATE hubspot_contacts SET city = 'Jena', jobtitle = 'Optician'").await;
    test.execute("INSERT INTO hubspot_contacts (email, firstname) VALUES ('ada@example.test', 'Ada')").await;
    all_is_sent(&test, "hubspot_contacts").await;
    all_is_processed(&simulator, &test).await;
    let counts = counts(&test).await;
    assert_eq!(counts.get("echo"), counts.get("stored"), "{counts:?}");
    assert!(counts["echo"] > 80, "{counts:?}");
    let families = simulator.stats().await["byFamily"].clone();
    assert_eq!(families["batchUpdate"], 1, "{families}");
    assert_eq!(test.number("SELECT COUNT(*) FROM hubspot_contacts WHERE sync_status <> 'synced'").await, 0);
    in_step(&simulator, &test).await;
    drop(daemon);
}

#[tokio::test]
async fn a_change_somebody_else_makes_with_our_app_is_no_echo() {
    let (simulator, test) = (Simulator::start(20, 0, 0), TestDatabase::migrated().await);
    let daemon = without_polling(&simulator, &test).start(&["run"]);
    in_step(&simulator, &test).await;
    let receiving = Receiving::start(&test, DEFAULT).await;
    receiving.told_by(&simulator, json!({})).await;
    let id = test.value("SELECT MIN(hubspot_id) FROM hubspot_contacts").await;
    let app = 1_845_122; // the one the token belongs to
    let change = json!({"properties": {"city": "Jena"}, "app": app});
    simulator.patch(&format!("/objects/contacts/{id}"), change).await;
    in_step(&simulator, &test).await;
    assert_eq!(hubspot_contact(&simulator, &id).await["properties"]["city"], "Jena");
    all_is_processed(&simulator, &test).await;
    assert_eq!(counts(&test).await.get("echo"), None);
    drop(daemon);
}
