//! The database refuses for a while: the daemon lives, says so, does not spin, and is in step again by itself.

use std::time::Instant;

use serde_json::json;
use sqlx::Executor;

use crate::scripts::PrivateServer;
use crate::support::daemon::{Daemon, Setup};
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::{assert_equal, everything_is_searchable, in_step};
use crate::support::{eventually, holds};

/// More statements than this a second would be a loop without a pause.
const BUSY: u128 = 150;
/// Statements over which a rate is measured.
const STATEMENTS: i64 = 200;

/// A counter of the whole server.
fn counter(server: &PrivateServer, name: &str) -> i64 {
    let status = server.ask(&format!("SHOW GLOBAL STATUS LIKE '{name}'"));
    status.split_whitespace().last().unwrap().parse().unwrap()
}

/// Statements the server has executed.
fn statements(server: &PrivateServer) -> i64 {
    counter(server, "Questions")
}

#[tokio::test]
async fn a_server_that_is_read_only_for_a_while_is_waited_for() {
    let server = PrivateServer::start();
    let test = TestDatabase::migrated_on(&server.url()).await;
    let simulator = Simulator::start(300, 50, 50);
    let daemon = Setup::new(&simulator, &test.url).at("* * * * * *").start(&["run"]);
    in_step(&simulator, &test).await;

    server.ask("SET GLOBAL read_only = 1");
    simulator.mutate(json!({"type": "contacts", "count": 40, "seed": 1})).await;
    daemon.says("read-only option").await;
    let (began, before, requests) = (Instant::now(), statements(&server), simulator.count("requests").await);
    eventually("the daemon has tried for a while", async || {
        let done = statements(&server) - before;
        holds(done >= STATEMENTS, done)
    })
    .await;
    let lasted_ms = began.elapsed().as_millis();
    assert!(lasted_ms >= STATEMENTS as u128 * 1000 / BUSY, "{STATEMENTS} statements in {lasted_ms} ms");
    let lines = daemon.log().lines().count();
    assert!(lines < 100, "{lines} lines:\n{}", daemon.log());
    let requests = simulator.count("requests").await - requests;
    assert!(requests < 50, "{requests} requests whose answers could not be stored");

    server.ask("SET GLOBAL read_only = 0");
    in_step(&simulator, &test).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_deadlock_with_an_application_is_tried_again() {
    let server = PrivateServer::start();
    let test = TestDatabase::migrated_on(&server.url()).await;
    let simulator = Simulator::start(500, 400, 10);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    let changed = simulator.mutate(json!({"type": "contacts", "count": 60, "seed": 2})).await;
    everything_is_searchable(&simulator).await;
    let ids: Vec<i64> = changed.iter().map(|id| id.parse().unwrap()).collect();
    let (first, last) = (ids.iter().min().unwrap(), ids.iter().max().unwrap());
    let lock = |id| {
        sqlx::AssertSqlSafe(format!("SELECT id FROM hubspot_contacts WHERE hubspot_id = {id} FOR UPDATE"))
    };

    // InnoDB ends whoever has changed less, so the application changes much.
    let mut application = test.sql.begin().await.unwrap();
    application.execute("UPDATE hubspot_companies SET updated_at = '2001-01-01'").await.unwrap();
    application.execute(lock(last)).await.unwrap();
    let mut sync = setup.start(&["sync", "contacts"]);
    eventually("the sync holds the first row and waits for the last", async || {
        // Not `innodb_trx`: who asks it more often than ten times a second is shown an old copy for ever.
        let waiting = counter(&server, "Innodb_row_lock_current_waits");
        holds(waiting == 1, waiting)
    })
    .await;
    application.execute(lock(first)).await.unwrap();
    sync.says("Deadlock found").await;
    application.rollback().await.unwrap();

    assert!(sync.wait().await.success(), "{}", sync.log());
    assert!(sync.log().contains("Storing a page of contacts again in"), "{}", sync.log());
    assert_equal(&simulator, &test).await;
}

/// Refuses every row from the 150th contact on, as a server whose disk is full does.
async fn fill_the_disk(simulator: &Simulator, test: &TestDatabase) {
    let mut ids: Vec<i64> = simulator
        .truth("contacts", false)
        .await
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().parse().unwrap()
        })
        .collect();
    ids.sort_unstable();
    test.execute(&format!(
        "CREATE TRIGGER full_disk BEFORE INSERT ON hubspot_contacts FOR EACH ROW IF NEW.hubspot_id >= {} THEN \
         SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'; END IF",
        ids[149]
    ))
    .await;
}

/// Waits until the daemon has stored the first page and tried the second one twice.
async fn is_stuck(daemon: &Daemon, test: &TestDatabase) {
    eventually("the second page is tried again", async || {
        let tries = daemon.log().matches("Storing a page of contacts again in").count();
        holds(tries >= 2, tries)
    })
    .await;
    assert!(daemon.log().contains("The table is full"), "{}", daemon.log());
    assert_eq!(test.value("SELECT COUNT(*) FROM hubspot_contacts").await, "100", "nothing half-written");
    let listed = test.rows("sync_state", &["records_synced"], "WHERE object_type = 'contacts'").await;
    assert_eq!(listed, ["100"], "the progress is that of the rows");
}

#[tokio::test]
async fn a_full_disk_stops_one_type_until_there_is_room_again() {
    let (simulator, test) = (Simulator::start(450, 60, 70), TestDatabase::migrated().await);
    fill_the_disk(&simulator, &test).await;
    let daemon = Setup::new(&simulator, &test.url).start(&["run"]);
    is_stuck(&daemon, &test).await;
    eventually("the other types are done", async || {
        let idle =
            test.rows("sync_state", &["object_type"], "WHERE status = 'idle' ORDER BY object_type").await;
        holds(idle == ["companies", "deal_pipelines", "deals", "owners"], idle)
    })
    .await;
    test.execute("DROP TRIGGER full_disk").await;
    in_step(&simulator, &test).await;
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_kill_while_the_disk_is_full_loses_no_page() {
    let (simulator, test) = (Simulator::start(450, 60, 70), TestDatabase::migrated().await);
    fill_the_disk(&simulator, &test).await;
    let setup = Setup::new(&simulator, &test.url);
    let daemon = setup.start(&["run"]);
    is_stuck(&daemon, &test).await;
    daemon.kill();
    test.execute("DROP TRIGGER full_disk").await;

    setup.sync(&["contacts"]).await;

    let runs = test
        .rows("sync_runs", &["outcome", "fetched"], "WHERE object_type = 'contacts' ORDER BY run_id")
        .await;
    assert_eq!(runs, ["interrupted|100", "succeeded|350"], "resumed, not started over");
    setup.sync(&[]).await;
    assert_equal(&simulator, &test).await;
}

#[tokio::test]
async fn a_stop_while_the_disk_is_full_is_no_failure_and_forgets_no_request() {
    let (simulator, test) = (Simulator::start(450, 60, 70), TestDatabase::migrated().await);
    fill_the_disk(&simulator, &test).await;
    let daemon = Setup::new(&simulator, &test.url).start(&["run"]);
    is_stuck(&daemon, &test).await;
    test.execute(
        "UPDATE sync_state SET requested_mode = 'full', requested_at = NOW(3) WHERE object_type = 'contacts'",
    )
    .await;

    assert!(daemon.stop().await.success());

    let columns = ["status", "consecutive_failures", "last_error", "next_run_at", "requested_mode"];
    let state = test.rows("sync_state", &columns, "WHERE object_type = 'contacts'").await;
    assert_eq!(state, ["idle|0|-|-|full"]);
    let runs = test.rows("sync_runs", &["outcome"], "WHERE object_type = 'contacts'").await;
    assert_eq!(runs, ["interrupted"]);
}
