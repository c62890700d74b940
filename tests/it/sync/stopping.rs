//! Told to stop, and what a service manager listens_for of it.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::in_step;
use crate::support::{eventually, holds};

/// Longest a stop in mid-page takes, far below the documented 25 s.
const PROMPT: Duration = Duration::from_secs(8);

/// Longest a stop takes while one attempt to reach the database is under way: as documented, and a little for the
/// process itself.
const PROMPT_WITHOUT_DATABASE: Duration = Duration::from_secs(12);

#[tokio::test]
async fn a_stop_in_mid_listing_is_prompt_and_the_next_start_goes_on_there() {
    let (simulator, test) = (Simulator::start(2_000, 100, 100), TestDatabase::migrated().await);
    simulator.set(json!({"latencyMs": 250})).await;
    let setup = Setup::new(&simulator, &test.url);
    let daemon = setup.start(&["run"]);
    eventually("some pages are stored", async || {
        let stored = test.number("SELECT COUNT(*) FROM hubspot_contacts").await;
        holds(stored >= 300, stored)
    })
    .await;

    let asked = Instant::now();
    assert_eq!(daemon.stop().await.code(), Some(0));
    assert!(asked.elapsed() < PROMPT, "{:?}", asked.elapsed());

    let stored = test.number("SELECT COUNT(*) FROM hubspot_contacts").await;
    assert!((300..2_000).contains(&stored), "{stored}: the listing was under way");
    let state = test
        .rows(
            "sync_state",
            &["status", "records_synced", "backfill_cursor IS NOT NULL", "watermark"],
            "WHERE object_type = 'contacts'",
        )
        .await;
    assert_eq!(state, [format!("idle|{stored}|1|-")]);
    let runs = test.rows("sync_runs", &["outcome", "fetched"], "WHERE object_type = 'contacts'").await;
    assert_eq!(runs, [format!("interrupted|{stored}")]);
    assert_eq!(test.value("SELECT COUNT(*) FROM leases").await, "0", "the lease is given back");

    simulator.set(json!({"latencyMs": 0})).await;
    let daemon = setup.start(&["run"]);
    daemon.says(&format!("Resuming the full listing of contacts at record {stored}")).await;
    in_step(&simulator, &test).await;
    assert!(daemon.stop().await.success());
    let listed = "SELECT SUM(fetched) FROM sync_runs WHERE object_type = 'contacts' AND lane = 'backfill'";
    assert_eq!(test.value(listed).await, "2000", "no page was listed twice");
}

#[tokio::test]
async fn a_second_signal_ends_the_daemon_at_once() {
    let (simulator, test) = (Simulator::start(300, 10, 10), TestDatabase::migrated().await);
    let mut application = test.sql.acquire().await.unwrap();
    sqlx::raw_sql("LOCK TABLES hubspot_contacts WRITE").execute(&mut *application).await.unwrap();
    let mut daemon = Setup::new(&simulator, &test.url).start(&["run"]);
    eventually("a page waits for the table", async || {
        let waiting = test
            .number("SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND state LIKE '%metadata lock%'")
            .await;
        holds(waiting == 1, waiting)
    })
    .await;

    daemon.terminate();
    daemon.says("a second signal ends at once").await;
    assert_eq!(daemon.has_ended(), None, "it finishes its page first");
    let asked = Instant::now();
    daemon.terminate();
    assert_eq!(daemon.wait().await.code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_stop_while_waiting_for_the_database_is_no_failure_of_the_daemon_but_one_of_sync() {
    let simulator = Simulator::start(0, 0, 0);
    // Nothing listens on port 1.
    let setup = Setup::new(&simulator, "mysql://nobody:nothing@127.0.0.1:1/nowhere");
    for (command, code) in [("run", 0), ("sync", 1)] {
        let daemon = setup.start(&[command]);
        daemon.says("The database does not answer; waiting for it").await;
        let asked = Instant::now();
        assert_eq!(daemon.stop().await.code(), Some(code), "{command}");
        assert!(asked.elapsed() < PROMPT_WITHOUT_DATABASE, "{command}: {:?}", asked.elapsed());
    }
}

#[tokio::test]
async fn the_service_manager_hears_of_readiness_life_and_the_end() {
    let (simulator, test) = (Simulator::start(20, 10, 10), TestDatabase::migrated().await);
    // Not where other temporary files are: a socket's address holds 107 bytes.
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut heard = Vec::new();
    let mut listens_for = async |word: &str| {
        eventually(&format!("the daemon says {word}"), async || {
            let mut message = [0; 1024];
            while let Ok(length) = socket.recv(&mut message) {
                heard.extend(String::from_utf8_lossy(&message[..length]).lines().map(str::to_owned));
            }
            heard.iter().position(|said| said == word).ok_or_else(|| format!("{heard:?}"))
        })
        .await
    };

    let daemon =
        Setup::new(&simulator, &test.url).set("NOTIFY_SOCKET", path.to_str().unwrap()).start(&["run"]);
    let ready = listens_for("READY=1").await;
    let alive = listens_for("WATCHDOG=1").await;
    in_step(&simulator, &test).await;
    assert!(daemon.stop().await.success());
    let stopping = listens_for("STOPPING=1").await;
    assert!(ready < alive && alive < stopping, "{ready} {alive} {stopping}");
}

#[tokio::test]
async fn an_interrupt_stops_it_like_a_request_to_terminate() {
    let (simulator, test) = (Simulator::start(20, 10, 10), TestDatabase::migrated().await);
    let mut daemon = Setup::new(&simulator, &test.url).start(&["run"]);
    in_step(&simulator, &test).await;
    daemon.signal(Signal::INT);
    assert_eq!(daemon.wait().await.code(), Some(0));
    assert!(daemon.log().contains("Stopping: finishing the pages under way"), "{}", daemon.log());
    assert_eq!(test.value("SELECT COUNT(*) FROM leases").await, "0", "the lease is given back");
}
