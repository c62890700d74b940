//! The compose file.

use std::process::Command;
use std::time::Duration;

use hubspot_mariadb_connector::lifecycle::GRACE;
use serde_json::Value;

use super::{root, succeed};

/// The compose file as JSON. Debian's Python reads YAML, so no crate has to.
pub(super) fn document() -> Value {
    let program = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let file = root().join("deploy/compose.yaml");
    serde_json::from_str(&succeed(Command::new("/usr/bin/python3").args(["-c", program]).arg(file))).unwrap()
}

#[test]
fn the_connector_starts_after_a_healthy_database() {
    let document = document();
    let condition = &document["services"]["connector"]["depends_on"]["database"]["condition"];
    assert_eq!(condition, "service_healthy");
    assert!(document["services"]["database"]["healthcheck"]["test"].is_array());
    assert_eq!(document["services"]["connector"]["healthcheck"], Value::Null, "the image has one");
}

#[test]
fn the_compose_file_holds_no_secret_and_builds_our_image() {
    let document = document();
    let password = document["services"]["database"]["environment"]["MARIADB_PASSWORD"].as_str().unwrap();
    assert!(password.starts_with("${DB_PASSWORD:?"), "{password}");
    let connector = &document["services"]["connector"];
    assert_eq!(connector["env_file"], ".env");
    assert!(connector["environment"].get("HUBSPOT_ACCESS_TOKEN").is_none());
    let build = &connector["build"];
    let context = root().join("deploy").join(build["context"].as_str().unwrap());
    assert!(context.join(build["dockerfile"].as_str().unwrap()).is_file());
    assert!(context.join("Cargo.toml").is_file());
}

#[test]
fn compose_waits_longer_for_a_stop_than_the_daemon_takes() {
    let document = document();
    let period = document["services"]["connector"]["stop_grace_period"].as_str().unwrap();
    let seconds = period.strip_suffix('s').unwrap().parse().unwrap();
    assert!(Duration::from_secs(seconds) > GRACE, "{period}");
}
