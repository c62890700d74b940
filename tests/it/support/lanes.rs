//! The lanes beside the regular runs: making them due, and waiting until they are done.

use super::database::TestDatabase;
use super::{eventually, holds};

/// Waits until the lane of each of the three default types has ended a pass and none is due.
pub async fn lane_is_done(test: &TestDatabase, lane: &str) {
    eventually(&format!("the {lane} lane of every type has ended a pass"), async || {
        let sql = format!(
            "SELECT COUNT(*) FROM sync_lanes WHERE lane = '{lane}' AND status = 'idle' \
             AND completed_at IS NOT NULL AND requested IS NULL \
             AND COALESCE(next_run_at > UTC_TIMESTAMP(3), TRUE)"
        );
        let done = test.number(&sql).await;
        holds(done == 3, done)
    })
    .await;
}

/// Makes the lane due and waits until it is done.
pub async fn run_lane(test: &TestDatabase, lane: &str) {
    test.execute(&format!(
        "UPDATE sync_lanes SET next_run_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE lane = '{lane}'"
    ))
    .await;
    lane_is_done(test, lane).await;
}
