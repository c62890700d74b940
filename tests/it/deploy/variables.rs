//! No deployment file or script names a variable the daemon does not read.

use hubspot_mariadb_connector::config::VARIABLES;

use super::{compose, files_under, root};

/// How names begin that can only mean a setting of ours.
const PREFIXES: [&str; 10] = [
    "HUBSPOT_",
    "DB_",
    "DATABASE_URL",
    "SYNC_",
    "COLUMNS_",
    "RATE_LIMIT_",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "MIGRATE_ON_",
    "ALERT_",
];

/// Whether the daemon reads a variable of this name.
pub(crate) fn is_setting(name: &str) -> bool {
    VARIABLES.iter().any(|variable| variable.names().iter().any(|known| known == name))
}

/// The words of `text` that look like names of our settings.
pub(crate) fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
        .filter(|word| !word.ends_with('_')) // "the DB_ settings", "COLUMNS_<TYPE>"
}

#[test]
fn every_variable_named_in_deployment_files_and_scripts_exists() {
    let mut found = 0;
    for file in files_under("deploy").into_iter().chain(files_under("scripts")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for name in mentioned(&text) {
            found += 1;
            assert!(is_setting(name), "{}: {name}", file.strip_prefix(root()).unwrap().display());
        }
    }
    assert!(found > 10, "only {found} names were found, so the search is broken");
}

#[test]
fn every_variable_set_for_the_daemon_exists() {
    let compose = compose::document();
    for name in compose["services"]["connector"]["environment"].as_object().unwrap().keys() {
        assert!(is_setting(name), "{name}");
    }
}
