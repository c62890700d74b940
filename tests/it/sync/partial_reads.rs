//! HubSpot reads a part of a batch and fails at the rest.

use serde_json::json;

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::{assert_equal, settle};

#[tokio::test]
async fn records_hubspot_could_not_read_wait_in_quarantine_and_stop_nobody() {
    let (simulator, test) = (Simulator::start(150, 5, 5), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    let mut changed = simulator.mutate(json!({"type": "contacts", "count": 3, "seed": 6})).await;
    changed.sort_by_key(|id| id.parse::<i64>().unwrap());
    let body = json!({"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [
        {"status": "error", "category": "INTERNAL_ERROR", "message": "internal error", "context": {"ids": changed}}]});
    simulator
        .fault(json!({"match": {"pathContains": "/contacts/batch/read"},
                      "action": {"kind": "status", "status": 207, "body": body.to_string()}}))
        .await;

    setup.sync(&["contacts"]).await;

    let quarantined = test.rows("quarantine", &["record_key", "reason"], "ORDER BY CAST(record_key AS INT)");
    let expected = changed.iter().map(|id| format!("{id}|HubSpot could not read it: error INTERNAL_ERROR"));
    assert_eq!(quarantined.await, expected.collect::<Vec<_>>());
    settle(&setup, &simulator, &test).await;
    assert_equal(&simulator, &test).await;
    assert_eq!(test.value("SELECT COUNT(*) FROM quarantine").await, "0");
}
