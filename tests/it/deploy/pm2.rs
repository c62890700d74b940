//! The PM2 ecosystem file.

use std::process::Command;
use std::time::Duration;

use hubspot_mariadb_connector::lifecycle::GRACE;
use serde_json::{Value, json};

use super::{root, succeed};

/// The one application of the file, as PM2 sees it after evaluating the file.
pub(super) fn application() -> Value {
    let file = root().join("deploy/ecosystem.config.cjs");
    succeed(Command::new("node").arg("--check").arg(&file));
    let program = "console.log(JSON.stringify(require(process.argv[1])))";
    let evaluated: Value =
        serde_json::from_str(&succeed(Command::new("node").args(["--eval", program]).arg(&file))).unwrap();
    let [application] = evaluated["apps"].as_array().unwrap().as_slice() else {
        panic!("one application is expected: {evaluated}");
    };
    application.clone()
}

#[test]
fn pm2_runs_one_process_of_the_binary_without_an_interpreter() {
    let application = application();
    assert_eq!(application["script"], "/usr/local/bin/hubspot-connector");
    assert_eq!(application["args"], "run");
    assert_eq!(application["interpreter"], "none");
    assert_eq!(application["instances"], 1);
    // A setting here would win over .env, where the settings are.
    assert_eq!(application["env"], serde_json::json!({"MIMALLOC_PURGE_DELAY": "0"}));
}

#[test]
fn pm2_waits_longer_for_a_stop_than_the_daemon_takes() {
    let milliseconds = application()["kill_timeout"].as_u64().unwrap();
    assert!(Duration::from_millis(milliseconds) > GRACE, "{milliseconds} ms");
}

#[test]
fn pm2_does_not_restart_after_a_good_stop_or_a_wrong_configuration() {
    assert_eq!(application()["stop_exit_codes"], json!([0, 2]));
}
