//! The daemon and its commands, as processes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use hubspot_mariadb_connector::config::{Config, Environment};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::eventually;
use super::programs::program;
use super::simulator::{Simulator, TOKEN};

/// How far behind the present a search ends: more than the index lags in any test.
pub const SEARCH_LAG: Duration = Duration::from_secs(3);

/// What the daemon is told; starts from a setup for tests.
#[derive(Clone)]
pub struct Setup {
    variables: BTreeMap<String, String>,
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    process: Child,
    directory: TempDir,
}

impl Setup {
    /// Nothing set at all.
    pub fn empty() -> Self {
        Self { variables: BTreeMap::new() }
    }

    /// Against that simulator and that database. Without an overlap each change lies in one window only, so a watermark
    /// that moves too early loses it for good instead of finding it in the next run.
    pub fn new(simulator: &Simulator, database_url: &str) -> Self {
        Self::empty()
            .set("HUBSPOT_BASE_URL", &simulator.url)
            .set("HUBSPOT_ACCESS_TOKEN", TOKEN)
            .set("DATABASE_URL", database_url)
            .set("SYNC_OVERLAP_MINUTES", "0")
            .set("SYNC_SEARCH_LAG_SECONDS", &SEARCH_LAG.as_secs().to_string())
            .set("RATE_LIMIT_PER_10_SECONDS", "10000")
            .set("RATE_LIMIT_SEARCH_PER_SECOND", "100")
            .set("RATE_LIMIT_ASSOCIATIONS_PER_10_SECONDS", "10000")
            .set("WRITABLE_OBJECTS", "none")
            .set("PORT", "off")
            .without_upkeep()
    }

    /// With an HTTP server on any free port, see [`Daemon::address`].
    pub fn serving(self) -> Self {
        self.set("PORT", "0")
    }

    /// People sign in to the dashboard with that password.
    pub fn with_password(self, password: &str) -> Self {
        let mut command = Command::new(program("hubspot-connector"));
        let command = command.arg("password").env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        process.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        let line = text(&process.wait_with_output().unwrap().stdout);
        let (name, hash) = line.trim().split_once('=').expect("the command prints a setting");
        self.set(name, hash.trim_matches('\''))
    }

    /// Contacts and companies may be edited with SQL.
    pub fn writable(self) -> Self {
        self.set("WRITABLE_OBJECTS", "contacts,companies")
    }

    /// No lane beside the regular runs, so that it is they which find what a test is about.
    pub fn without_upkeep(self) -> Self {
        self.set("ARCHIVE_INTERVAL_MINUTES", "0")
            .set("ASSOCIATION_MAX_AGE_HOURS", "0")
            .set("AUDIT_INTERVAL_HOURS", "0")
    }

    /// Sets a variable.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same as the daemon reads it.
    pub fn config(&self) -> Config {
        Config::read(Environment::from_pairs(self.variables.clone())).unwrap()
    }

    /// Runs every object type at the times of a cron expression with seconds.
    pub fn at(self, cron: &str) -> Self {
        ["CONTACTS", "COMPANIES", "DEALS"]
            .into_iter()
            .fold(self, |setup, object_type| setup.set(&format!("SYNC_CRON_{object_type}"), cron))
    }

    /// The command with this setup and nothing else in its environment, in an empty directory.
    fn command(&self, arguments: &[&str], directory: &TempDir) -> Command {
        let mut command = Command::new(program("hubspot-connector"));
        command
            .args(arguments)
            .env_clear()
            .envs(&self.variables)
            .current_dir(directory.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, which has to come within [`PATIENCE`](super::PATIENCE).
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.start(arguments);
        let status = command.wait().await;
        let written = |name| std::fs::read(command.directory.path().join(name)).unwrap();
        Output { status, stdout: written("output"), stderr: written("log") }
    }

    /// Runs `sync` with the arguments and expects it to succeed.
    pub async fn sync(&self, arguments: &[&str]) {
        let output = self.run(&[&["sync"], arguments].concat()).await;
        assert!(output.status.success(), "sync failed: {}", text(&output.stderr));
    }

    /// Starts the daemon, or another long command.
    pub fn start(&self, arguments: &[&str]) -> Daemon {
        let directory = tempfile::tempdir().unwrap();
        let file = |name| File::create(directory.path().join(name)).unwrap();
        let mut command = self.command(arguments, &directory);
        let process = command.stdout(file("output")).stderr(file("log")).spawn().unwrap();
        Daemon { process, directory }
    }
}

impl Daemon {
    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// Its process, for the operating system.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills it as a power cut would.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop and waits for it.
    pub async fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.wait().await
    }

    /// Asks it to stop and expects that it was running and ends well.
    pub async fn stop_well(mut self) {
        self.terminate();
        let status = self.wait().await;
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// How it ended, `None` while it runs.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    /// Waits until it ends by itself.
    pub async fn wait(&mut self) -> ExitStatus {
        let process = &mut self.process;
        eventually("the process ends", async || process.try_wait().unwrap().ok_or_else(String::new)).await
    }

    /// Waits until a line of the log contains `words`.
    pub async fn says(&self, words: &str) {
        eventually(&format!("the log says `{words}`"), async || {
            let log = self.log();
            if log.contains(words) { Ok(()) } else { Err(log) }
        })
        .await;
    }
}

impl Daemon {
    /// Where its HTTP server listens, once it does: a host and a port.
    pub async fn address(&self) -> String {
        eventually("the HTTP server listens", async || {
            let log = self.log();
            let (_, rest) = log.split_once("The API is at http://").ok_or(log.clone())?;
            Ok(rest.split('/').next().unwrap().to_owned())
        })
        .await
    }
}

impl Drop for Daemon {
    #[expect(clippy::print_stdout, reason = "shown with a failed test")]
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        if std::thread::panicking() {
            println!("--- log of the daemon ---\n{}", self.log());
        }
    }
}

/// Output as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
