//! What a person has to mend is said clearly, stops only what it concerns, and never becomes a busy loop.

use serde_json::json;

use crate::support::daemon::{Setup, text};
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::differences;
use crate::support::{eventually, holds};

#[tokio::test]
async fn a_wrong_token_is_named_in_log_and_state_and_not_hammered() {
    let (simulator, test) = (Simulator::start(10, 10, 10), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url).set("HUBSPOT_ACCESS_TOKEN", "pat-wrong");
    let daemon = setup.start(&["run"]);
    daemon.says("HUBSPOT_ACCESS_TOKEN").await;
    let state = eventually("every type says so", async || {
        let rows =
            test.rows("sync_state", &["object_type", "status", "last_error"], "ORDER BY object_type").await;
        let failed = rows.iter().filter(|row| row.contains("|error|")).count();
        if failed == 5 { Ok(rows) } else { Err(format!("{rows:?}")) }
    })
    .await;
    for row in state {
        assert!(
            row.contains("|error|") && row.contains("401") && row.contains("HUBSPOT_ACCESS_TOKEN"),
            "{row}"
        );
    }
    assert!(!daemon.log().contains("pat-wrong"), "the token must not be logged");
    let requests = simulator.count("requests").await;
    assert!((1..=2).contains(&requests), "{requests}");
    assert!(daemon.stop().await.success());

    let output = setup.run(&["sync"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("HUBSPOT_ACCESS_TOKEN"), "{}", text(&output.stderr));
}

#[tokio::test]
async fn a_type_without_scope_stops_alone() {
    let (simulator, test) = (Simulator::start(120, 30, 40), TestDatabase::empty().await);
    simulator.set(json!({"deniedTypes": ["deals"]})).await;
    let setup = Setup::new(&simulator, &test.url);

    let output = setup.run(&["sync"]).await;

    assert_eq!(output.status.code(), Some(1));
    assert!(differences(&simulator, &test, "contacts").await.is_empty());
    assert!(differences(&simulator, &test, "companies").await.is_empty());
    let state = test.rows("sync_state", &["status", "last_error"], "WHERE object_type = 'deals'").await;
    assert!(state[0].starts_with("error|") && state[0].contains("scope"), "{state:?}");
    assert!(text(&output.stderr).contains("Failed to sync deals subject"), "{}", text(&output.stderr));

    simulator.set(json!({"deniedTypes": []})).await;
    setup.sync(&[]).await;
    assert!(differences(&simulator, &test, "deals").await.is_empty());
    assert_eq!(
        test.rows("sync_state", &["status", "last_error"], "WHERE object_type = 'deals'").await,
        ["idle|-"]
    );
}

#[tokio::test]
async fn in_the_daemon_a_type_without_scope_stops_alone_and_waits_for_its_turn() {
    let (simulator, test) = (Simulator::start(120, 30, 40), TestDatabase::migrated().await);
    simulator.set(json!({"deniedTypes": ["deals"]})).await;
    // The others run each second; the type without scope once a year.
    let setup = Setup::new(&simulator, &test.url).at("* * * * * *").set("SYNC_CRON_DEALS", "0 0 1 1 *");
    let daemon = setup.start(&["run"]);
    daemon.says("Failed to sync deals subject").await;
    eventually("the others go on", async || {
        let runs = "SELECT COUNT(*) FROM sync_runs WHERE object_type = 'contacts' AND outcome = 'succeeded'";
        let runs = test.number(runs).await;
        holds(runs >= 6, runs)
    })
    .await;

    let runs = test.rows("sync_runs", &["outcome"], "WHERE object_type = 'deals'").await;
    assert_eq!(runs, ["failed"]);
    let refused = simulator.stats().await["byStatus"]["403"].as_u64().unwrap();
    assert!((1..=2).contains(&refused), "{refused}: records and pipelines of deals, each once");
    let state = test.rows("sync_state", &["status", "last_error"], "WHERE object_type = 'deals'").await;
    assert!(state[0].starts_with("error|") && state[0].contains("scope"), "{state:?}");
    assert!(differences(&simulator, &test, "contacts").await.is_empty());
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_sync_beside_a_daemon_with_a_wrong_token_fails_soon_and_quietly() {
    let (simulator, test) = (Simulator::start(10, 10, 10), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url).set("HUBSPOT_ACCESS_TOKEN", "pat-wrong");
    let daemon = setup.start(&["run"]);
    daemon.says("Nothing can be synced").await;

    let output = setup.run(&["sync"]).await;

    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("HUBSPOT_ACCESS_TOKEN"), "{said}");
    let requests = simulator.count("requests").await;
    assert!((1..=3).contains(&requests), "{requests}");
    assert!(daemon.log().lines().count() < 20, "{}", daemon.log());
    assert!(said.lines().count() < 20, "{said}");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn losing_a_scope_never_touches_what_is_mirrored() {
    let (simulator, test) = (Simulator::start(120, 0, 0), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    simulator.set(json!({"deniedTypes": ["contacts"]})).await;
    let output = setup.run(&["sync", "--full"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("403"), "{}", text(&output.stderr));
    let refused = simulator.stats().await["byStatus"]["403"].as_u64();
    assert!(refused >= Some(1), "{refused:?}");
    assert_eq!(test.value("SELECT COUNT(*) FROM hubspot_contacts WHERE NOT archived").await, "120");
}

#[tokio::test]
async fn the_token_of_another_account_is_refused_before_anything_is_written() {
    let (simulator, test) = (Simulator::start(10, 10, 10), TestDatabase::migrated().await);
    test.execute("INSERT INTO hubspot_account (portal_id, account_type, time_zone, ui_domain) VALUES (1, 'STANDARD', 'UTC', 'x')").await;
    let setup = Setup::new(&simulator, &test.url);
    let output = setup.run(&["sync"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("account 1"), "{}", text(&output.stderr));
    assert_eq!(test.value("SELECT COUNT(*) FROM hubspot_contacts").await, "0");
}

#[tokio::test]
async fn an_empty_catalogue_empties_no_row() {
    let (simulator, test) = (Simulator::start(50, 0, 0), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    let empty = json!({"match": {"pathContains": "/properties/"}, "times": 9, "action": {"kind": "status", "status": 200, "body": "{\"results\":[]}"}});
    simulator.fault(empty).await;
    let output = setup.run(&["sync", "--full"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(differences(&simulator, &test, "contacts").await.is_empty());
}

/// Seconds from the `failures`-th failure of a subject in a row to its next run.
async fn wait_after(test: &TestDatabase, subject: &str, failures: u32) -> i64 {
    eventually(&format!("{subject} has failed {failures} times"), async || {
        let wait = "TIMESTAMPDIFF(MICROSECOND, last_error_at, next_run_at) DIV 1000000";
        let at = format!("WHERE object_type = '{subject}' AND consecutive_failures = {failures}");
        let waits = test.rows("sync_state", &[wait], &at).await;
        waits.first().map(|wait| wait.parse().unwrap()).ok_or_else(String::new)
    })
    .await
}

#[tokio::test]
async fn a_failing_type_is_tried_again_soon_and_then_less_often() {
    let (simulator, test) = (Simulator::start(10, 10, 10), TestDatabase::migrated().await);
    let broken = json!({"match": {"pathContains": "/deals?"}, "times": 1000, "action": {"kind": "status", "status": 503, "body": ""}});
    simulator.fault(broken).await;
    // Once a year, so that the regular next run is never sooner than the retry.
    let daemon = Setup::new(&simulator, &test.url).set("SYNC_CRON_DEALS", "0 0 1 1 *").start(&["run"]);
    assert_eq!(wait_after(&test, "deals", 1).await, 5);
    assert_eq!(wait_after(&test, "deals", 2).await, 10);
    assert_eq!(test.rows("sync_state", &["status"], "WHERE object_type = 'contacts'").await, ["idle"]);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn check_names_what_is_wrong_and_what_to_do() {
    let (simulator, test) = (Simulator::start(10, 10, 10), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    let good = setup.run(&["check"]).await;
    assert!(good.status.success() && text(&good.stdout).ends_with("Ready.\n"), "{}", text(&good.stdout));

    simulator.set(json!({"deniedTypes": ["deals"]})).await;
    let denied = setup.clone().set("COLUMNS_CONTACTS", "no_such_property").run(&["check"]).await;
    assert_eq!(denied.status.code(), Some(1));
    let said = text(&denied.stdout);
    assert!(said.contains("FAILED   deals") && said.contains("no_such_property"), "{said}");

    let nowhere = setup.clone().set("DATABASE_URL", "mysql://u:p@127.0.0.1:1/none").run(&["check"]).await;
    assert!(text(&nowhere.stdout).contains("FAILED   database"), "{}", text(&nowhere.stdout));

    let invalid = setup.clone().set("SYNC_INTERVAL_MINUTES", "never").run(&["run"]).await;
    assert_eq!(invalid.status.code(), Some(2));
    assert!(text(&invalid.stderr).contains("SYNC_INTERVAL_MINUTES"), "{}", text(&invalid.stderr));
}
