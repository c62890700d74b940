//! The audit finds what every lane has missed, says which records, and mends it.

mod edits;

use std::process::Output;

use serde_json::{Value, json};

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::lanes::{lane_is_done, lane_is_halfway, resumed, run_lane};
use crate::support::links::assert_linked;
use crate::support::simulator::Simulator;
use crate::support::truth::{assert_equal, everything_is_searchable};
use crate::support::{eventually, holds};

/// Runs `verify` and answers its reports; the exit code has to say whether there are differences.
async fn verify(setup: &Setup, arguments: &[&str]) -> Value {
    reports(setup.run(&[&["verify", "--json"], arguments].concat()).await)
}

/// The reports of a `verify` that has ended.
fn reports(output: Output) -> Value {
    let Output { status, stdout, stderr } = output;
    let (text, log) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let reports: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}\n{log}"));
    let differ = reports.as_object().unwrap().values().any(|report| differences(report) > 0);
    assert_eq!(status.code(), Some(i32::from(differ)), "{reports:#}\n{log}");
    reports
}

/// The kinds of differences there are.
const KINDS: [&str; 6] = ["missing", "stale", "different", "gone", "extra", "links"];

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
    assert_eq!(
        test.value(&format!("{archived}{purged}")).await,
        "100",
        "gone; the archive lane erases it when it is sure"
    );
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

#[tokio::test]
async fn what_changes_while_the_audit_runs_is_no_difference() {
    let (simulator, test) = (Simulator::start(1_200, 300, 300), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url).at("* * * * * *").set("ARCHIVE_INTERVAL_MINUTES", "60");
    let daemon = setup.start(&["run"]);
    lane_is_done(&test, "archive").await;
    simulator
        .set(json!({"latencyMs": 60, "liveChangesPerSecond": 80, "indexLagMs": 300, "indexJitterMs": 700}))
        .await;
    let started = simulator.now().await;
    let reports = verify(&setup, &["--deep"]).await;
    assert!(simulator.now().await - started > 1_000, "long enough for changes to come in between");
    for (object_type, report) in reports.as_object().unwrap() {
        assert_eq!(differences(report), 0, "{object_type}: {report:#}");
        let listed: i64 = report["compared"].as_i64().unwrap();
        assert!(listed >= 250, "{object_type}: {listed}");
    }
    let carried_out = "SELECT COUNT(DISTINCT object_type) FROM sync_runs WHERE lane = 'audit' AND triggered_by = 'request' \
                       AND outcome = 'succeeded'";
    assert_eq!(test.value(carried_out).await, "3");
    assert!(daemon.log().contains("Audited contacts"), "the daemon did it");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_record_restored_since_the_bin_was_read_is_recent_and_mended() {
    let (simulator, test) = (Simulator::start(150, 30, 20), TestDatabase::migrated().await);
    simulator.set(json!({"restoredLastModified": "same"})).await;
    let setup = Setup::new(&simulator, &test.url).at("0 0 1 1 *").set("ARCHIVE_INTERVAL_MINUTES", "60");
    setup.sync(&[]).await;
    let daemon = setup.start(&["run"]);
    lane_is_done(&test, "archive").await;
    let ids = contacts(&test).await;
    simulator.delete("contacts", &ids[7]).await;
    run_lane(&test, "archive").await;
    assert!(!contacts(&test).await.contains(&ids[7]));
    simulator.post(&format!("/objects/contacts/{}/restore", ids[7]), json!({})).await;
    let report = &verify(&setup, &["contacts", "--repair"]).await["contacts"];
    assert_found(report, &[]);
    assert_eq!(report["recent"]["examples"].to_string(), format!("[{}]", ids[7]), "{report:#}");
    assert_equal(&simulator, &test).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn an_audit_goes_on_where_a_kill_ended_it_and_reports_the_whole_pass() {
    let (simulator, test) = (Simulator::start(450, 5, 5), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    everything_is_searchable(&simulator).await;
    setup.sync(&[]).await;
    let ids = contacts(&test).await;
    let (early, late) = (&*ids[3], &*ids[440]);
    test.execute(&format!("DELETE FROM hubspot_contacts WHERE hubspot_id IN ({early}, {late})")).await;
    let third_page = json!({"method": "GET", "pathContains": "/contacts?limit=100"});
    simulator.fault(json!({"match": third_page, "skip": 2, "action": {"kind": "hang", "ms": 5_000}})).await;
    let killed = setup.start(&["verify", "contacts", "--repair"]);
    lane_is_halfway(&test, "audit").await;
    killed.kill();

    let daemon = setup.at("0 0 1 1 *").start(&["run"]);
    eventually("the daemon has ended the pass", async || {
        let open = test.number("SELECT COUNT(*) FROM sync_lanes WHERE requested_at IS NOT NULL").await;
        holds(open == 0, open)
    })
    .await;
    assert_eq!(resumed(&test, "audit").await, 450);
    let report = test.value("SELECT report FROM sync_runs WHERE report IS NOT NULL").await;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["compared"], 450);
    assert_found(&report, &[("missing", &[early, late])]);
    assert_equal(&simulator, &test).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn columns_edited_by_hand_are_found_by_a_deep_audit_and_mended() {
    let (simulator, test) = (Simulator::start(30, 5, 150), TestDatabase::migrated().await);
    simulator.define("contacts", "score", json!({"type": "string", "fieldType": "text"})).await;
    let odd = simulator.create_with("contacts", json!({"score": "high"})).await;
    simulator.define("contacts", "score", json!({"type": "number", "fieldType": "number"})).await;
    let setup = Setup::new(&simulator, &test.url).set("COLUMNS_CONTACTS", "score");
    setup.sync(&[]).await;
    let misfit = format!("SELECT COUNT(*) FROM quarantine WHERE record_key = '{odd}' AND property = 'score'");
    assert_eq!(test.value(&misfit).await, "1");
    for (object_type, report) in verify(&setup, &["--deep"]).await.as_object().unwrap() {
        assert_eq!(differences(report), 0, "{object_type}: {report:#}");
    }

    let deals = test
        .rows(
            "hubspot_deals",
            &["hubspot_id"],
            "WHERE amount IS NOT NULL AND dealname IS NOT NULL ORDER BY 1",
        )
        .await;
    let edits = [
        "amount = amount + 0.01",
        "dealname = UPPER(dealname)",
        "createdate = createdate + INTERVAL 1000 MICROSECOND",
        "hs_is_closed_won = NOT COALESCE(hs_is_closed_won, FALSE)",
        "hubspot_owner_id = 1",
        "amount = NULL",
        "hubspot_updated_at = hubspot_updated_at + INTERVAL 1 DAY",
    ];
    for (edit, id) in edits.iter().zip(&deals) {
        test.execute(&format!("UPDATE hubspot_deals SET {edit} WHERE hubspot_id = {id}")).await;
    }
    test.execute(&format!("UPDATE hubspot_contacts SET score = 7 WHERE hubspot_id = {odd}")).await;

    let edited: Vec<_> = deals.iter().take(edits.len()).map(String::as_str).collect();
    let reports = verify(&setup, &["--deep", "--repair"]).await;
    assert_found(&reports["deals"], &[("different", &edited)]);
    assert_found(&reports["contacts"], &[("different", &[&odd])]);
    for (object_type, report) in verify(&setup, &["--deep"]).await.as_object().unwrap() {
        assert_eq!(differences(report), 0, "{object_type}: {report:#}");
    }
    assert_equal(&simulator, &test).await;
    let wrong = "SELECT COUNT(*) FROM hubspot_deals WHERE NOT amount <=> CAST(JSON_VALUE(properties_json, '$.amount') AS DECIMAL(38,12)) \
                 OR NOT BINARY dealname <=> BINARY JSON_VALUE(properties_json, '$.dealname')";
    assert_eq!(test.value(wrong).await, "0");
}

/// Everything stored of links, one text a row.
async fn stored_links(test: &TestDatabase) -> Vec<String> {
    let columns = ["from_type", "from_id", "to_type", "to_id", "category", "type_id", "label", "removed_at"];
    test.rows(
        "hubspot_associations",
        &columns,
        "ORDER BY from_type, from_id, to_type, to_id, category, type_id",
    )
    .await
}

#[tokio::test]
async fn links_the_lane_has_missed_are_found_by_a_deep_audit_and_mended() {
    let (simulator, test) = (Simulator::start(1_200, 30, 40), TestDatabase::migrated().await);
    let contacts = simulator.create("contacts", 6).await;
    let [removed, added, labelled, edited, forged, deleted] = &contacts[..] else { panic!() };
    let company = &*simulator.create("companies", 1).await[0];
    let label = simulator.define_label("contacts", "companies", "Billing").await;
    for contact in [removed, labelled, edited, deleted] {
        simulator.link(("contacts", contact), ("companies", company), &[]).await;
    }
    let setup = Setup::new(&simulator, &test.url).set("ASSOCIATION_MAX_AGE_HOURS", "24");
    let daemon = setup.clone().at("* * * * * *").start(&["run"]);
    lane_is_done(&test, "associations").await;
    assert!(daemon.stop().await.success());
    everything_is_searchable(&simulator).await;
    setup.sync(&[]).await;
    for (object_type, report) in verify(&setup, &["--deep"]).await.as_object().unwrap() {
        assert_eq!(differences(report), 0, "{object_type}: {report:#}");
    }

    // Nothing of this changes a modification date.
    simulator.unlink(("contacts", removed), ("companies", company)).await;
    simulator.link(("contacts", added), ("companies", company), &[]).await;
    simulator.link(("contacts", labelled), ("companies", company), &[("USER_DEFINED", label)]).await;
    let link =
        |contact: &str| format!("from_type = 'contacts' AND from_id = {contact} AND to_id = {company}");
    for sql in [
        format!("UPDATE hubspot_associations SET label = 'Atlantis' WHERE {}", link(edited)),
        format!("DELETE FROM hubspot_associations WHERE {}", link(deleted)),
        format!(
            "INSERT INTO hubspot_associations (from_type, from_id, to_type, to_id, category, type_id, is_primary, \
             first_seen_at) VALUES ('contacts', {forged}, 'companies', {company}, 'USER_DEFINED', 77, FALSE, NOW(3)), \
             ('contacts', 5, 'companies', {company}, 'USER_DEFINED', 77, FALSE, NOW(3))"
        ),
    ] {
        test.execute(&sql).await;
    }
    let before = stored_links(&test).await;
    assert_found(&verify(&setup, &["contacts"]).await["contacts"], &[]);
    let mut found: Vec<_> = contacts.iter().map(String::as_str).collect();
    found.push("5");
    let found: &[(&str, &[&str])] = &[("links", &found)];
    let reports = verify(&setup, &["--deep"]).await;
    assert_found(&reports["contacts"], found);
    assert_found(&reports["companies"], &[]);
    assert_eq!(stored_links(&test).await, before, "verifying writes nothing");

    assert_found(&verify(&setup, &["contacts", "--deep", "--repair"]).await["contacts"], found);
    assert_linked(&simulator, &test).await;
    assert_found(&verify(&setup, &["contacts", "--deep"]).await["contacts"], &[]);

    simulator.unlink(("contacts", labelled), ("companies", company)).await;
    let without = setup.clone().set("ASSOCIATION_MAX_AGE_HOURS", "0");
    assert_found(&verify(&without, &["contacts", "--deep"]).await["contacts"], &[]);
    // Before the lane has been over the type, its links are its business.
    test.execute("UPDATE sync_lanes SET completed_at = NULL WHERE lane = 'associations'").await;
    let report = &verify(&setup, &["contacts", "--deep", "--repair"]).await["contacts"];
    assert_found(report, &[]);
    assert_eq!(report["pending_links"]["count"], 1, "{report:#}");
    assert_linked(&simulator, &test).await;
}

#[tokio::test]
async fn a_killed_audit_of_links_goes_on_where_it_was_and_reports_the_whole_pass() {
    let (simulator, test) = (Simulator::start(2_300, 30, 40), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url).set("ASSOCIATION_MAX_AGE_HOURS", "24");
    let daemon = setup.clone().at("* * * * * *").start(&["run"]);
    lane_is_done(&test, "associations").await;
    assert!(daemon.stop().await.success());
    everything_is_searchable(&simulator).await;
    setup.sync(&[]).await;
    let linked =
        "SELECT {}(from_id) FROM hubspot_associations WHERE from_type = 'contacts' AND to_type = 'companies'";
    let mut ids = Vec::new();
    for end in ["MIN", "MAX"] {
        let id = test.value(&linked.replace("{}", end)).await;
        test.execute(&format!(
            "DELETE FROM hubspot_associations WHERE from_type = 'contacts' AND to_type = 'companies' AND from_id = {id}"
        ))
        .await;
        ids.push(id);
    }
    let pages = json!({"pathContains": "/associations/contacts/companies/batch/read"});
    simulator.fault(json!({"match": pages, "skip": 1, "action": {"kind": "hang", "ms": 60_000}})).await;
    let killed = setup.start(&["verify", "contacts", "--deep", "--repair"]);
    eventually("the links to companies are under way", async || {
        let sql = "SELECT COALESCE(MAX(pass_cursor), '') FROM sync_lanes WHERE lane = 'audit' AND object_type = 'contacts'";
        let cursor = test.value(sql).await;
        holds(cursor.starts_with("links to companies "), cursor)
    })
    .await;
    killed.kill();
    simulator.clear_faults().await;

    simulator.reset_stats().await;
    let daemon = setup.at("0 0 1 1 *").start(&["run"]);
    eventually("the daemon has ended the pass", async || {
        let open = test.number("SELECT COUNT(*) FROM sync_lanes WHERE requested_at IS NOT NULL").await;
        holds(open == 0, open)
    })
    .await;
    let report = test.value("SELECT report FROM sync_runs WHERE report IS NOT NULL").await;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["compared"], 2_300);
    assert_found(&report, &[("links", &[&ids[0], &ids[1]])]);
    let requests =
        test.number("SELECT CAST(requests AS SIGNED) FROM sync_runs WHERE report IS NOT NULL").await;
    assert!(requests < 10, "neither records nor the first pages of links are read again: {requests}");
    assert_linked(&simulator, &test).await;
    assert!(daemon.stop().await.success());
}
