//! Records that are deleted, restored or erased in HubSpot.

use std::process::Output;

use serde_json::json;

use crate::support::daemon::{Daemon, Setup, text};
use crate::support::database::TestDatabase;
use crate::support::lanes::{failed_lane, lane_is_done, lane_is_halfway, make_due, resumed, run_lane};
use crate::support::simulator::Simulator;
use crate::support::truth::in_step;
use crate::support::{eventually, holds};

/// The daemon's settings: regular runs every second, the recycle bins when a test says so.
fn with_bins(simulator: &Simulator, test: &TestDatabase) -> Setup {
    Setup::new(simulator, &test.url).at("* * * * * *").set("ARCHIVE_INTERVAL_MINUTES", "60")
}

/// A daemon that has mirrored everything and has read the recycle bins once.
async fn in_step_with_bins(simulator: &Simulator, test: &TestDatabase) -> Daemon {
    let daemon = with_bins(simulator, test).start(&["run"]);
    lane_is_done(test, "archive").await;
    daemon
}

/// Puts records into the recycle bin.
async fn delete(simulator: &Simulator, object_type: &str, ids: &[String]) {
    for id in ids {
        simulator.delete(object_type, id).await;
    }
}

/// Erases a record in HubSpot without trace.
async fn purge(simulator: &Simulator, object_type: &str, id: &str) {
    simulator.post(&format!("/objects/{object_type}/{id}/purge"), json!({})).await;
}

/// Takes a record out of the recycle bin.
async fn restore(simulator: &Simulator, id: &str) {
    simulator.post(&format!("/objects/contacts/{id}/restore"), json!({})).await;
}

/// What the mirror says of a record: whether it is archived, whether it is purged, and what of its content is left.
async fn row(test: &TestDatabase, object_type: &str, id: &str) -> String {
    let (typed, table) = match object_type {
        "contacts" => ("email", "hubspot_contacts"),
        _ => ("name", "hubspot_companies"),
    };
    test.value(&format!(
        "SELECT CONCAT_WS(' ', IF(archived, 'archived', 'live'), IF(archived_at IS NULL, 'never', 'once'), \
         IF(purged_at IS NULL, 'kept', 'purged'), IF({typed} IS NULL, 'without', 'with'), \
         IF(properties_json = '{{}}', 'empty', 'full')) FROM {table} WHERE hubspot_id = {id}"
    ))
    .await
}

/// What the mirror says of a contact.
async fn contact(test: &TestDatabase, id: &str) -> String {
    row(test, "contacts", id).await
}

/// How many contacts count as deleted.
async fn archived(test: &TestDatabase) -> i64 {
    test.number("SELECT COUNT(*) FROM hubspot_contacts WHERE archived").await
}

/// Lets everything that counts as deleted have been so for hours: the bin may show a delete late, so nothing younger
/// is taken for erased.
async fn let_hours_pass(test: &TestDatabase) {
    for table in ["hubspot_contacts", "hubspot_companies"] {
        let sql = format!("UPDATE {table} SET archived_at = archived_at - INTERVAL 3 HOUR WHERE archived");
        test.execute(&sql).await;
    }
}

#[tokio::test]
async fn deleted_records_keep_their_row_and_come_back_when_they_are_restored() {
    let (simulator, test) = (Simulator::start(250, 30, 20), TestDatabase::migrated().await);
    let deleted = simulator.create("contacts", 3).await;
    let daemon = in_step_with_bins(&simulator, &test).await;
    assert_eq!(contact(&test, &deleted[0]).await, "live never kept with full");

    delete(&simulator, "contacts", &deleted).await;
    run_lane(&test, "archive").await;
    for id in &deleted {
        assert_eq!(contact(&test, id).await, "archived once kept with full");
    }

    restore(&simulator, &deleted[1]).await;
    run_lane(&test, "archive").await;
    assert_eq!(contact(&test, &deleted[0]).await, "archived once kept with full");
    assert_eq!(contact(&test, &deleted[1]).await, "live never kept with full");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_record_that_was_deleted_before_it_was_ever_seen_is_stored_as_deleted() {
    let (simulator, test) = (Simulator::start(150, 30, 20), TestDatabase::migrated().await);
    let deleted = simulator.create("contacts", 2).await;
    delete(&simulator, "contacts", &deleted).await;
    let daemon = in_step_with_bins(&simulator, &test).await;
    for id in &deleted {
        assert_eq!(contact(&test, id).await, "archived once kept with full");
    }
    restore(&simulator, &deleted[0]).await;
    in_step(&simulator, &test).await;
    assert_eq!(contact(&test, &deleted[0]).await, "live never kept with full");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_delete_that_an_audit_has_gathered_does_not_wait_for_its_end() {
    let (simulator, test) = (Simulator::start(150, 30, 20), TestDatabase::migrated().await);
    let deleted = simulator.create("contacts", 1).await;
    let daemon = in_step_with_bins(&simulator, &test).await;
    delete(&simulator, "contacts", &deleted).await;
    let gathered = format!(
        "INSERT INTO pending_deletes (object_type, hubspot_id, reason, found_at, found_by) \
         VALUES ('contacts', {}, 'archived', UTC_TIMESTAMP(3), 'audit')",
        deleted[0]
    );
    test.execute(&gathered).await;
    run_lane(&test, "archive").await;
    assert_eq!(contact(&test, &deleted[0]).await, "archived once kept with full");
    assert_eq!(test.value("SELECT COUNT(*) FROM pending_deletes").await, "0");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn too_many_deletes_change_nothing_until_a_person_confirms_them() {
    let (simulator, test) = (Simulator::start(260, 30, 20), TestDatabase::migrated().await);
    let deleted = simulator.create("contacts", 120).await;
    let daemon = in_step_with_bins(&simulator, &test).await;
    delete(&simulator, "contacts", &deleted).await;

    let error = failed_lane(&test, "archive").await;

    assert!(error.contains("120 of 380 contacts") && error.contains("MAX_DELETE_SHARE"), "{error}");
    assert_eq!(archived(&test).await, 0);
    let setup = with_bins(&simulator, &test);
    let notice = test.value("SELECT notice FROM sync_state WHERE object_type = 'contacts'").await;
    assert!(notice.contains(&error), "{notice}");
    daemon.says("MAX_DELETE_SHARE").await;
    let Output { stdout, .. } = setup.run(&["status"]).await;
    assert!(text(&stdout).contains("deletes confirm"), "{}", text(&stdout));
    let Output { stdout, .. } = setup.run(&["deletes"]).await;
    assert!(text(&stdout).starts_with("contacts: 120 row(s)"), "{}", text(&stdout));

    // One is restored without a trace in its modification date, one with; neither is deleted by the confirmation.
    simulator.set(json!({"restoredLastModified": "same"})).await;
    restore(&simulator, &deleted[7]).await;
    simulator.set(json!({"restoredLastModified": "newer"})).await;
    restore(&simulator, &deleted[8]).await;
    in_step(&simulator, &test).await;

    let Output { status, stdout, stderr } = setup.run(&["deletes", "confirm", "contacts"]).await;
    assert!(status.success(), "{} {}", text(&stdout), text(&stderr));
    lane_is_done(&test, "archive").await;
    assert_eq!(archived(&test).await, 118);
    for id in &deleted[7..9] {
        let restored = contact(&test, id).await;
        assert!(restored.starts_with("live never kept"), "{restored}");
    }
    assert_eq!(test.value("SELECT COUNT(*) FROM pending_deletes").await, "0");
    assert_eq!(test.value("SELECT notice FROM sync_state WHERE object_type = 'contacts'").await, "-");
    let Output { stdout, .. } = setup.run(&["deletes"]).await;
    assert!(text(&stdout).starts_with("No delete waits for a person."), "{}", text(&stdout));
    assert!(
        !setup.run(&["deletes", "confirm", "contacts"]).await.status.success(),
        "nothing is left to confirm"
    );
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_hundred_deletes_are_believed_whatever_share_they_are() {
    let (simulator, test) = (Simulator::start(4, 30, 20), TestDatabase::migrated().await);
    let deleted = simulator.create("contacts", 100).await;
    let daemon = in_step_with_bins(&simulator, &test).await;
    delete(&simulator, "contacts", &deleted).await;
    run_lane(&test, "archive").await;
    assert_eq!(archived(&test).await, 100);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_privacy_delete_takes_the_content_away_and_keeps_the_id() {
    let (simulator, test) = (Simulator::start(150, 30, 20), TestDatabase::migrated().await);
    let (in_bin, live) = (simulator.create("contacts", 2).await, simulator.create("contacts", 1).await);
    simulator.set(json!({"mergeKeepsPrimaryId": true})).await;
    let merged = simulator.create("contacts", 1).await;
    let companies = simulator.create("companies", 1).await;
    let daemon = in_step_with_bins(&simulator, &test).await;
    let merge = json!({"primaryObjectId": live[0], "objectIdToMerge": merged[0]});
    simulator.post("/objects/contacts/merge", merge).await;
    eventually("the merge is known", async || {
        let known = test.value("SELECT COUNT(*) FROM hubspot_merges").await;
        holds(known == "1", known)
    })
    .await;
    delete(&simulator, "contacts", &in_bin).await;
    delete(&simulator, "companies", &companies).await;
    run_lane(&test, "archive").await;
    for id in [&in_bin[0], &live[0]] {
        test.execute(&format!(
            "INSERT INTO quarantine (object_type, record_key, property, reason, raw, first_seen_at, last_seen_at) \
             VALUES ('contacts', '{id}', 'score', 'no number', 'much', '2026-01-01', '2026-01-01')"
        ))
        .await;
    }

    purge(&simulator, "contacts", &in_bin[0]).await;
    purge(&simulator, "contacts", &live[0]).await;
    purge(&simulator, "companies", &companies[0]).await;
    run_lane(&test, "archive").await;
    assert_eq!(contact(&test, &in_bin[0]).await, "archived once kept with full", "the bin may just be late");
    let_hours_pass(&test).await;
    run_lane(&test, "archive").await;

    let content = "COALESCE(email, firstname, lastname, phone, hubspot_created_at, hubspot_updated_at, content_hash, \
                   base_properties_json, remote_properties_json, sync_error)";
    let left = format!("SELECT COUNT({content}) FROM hubspot_contacts WHERE purged_at IS NOT NULL");
    assert_eq!(contact(&test, &in_bin[0]).await, "archived once purged without empty");
    assert_eq!(contact(&test, &in_bin[1]).await, "archived once kept with full", "it is in the bin still");
    assert_eq!(test.value(&left).await, "0");
    assert_eq!(row(&test, "companies", &companies[0]).await, "archived once purged with full");
    assert_eq!(contact(&test, &live[0]).await, "live never kept with full", "no bin shows what became of it");

    let setup = with_bins(&simulator, &test);
    setup.run(&["verify", "contacts", "--repair"]).await;
    assert_eq!(contact(&test, &live[0]).await, "archived once kept with full", "the bin may just be late");
    let_hours_pass(&test).await;
    run_lane(&test, "archive").await;
    assert_eq!(contact(&test, &live[0]).await, "archived once purged without empty");
    assert_eq!(
        contact(&test, &merged[0]).await,
        "archived once purged without empty",
        "it was the same person"
    );
    assert_eq!(test.value(&left).await, "0");
    assert_eq!(test.value("SELECT COUNT(*) FROM quarantine").await, "0");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_recycle_bin_of_many_pages_is_read_on_where_a_kill_ended_it() {
    let (simulator, test) = (Simulator::start(100, 30, 20), TestDatabase::migrated().await);
    let deleted = simulator.create("contacts", 450).await;
    let setup = with_bins(&simulator, &test).set("MAX_DELETE_SHARE", "1");
    let daemon = setup.start(&["run"]);
    lane_is_done(&test, "archive").await;
    delete(&simulator, "contacts", &deleted).await;
    let third_page = json!({"pathContains": "contacts?limit=100&archived=true", "method": "GET"});
    simulator.fault(json!({"match": third_page, "skip": 2, "action": {"kind": "hang", "ms": 5_000}})).await;
    make_due(&test, "archive").await;
    lane_is_halfway(&test, "archive").await;
    assert_eq!(archived(&test).await, 0, "nothing is marked before everything was read");
    daemon.kill();

    let daemon = setup.start(&["run"]);
    lane_is_done(&test, "archive").await;
    assert_eq!(archived(&test).await, 450);
    assert_eq!(resumed(&test, "archive").await, 450);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_recycle_bin_that_cannot_be_read_or_seems_empty_changes_nothing() {
    let (simulator, test) = (Simulator::start(150, 30, 20), TestDatabase::migrated().await);
    let deleted = simulator.create("contacts", 5).await;
    let daemon = in_step_with_bins(&simulator, &test).await;
    delete(&simulator, "contacts", &deleted[..3]).await;
    run_lane(&test, "archive").await;
    let_hours_pass(&test).await;
    delete(&simulator, "contacts", &deleted[3..]).await;
    let state =
        || async { test.rows("hubspot_contacts", &["hubspot_id", "archived", "purged_at"], "").await };
    let before = state().await;

    let bin = json!({"pathContains": "contacts?limit=100&archived=true", "method": "GET"});
    for (status, word) in [(403, "403"), (504, "504")] {
        let fault = json!({"match": bin, "times": 1_000, "action": {"kind": "status", "status": status}});
        simulator.fault(fault).await;
        let error = failed_lane(&test, "archive").await;
        assert!(error.contains(word), "{error}");
        assert_eq!(state().await, before, "after a {status}");
        simulator.clear_faults().await;
    }
    let empty = json!({"kind": "status", "status": 200, "body": "{\"results\": []}"});
    simulator.fault(json!({"match": bin, "times": 1_000, "action": empty})).await;
    run_lane(&test, "archive").await;
    assert_eq!(state().await, before, "after an empty answer");
    simulator.clear_faults().await;

    run_lane(&test, "archive").await;
    eventually("the deletes are marked", async || holds(archived(&test).await == 5, archived(&test).await))
        .await;
    assert!(daemon.stop().await.success());
}
