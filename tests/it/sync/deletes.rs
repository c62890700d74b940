//! Records that are deleted, restored, erased or merged in HubSpot.

use serde_json::json;

use crate::support::daemon::{Daemon, Setup};
use crate::support::database::TestDatabase;
use crate::support::lanes::{lane_is_done, run_lane};
use crate::support::simulator::Simulator;

/// A daemon that has mirrored everything and has read the recycle bins once.
async fn in_step_with_bins(simulator: &Simulator, test: &TestDatabase) -> Daemon {
    let setup = Setup::new(simulator, &test.url).at("* * * * * *").set("ARCHIVE_INTERVAL_MINUTES", "60");
    let daemon = setup.start(&["run"]);
    lane_is_done(test, "archive").await;
    daemon
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
