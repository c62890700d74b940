//! Records that are deleted, restored, erased or merged in HubSpot.

use serde_json::json;

use crate::support::daemon::{Daemon, Setup};
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::{eventually, holds};

/// A daemon that has mirrored everything and has read the recycle bins once.
async fn in_step_with_bins(simulator: &Simulator, test: &TestDatabase) -> Daemon {
    let setup = Setup::new(simulator, &test.url).at("* * * * * *").set("ARCHIVE_INTERVAL_MINUTES", "60");
    let daemon = setup.start(&["run"]);
    lane_is_done(test, "archive").await;
    daemon
}

/// Waits until the lane of every type has ended a pass and none is due.
async fn lane_is_done(test: &TestDatabase, lane: &str) {
    eventually("every type has ended a pass", async || {
        let done = test
            .number(&format!(
                "SELECT COUNT(*) FROM sync_lanes WHERE lane = '{lane}' AND status = 'idle' \
                 AND completed_at IS NOT NULL AND next_run_at > UTC_TIMESTAMP(3)"
            ))
            .await;
        holds(done == 3, done)
    })
    .await;
}

/// Makes the lane due and waits until it is done.
async fn run_lane(test: &TestDatabase, lane: &str) {
    test.execute(&format!(
        "UPDATE sync_lanes SET next_run_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE lane = '{lane}'"
    ))
    .await;
    lane_is_done(test, lane).await;
}

/// What the mirror says of a contact: whether it is archived, whether it is purged, and its e-mail address.
async fn contact(test: &TestDatabase, id: &str) -> String {
    test.value(&format!(
        "SELECT CONCAT_WS(' ', IF(archived, 'archived', 'live'), IF(archived_at IS NULL, 'never', 'once'), \
         IF(purged_at IS NULL, 'kept', 'purged'), IF(email IS NULL, 'without', 'with'), \
         IF(properties_json = '{{}}', 'empty', 'full')) FROM hubspot_contacts WHERE hubspot_id = {id}"
    ))
    .await
}

#[tokio::test]
async fn deleted_records_keep_their_row_and_come_back_when_they_are_restored() {
    let (simulator, test) = (Simulator::start(250, 30, 20), TestDatabase::migrated().await);
    let deleted = simulator.create("contacts", 3).await;
    let daemon = in_step_with_bins(&simulator, &test).await;
    assert_eq!(contact(&test, &deleted[0]).await, "live never kept with full");

    for id in &deleted {
        simulator.delete("contacts", id).await;
    }
    run_lane(&test, "archive").await;
    for id in &deleted {
        assert_eq!(contact(&test, id).await, "archived once kept with full");
    }

    simulator.post(&format!("/objects/contacts/{}/restore", deleted[1]), json!({})).await;
    run_lane(&test, "archive").await;
    assert_eq!(contact(&test, &deleted[0]).await, "archived once kept with full");
    assert_eq!(contact(&test, &deleted[1]).await, "live never kept with full");
    assert!(daemon.stop().await.success());
}
