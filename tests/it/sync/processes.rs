//! The daemon as a process: on schedule, beside others, and when it is told to stop.

use serde_json::json;

use crate::support::daemon::{Setup, text};
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::in_step;
use crate::support::{eventually, holds};

/// Runs every object type at every other second.
const EAGER: &str = "*/2 * * * * *";

#[tokio::test]
async fn the_daemon_keeps_the_mirror_current_and_stops_cleanly() {
    let (simulator, test) = (Simulator::start(900, 100, 100), TestDatabase::migrated().await);
    let daemon = Setup::new(&simulator, &test.url).at(EAGER).start(&["run"]);
    in_step(&simulator, &test).await;
    for seed in 0..3 {
        simulator.mutate(json!({"type": "contacts", "count": 30, "seed": seed})).await;
        simulator.create("deals", 2).await;
        in_step(&simulator, &test).await;
    }
    let log = {
        let log = daemon.log();
        assert!(daemon.stop().await.success(), "{log}");
        log
    };
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
    assert_eq!(test.value("SELECT COUNT(*) FROM leases").await, "0", "the lease is given back");
    assert_eq!(test.rows("sync_state", &["status"], "GROUP BY status").await, ["idle"]);
    let open = test.rows("sync_runs", &["run_id"], "WHERE outcome = 'running'").await;
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test]
async fn a_run_longer_than_its_interval_is_not_overtaken_by_the_next() {
    let (simulator, test) = (Simulator::start(600, 10, 10), TestDatabase::migrated().await);
    simulator.set(json!({"latencyMs": 700})).await;
    let daemon = Setup::new(&simulator, &test.url).at(EAGER).start(&["run"]);
    eventually("several runs have ended", async || {
        let ended = test
            .number("SELECT COUNT(*) FROM sync_runs WHERE object_type = 'contacts' AND outcome = 'succeeded'")
            .await;
        holds(ended >= 4, ended)
    })
    .await;
    assert!(daemon.stop().await.success());
    let overlapping = "SELECT COUNT(*) FROM sync_runs a JOIN sync_runs b ON a.object_type = b.object_type AND a.run_id < b.run_id \
                       WHERE b.started_at < COALESCE(a.finished_at, NOW(3) + INTERVAL 1 YEAR)";
    assert_eq!(test.value(overlapping).await, "0");
}

#[tokio::test]
async fn of_two_daemons_one_works_and_the_other_takes_over_when_it_dies() {
    let arguments = ["--contacts", "3000", "--companies", "300", "--deals", "300"].map(str::to_owned);
    let (simulator, test) = (Simulator::with(&arguments), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url)
        .at(EAGER)
        .set("RATE_LIMIT_PER_10_SECONDS", "100")
        .set("RATE_LIMIT_SEARCH_PER_SECOND", "5");
    let first = setup.start(&["run"]);
    first.says("Listing all contacts").await;
    let second = setup.start(&["run"]);
    second.says("Standing by").await;
    eventually("the first has stored something", async || {
        let stored = test.number("SELECT COUNT(*) FROM hubspot_contacts").await;
        holds(stored >= 300, stored)
    })
    .await;
    first.kill();
    in_step(&simulator, &test).await;
    assert!(second.log().contains("Resuming the full listing"), "{}", second.log());
    assert!(second.stop().await.success());
    assert_eq!(simulator.count("rateLimited").await, 0);
    let twice = "SELECT COUNT(*) - COUNT(DISTINCT hubspot_id) FROM hubspot_contacts";
    assert_eq!(test.value(twice).await, "0");
}

#[tokio::test]
async fn a_sync_command_beside_a_daemon_lets_the_daemon_do_it() {
    let (simulator, test) = (Simulator::start(400, 50, 50), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    let daemon = setup.start(&["run"]);
    daemon.says("Synced contacts (backfill)").await;
    simulator.mutate(json!({"type": "contacts", "count": 25, "seed": 4})).await;

    let output = setup.run(&["sync", "contacts", "--full"]).await;

    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("it carries the sync out"), "{}", text(&output.stderr));
    in_step(&simulator, &test).await;
    let runs = test
        .rows("sync_runs", &["lane", "triggered_by"], "WHERE object_type = 'contacts' ORDER BY run_id")
        .await;
    assert_eq!(runs, ["backfill|schedule", "backfill|request"]);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn status_shows_every_type_and_tells_by_its_exit_code() {
    let (simulator, test) = (Simulator::start(30, 20, 10), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url);
    let before = setup.run(&["status"]).await;
    assert!(before.status.success() && text(&before.stdout).contains("Nothing has been synced yet"));
    setup.sync(&[]).await;
    let table = text(&setup.run(&["status"]).await.stdout);
    for word in ["contacts", "companies", "deals", "owners", "deal_pipelines", "in step", "30"] {
        assert!(table.contains(word), "{word} is not in:\n{table}");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&setup.run(&["status", "--json"]).await.stdout).unwrap();
    assert_eq!(json.as_array().map(Vec::len), Some(5));
    test.execute("UPDATE sync_state SET status = 'error', last_error = 'broken' WHERE object_type = 'deals'")
        .await;
    let failing = setup.run(&["status"]).await;
    assert_eq!(failing.status.code(), Some(1));
    assert!(text(&failing.stdout).contains("deals: broken"));
}

#[tokio::test]
async fn a_daemon_that_may_not_migrate_says_what_to_do() {
    let (simulator, test) = (Simulator::start(30, 20, 10), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url).set("MIGRATE_ON_START", "false");
    let refused = setup.run(&["run"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("hubspot-connector migrate"), "{}", text(&refused.stderr));
    assert!(setup.run(&["migrate"]).await.status.success());
    setup.sync(&[]).await;
}

#[tokio::test]
async fn a_daemon_that_may_not_migrate_refuses_a_schema_that_is_not_its_own() {
    let (simulator, test) = (Simulator::start(5, 5, 5), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url).set("MIGRATE_ON_START", "false");
    for (spoil, words) in [
        ("INSERT INTO _sqlx_migrations VALUES (29990101000000, 'later', NOW(), 1, 'x', 1)", "a newer one"),
        ("UPDATE _sqlx_migrations SET success = 0 WHERE version < 29990101000000 LIMIT 1", "stopped halfway"),
    ] {
        test.execute(spoil).await;
        let refused = setup.run(&["run"]).await;
        assert_eq!(refused.status.code(), Some(1), "{spoil}");
        assert!(text(&refused.stderr).contains(words), "{}", text(&refused.stderr));
    }
}

#[tokio::test]
async fn a_type_that_is_no_longer_synced_leaves_no_error_behind() {
    let (simulator, test) = (Simulator::start(5, 5, 5), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    test.execute(
        "UPDATE sync_state SET status = 'error', last_error = 'broken', last_error_at = NOW(3), \
         consecutive_failures = 3 WHERE object_type LIKE 'deal%'",
    )
    .await;
    assert_eq!(setup.run(&["status"]).await.status.code(), Some(1));
    let fewer = setup.set("SYNC_OBJECTS", "contacts,companies");
    assert_eq!(fewer.run(&["status"]).await.status.code(), Some(0), "they are not asked for");

    let daemon = fewer.start(&["run"]);
    eventually("the errors are gone", async || {
        let columns = ["object_type", "status", "consecutive_failures", "last_error", "last_error_at"];
        let states = test
            .rows("sync_state", &columns, "WHERE object_type LIKE 'deal%' ORDER BY object_type DESC")
            .await;
        holds(states == ["deals|idle|0|-|-", "deal_pipelines|idle|0|-|-"], states)
    })
    .await;
    assert!(daemon.stop().await.success());
}
