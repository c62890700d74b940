//! The audit finds what every lane has missed, says which records, and mends it.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::lanes::run_lane;
use crate::support::simulator::Simulator;
use crate::support::truth::{assert_equal, everything_is_searchable};

/// Runs `verify` and answers its reports; the exit code has to say whether there are differences.
async fn verify(setup: &Setup, arguments: &[&str]) -> Value {
    let Output { status, stdout, stderr } = setup.run(&[&["verify", "--json"], arguments].concat()).await;
    let (text, log) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let reports: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}\n{log}"));
    let differ = reports.as_object().unwrap().values().any(|report| differences(report) > 0);
    assert_eq!(status.code(), Some(i32::from(differ)), "{reports:#}\n{log}");
    reports
}

/// The kinds of differences there are.
const KINDS: [&str; 5] = ["missing", "stale", "different", "gone", "extra"];

/// How many records differ.
fn differences(report: &Value) -> u64 {
    KINDS.iter().map(|kind| report[kind]["count"].as_u64().unwrap()).sum()
}

/// Asserts that the report names these records and no others.
fn assert_found(report: &Value, expected: &[(&str, &[&str])]) {
    for kind in KINDS {
        let ids = expected.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, ids)| ids);
        let mut found: Vec<_> =
            report[kind]["examples"].as_array().unwrap().iter().map(ToString::to_string).collect();
        found.sort_unstable();
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        assert_eq!(found, ids, "{kind} in {report:#}");
        assert_eq!(report[kind]["count"], ids.len(), "{kind}");
    }
}

/// Ids of live contacts in the mirror, ascending.
async fn contacts(test: &TestDatabase) -> Vec<String> {
    test.rows("hubspot_contacts", &["hubspot_id"], "WHERE NOT archived ORDER BY hubspot_id").await
}

#[tokio::test]
async fn every_kind_of_difference_is_found_named_and_mended() {
    let (simulator, test) = (Simulator::start(450, 30, 20), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    everything_is_searchable(&simulator).await;
    setup.sync(&[]).await;
    for report in verify(&setup, &["--deep"]).await.as_object().unwrap().values() {
        assert_eq!(differences(report), 0, "{report:#}");
    }

    let ids = contacts(&test).await;
    let (missing, hidden, stale, edited) = (&*ids[3], &*ids[120], &*ids[200], &*ids[201]);
    let (deleted, purged, loser) = (&*ids[310], &*ids[449], &*ids[100]);
    for sql in [
        format!("DELETE FROM hubspot_contacts WHERE hubspot_id = {missing}"),
        format!(
            "UPDATE hubspot_contacts SET archived = 1, archived_at = '2026-01-01' WHERE hubspot_id = {hidden}"
        ),
        format!(
            "UPDATE hubspot_contacts SET hubspot_updated_at = '2020-01-01', \
             properties_json = JSON_SET(properties_json, '$.city', 'Atlantis') WHERE hubspot_id = {stale}"
        ),
        format!(
            "UPDATE hubspot_contacts SET properties_json = JSON_SET(properties_json, '$.city', 'Atlantis') \
             WHERE hubspot_id = {edited}"
        ),
        "INSERT INTO hubspot_contacts (hubspot_id, properties_json) VALUES (5, '{}')".to_owned(),
    ] {
        test.execute(&sql).await;
    }
    simulator.delete("contacts", deleted).await;
    simulator.post(&format!("/objects/contacts/{purged}/purge"), json!({})).await;
    let merge = json!({"primaryObjectId": ids[101], "objectIdToMerge": loser});
    simulator.post("/objects/contacts/merge", merge).await;
    everything_is_searchable(&simulator).await;
    setup.sync(&["contacts"]).await;

    let shallow = &verify(&setup, &["contacts"]).await["contacts"];
    let found: &[(&str, &[&str])] = &[
        ("missing", &[missing, hidden]),
        ("stale", &[stale]),
        ("gone", &[deleted]),
        ("extra", &[purged, "5"]),
    ];
    assert_found(shallow, found);
    let deep = &verify(&setup, &["contacts", "--deep"]).await["contacts"];
    assert_found(deep, &[found, &[("different", &[edited])]].concat());
    assert_eq!(test.value("SELECT verified_as_of > backfill_started_at IS NULL FROM sync_state WHERE object_type = 'contacts'").await, "1");

    verify(&setup, &["contacts", "--deep", "--repair"]).await;
    assert_eq!(test.value("SELECT audit_repairs FROM sync_state WHERE object_type = 'contacts'").await, "7");
    assert_found(&verify(&setup, &["contacts", "--deep"]).await["contacts"], &[]);
    assert_equal(&simulator, &test).await;
    let archived = "SELECT CONCAT(archived, purged_at IS NOT NULL, email IS NULL) FROM hubspot_contacts WHERE hubspot_id = ";
    assert_eq!(test.value(&format!("{archived}{deleted}")).await, "100", "deleted");
    assert_eq!(test.value(&format!("{archived}{purged}")).await, "111", "erased");
    assert_eq!(test.value(&format!("{archived}{loser}")).await, "100", "merged");
}

#[tokio::test]
async fn the_scheduled_audit_refreshes_values_that_change_silently() {
    let (simulator, test) = (Simulator::start(250, 30, 20), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url).at("0 0 1 1 *").set("AUDIT_INTERVAL_HOURS", "24");
    setup.sync(&[]).await;
    let daemon = setup.start(&["run"]);
    let changed = simulator.post("/recalculate", json!({"type": "contacts", "count": 25, "seed": 3})).await;
    run_lane(&test, "audit").await;
    assert_equal(&simulator, &test).await;
    let run = "SELECT CONCAT_WS(' ', fetched, inserted, updated, JSON_VALUE(report, '$.recalculated')) FROM sync_runs \
               WHERE lane = 'audit' AND object_type = 'contacts' ORDER BY run_id DESC LIMIT 1";
    let count = changed["ids"].as_array().unwrap().len();
    assert_eq!(test.value(run).await, format!("250 0 {count} {count}"), "only differences are written");
    let state = "SELECT CONCAT_WS(' ', audit_repairs, verified_as_of = watermark) FROM sync_state WHERE object_type = 'contacts'";
    assert_eq!(test.value(state).await, "0 1");
    assert!(daemon.stop().await.success());
}
