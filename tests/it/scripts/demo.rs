//! `scripts/demo`: the whole product, twice to its end and once until Ctrl-C.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::deploy::{root, succeed};
use crate::support::{eventually, holds};

/// A demo's directory of state; what runs for it ends with this value.
struct Demo {
    state: TempDir,
}

impl Demo {
    /// The script with a small account of its own, this build's programs, and nothing of a developer's `.env`.
    fn command(&self) -> Command {
        let mut command = Command::new(root().join("scripts/demo"));
        let programs = Path::new(env!("CARGO_BIN_EXE_hubspot-connector")).parent().unwrap();
        command
            .env("DEMO_DIR", self.state.path())
            .env("DEMO_BINARIES", programs)
            .env("DEMO_CONTACTS", "400")
            .env("MARIADB_BUFFER_POOL_SIZE", "32M")
            .env("MARIADB_LOG_FILE_SIZE", "16M")
            // Changes arrive within a second or two instead of a minute.
            .env("SYNC_CRON_CONTACTS", "* * * * * *")
            .env("SYNC_SEARCH_LAG_SECONDS", "0")
            .stdin(Stdio::null());
        for choice in ["HUBSPOT_ACCESS_TOKEN", "HUBSPOT_API_KEY", "DATABASE_URL"] {
            command.env(choice, "").env(format!("{choice}_FILE"), "");
        }
        command.env("DB_HOST", "").env("DB_SOCKET", "");
        command
    }

    /// The answer of its database to a query, while that runs.
    fn ask(&self, sql: &str) -> String {
        let mut client = Command::new(root().join("scripts/mariadb"));
        client.arg("sql").arg(self.state.path().join("mariadb"));
        client.args(["hubspot_demo", "--skip-column-names", "--batch", "--execute", sql]);
        succeed(&mut client).trim().to_owned()
    }

    /// Every process that was started for this demo and still runs, known by the environment they all inherit.
    fn processes(&self) -> Vec<Pid> {
        let inherited = format!("DEMO_DIR={}", self.state.path().display());
        let is_ours = |process: &i32| {
            let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == inherited.as_bytes())
        };
        let entries = std::fs::read_dir("/proc").unwrap();
        let processes =
            entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).filter(is_ours);
        processes.filter_map(Pid::from_raw).collect()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        for process in self.processes() {
            kill_process(process, Signal::KILL).ok();
        }
    }
}

#[tokio::test]
async fn a_demo_continues_where_the_last_one_ended_and_leaves_no_process() {
    let demo = Demo { state: tempfile::tempdir().unwrap() };
    for _ in 0..2 {
        let said = succeed(demo.command().arg("--once"));
        let mut cells = said.lines().find(|line| line.contains("| hubspot_contacts ")).unwrap().split('|');
        let contacts: u32 = cells.nth(2).unwrap().trim().parse().unwrap();
        // The account lives, so a few have come since.
        assert!((400..500).contains(&contacts), "{said}");
        let sent = said.split_once("What was sent").unwrap().1;
        assert!(sent.contains("| update | success | [\"jobtitle\"]"), "{said}");
        assert!(demo.processes().is_empty(), "{:?} are left after: {said}", demo.processes());
    }

    let output = demo.state.path().join("output");
    let mut live = demo
        .command()
        .stdout(File::create(&output).unwrap())
        // A group of its own, which Ctrl-C at a terminal would reach as a whole.
        .process_group(0)
        .spawn()
        .unwrap();
    let said = || std::fs::read_to_string(&output).unwrap();
    eventually("a change of the simulated account is shown", async || {
        let shown = said().lines().any(|line| line.contains("  contacts: ") && line.contains(" changed"));
        holds(shown, said())
    })
    .await;
    assert_eq!(demo.ask("SELECT COUNT(*) FROM conflicts WHERE status = 'pending'"), "1", "{}", said());
    let told = said();
    let address = told.split_once("Watch it at ").unwrap().1.lines().next().unwrap();
    assert!(told.contains(&format!("Dashboard: {address}")) && told.contains("A conflict waits"), "{told}");
    rustls::crypto::ring::default_provider().install_default().ok();
    let page = reqwest::get(format!("{address}/conflicts")).await.unwrap().text().await.unwrap();
    assert!(page.contains("city, jobtitle"), "{page}");
    assert!(demo.processes().len() >= 4, "script, database, simulator, daemon: {:?}", demo.processes());
    let runs = "SELECT CONCAT(SUM(lane = 'backfill'), ' ', SUM(lane = 'incremental') > 1)
                FROM sync_runs WHERE object_type = 'contacts'";
    assert_eq!(demo.ask(runs), "1 1", "only the first demo listed everything");

    kill_process_group(Pid::from_child(&live), Signal::INT).unwrap();
    let status = eventually("the demo ends", async || live.try_wait().unwrap().ok_or_else(&said)).await;
    assert_eq!(status.code(), Some(0), "{}", said());
    assert!(said().contains("scripts/demo continues from here"), "{}", said());
    assert!(demo.processes().is_empty(), "{:?} are left after: {}", demo.processes(), said());
}
