//! Typed columns end to end: beside a daemon, without the right to change tables, and when HubSpot changes its mind.

use hubspot_mariadb_connector::storage::LeaseKeeper;
use serde_json::json;

use crate::support::daemon::{Setup, text};
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::{eventually, holds};

/// The contacts whose column is not what their JSON says.
async fn wrong(test: &TestDatabase, column: &str) -> Vec<String> {
    let condition = format!("WHERE NOT {column} <=> JSON_VALUE(properties_json, '$.{column}')");
    test.rows("hubspot_contacts", &["hubspot_id", column], &condition).await
}

#[tokio::test]
async fn migrate_beside_a_daemon_adds_a_column_and_the_daemon_fills_it() {
    let (simulator, test) = (Simulator::start(300, 5, 5), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    let daemon = LeaseKeeper::new(test.database.clone(), "a daemon".into());
    let lease = daemon.acquire("account").await.unwrap().unwrap();

    let wanting = setup.clone().set("COLUMNS_CONTACTS", "hs_analytics_source");
    let output = wanting.run(&["migrate"]).await;

    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("fills hubspot_contacts.hs_analytics_source"), "{said}");
    let filled = "SELECT COUNT(hs_analytics_source) FROM hubspot_contacts";
    assert_eq!(test.value(filled).await, "0");
    daemon.release(&lease).await.unwrap();

    setup.clone().set("MIGRATE_ON_START", "false").sync(&["contacts"]).await;
    assert!(wrong(&test, "hs_analytics_source").await.is_empty());
    assert_ne!(test.value(filled).await, "0", "the column has something to hold");
    assert_eq!(test.value("SELECT COUNT(*) FROM column_fills").await, "0");
}

#[tokio::test]
async fn migrate_without_a_daemon_leaves_nothing_to_do() {
    let (simulator, test) = (Simulator::start(300, 5, 5), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    let output = setup.clone().set("COLUMNS_CONTACTS", "hs_analytics_source").run(&["migrate"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "The schema is up to date.\n");
    assert!(wrong(&test, "hs_analytics_source").await.is_empty());
    assert_eq!(test.value("SELECT COUNT(*) FROM column_fills").await, "0");
    assert_eq!(test.value("SELECT COUNT(*) FROM leases").await, "0", "the lease is given back");
}

#[tokio::test]
async fn a_property_that_changes_its_type_changes_its_column() {
    let (simulator, test) = (Simulator::start(120, 5, 5), TestDatabase::empty().await);
    simulator.define("contacts", "score", json!({"type": "string", "fieldType": "text"})).await;
    let setup = Setup::new(&simulator, &test.url).set("COLUMNS_CONTACTS", "score");
    setup.sync(&[]).await;
    let ids = simulator.mutate(json!({"type": "contacts", "count": 2, "seed": 8})).await;
    simulator.edit("contacts", &ids[0], json!({"score": "12.5"})).await;
    simulator.edit("contacts", &ids[1], json!({"score": "high"})).await;
    setup.sync(&["contacts", "--full"]).await;
    let scores = || test.rows("hubspot_contacts", &["score"], "WHERE score IS NOT NULL ORDER BY score");
    assert_eq!(scores().await, ["12.5", "high"]);

    simulator.define("contacts", "score", json!({"type": "number", "fieldType": "number"})).await;
    setup.sync(&["contacts"]).await;

    assert_eq!(scores().await, ["12.500000000000"]);
    let misfits = test.rows("quarantine", &["property", "raw"], "").await;
    assert_eq!(misfits, ["score|high"]);
}

#[tokio::test]
async fn what_cannot_be_had_is_said_once_and_not_by_every_run() {
    let (simulator, test) = (Simulator::start(20, 5, 5), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url)
        .set("COLUMNS_CONTACTS", "no_such_property")
        .set("SYNC_CRON_CONTACTS", "* * * * * *");
    let daemon = setup.start(&["run"]);
    eventually("several runs have ended", async || {
        let ended = test
            .number("SELECT COUNT(*) FROM sync_runs WHERE object_type = 'contacts' AND outcome = 'succeeded'")
            .await;
        holds(ended >= 3, ended)
    })
    .await;
    let log = daemon.log();
    assert!(daemon.stop().await.success());
    assert_eq!(log.matches("no_such_property").count(), 1, "{log}");
}
