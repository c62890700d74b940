//! The daemon under measurement, as its own process with nothing in its environment but what a benchmark sets.

use std::fs::{self, File};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::simulator::{LIMIT, Simulator};
use super::surroundings::{Database, Surroundings, wait_for};

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// A running `hubspot-connector`; killed with this value if it still runs.
pub struct Daemon {
    process: Child,
    started: Instant,
}

/// What the kernel says about a process, in MB of 1,048,576 bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident now.
    pub resident: f64,
    /// Most that was ever resident.
    pub peak: f64,
}

impl Daemon {
    /// Starts it with `arguments`; its log goes into the benchmark's directory.
    pub fn start(
        surroundings: &Surroundings,
        database: &Database,
        simulator: &Simulator,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        Self::start_with(surroundings, database, simulator, arguments, &[])
    }

    /// The same with further settings.
    pub fn start_with(
        surroundings: &Surroundings,
        database: &Database,
        simulator: &Simulator,
        arguments: &[&str],
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(surroundings.directory.join("hubspot-connector.log"))?;
        let started = Instant::now();
        let process = Command::new(env!("CARGO_BIN_EXE_hubspot-connector"))
            .args(arguments)
            // Away from any .env file.
            .current_dir(&surroundings.directory)
            .env_clear()
            // As in the service units.
            .env("MIMALLOC_PURGE_DELAY", "0")
            .env("DATABASE_URL", &database.url)
            .env("HUBSPOT_BASE_URL", &simulator.url)
            .env("HUBSPOT_ACCESS_TOKEN", "sim-token")
            .env("PORT", "off")
            .env("RATE_LIMIT_PER_10_SECONDS", LIMIT.to_string())
            .env("SYNC_OBJECTS", "contacts,companies,deals")
            .envs(settings.iter().copied())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start hubspot-connector")?;
        Ok(Self { process, started })
    }

    /// Runs a command to its end and returns how long it took.
    pub async fn run(
        surroundings: &Surroundings,
        database: &Database,
        simulator: &Simulator,
        arguments: &[&str],
    ) -> anyhow::Result<Duration> {
        let mut daemon = Self::start(surroundings, database, simulator, arguments)?;
        let status = wait_for("the end of a command", LOOK, async || Ok(daemon.process.try_wait()?)).await?;
        let elapsed = daemon.started.elapsed();
        ensure!(status.success(), "hubspot-connector {arguments:?} failed: {status}");
        Ok(elapsed)
    }

    /// Time since it was started.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Its memory.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
            kilobytes.map(|kilobytes| kilobytes / 1024.0).with_context(|| format!("/proc shows no {name}"))
        };
        Ok(Memory { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
