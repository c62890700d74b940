//! The official HubSpot Python client against the simulator: a protocol check by a program nobody here wrote.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::Sim;

/// The client release the test was written against.
const PACKAGE: &str = "hubspot-api-client==12.0.0";

/// Drives the client; every statement that fails ends it with a traceback.
const SCRIPT: &str = include_str!("official_client.py");

/// Where the virtual environment is kept between runs.
fn environment() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("hubspot-python-client")
}

/// Runs a command and says what it printed when it fails.
fn run(command: &mut Command, advice: &str) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}. {advice}"));
    assert!(
        output.status.success(),
        "{command:?} failed. {advice}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The Python that has the client, installed now if it was not.
fn python() -> PathBuf {
    let environment = environment();
    let python = environment.join("bin/python");
    let marker = environment.join(PACKAGE);
    if !marker.exists() {
        run(
            Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment),
            "This test needs python3 with the venv module (Debian: python3-venv).",
        );
        run(
            Command::new(&python).args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                PACKAGE,
            ]),
            "This test installs HubSpot's official client from PyPI and needs to reach it once.",
        );
        std::fs::write(marker, "").expect("the environment was just written");
    }
    python
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_python_client_reads_writes_searches_batches_and_understands_errors() {
    let sim = Sim::small().await;
    let url = sim.server.url();
    let output = tokio::task::spawn_blocking(move || {
        let python = python();
        run(
            Command::new(python).args(["-c", SCRIPT, &url]),
            "The client did not accept what the simulator answers.",
        )
    })
    .await
    .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("contacts 300 companies 40 deals 60"), "{text}");
}
