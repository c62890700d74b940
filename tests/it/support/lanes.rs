//! The lanes beside the regular runs: making them due, and waiting until they are done.

use super::database::TestDatabase;
use super::{eventually, holds};

/// Waits until the lane of each of the three default types has ended a pass and none is due.
pub async fn lane_is_done(test: &TestDatabase, lane: &str) {
    eventually(&format!("the {lane} lane of every type has ended a pass"), async || {
        let sql = format!(
            "SELECT COUNT(*) FROM sync_lanes WHERE lane = '{lane}' AND status = 'idle' \
             AND completed_at IS NOT NULL AND requested_at IS NULL \
             AND COALESCE(next_run_at > UTC_TIMESTAMP(3), TRUE)"
        );
        let done = test.number(&sql).await;
        holds(done == 3, done)
    })
    .await;
}

/// Makes the lane due.
pub async fn make_due(test: &TestDatabase, lane: &str) {
    test.execute(&format!(
        "UPDATE sync_lanes SET next_run_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE lane = '{lane}'"
    ))
    .await;
}

/// Makes the lane due and waits until it is done.
pub async fn run_lane(test: &TestDatabase, lane: &str) {
    make_due(test, lane).await;
    lane_is_done(test, lane).await;
}

/// Makes the lane due, waits until that of contacts has failed, and answers what it says.
pub async fn failed_lane(test: &TestDatabase, lane: &str) -> String {
    let of_contacts = format!("FROM sync_lanes WHERE lane = '{lane}' AND object_type = 'contacts'");
    let failures = format!(
        "SELECT CAST(COUNT(*) AS SIGNED) FROM sync_runs WHERE lane = '{lane}' \
                            AND object_type = 'contacts' AND outcome = 'failed'"
    );
    let before = test.number(&failures).await;
    make_due(test, lane).await;
    eventually(&format!("the {lane} lane of contacts has failed"), async || {
        let status = test.value(&format!("SELECT status {of_contacts}")).await;
        holds(status == "error" && test.number(&failures).await > before, status)
    })
    .await;
    test.value(&format!("SELECT last_error {of_contacts}")).await
}

/// Waits until a pass of the lane over contacts has stored a page and is not at its end.
pub async fn lane_is_halfway(test: &TestDatabase, lane: &str) {
    eventually(&format!("the {lane} lane of contacts is halfway"), async || {
        let cursor = test
            .value(&format!(
                "SELECT MAX(pass_cursor) FROM sync_lanes WHERE lane = '{lane}' AND object_type = 'contacts'"
            ))
            .await;
        holds(!["-", ""].contains(&&*cursor), cursor)
    })
    .await;
}

/// Asserts that the last pass of the lane over contacts took two runs, the second of which did only what the first had
/// left, and answers how many records they were shown together.
pub async fn resumed(test: &TestDatabase, lane: &str) -> i64 {
    let condition =
        format!("WHERE lane = '{lane}' AND object_type = 'contacts' ORDER BY run_id DESC LIMIT 2");
    let runs = test.rows("sync_runs", &["outcome", "fetched"], &condition).await;
    let fetched = |run: &str, outcome: &str| {
        let (ended, fetched) = run.split_once('|').unwrap();
        assert_eq!(ended, outcome, "{runs:?}");
        fetched.parse::<i64>().unwrap()
    };
    let (first, second) = (fetched(&runs[1], "interrupted"), fetched(&runs[0], "succeeded"));
    assert!(first > 0, "the first had stored something");
    first + second
}
