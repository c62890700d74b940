//! Every standard object type, and custom ones.

use hubspot_mariadb_connector::model::{OBJECT_TYPES, ObjectType};
use serde_json::json;

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::{differences, everything_is_searchable};
use crate::support::{eventually, holds};

/// Records of each type in the account.
const RECORDS: usize = 12;

/// An account with records of the given types and of no other.
fn account_of(names: &[&str]) -> Simulator {
    let counts: Vec<_> = names.iter().map(|name| format!("{name}={RECORDS}")).collect();
    let none = ["--contacts", "0", "--companies", "0", "--deals", "0", "--no-limits", "--objects"];
    let arguments = none.map(str::to_owned).into_iter().chain([counts.join(",")]);
    Simulator::with(&arguments.collect::<Vec<_>>())
}

/// Waits until the mirror of every given type equals the simulator.
async fn in_step(simulator: &Simulator, test: &TestDatabase, names: &[&str]) {
    eventually("the mirror equals HubSpot", async || {
        let mut found = Vec::new();
        for name in names {
            found.extend(differences(simulator, test, name).await);
        }
        holds(found.is_empty(), found)
    })
    .await;
}

/// The names of all standard types.
fn standard_names() -> Vec<&'static str> {
    OBJECT_TYPES.iter().map(|object_type| object_type.name).collect()
}

#[tokio::test]
async fn a_daemon_mirrors_every_standard_type_and_what_changes_in_it() {
    let names = standard_names();
    let (simulator, test) = (account_of(&names), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url).set("SYNC_OBJECTS", &names.join(","));
    let daemon = setup.start(&["run"]);
    // Tables first, then records: a missing table would fail the comparison.
    daemon.says("is up after").await;
    in_step(&simulator, &test, &names).await;

    for name in &names {
        simulator.mutate(json!({"type": name, "count": 5, "seed": 3})).await;
        simulator.create(name, 2).await;
    }
    everything_is_searchable(&simulator).await;
    test.execute("UPDATE sync_state SET requested_mode = 'incremental', requested_at = UTC_TIMESTAMP(3)")
        .await;
    in_step(&simulator, &test, &names).await;

    let unequal =
        test.rows("sync_state", &["object_type", "last_error"], "WHERE last_error IS NOT NULL").await;
    assert!(unequal.is_empty(), "{unequal:?}");
    let misfits = test.rows("quarantine", &["object_type", "property", "reason"], "").await;
    assert!(misfits.is_empty(), "a default column has another type than HubSpot's property: {misfits:?}");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn default_columns_of_every_type_hold_what_the_json_says() {
    let names = standard_names();
    let (simulator, test) = (account_of(&names), TestDatabase::empty().await);
    Setup::new(&simulator, &test.url).set("SYNC_OBJECTS", &names.join(",")).sync(&[]).await;
    for object_type in OBJECT_TYPES {
        let modified = object_type.last_modified_property;
        let same = format!(
            "SELECT COUNT(*) FROM {} WHERE {modified} <=> hubspot_updated_at AND hubspot_updated_at IS NOT NULL",
            object_type.table
        );
        assert_eq!(test.number(&same).await, RECORDS as i64, "{object_type}");
        for column in object_type.columns {
            let lost = format!(
                "SELECT COUNT(*) FROM {table} WHERE `{name}` IS NULL AND JSON_VALUE(properties_json, '$.{name}') IS NOT NULL",
                table = object_type.table,
                name = column.name
            );
            assert_eq!(test.number(&lost).await, 0, "{object_type}.{}", column.name);
        }
    }
}

#[tokio::test]
async fn tickets_join_their_pipelines_and_stages() {
    let (simulator, test) = (account_of(&["tickets"]), TestDatabase::empty().await);
    Setup::new(&simulator, &test.url).set("SYNC_OBJECTS", "0-5").sync(&[]).await;
    assert!(differences(&simulator, &test, "tickets").await.is_empty());
    let joined = "SELECT COUNT(*) FROM hubspot_tickets AS t \
                  JOIN hubspot_ticket_stages AS s ON s.stage_id = t.hs_pipeline_stage \
                  JOIN hubspot_ticket_pipelines AS p ON p.pipeline_id = s.pipeline_id AND p.pipeline_id = t.hs_pipeline";
    assert_eq!(test.number(joined).await, RECORDS as i64);
    let closed = "SELECT COUNT(*) FROM hubspot_ticket_stages \
                  WHERE is_closed <> (JSON_VALUE(metadata, '$.ticketState') = 'CLOSED')";
    assert_eq!(test.number(closed).await, 0);
    assert_eq!(ObjectType::named("tickets").unwrap().table, "hubspot_tickets");
}

#[tokio::test]
async fn a_scope_taken_away_costs_one_request_a_run_and_comes_back_by_itself() {
    let (simulator, test) = (account_of(&["tickets"]), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url)
        .set("SYNC_OBJECTS", "contacts,tickets")
        .set("SYNC_CRON_TICKETS", "* * * * * *");
    let daemon = setup.start(&["run"]);
    daemon.says("Synced tickets").await;
    in_step(&simulator, &test, &["tickets"]).await;

    simulator.set(json!({"deniedTypes": ["tickets"]})).await;
    let failed = "SELECT COUNT(*) FROM sync_runs WHERE object_type = 'tickets' AND outcome = 'failed'";
    eventually("several runs were refused", async || {
        let failed = test.number(failed).await;
        holds(failed >= 4, failed)
    })
    .await;
    let state = test.rows("sync_state", &["status", "last_error"], "WHERE object_type = 'tickets'").await;
    assert!(state[0].starts_with("error|") && state[0].contains("Grant the named scopes"), "{state:?}");
    assert!(state[0].contains("crm.objects.tickets.read"), "{state:?}");
    let requests = "SELECT MAX(requests) FROM sync_runs WHERE object_type = 'tickets' AND outcome = 'failed'";
    assert_eq!(test.number(requests).await, 1);
    assert_eq!(daemon.log().matches("Failed to sync tickets").count(), 1, "{}", daemon.log());
    let kept = "SELECT COUNT(*) FROM hubspot_tickets WHERE NOT archived";
    assert_eq!(test.number(kept).await, RECORDS as i64, "a refusal deletes nothing");

    simulator.mutate(json!({"type": "tickets", "count": 3, "seed": 4})).await;
    simulator.set(json!({"deniedTypes": []})).await;
    in_step(&simulator, &test, &["tickets"]).await;
    daemon.says("HubSpot lets tickets be read again").await;
    assert!(daemon.stop().await.success());
}
