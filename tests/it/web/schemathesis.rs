//! The API against Schemathesis: a program nobody here wrote reads the document and asks what it can think of.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::Served;
use crate::support::daemon::Setup;
use crate::support::webhooks::SECRET;

/// The release the test was written against.
const PACKAGE: &str = "schemathesis==4.32.5";
/// What it shows to be let in.
const TOKEN: &str = "schemathesis-0123456789abcdef";
/// Requests it makes up for each route in each phase.
const EXAMPLES: &str = "5";
/// What it cannot know: which properties there are and what they take is no part of the document.
const NOT_CHECKED: &str = "positive_data_acceptance";

/// Runs a command and says what it printed when it fails.
fn run(command: &mut Command, advice: &str) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}. {advice}"));
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{command:?} failed. {advice}\n{}", said.concat());
    output
}

/// The program, installed now if it was not; kept between runs.
fn program() -> PathBuf {
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let marker = environment.join(PACKAGE);
    if !marker.exists() {
        run(
            Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment),
            "This test needs python3 with the venv module (Debian: python3-venv).",
        );
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
        run(
            Command::new(environment.join("bin/python")).args(install),
            "This test installs Schemathesis from PyPI and needs to reach it once.",
        );
        std::fs::write(marker, "").unwrap();
    }
    environment.join("bin/schemathesis")
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_program_asks_that_read_the_document_is_answered_as_it_says() {
    let with_all = |setup: Setup| setup.set("API_TOKEN", TOKEN).set("HUBSPOT_WEBHOOK_SECRET", SECRET);
    let served = Served::start_with(20, 10, with_all).await;
    let url = format!("http://{}/api/openapi.json", served.api.address());
    let output = tokio::task::spawn_blocking(move || {
        let directory = tempfile::tempdir().unwrap();
        let header = format!("Authorization: Bearer {TOKEN}");
        let arguments = ["run", &url, "--header", &header, "--max-examples", EXAMPLES];
        let rest = ["--exclude-checks", NOT_CHECKED, "--suppress-health-check", "all", "--seed", "1"];
        run(
            Command::new(program())
                .args(arguments)
                .args(rest)
                .args(["--generation-database", "none"])
                .current_dir(directory.path()),
            "Schemathesis found an answer the document does not allow, or a failure of the server.",
        )
    })
    .await
    .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("Tested: 41"), "{said}");
    served.daemon.stop_well().await;
}
