//! Records that are merged in HubSpot: their ids lead to whom they were merged into.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::daemon::{Daemon, Setup};
use crate::support::database::TestDatabase;
use crate::support::lanes::{lane_is_done, run_lane};
use crate::support::simulator::Simulator;
use crate::support::truth::{assert_equal, everything_is_searched, in_step};
use crate::support::{eventually, holds};

/// Merges a contact into another; answers the id of the one that remains.
async fn merge(simulator: &Simulator, primary: &str, other: &str) -> String {
    let body = json!({"primaryObjectId": primary, "objectIdToMerge": other});
    let answer = simulator.post("/objects/contacts/merge", body).await;
    answer["id"].as_str().unwrap().to_owned()
}

/// The join the README shows: whatever id a contact once had, the record it is now.
async fn survivors(test: &TestDatabase) -> BTreeMap<String, String> {
    let joined = test
        .rows(
            "hubspot_contacts AS old",
            &["old.hubspot_id", "now.hubspot_id"],
            "LEFT JOIN hubspot_merges AS m ON m.object_type = 'contacts' AND m.old_id = old.hubspot_id \
             JOIN hubspot_contacts AS now ON now.hubspot_id = COALESCE(m.survivor_id, old.hubspot_id) \
             WHERE NOT now.archived",
        )
        .await;
    joined.iter().map(|row| row.split_once('|').unwrap()).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// Asserts that every old id leads to its survivor, the only one of them that is live.
async fn assert_merged(test: &TestDatabase, old: &[&str], survivor: &str) {
    let joined = survivors(test).await;
    for id in old {
        assert_eq!(joined.get(*id).map(String::as_str), Some(survivor), "{id} in {joined:?}");
        let row = format!(
            "SELECT CONCAT(archived, archived_at IS NOT NULL, purged_at IS NULL, properties_json <> '{{}}') \
                           FROM hubspot_contacts WHERE hubspot_id = {id}"
        );
        assert_eq!(test.value(&row).await, if *id == survivor { "0011" } else { "1111" }, "{id}");
    }
}

/// A daemon that is in step, whose lanes run when a test says so.
async fn running(simulator: &Simulator, test: &TestDatabase) -> Daemon {
    let setup = Setup::new(simulator, &test.url).at("* * * * * *");
    let setup = setup.set("ARCHIVE_INTERVAL_MINUTES", "60").set("AUDIT_INTERVAL_HOURS", "24");
    let daemon = setup.start(&["run"]);
    lane_is_done(test, "archive").await;
    in_step(simulator, test).await;
    daemon
}

/// Waits until the mirror knows so many old ids.
async fn knows(test: &TestDatabase, merged: i64) {
    eventually("the merges are known", async || {
        let known = test.number("SELECT COUNT(*) FROM hubspot_merges").await;
        holds(known == merged, known)
    })
    .await;
}

#[tokio::test]
async fn a_merge_into_a_new_record_leads_both_ids_to_it() {
    let (simulator, test) = (Simulator::start(150, 30, 20), TestDatabase::migrated().await);
    let ids = simulator.create("contacts", 3).await;
    let daemon = running(&simulator, &test).await;
    let first = merge(&simulator, &ids[0], &ids[1]).await;
    assert!(!ids.contains(&first), "the survivor has an id of its own");
    knows(&test, 2).await;
    assert_merged(&test, &[&ids[0], &ids[1]], &first).await;

    let second = merge(&simulator, &ids[2], &first).await;
    knows(&test, 4).await;
    assert_merged(&test, &[&ids[0], &ids[1], &ids[2], &first], &second).await;
    run_lane(&test, "archive").await;
    run_lane(&test, "audit").await;
    assert_merged(&test, &[&ids[0], &ids[1], &ids[2], &first], &second).await;
    in_step(&simulator, &test).await;
    assert_eq!(test.value("SELECT SUM(audit_repairs) FROM sync_state").await, "0");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_survivor_the_index_shows_after_a_younger_record_is_found_all_the_same() {
    let (simulator, test) = (Simulator::start(150, 30, 20), TestDatabase::migrated().await);
    let ids = simulator.create("contacts", 2).await;
    let daemon = running(&simulator, &test).await;
    everything_is_searched(&simulator, &test).await;
    simulator.set(json!({"mergeTouches": false, "indexLagMs": 2_500})).await;
    let survivor = merge(&simulator, &ids[0], &ids[1]).await;
    simulator.set(json!({"indexLagMs": 0})).await;
    let younger = &simulator.create("contacts", 1).await[0];
    let is_here = |id: &str| format!("SELECT COUNT(*) FROM hubspot_contacts WHERE hubspot_id = {id}");
    eventually("the younger one is here", async || {
        let count = test.number(&is_here(younger)).await;
        holds(count == 1, count)
    })
    .await;
    assert_eq!(test.number(&is_here(&survivor)).await, 0, "the index lags");
    knows(&test, 2).await;
    assert_merged(&test, &[&ids[0], &ids[1]], &survivor).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_merge_that_keeps_the_primary_id_leads_the_other_to_it() {
    let (simulator, test) = (Simulator::start(150, 30, 20), TestDatabase::migrated().await);
    simulator.set(json!({"mergeKeepsPrimaryId": true, "mergedAreArchived": true})).await;
    let ids = simulator.create("contacts", 3).await;
    let daemon = running(&simulator, &test).await;
    assert_eq!(merge(&simulator, &ids[1], &ids[0]).await, ids[1]);
    assert_eq!(merge(&simulator, &ids[2], &ids[1]).await, ids[2]);
    knows(&test, 2).await;
    assert_merged(&test, &[&ids[0], &ids[1], &ids[2]], &ids[2]).await;
    // The recycle bin lists merged ids here, and answers for them under no id.
    run_lane(&test, "archive").await;
    assert_merged(&test, &[&ids[0], &ids[1], &ids[2]], &ids[2]).await;
    in_step(&simulator, &test).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_merge_without_a_new_modification_date_is_found_by_the_audit() {
    for keeps_primary in [false, true] {
        let (simulator, test) = (Simulator::start(150, 30, 20), TestDatabase::migrated().await);
        simulator.set(json!({"mergeKeepsPrimaryId": keeps_primary, "mergeTouches": false})).await;
        // What only the other has goes over to the primary, which keeps its version.
        let primary = simulator.create_with("contacts", json!({"lastname": "Primary"})).await;
        let other = simulator.create_with("contacts", json!({"lastname": "Other", "city": "Bonn"})).await;
        let daemon = running(&simulator, &test).await;
        everything_is_searched(&simulator, &test).await;
        let survivor = merge(&simulator, &primary, &other).await;
        run_lane(&test, "audit").await;
        assert_merged(&test, &[&primary, &other], &survivor).await;
        let city = format!("SELECT city FROM hubspot_contacts WHERE hubspot_id = {survivor}");
        assert_eq!(test.value(&city).await, "Bonn", "keeps_primary: {keeps_primary}");
        assert_equal(&simulator, &test).await;
        assert_ne!(test.value("SELECT SUM(audit_repairs) FROM sync_state").await, "0");
        assert!(daemon.stop().await.success());
    }
}

#[tokio::test]
async fn merged_ids_are_never_taken_for_erased() {
    let (simulator, test) = (Simulator::start(150, 30, 20), TestDatabase::migrated().await);
    let ids = simulator.create("contacts", 3).await;
    let daemon = running(&simulator, &test).await;
    simulator.delete("contacts", &ids[0]).await;
    run_lane(&test, "archive").await;
    // The archive lane believes in the deletion still when the record has come back and gone into another.
    let aged = "UPDATE hubspot_contacts SET archived_at = archived_at - INTERVAL 3 HOUR WHERE archived";
    test.execute(aged).await;
    simulator.set(json!({"restoredLastModified": "same", "mergeTouches": false})).await;
    simulator.post(&format!("/objects/contacts/{}/restore", ids[0]), json!({})).await;
    let survivor = merge(&simulator, &ids[1], &ids[0]).await;
    run_lane(&test, "archive").await;
    run_lane(&test, "archive").await;
    assert_merged(&test, &[&ids[0]], &survivor).await;
    run_lane(&test, "audit").await;
    assert_merged(&test, &[&ids[0], &ids[1]], &survivor).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_copy_of_a_merged_record_that_arrives_late_does_not_stay_live() {
    let (simulator, test) = (Simulator::start(150, 30, 20), TestDatabase::migrated().await);
    let ids = simulator.create("contacts", 2).await;
    let daemon = running(&simulator, &test).await;
    let survivor = merge(&simulator, &ids[0], &ids[1]).await;
    knows(&test, 2).await;
    // As if it had been read before the merge and stored for the first time after it.
    let late =
        format!("UPDATE hubspot_contacts SET archived = 0, archived_at = NULL WHERE hubspot_id = {}", ids[0]);
    test.execute(&late).await;
    run_lane(&test, "audit").await;
    assert_merged(&test, &[&ids[0], &ids[1]], &survivor).await;
    assert_equal(&simulator, &test).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_record_merged_into_a_deleted_one_leads_there_and_keeps_its_content() {
    let (simulator, test) = (Simulator::start(150, 30, 20), TestDatabase::migrated().await);
    simulator.set(json!({"mergeKeepsPrimaryId": true, "mergeTouches": false})).await;
    let ids = simulator.create("contacts", 2).await;
    let daemon = running(&simulator, &test).await;
    everything_is_searched(&simulator, &test).await;
    // Nobody has seen the merge when the survivor goes into the bin, and the other answers under no id.
    merge(&simulator, &ids[1], &ids[0]).await;
    simulator.delete("contacts", &ids[1]).await;
    run_lane(&test, "archive").await;
    run_lane(&test, "audit").await;
    let row = format!(
        "SELECT CONCAT(archived, purged_at IS NULL, properties_json <> '{{}}') FROM hubspot_contacts WHERE hubspot_id = {}",
        ids[0]
    );
    assert_eq!(test.value(&row).await, "111");
    assert_eq!(
        test.rows("hubspot_merges", &["old_id", "survivor_id"], "").await,
        [format!("{}|{}", ids[0], ids[1])]
    );
    simulator.post(&format!("/objects/contacts/{}/restore", ids[1]), json!({})).await;
    in_step(&simulator, &test).await;
    assert_merged(&test, &[&ids[0], &ids[1]], &ids[1]).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn what_was_merged_into_an_erased_record_is_erased_even_if_that_one_was_never_stored() {
    let (simulator, test) = (Simulator::start(150, 30, 20), TestDatabase::migrated().await);
    let ids = simulator.create("contacts", 6).await;
    let daemon = running(&simulator, &test).await;
    let mut survivors = Vec::new();
    for pair in ids.chunks(2) {
        survivors.push(merge(&simulator, &pair[0], &pair[1]).await);
    }
    knows(&test, 6).await;
    for survivor in &survivors {
        simulator.delete("contacts", survivor).await;
    }
    run_lane(&test, "archive").await;
    let [unseen, seen, in_bin] = &survivors[..] else { unreachable!() };
    let content = |ids: &[String]| {
        let ids = ids.join(", ");
        format!(
            "SELECT COUNT(*) FROM hubspot_contacts WHERE properties_json <> '{{}}' AND hubspot_id IN ({ids})"
        )
    };
    assert_eq!(test.number(&content(&ids)).await, 6);
    // As if two of them were only ever seen in the listing of the bin, and then erased or not.
    test.execute(&format!("DELETE FROM hubspot_contacts WHERE hubspot_id IN ({unseen}, {in_bin})")).await;
    for erased in [unseen, seen] {
        simulator.post(&format!("/objects/contacts/{erased}/purge"), json!({})).await;
    }
    let aged = "UPDATE hubspot_contacts SET archived_at = archived_at - INTERVAL 3 HOUR WHERE archived";
    test.execute(aged).await;
    run_lane(&test, "archive").await;
    assert_eq!(test.number(&content(&ids[..4])).await, 0, "it was the same person");
    assert_eq!(test.number(&content(&ids[4..])).await, 2, "the survivor lies in the bin");

    // A copy that was read before the merge arrives after the survivor's end.
    test.execute(&format!(
        "UPDATE hubspot_contacts SET purged_at = NULL, properties_json = '{{\"city\":\"Bonn\"}}', city = 'Bonn' \
         WHERE hubspot_id = {}",
        ids[2]
    ))
    .await;
    run_lane(&test, "archive").await;
    let left = format!(
        "SELECT CONCAT_WS(' ', properties_json, city, purged_at IS NOT NULL) FROM hubspot_contacts WHERE hubspot_id = {}",
        ids[2]
    );
    assert_eq!(test.value(&left).await, "{} 1");
    assert!(daemon.stop().await.success());
}
