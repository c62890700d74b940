//! The service units.

use std::process::Command;
use std::time::Duration;

use hubspot_mariadb_connector::config::VARIABLES;
use hubspot_mariadb_connector::lifecycle::GRACE;
use tempfile::TempDir;

use super::{root, run, succeed, text};

/// The units that start the daemon.
const UNITS: [&str; 2] = ["hubspot-connector.service", "hubspot-connector@.service"];

/// Highest exposure `systemd-analyze security` may report, in tenths: 2.0 of 10.
const MAX_EXPOSURE_TENTHS: u32 = 20;

/// The units and the drop-in as they would be installed, with this build's binary in place of the installed one.
fn installed() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let log_file = text("deploy/hubspot-connector.service.d/log-file.conf");
    for unit in UNITS {
        let text = text(format!("deploy/{unit}"))
            .replace("/usr/local/bin/hubspot-connector", env!("CARGO_BIN_EXE_hubspot-connector"));
        std::fs::write(directory.path().join(unit), text).unwrap();
        let drop_ins = directory.path().join(format!("{unit}.d"));
        std::fs::create_dir(&drop_ins).unwrap();
        std::fs::write(drop_ins.join("log-file.conf"), &log_file).unwrap();
    }
    directory
}

/// The credentials a unit offers as comments: what systemd calls each, and the file it is loaded from.
fn offered_credentials(unit: &str) -> Vec<(String, String)> {
    let text = text(format!("deploy/{unit}"));
    let credentials = text.lines().filter_map(|line| line.strip_prefix("#LoadCredential=")?.split_once(':'));
    credentials.map(|(name, path)| (name.to_owned(), path.to_owned())).collect()
}

/// What systemd says about a unit; empty when it has nothing to say.
fn verify(unit: &std::path::Path) -> String {
    let finished = run(Command::new("systemd-analyze").arg("verify").arg(unit));
    let said = format!("{}{}", finished.stdout, finished.stderr);
    let about_ours: Vec<_> = said.lines().filter(|line| line.contains("hubspot-connector")).collect();
    // It also succeeds when it ignores a line of a unit, and only says so.
    assert!(finished.success || !about_ours.is_empty(), "{said}");
    about_ours.join("\n")
}

/// The settings of a unit, without comments and empty lines.
fn settings(unit: &str) -> Vec<String> {
    let text = text(format!("deploy/{unit}"));
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// The value of a setting that stands once in the plain unit.
fn setting(name: &str) -> String {
    let settings = settings(UNITS[0]);
    let mut values = settings.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    values.next().unwrap_or_else(|| panic!("no {name} in {}", UNITS[0])).to_owned()
}

#[test]
fn systemd_accepts_the_units_without_a_word() {
    let directory = installed();
    for unit in UNITS {
        assert_eq!(verify(&directory.path().join(unit)), "", "{unit}");
    }
}

#[test]
fn systemd_accepts_the_credentials_the_units_offer_and_the_daemon_reads_them() {
    let secrets: Vec<_> =
        VARIABLES.iter().filter(|variable| variable.secret).map(|variable| variable.name).collect();
    let directory = installed();
    for unit in UNITS {
        let credentials = offered_credentials(unit);
        assert_eq!(credentials.len(), 2, "{unit}: {credentials:?}");
        for (name, path) in credentials {
            assert!(secrets.contains(&name.as_str()), "{unit}: {name}");
            assert!(
                path.ends_with(&format!("/{name}")),
                "{unit}: {path}, which CREDENTIALS_DIRECTORY finds by hand"
            );
        }
        let path = directory.path().join(unit);
        let switched_on =
            std::fs::read_to_string(&path).unwrap().replace("#LoadCredential=", "LoadCredential=");
        std::fs::write(&path, &switched_on).unwrap();
        assert_eq!(verify(&path), "", "{unit}");
        std::fs::write(&path, switched_on.replace("LoadCredential=", "LoadCredential=/")).unwrap();
        assert_ne!(verify(&path), "", "{unit}: a wrong line is accepted too, so this test proves nothing");
    }
}

#[test]
fn the_units_expose_little_of_the_machine() {
    let directory = installed();
    for unit in UNITS {
        let analyse = |limit: u32| {
            run(Command::new("systemd-analyze")
                .args(["security", "--offline=true", "--no-pager"])
                .arg(format!("--threshold={limit}"))
                .arg(directory.path().join(unit)))
        };
        let finished = analyse(MAX_EXPOSURE_TENTHS);
        assert!(finished.success, "{unit}: {}{}", finished.stdout, finished.stderr);
        assert!(!analyse(0).success, "{unit}: the limit has no effect, so this test proves nothing");
    }
}

#[test]
fn the_template_differs_only_in_what_names_the_account() {
    let (plain, template) = (settings(UNITS[0]), settings(UNITS[1]));
    assert_eq!(plain.len(), template.len());
    let differing: Vec<_> =
        plain.iter().zip(&template).filter(|(a, b)| a != b).map(|(_, line)| line.as_str()).collect();
    assert_eq!(
        differing,
        ["Description=HubSpot to MariaDB connector for %i", "EnvironmentFile=/etc/hubspot-connector/%i.env"]
    );
}

#[test]
fn systemd_waits_longer_for_a_stop_than_the_daemon_takes() {
    let limit: u64 = setting("TimeoutStopSec").parse().unwrap();
    assert!(Duration::from_secs(limit) > GRACE, "{limit} s");
}

#[test]
fn a_wrong_configuration_is_not_tried_again() {
    let statuses = setting("RestartPreventExitStatus");
    assert_eq!(statuses, "2", "as the exit codes in DEPLOYMENT.md");
}

#[test]
fn systemd_accepts_the_account_and_the_directories() {
    let empty = tempfile::tempdir().unwrap();
    let path = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";
    let said = succeed(
        Command::new("systemd-sysusers")
            .env("PATH", path)
            .arg("--dry-run")
            .arg(format!("--root={}", empty.path().display()))
            .arg(root().join("deploy/sysusers.d/hubspot-connector.conf")),
    );
    assert!(!said.contains("Failed"), "{said}");
    // A prefix none of its paths has: the file is read and judged, and nothing is created.
    let finished = run(Command::new("systemd-tmpfiles")
        .env("PATH", path)
        .args(["--create", "--prefix=/nowhere"])
        .arg(root().join("deploy/tmpfiles.d/hubspot-connector.conf")));
    assert!(finished.success && finished.stderr.is_empty(), "{finished:?}");
}
