//! HubSpot and MariaDB misbehave; the mirror comes out right all the same.

use serde_json::json;

use crate::scripts::PrivateServer;
use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::{assert_equal, settle};
use crate::support::{eventually, holds};

#[tokio::test]
async fn every_passing_fault_is_survived_within_the_run() {
    let faults = [
        json!({"kind": "status", "status": 500, "body": "internal error"}),
        json!({"kind": "status", "status": 502, "body": "<html>bad gateway</html>"}),
        json!({"kind": "status", "status": 503, "body": ""}),
        json!({"kind": "status", "status": 504, "body": ""}),
        json!({"kind": "status", "status": 524, "body": ""}),
        json!({"kind": "status", "status": 423, "body": "{}"}),
        json!({"kind": "status", "status": 477, "body": "{}", "retryAfter": 1}),
        json!({"kind": "reset"}),
        json!({"kind": "truncate"}),
        json!({"kind": "garbage"}),
        json!({"kind": "rateLimit", "policy": "SECONDLY"}),
    ];
    let (simulator, test) = (Simulator::start(1_500, 100, 100), TestDatabase::empty().await);
    for (page, action) in faults.iter().enumerate() {
        let fault =
            json!({"match": {"pathContains": "/contacts?"}, "skip": page, "times": 1, "action": action});
        simulator.fault(fault).await;
    }
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    assert_equal(&simulator, &test).await;
    let left = simulator.get("/faults").await;
    assert_eq!(left["faults"], json!([]), "every fault was met: {left}");
}

#[tokio::test]
async fn a_storm_of_random_faults_only_slows_the_sync_down() {
    let (simulator, test) = (Simulator::start(2_000, 200, 300), TestDatabase::empty().await);
    simulator.set(json!({"faultRate": 0.15})).await;
    let setup = Setup::new(&simulator, &test.url);
    for _ in 0..3 {
        // A run may fail when one call meets three faults in a row; the next goes on where it was.
        setup.run(&["sync"]).await;
        simulator.mutate(json!({"type": "contacts", "count": 50, "seed": 1})).await;
    }
    let stats = simulator.stats().await;
    let by_status = stats["byStatus"].as_object().unwrap();
    // A connection cut before the answer counts as 0.
    let faults =
        by_status.iter().filter(|(status, _)| !status.starts_with('2')).filter_map(|(_, n)| n.as_u64());
    let faults: u64 = faults.sum();
    assert!(faults >= 5, "{faults} faults struck, so little is proven: {stats}");
    simulator.set(json!({"faultRate": 0.0})).await;
    settle(&setup, &simulator, &test).await;
}

#[tokio::test]
async fn one_poisoned_record_does_not_stop_the_others() {
    let (simulator, test) = (Simulator::start(250, 10, 10), TestDatabase::empty().await);
    let victim = simulator.mutate(json!({"type": "contacts", "count": 1, "seed": 2})).await.remove(0);
    let poison = format!(
        "{{\"id\":\"{victim}\",\"properties\":{{\"lastname\":\"\\ud83d\"}},\"createdAt\":\"2020-01-01T00:00:00Z\",\"updatedAt\":\"2020-01-01T00:00:00Z\",\"archived\":false}}"
    );
    simulator.post(&format!("/raw/contacts/{victim}"), json!({"json": poison})).await;
    let setup = Setup::new(&simulator, &test.url);

    setup.sync(&[]).await;

    assert_eq!(test.value("SELECT COUNT(*) FROM hubspot_contacts").await, "249");
    let quarantine = test.rows("quarantine", &["object_type", "record_key", "property", "raw"], "").await;
    assert_eq!(quarantine, [format!("contacts|{victim}||{poison}")]);
    let runs = test.rows("sync_runs", &["inserted", "quarantined"], "WHERE object_type = 'contacts'").await;
    assert_eq!(runs, ["249|1"]);

    // Once HubSpot sends it whole again the next run takes it in, though its modification time did not move.
    simulator.cure("contacts", &victim).await;
    setup.sync(&[]).await;
    assert_equal(&simulator, &test).await;
    assert_eq!(test.value("SELECT COUNT(*) FROM quarantine").await, "0");
}

#[tokio::test]
async fn a_restart_of_the_database_in_mid_sync_is_survived_within_the_sync() {
    let server = PrivateServer::start();
    let test = TestDatabase::migrated_on(&server.url()).await;
    let simulator = Simulator::start(4_000, 400, 400);
    simulator.set(json!({"latencyMs": 60})).await;
    let setup = Setup::new(&simulator, &test.url);
    let mut daemon = setup.start(&["sync"]);
    eventually("some pages are stored", async || {
        let stored = test.number("SELECT COUNT(*) FROM hubspot_contacts").await;
        holds(stored >= 300, stored)
    })
    .await;

    server.restart_hard();

    let status = daemon.wait().await;
    assert!(status.success(), "{}", daemon.log());
    let test = TestDatabase { sql: sqlx::MySqlPool::connect(&test.url).await.unwrap(), ..test };
    assert_equal(&simulator, &test).await;
    let state = test.rows("sync_state", &["object_type", "status"], "WHERE status <> 'idle'").await;
    assert!(state.is_empty(), "{state:?}");
}

#[tokio::test]
async fn a_listing_whose_cursor_is_refused_starts_over() {
    let (simulator, test) = (Simulator::start(500, 0, 0), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    test.execute("UPDATE sync_state SET backfill_cursor = 'no-cursor', backfill_started_at = UTC_TIMESTAMP(), records_synced = 300 WHERE object_type = 'contacts'").await;
    let bad = json!({"match": {"pathContains": "after=no-cursor"}, "times": 9, "action": {"kind": "status", "status": 400, "body": "{\"status\":\"error\"}"}});
    simulator.fault(bad).await;
    setup.sync(&["contacts"]).await;
    let state = test
        .rows(
            "sync_state",
            &["records_synced", "COALESCE(backfill_cursor, 'none')"],
            "WHERE object_type = 'contacts'",
        )
        .await;
    assert_eq!(state, ["500|none"]);
}
