//! The first sync, and what follows when nothing has changed.

use serde_json::json;

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::{assert_equal, settle};

#[tokio::test]
async fn everything_arrives_exactly_once() {
    let (simulator, test) = (Simulator::start(730, 210, 340), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);

    setup.sync(&[]).await;

    assert_equal(&simulator, &test).await;
    let runs = test
        .rows("sync_runs", &["object_type", "lane", "outcome", "fetched", "inserted"], "ORDER BY object_type")
        .await;
    assert_eq!(runs[0], "companies|backfill|succeeded|210|210");
    assert_eq!(runs[1], "contacts|backfill|succeeded|730|730");
    let rows = test
        .number("SELECT (SELECT COUNT(*) FROM hubspot_deal_pipelines) + (SELECT COUNT(*) FROM hubspot_deal_stages)")
        .await;
    assert_eq!(
        runs[2],
        format!("deal_pipelines|reference|succeeded|3|{rows}"),
        "with the stages of the three"
    );
    assert_eq!(runs[3], "deals|backfill|succeeded|340|340");
    let state = test
        .rows("sync_state", &["object_type", "status", "mode", "records_synced"], "ORDER BY object_type")
        .await;
    assert_eq!(state[..2], ["companies|idle|full|210", "contacts|idle|full|730"]);
    let unmatched = "SELECT COUNT(*) FROM hubspot_deals d LEFT JOIN hubspot_deal_stages s ON s.stage_id = d.dealstage \
                     LEFT JOIN hubspot_deal_pipelines p ON p.pipeline_id = d.pipeline \
                     WHERE s.stage_id IS NULL OR p.pipeline_id IS NULL OR s.pipeline_id <> p.pipeline_id";
    assert_eq!(test.value(unmatched).await, "0", "every deal joins its stage and pipeline");
    let ownerless = "SELECT COUNT(*) FROM hubspot_deals d LEFT JOIN hubspot_owners o ON o.owner_id = d.hubspot_owner_id \
                     WHERE d.hubspot_owner_id IS NOT NULL AND o.owner_id IS NULL";
    assert_eq!(test.value(ownerless).await, "0", "every owner is known, archived ones too");
}

#[tokio::test]
async fn typed_columns_hold_the_same_values_as_the_json() {
    let (simulator, test) = (Simulator::start(300, 100, 200), TestDatabase::empty().await);
    Setup::new(&simulator, &test.url).sync(&[]).await;
    for (table, columns) in [
        (
            "hubspot_contacts",
            &["email", "firstname", "lastname", "phone", "city", "hubspot_owner_id", "associatedcompanyid"][..],
        ),
        ("hubspot_companies", &["name", "domain", "industry", "city"][..]),
        ("hubspot_deals", &["dealname", "pipeline", "dealstage"][..]),
    ] {
        for column in columns {
            let different = format!(
                "SELECT COUNT(*) FROM {table} WHERE NOT (BINARY {column} <=> BINARY JSON_VALUE(properties_json, '$.{column}'))"
            );
            assert_eq!(test.value(&different).await, "0", "{table}.{column}");
            let set = format!("SELECT COUNT(*) > 0 FROM {table} WHERE {column} IS NOT NULL");
            assert_eq!(test.value(&set).await, "1", "{table}.{column} is never set, so nothing is proven");
        }
    }
    let amounts = "SELECT COUNT(*) FROM hubspot_deals WHERE NOT (amount <=> CAST(JSON_VALUE(properties_json, '$.amount') AS DECIMAL(38,12)))";
    assert_eq!(test.value(amounts).await, "0");
    let times = "SELECT COUNT(*) FROM hubspot_contacts WHERE NOT (lastmodifieddate <=> hubspot_updated_at)";
    assert_eq!(test.value(times).await, "0");
}

#[tokio::test]
async fn an_unchanged_account_costs_no_write() {
    let (simulator, test) = (Simulator::start(250, 50, 80), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    for table in [
        "hubspot_contacts",
        "hubspot_companies",
        "hubspot_deals",
        "hubspot_owners",
        "hubspot_deal_stages",
        "hubspot_properties",
    ] {
        test.execute(&format!("UPDATE {table} SET updated_at = '2001-01-01'")).await;
    }

    setup.sync(&[]).await;
    setup.sync(&["--full"]).await;

    for table in [
        "hubspot_contacts",
        "hubspot_companies",
        "hubspot_deals",
        "hubspot_owners",
        "hubspot_deal_stages",
        "hubspot_properties",
    ] {
        let touched = format!("SELECT COUNT(*) FROM {table} WHERE updated_at <> '2001-01-01'");
        assert_eq!(test.value(&touched).await, "0", "{table}");
    }
    let full = test
        .rows(
            "sync_runs",
            &["object_type", "inserted", "updated", "unchanged"],
            "WHERE lane = 'backfill' ORDER BY run_id DESC LIMIT 3",
        )
        .await;
    for expected in ["contacts|0|0|250", "companies|0|0|50", "deals|0|0|80"] {
        assert!(full.iter().any(|run| run == expected), "{full:?}");
    }
}

#[tokio::test]
async fn an_empty_account_is_in_step_at_once() {
    let (simulator, test) = (Simulator::start(0, 0, 0), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    assert_equal(&simulator, &test).await;
    simulator.create("contacts", 3).await;
    settle(&setup, &simulator, &test).await;
}

#[tokio::test]
async fn property_lists_longer_than_a_url_are_read_in_two_requests_a_page() {
    let (simulator, test) = (Simulator::start(450, 20, 20), TestDatabase::empty().await);
    simulator.set(json!({"urlLimit": 3000})).await;
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    assert_equal(&simulator, &test).await;
    let stats = simulator.stats().await;
    assert_eq!(stats["byFamily"]["batchRead"], json!(5 + 1 + 1), "{stats}");
}

#[tokio::test]
async fn older_versions_of_the_api_give_the_same_mirror() {
    for version in ["v3", "2026-03"] {
        let (simulator, test) = (Simulator::start(120, 30, 40), TestDatabase::empty().await);
        let setup = Setup::new(&simulator, &test.url).set("HUBSPOT_API_VERSION", version);
        setup.sync(&[]).await;
        assert_equal(&simulator, &test).await;
    }
}

#[tokio::test]
async fn a_column_asked_for_later_is_filled_without_reading_hubspot_again() {
    let (simulator, test) = (Simulator::start(300, 10, 10), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    simulator.reset_stats().await;

    setup.clone().set("COLUMNS_CONTACTS", "zip,hs_object_id").sync(&["contacts"]).await;

    let wrong = "SELECT COUNT(*) FROM hubspot_contacts WHERE NOT (zip <=> JSON_VALUE(properties_json, '$.zip')) \
                 OR NOT (hs_object_id <=> hubspot_id)";
    assert_eq!(test.value(wrong).await, "0");
    assert_eq!(test.value("SELECT COUNT(*) > 0 FROM hubspot_contacts WHERE zip IS NOT NULL").await, "1");
    let stats = simulator.stats().await;
    assert!(stats["byFamily"]["list"].is_null() && stats["byFamily"]["batchRead"].is_null(), "{stats}");

    let ids = simulator.mutate(json!({"type": "contacts", "count": 20, "seed": 5})).await;
    simulator.edit("contacts", &ids[0], json!({"zip": "12345"})).await;
    settle(&setup, &simulator, &test).await;
    let zip = format!("SELECT zip FROM hubspot_contacts WHERE hubspot_id = {}", ids[0]);
    assert_eq!(test.value(&zip).await, "12345", "a column once added is kept up to date");
    assert_eq!(test.value(wrong).await, "0");
}
