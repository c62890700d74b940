//! The architecture as ARCHITECTURE.md tells it: a module uses lower layers only, and each outside crate has one door.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The layers, bottom to top; siblings in a layer do not know each other.
const LAYERS: &[&[&str]] = &[
    &["model", "clock", "retry"],
    &["config", "lifecycle", "metrics"],
    &["telemetry", "hubspot", "storage"],
    &["sync", "schedule", "alerts"],
    &["checks"],
    &["web"],
    &["app"],
    &["cli"],
];

/// The one module that may name each crate.
const DOORS: &[(&str, &[&str])] = &[
    ("sqlx", &["storage", "config/database.rs"]),
    ("reqwest", &["hubspot", "alerts/webhook.rs", "web/webhooks/probe.rs"]),
    ("lettre", &["alerts/mail.rs", "config/alert.rs"]),
    ("metrics_exporter_prometheus", &["metrics"]),
    ("governor", &["hubspot/limiter", "web/dashboard/login/doorman.rs"]),
    ("argon2", &["cli/password.rs", "config/web.rs", "web/dashboard/login/doorman.rs"]),
    ("askama", &["web/dashboard"]),
    ("backoff", &["retry.rs"]),
    ("tokio_cron_scheduler", &["schedule.rs"]),
    ("dotenvy", &["config/environment.rs"]),
    ("indicatif", &["cli"]),
    ("comfy_table", &["cli"]),
    ("clap", &["cli"]),
    ("axum", &["web"]),
    ("tower_http", &["web"]),
    ("hyper", &["web"]),
    ("hyper_util", &["web"]),
    ("utoipa", &["web"]),
];

/// Every source file with its path below `src` and its text without comments.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                found.insert(name, code.collect::<Vec<_>>().join("\n"));
            }
        }
    }
    assert!(found.len() > 30, "the sources are where this test looks");
    found
}

/// The layer of a module, `None` for the crate root.
fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// The modules a text uses through `crate::`.
fn used(text: &str) -> impl Iterator<Item = String> {
    let names = |rest: &str| -> Vec<String> {
        match rest.strip_prefix('{') {
            // `use crate::{app, telemetry};`
            Some(group) => {
                let group = group.split('}').next().unwrap_or_default();
                group
                    .split(',')
                    .map(|name| name.trim().split("::").next().unwrap_or_default().to_owned())
                    .collect()
            }
            None => vec![
                rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned(),
            ],
        }
    };
    text.match_indices("crate::").flat_map(|(at, _)| names(&text[at + 7..])).collect::<Vec<_>>().into_iter()
}

#[test]
fn modules_use_lower_layers_only() {
    let mut upward = Vec::new();
    for (file, text) in sources() {
        let module = file.split(['/', '.']).next().unwrap().to_owned();
        let Some(own) = layer(&module) else {
            assert!(["lib", "main"].contains(&module.as_str()), "`{module}` has no layer");
            continue;
        };
        for other in used(&text).filter(|other| *other != module) {
            let is_lower = layer(&other).is_some_and(|theirs| theirs < own);
            if !is_lower && layer(&other).is_some() {
                upward.push(format!("{file} uses {other}"));
            }
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn each_outside_crate_has_one_door() {
    let mut strays = Vec::new();
    for (file, text) in sources() {
        for (name, doors) in DOORS {
            let is_door = doors.iter().any(|door| file.starts_with(door) || file == format!("{door}.rs"));
            if text.contains(&format!("{name}::")) && !is_door {
                strays.push(format!("{file} names {name}"));
            }
        }
    }
    assert!(strays.is_empty(), "{strays:#?}");
}
