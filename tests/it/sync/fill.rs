//! Properties over time: what is new in the catalogue is filled in for the records there are, by reading only that.

use serde_json::json;

use crate::support::daemon::{Daemon, Setup};
use crate::support::database::TestDatabase;
use crate::support::edits::writable_account;
use crate::support::lanes::{lane_is_halfway, resumed, run_lane};
use crate::support::simulator::Simulator;
use crate::support::truth::{everything_is_searched, in_step};
use crate::support::{eventually, holds};

/// Settings of a daemon that searches every second and has no lane on but the one that fills.
fn filling(simulator: &Simulator, test: &TestDatabase) -> Setup {
    Setup::new(simulator, &test.url).at("* * * * * *")
}

/// A daemon that is in step.
async fn running(simulator: &Simulator, test: &TestDatabase) -> Daemon {
    let daemon = filling(simulator, test).start(&["run"]);
    in_step(simulator, test).await;
    daemon
}

/// A property with values of its own in so many contacts, archived before anybody has seen it; answers their ids.
async fn hidden_property(simulator: &Simulator, name: &str, count: u32) -> Vec<String> {
    let ids = simulator.mutate(json!({"type": "contacts", "count": count, "seed": 1})).await;
    simulator.define("contacts", name, json!({"type": "string", "fieldType": "text"})).await;
    for id in &ids {
        let properties = json!({name: format!("of {id}")});
        simulator.post("/silent", json!({"type": "contacts", "id": id, "properties": properties})).await;
    }
    archive(simulator, name, true).await;
    ids
}

/// Archives a property, or brings it back.
async fn archive(simulator: &Simulator, name: &str, archived: bool) {
    simulator.define("contacts", name, json!({"archived": archived})).await;
}

/// Waits until that many contacts have a value of the property in their JSON.
async fn filled(test: &TestDatabase, name: &str, expected: i64) {
    let sql = format!("SELECT COUNT(JSON_VALUE(properties_json, '$.{name}')) FROM hubspot_contacts");
    eventually(&format!("{expected} contacts have {name}"), async || {
        let count = test.number(&sql).await;
        holds(count == expected, count)
    })
    .await;
}

/// Listings of one property, as the faults that do nothing but count them say.
async fn listings_of(simulator: &Simulator) -> u64 {
    let faults = simulator.get("/faults").await;
    MANY - faults["faults"][0]["times"].as_u64().unwrap()
}

/// More requests than any test sends.
const MANY: u64 = 1_000_000;

#[tokio::test]
async fn a_new_property_is_filled_by_reading_only_that_property() {
    let (simulator, test) = (Simulator::start(250, 5, 5), TestDatabase::migrated().await);
    hidden_property(&simulator, "shoe_size", 40).await;
    let daemon = running(&simulator, &test).await;
    // Or the search would read what was changed again, for it lacks a property that is new.
    everything_is_searched(&simulator, &test).await;
    simulator.reset_stats().await;
    let only = json!({"method": "GET", "pathContains": "&properties=shoe_size"});
    let fault = json!({"match": only, "times": MANY, "action": {"kind": "delay", "ms": 0}});
    simulator.fault(fault).await;

    archive(&simulator, "shoe_size", false).await;
    filled(&test, "shoe_size", 40).await;
    in_step(&simulator, &test).await;

    let stats = simulator.stats().await;
    let asked = ["list", "batchRead"].map(|family| stats["byFamily"][family].as_u64().unwrap_or_default());
    assert_eq!(asked, [3, 0], "three pages of 250 contacts and no record read whole: {stats:#}");
    assert_eq!(listings_of(&simulator).await, 3, "each asked for the one property");
    let written = "SELECT CONCAT_WS(' ', SUM(fetched), SUM(updated), SUM(inserted)) FROM sync_runs \
                   WHERE lane = 'fill' AND object_type = 'contacts'";
    assert_eq!(test.value(written).await, "250 40 0");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_property_that_comes_back_is_filled_again() {
    let (simulator, test) = (Simulator::start(150, 5, 5), TestDatabase::migrated().await);
    let ids = hidden_property(&simulator, "shoe_size", 20).await;
    archive(&simulator, "shoe_size", false).await;
    let setup = filling(&simulator, &test).set("COLUMNS_CONTACTS", "shoe_size");
    let daemon = setup.start(&["run"]);
    filled(&test, "shoe_size", 20).await;

    archive(&simulator, "shoe_size", true).await;
    let definition =
        "SELECT archived FROM hubspot_properties WHERE object_type = 'contacts' AND name = 'shoe_size'";
    eventually("the definition is archived", async || {
        let archived = test.value(definition).await;
        holds(archived == "1", archived)
    })
    .await;
    simulator.edit("contacts", &ids[0], json!({"city": "Bonn"})).await;
    filled(&test, "shoe_size", 19).await;
    let columns = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND column_name = 'shoe_size'";
    assert_eq!(test.value(columns).await, "1", "others may use the column");

    archive(&simulator, "shoe_size", false).await;
    filled(&test, "shoe_size", 20).await;
    let column = "SELECT COUNT(*) FROM hubspot_contacts WHERE shoe_size = CONCAT('of ', hubspot_id)";
    assert_eq!(test.value(column).await, "20");
    in_step(&simulator, &test).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_property_that_changes_its_type_changes_its_column_beside_the_runs() {
    let (simulator, test) = (Simulator::start(150, 5, 5), TestDatabase::migrated().await);
    simulator.define("contacts", "score", json!({"type": "string", "fieldType": "text"})).await;
    for (value, seed) in [("12.5", 1), ("high", 2)] {
        let ids = simulator.mutate(json!({"type": "contacts", "count": 1, "seed": seed})).await;
        simulator.edit("contacts", &ids[0], json!({"score": value})).await;
    }
    let setup = filling(&simulator, &test).set("COLUMNS_CONTACTS", "score");
    let daemon = setup.start(&["run"]);
    in_step(&simulator, &test).await;
    let scores =
        async || test.rows("hubspot_contacts", &["score"], "WHERE score IS NOT NULL ORDER BY score").await;
    eventually("the texts are there", async || holds(scores().await == ["12.5", "high"], scores().await))
        .await;

    simulator.define("contacts", "score", json!({"type": "number", "fieldType": "number"})).await;

    eventually("the number is there", async || holds(scores().await == ["12.500000000000"], scores().await))
        .await;
    assert_eq!(test.rows("quarantine", &["property", "raw"], "").await, ["score|high"]);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn filling_goes_on_where_a_kill_ended_it() {
    let (simulator, test) = (Simulator::start(450, 5, 5), TestDatabase::migrated().await);
    hidden_property(&simulator, "shoe_size", 400).await;
    let daemon = running(&simulator, &test).await;
    let third_page = json!({"method": "GET", "pathContains": "&properties=shoe_size"});
    simulator.fault(json!({"match": third_page, "skip": 2, "action": {"kind": "hang", "ms": 5_000}})).await;
    archive(&simulator, "shoe_size", false).await;
    lane_is_halfway(&test, "fill").await;
    daemon.kill();

    let daemon = running(&simulator, &test).await;
    filled(&test, "shoe_size", 400).await;
    eventually("the pass has ended", async || {
        let open = test.number("SELECT COUNT(*) FROM sync_lanes WHERE pass_cursor IS NOT NULL").await;
        holds(open == 0, open)
    })
    .await;
    assert_eq!(resumed(&test, "fill").await, 450);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_new_property_reaches_records_in_the_recycle_bin_as_well() {
    let (simulator, test) = (Simulator::start(150, 5, 5), TestDatabase::migrated().await);
    let ids = hidden_property(&simulator, "shoe_size", 6).await;
    let daemon = filling(&simulator, &test).set("ARCHIVE_INTERVAL_MINUTES", "60").start(&["run"]);
    in_step(&simulator, &test).await;
    // One is in the mirror as deleted when the property comes, the other is deleted just then.
    simulator.delete("contacts", &ids[0]).await;
    run_lane(&test, "archive").await;
    simulator.delete("contacts", &ids[1]).await;
    archive(&simulator, "shoe_size", false).await;
    eventually("the definition is known", async || {
        let known = test.number("SELECT COUNT(*) FROM hubspot_properties WHERE object_type = 'contacts' AND name = 'shoe_size' AND NOT archived").await;
        holds(known == 1, known)
    })
    .await;
    run_lane(&test, "archive").await;
    run_lane(&test, "archive").await;
    for id in &ids[..2] {
        let row = format!(
            "SELECT CONCAT(archived, ' ', JSON_VALUE(properties_json, '$.shoe_size')) FROM hubspot_contacts WHERE hubspot_id = {id}"
        );
        assert_eq!(test.value(&row).await, format!("1 of {id}"));
    }
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_column_is_captured_before_it_is_filled() {
    for command in ["migrate", "sync"] {
        let (_simulator, test, setup) = writable_account(3, 1).await;
        test.execute("DROP TRIGGER hubspot_contacts_capture_before_update").await;
        test.execute("INSERT INTO column_fills (object_type, column_name) VALUES ('contacts', 'city')").await;
        // Whoever notes how far the fill is waits for this.
        let mut held = test.sql.begin().await.unwrap();
        sqlx::query("SELECT * FROM column_fills FOR UPDATE").execute(&mut *held).await.unwrap();
        let mut filling = setup.start(&[command]);
        let triggers = "SELECT COUNT(*) FROM information_schema.triggers WHERE event_object_schema = DATABASE() \
                        AND trigger_name = 'hubspot_contacts_capture_before_update'";
        eventually("edits are captured", async || {
            let captured = test.number(triggers).await;
            holds(captured == 1, captured)
        })
        .await;
        assert_eq!(test.number("SELECT COUNT(*) FROM column_fills").await, 1, "it is not filled yet");
        held.rollback().await.unwrap();
        assert!(filling.wait().await.success(), "{command}");
        assert_eq!(test.number("SELECT COUNT(*) FROM column_fills").await, 0);
    }
}
