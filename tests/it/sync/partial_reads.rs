//! HubSpot reads a part of a batch and fails at the rest.

use serde_json::json;

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::eventually;
use crate::support::simulator::Simulator;
use crate::support::truth::{assert_equal, settle};

#[tokio::test]
async fn records_hubspot_could_not_read_wait_in_quarantine_and_stop_nobody() {
    let (simulator, test) = (Simulator::start(150, 5, 5), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    let victim = simulator.mutate(json!({"type": "contacts", "count": 1, "seed": 6})).await.remove(0);
    let body = json!({"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [
        {"status": "error", "category": "INTERNAL_ERROR", "message": "internal error", "context": {"ids": [victim]}}]});
    simulator
        .fault(json!({"match": {"pathContains": "/contacts/batch/read"},
                      "action": {"kind": "status", "status": 207, "body": body.to_string()}}))
        .await;

    // Search shows the change to one of the next runs, and each of them has to succeed.
    let quarantined = eventually("the record has been asked for", async || {
        setup.sync(&["contacts"]).await;
        let rows = test.rows("quarantine", &["record_key", "reason"], "").await;
        if rows.is_empty() { Err("not yet".to_owned()) } else { Ok(rows) }
    })
    .await;
    assert_eq!(quarantined, [format!("{victim}|HubSpot could not read it: error INTERNAL_ERROR")]);
    settle(&setup, &simulator, &test).await;
    assert_equal(&simulator, &test).await;
    assert_eq!(test.value("SELECT COUNT(*) FROM quarantine").await, "0");
}
