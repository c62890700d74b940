//! The files in `deploy/` are right: the programs that will read them accept them, and they agree with the daemon.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;

mod compose;
mod figures;
mod grants;
mod pm2;
mod proxy;
mod systemd;
pub(crate) mod variables;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository as text.
pub(crate) fn text(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file under a directory of the repository, in any depth.
pub(crate) fn files_under(directory: impl AsRef<Path>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root().join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What a finished command said.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Whether its exit status was 0.
    pub success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Runs a command to its end.
///
/// # Panics
/// When the program is missing: `scripts/setup test` installs every one used here.
pub(crate) fn run(command: &mut Command) -> Finished {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/setup test installs what is missing"));
    Finished {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a command that must succeed and returns its standard output.
pub(crate) fn succeed(command: &mut Command) -> String {
    let finished = run(command);
    assert!(finished.success, "{command:?} failed: {}{}", finished.stdout, finished.stderr);
    finished.stdout
}

#[test]
fn logrotate_accepts_its_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = directory.path().join("hubspot-connector");
    std::fs::write(&configuration, text("deploy/logrotate.conf")).unwrap();
    let path = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"; // outside an ordinary user's PATH
    let finished =
        run(Command::new("/usr/sbin/logrotate").env("PATH", path).arg("--debug").arg(&configuration));
    assert!(finished.success, "{finished:?}");
    assert!(!finished.stderr.contains("error:"), "{}", finished.stderr);
    assert!(finished.stderr.contains("/var/log/hubspot-connector-pm2/*.log"), "{}", finished.stderr);
}

#[test]
fn every_log_in_a_file_is_rotated_and_its_directory_belongs_to_who_writes_it() {
    let (units, pm2) = ("/var/log/hubspot-connector/", "/var/log/hubspot-connector-pm2/");
    assert!(text("deploy/hubspot-connector.service.d/log-file.conf").contains(&format!("append:{units}")));
    let directories = text("deploy/tmpfiles.d/hubspot-connector.conf");
    assert!(directories.contains(&format!("d {} ", units.trim_end_matches('/'))));
    assert!(pm2::application()["error_file"].as_str().unwrap().starts_with(pm2));
    // systemd-tmpfiles would give the directory back to root at the next boot.
    assert!(!directories.contains(pm2.trim_end_matches('/')));
    let created = "install -d -m 700 -o \"$USER\" -g \"$(id -gn)\" /opt/hubspot-connector ";
    let created = format!("{created}{}\n", pm2.trim_end_matches('/'));
    assert!(text("DEPLOYMENT.md").contains(&created), "{created}");
    assert!(text("deploy/logrotate.conf").contains(&format!("\n{units}*.log {pm2}*.log {{\n")));
}

#[test]
fn the_cloudwatch_agent_watches_every_log_and_the_process_there_is() {
    let configuration: serde_json::Value =
        serde_json::from_str(&text("deploy/cloudwatch-agent.json")).unwrap();
    let logs = &configuration["logs"]["logs_collected"]["files"]["collect_list"][0];
    assert_eq!(logs["file_path"], "/var/log/hubspot-connector*/*.log");
    // Without it the agent sends the file alone that was written last. Source: AWS, "CloudWatch agent configuration
    // file: Logs section", read 2026-11.
    assert_eq!(logs["publish_multi_logs"], true);
    let process = configuration["metrics"]["metrics_collected"]["procstat"][0]["pattern"].as_str().unwrap();
    assert!(text("deploy/hubspot-connector.service").contains(&format!("/{process}\n")), "{process}");
}

#[test]
fn the_image_builds_with_a_new_enough_rust_and_does_not_run_as_root() {
    let dockerfile = text("deploy/Dockerfile");
    let value_after = |text: &str, key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("no {key}"));
        line.split(['#', ':']).next().unwrap().trim().trim_matches('"').to_owned()
    };
    let version = |text: &str| -> Vec<u32> { text.split('.').map(|part| part.parse().unwrap()).collect() };
    let image = value_after(&dockerfile, "ARG RUST_VERSION=");
    let least = value_after(&text("Cargo.toml"), "rust-version =");
    assert!(version(&image) >= version(&least), "{image} is older than {least}");
    assert!(value_after(&dockerfile, "USER ").parse::<u32>().unwrap() > 0);
}

#[tokio::test]
async fn the_image_is_healthy_exactly_while_a_daemon_lives() {
    let dockerfile = text("deploy/Dockerfile");
    let (_, check) = dockerfile.split_once("\nHEALTHCHECK ").unwrap();
    let (_, command) = check.split_once("CMD ").unwrap();
    let command: Vec<String> = serde_json::from_str(command.lines().next().unwrap()).unwrap();
    assert_eq!(command[0], "hubspot-connector");
    let arguments: Vec<_> = command[1..].iter().map(String::as_str).collect();
    let (simulator, test) = (Simulator::start(30, 20, 10), TestDatabase::empty().await);
    // One missing scope is no reason to restart a container.
    simulator.set(json!({"deniedTypes": ["deals"]})).await;
    let setup = Setup::new(&simulator, &test.url);
    let code = async || setup.run(&arguments).await.status.code();
    assert_eq!(code().await, Some(1), "no tables yet");

    let daemon = setup.start(&["run"]);
    daemon.says("Failed to sync deals subject").await;
    assert_eq!(code().await, Some(0));
    assert_eq!(setup.run(&["status"]).await.status.code(), Some(1), "`status` tells of the type in error");

    // As it is when a hung daemon has not renewed its lease in time.
    test.execute("UPDATE leases SET expires_at = NOW(6) - INTERVAL 1 SECOND").await;
    assert_eq!(code().await, Some(1));
    daemon.kill();
}

#[test]
fn the_image_gets_every_path_the_build_reads() {
    let allowed: Vec<_> = text("deploy/Dockerfile.dockerignore")
        .lines()
        .filter_map(|line| line.strip_prefix('!').map(str::to_owned))
        .collect();
    let dockerfile = text("deploy/Dockerfile");
    assert!(dockerfile.contains("\nCOPY . .\n"), "the list below only matters for a copy of everything");
    for needed in ["Cargo.toml", "Cargo.lock", "src", "simulator", "migrations", "benches"] {
        assert!(allowed.iter().any(|path| path == needed), "{needed} is kept out of the image's build");
    }
}
