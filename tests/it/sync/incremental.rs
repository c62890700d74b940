//! Changes: found, all of them, however awkwardly they come.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use hubspot_mariadb_connector::clock;
use serde_json::json;

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::{assert_equal, differences, everything_is_searchable, settle, version};
use crate::support::{eventually, holds};

/// The ids of the rows a sync has written since `mark`.
async fn written(test: &TestDatabase, table: &str) -> BTreeSet<String> {
    test.rows(table, &["hubspot_id"], "WHERE updated_at <> '2001-01-01'").await.into_iter().collect()
}

/// Makes every row look untouched.
async fn mark(test: &TestDatabase, table: &str) {
    test.execute(&format!("UPDATE {table} SET updated_at = '2001-01-01'")).await;
}

/// Searches of a type that must have found changes before a test says something about windows that follow each other.
const SEARCHES: i64 = 3;

/// Syncs, one run after the other, until that many searches for contacts have found changes.
async fn sync_until_searches_find_changes(setup: &Setup, test: &TestDatabase) {
    eventually("enough searches have found changes", async || {
        setup.sync(&[]).await;
        let searches = "SELECT COUNT(*) FROM sync_runs \
                        WHERE object_type = 'contacts' AND lane = 'incremental' AND updated > 0";
        let found = test.number(searches).await;
        holds(found >= SEARCHES, found)
    })
    .await;
}

#[tokio::test]
async fn exactly_the_changed_and_new_records_are_written() {
    let (simulator, test) = (Simulator::start(600, 60, 60), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    mark(&test, "hubspot_contacts").await;
    let mut expected: BTreeSet<_> =
        simulator.mutate(json!({"type": "contacts", "count": 130, "seed": 7})).await.into_iter().collect();
    expected.extend(simulator.create("contacts", 3).await);

    settle(&setup, &simulator, &test).await;

    assert_eq!(written(&test, "hubspot_contacts").await, expected);
    let lanes =
        test.rows("sync_runs", &["lane"], "WHERE object_type = 'contacts' GROUP BY lane ORDER BY lane").await;
    assert_eq!(lanes, ["backfill", "incremental"], "nothing was listed twice");
}

#[tokio::test]
async fn twenty_five_thousand_records_of_one_millisecond_are_enumerated_completely() {
    let (simulator, test) = (Simulator::start(25_000, 0, 0), TestDatabase::migrated().await);
    let changed = simulator
        .mutate(json!({"type": "contacts", "count": 25_000, "seed": 3, "sameMillisecond": true}))
        .await;
    assert_eq!(changed.into_iter().collect::<BTreeSet<_>>().len(), 25_000);
    // As after a listing of many more, which would take longer than the rest: a search is cheaper then.
    test.execute(
        "INSERT INTO sync_state (object_type, watermark, delayed_watermark, records_synced) \
         VALUES ('contacts', UTC_TIMESTAMP() - INTERVAL 1 HOUR, UTC_TIMESTAMP() - INTERVAL 1 HOUR, 100000)",
    )
    .await;
    everything_is_searchable(&simulator).await;

    Setup::new(&simulator, &test.url).sync(&[]).await;

    assert_equal(&simulator, &test).await;
    let runs = test.rows("sync_runs", &["lane", "inserted"], "WHERE object_type = 'contacts'").await;
    assert_eq!(runs, ["incremental|25000"], "by search, not by listing everything");
}

#[tokio::test]
async fn when_nearly_everything_changed_a_listing_replaces_the_search() {
    let (simulator, test) = (Simulator::start(6_000, 0, 0), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    simulator.post("/touch", json!({"type": "contacts", "count": 5_900})).await;
    simulator.reset_stats().await;

    settle(&setup, &simulator, &test).await;

    let lanes = test
        .rows("sync_runs", &["lane"], "WHERE object_type = 'contacts' ORDER BY run_id DESC LIMIT 4")
        .await;
    assert!(lanes.contains(&"backfill".to_owned()), "{lanes:?}");
    let requests = simulator.count("requests").await;
    assert!(requests < 90, "{requests}");
}

#[tokio::test]
async fn records_modified_while_they_are_enumerated_are_not_lost() {
    let (simulator, test) = (Simulator::start(3_000, 300, 300), TestDatabase::empty().await);
    simulator
        .set(json!({"liveChangesPerSecond": 150, "latencyMs": 20, "indexLagMs": 200, "indexJitterMs": 500}))
        .await;
    let setup = Setup::new(&simulator, &test.url);
    sync_until_searches_find_changes(&setup, &test).await;
    simulator.set(json!({"liveChangesPerSecond": 0})).await;
    settle(&setup, &simulator, &test).await;
}

#[tokio::test]
async fn what_was_found_but_could_not_be_read_is_found_again() {
    let (simulator, test) = (Simulator::start(400, 50, 50), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    simulator.mutate(json!({"type": "contacts", "count": 150, "seed": 8})).await;
    everything_is_searchable(&simulator).await;
    let refused = json!({"match": {"pathContains": "/contacts/batch/read"}, "skip": 1, "times": 1,
                         "action": {"kind": "status", "status": 400, "body": "{\"status\":\"error\"}"}});
    simulator.fault(refused).await;

    assert!(!setup.run(&["sync"]).await.status.success());

    let stored = test.rows("sync_runs", &["outcome", "updated"], "ORDER BY run_id DESC LIMIT 5").await;
    assert!(
        stored.contains(&"failed|100".to_owned()),
        "the first batch is stored, the second not: {stored:?}"
    );
    settle(&setup, &simulator, &test).await;
}

#[tokio::test]
async fn an_index_that_lags_and_delivers_out_of_order_loses_nothing() {
    let (simulator, test) = (Simulator::start(1_500, 100, 100), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    simulator.set(json!({"indexLagMs": 500, "indexJitterMs": 2_000, "liveChangesPerSecond": 100})).await;
    sync_until_searches_find_changes(&setup, &test).await;
    simulator.set(json!({"liveChangesPerSecond": 0})).await;
    settle(&setup, &simulator, &test).await;
}

#[tokio::test]
async fn the_delayed_pass_catches_what_was_indexed_an_hour_late() {
    let (simulator, test) = (Simulator::start(800, 0, 0), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    // Modified 90 minutes ago by HubSpot's clock, shown by the index only now: far behind the watermark.
    let late = (clock::now() - TimeDelta::minutes(90)).timestamp_millis();
    simulator.mutate(json!({"type": "contacts", "count": 40, "seed": 11, "lastModified": late})).await;
    setup.sync(&["contacts"]).await;
    assert!(!differences(&simulator, &test, "contacts").await.is_empty(), "an ordinary run cannot see them");

    test.execute("UPDATE sync_state SET delayed_watermark = UTC_TIMESTAMP() - INTERVAL 3 HOUR").await;
    setup.sync(&["contacts"]).await;

    assert_equal(&simulator, &test).await;
    let runs = test.rows("sync_runs", &["lane", "updated"], "ORDER BY run_id DESC LIMIT 1").await;
    assert_eq!(runs, ["delayed|40"]);
}

#[tokio::test]
async fn after_a_long_standstill_everything_is_listed() {
    let (simulator, test) = (Simulator::start(300, 0, 0), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    test.execute("UPDATE sync_state SET watermark = UTC_TIMESTAMP() - INTERVAL 31 DAY").await;
    setup.sync(&["contacts"]).await;
    let lanes = test.rows("sync_runs", &["lane"], "WHERE object_type = 'contacts' ORDER BY run_id").await;
    assert_eq!(lanes, ["backfill", "backfill"]);
}

#[tokio::test]
async fn reference_data_follows() {
    let (simulator, test) = (Simulator::start(10, 10, 10), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    simulator
        .define(
            "contacts",
            "favourite_colour",
            json!({"label": "Favourite colour", "type": "string", "fieldType": "text"}),
        )
        .await;
    let id = test.value("SELECT MIN(hubspot_id) FROM hubspot_contacts").await;
    simulator.edit("contacts", &id, json!({"favourite_colour": "grün"})).await;

    settle(&setup, &simulator, &test).await;

    let defined =
        test.rows("hubspot_properties", &["label", "data_type"], "WHERE name = 'favourite_colour'").await;
    assert_eq!(defined, ["Favourite colour|string"]);
    let stored = format!(
        "SELECT JSON_VALUE(properties_json, '$.favourite_colour') FROM hubspot_contacts WHERE hubspot_id = {id}"
    );
    assert_eq!(test.value(&stored).await, "grün");
}

#[tokio::test]
async fn a_record_read_before_a_property_was_known_is_read_again() {
    let (simulator, test) = (Simulator::start(10, 0, 0), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    simulator.define("contacts", "vip", json!({"type": "string", "fieldType": "text"})).await;
    let id = test.value("SELECT MIN(hubspot_id) FROM hubspot_contacts").await;
    simulator.edit("contacts", &id, json!({"vip": "very"})).await;
    // As after a run that had read the catalogue before the property was made and the record after it was set.
    let version = version(&simulator, "contacts", id.parse().unwrap()).await;
    test.execute(&format!(
        "UPDATE hubspot_contacts SET hubspot_updated_at = '{}' WHERE hubspot_id = {id}",
        version.format("%F %T%.3f")
    ))
    .await;

    settle(&setup, &simulator, &test).await;
}
