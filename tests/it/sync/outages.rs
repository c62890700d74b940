//! The database is not there: before the daemon starts, and for longer than a page waits.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tempfile::TempDir;

use crate::scripts::PrivateServer;
use crate::support::daemon::{Setup, text};
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::{assert_equal, in_step};
use crate::support::{eventually, holds};

/// A service manager that listens all the time: nobody reading would hold the daemon up.
struct Manager {
    directory: TempDir,
    /// The statuses it heard so far.
    heard: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let statuses = heard.clone();
        // Ends with the process of the test.
        std::thread::spawn(move || {
            let mut message = [0; 1024];
            while let Ok(length) = socket.recv(&mut message) {
                let said = String::from_utf8_lossy(&message[..length]);
                let status = said.lines().filter_map(|line| line.strip_prefix("STATUS=")).map(str::to_owned);
                statuses.lock().unwrap().extend(status);
            }
        });
        Self { directory, heard }
    }

    /// Where it listens.
    fn path(&self) -> String {
        self.directory.path().join("notify").to_str().unwrap().to_owned()
    }

    /// Waits until the last status is this one.
    async fn shows(&self, status: &str) {
        eventually(&format!("the status is `{status}`"), async || {
            let heard = self.heard.lock().unwrap();
            holds(heard.last().is_some_and(|last| last == status), &heard)
        })
        .await;
    }
}

#[tokio::test]
async fn a_daemon_that_starts_before_its_database_waits_for_it() {
    let server = PrivateServer::start();
    let test = TestDatabase::migrated_on(&server.url()).await;
    let (simulator, manager) = (Simulator::start(50, 10, 10), Manager::new());
    server.stop();
    let daemon = Setup::new(&simulator, &test.url).set("NOTIFY_SOCKET", &manager.path()).start(&["run"]);
    daemon.says("The database does not answer; waiting for it").await;
    manager.shows("Waiting for the database").await;
    server.start_again();
    in_step(&simulator, &test).await;
    manager.shows("Syncing").await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn an_outage_longer_than_a_page_waits_ends_its_run_and_not_the_daemon() {
    let server = PrivateServer::start();
    let test = TestDatabase::migrated_on(&server.url()).await;
    let (simulator, manager) = (Simulator::start(2_000, 20, 20), Manager::new());
    simulator.set(json!({"latencyMs": 150})).await;
    let daemon = Setup::new(&simulator, &test.url).set("NOTIFY_SOCKET", &manager.path()).start(&["run"]);
    manager.shows("Syncing").await;
    eventually("some pages are stored", async || {
        let stored = test.number("SELECT COUNT(*) FROM hubspot_contacts").await;
        holds(stored >= 300, stored)
    })
    .await;

    server.stop();
    manager.shows("Waiting for the database").await;
    daemon.says("Failed to sync contacts, trying again soon").await;
    server.start_again();

    in_step(&simulator, &test).await;
    manager.shows("Syncing").await;
    let log = daemon.log();
    assert!(log.contains("Resuming the full listing of contacts at record"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    eventually("nothing is left of the failure", async || {
        let state = ["status", "consecutive_failures", "last_error"];
        let state = test.rows("sync_state", &state, "WHERE object_type = 'contacts'").await;
        holds(state == ["idle|0|-"], state)
    })
    .await;
    assert!(daemon.stop().await.success());
    assert_equal(&simulator, &test).await;
}

#[tokio::test]
async fn a_server_that_will_not_do_is_refused_before_anything_is_changed() {
    let server = PrivateServer::start_with("--max-allowed-packet=4M --version=10.6.16-MariaDB");
    let test = TestDatabase::empty_on(&server.url()).await;
    let simulator = Simulator::start(5, 5, 5);
    let setup = Setup::new(&simulator, &test.url);
    for (command, mended) in
        [("run", ""), ("check", ""), ("run", "4194304 bytes"), ("check", "4194304 bytes")]
    {
        let expected = if mended.is_empty() {
            "it is MariaDB 10.6.16-MariaDB; 10.11 or later is needed"
        } else {
            mended
        };
        if !mended.is_empty() && command == "run" {
            server.stop();
            server.start_again();
            server.ask("SET GLOBAL max_allowed_packet = 4194304");
        }
        let output = setup.run(&[command]).await;
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains(expected), "{command} does not say {expected}: {said}");
    }
    let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()";
    assert_eq!(test.value(tables).await, "0");
    server.ask("SET GLOBAL max_allowed_packet = 16777216");
    setup.sync(&[]).await;
}
