//! Every standard object type, and custom ones.

use std::collections::BTreeSet;

use hubspot_mariadb_connector::model::{OBJECT_TYPES, ObjectType};
use serde_json::{Value, json};

use crate::support::daemon::{Setup, text};
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::{differences, differences_of, everything_is_searchable};
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

/// Waits until the mirror of every given type, by its names there and here, equals the simulator.
async fn in_step(simulator: &Simulator, test: &TestDatabase, types: &[(&str, &str)]) {
    eventually("the mirror equals HubSpot", async || {
        let mut found = Vec::new();
        for (object_type, name_here) in types {
            found.extend(differences_of(simulator, test, object_type, name_here).await);
        }
        holds(found.is_empty(), found)
    })
    .await;
}

/// Waits until the subject is in error with these words, between two of its runs.
async fn is_in_error(test: &TestDatabase, subject: &str, words: &str) {
    eventually(&format!("{subject} is in error with `{words}`"), async || {
        let state = format!("WHERE object_type = '{subject}'");
        let state = test.rows("sync_state", &["status", "last_error"], &state).await;
        holds(state.iter().any(|row| row.starts_with("error|") && row.contains(words)), state)
    })
    .await;
}

/// The names of all standard types.
fn standard_names() -> Vec<&'static str> {
    OBJECT_TYPES.iter().map(|object_type| object_type.name).collect()
}

#[tokio::test]
async fn a_daemon_keeps_every_type_equal_and_the_audit_agrees() {
    let names = standard_names();
    let counts: Vec<_> = names.iter().map(|name| format!("{name}={RECORDS}")).collect();
    let arguments = ["--no-limits", "--custom", &format!("boats={RECORDS}"), "--objects", &counts.join(",")];
    let simulator = Simulator::with(&arguments.map(str::to_owned));
    let test = TestDatabase::empty().await;
    let setup = Setup::new(&simulator, &test.url)
        .set("SYNC_OBJECTS", &format!("{},p62515_boats", names.join(",")))
        .set("ARCHIVE_INTERVAL_MINUTES", "60");
    // What HubSpot calls each type, and what it is called here.
    let types: Vec<_> = names.iter().map(|name| (*name, *name)).chain([("p62515_boats", "boats")]).collect();
    let daemon = setup.start(&["run"]);
    each_has_run(&test, types.len()).await;
    in_step(&simulator, &test, &types).await;

    let mut deleted = Vec::new();
    for (object_type, name_here) in &types {
        simulator.mutate(json!({"type": object_type, "count": 5, "seed": 3})).await;
        simulator.create(object_type, 2).await;
        let known = format!("SELECT hubspot_id FROM hubspot_{name_here} ORDER BY hubspot_id LIMIT 1");
        let known = test.value(&known).await;
        simulator.delete(object_type, &known).await;
        deleted.push(format!("(SELECT archived FROM hubspot_{name_here} WHERE hubspot_id = {known})"));
    }
    everything_is_searchable(&simulator).await;
    test.execute("UPDATE sync_state SET requested_mode = 'incremental', requested_at = UTC_TIMESTAMP(3)")
        .await;
    test.execute("UPDATE sync_lanes SET next_run_at = UTC_TIMESTAMP(3) WHERE lane = 'archive'").await;
    in_step(&simulator, &test, &types).await;
    let archived = deleted.join(" + ");
    eventually("what was deleted is archived", async || {
        let archived = test.number(&archived).await;
        holds(archived == types.len() as i64, archived)
    })
    .await;

    let unequal =
        test.rows("sync_state", &["object_type", "last_error"], "WHERE last_error IS NOT NULL").await;
    assert!(unequal.is_empty(), "{unequal:?}");
    let misfits = test.rows("quarantine", &["object_type", "property", "reason"], "").await;
    assert!(misfits.is_empty(), "a default column has another type than HubSpot's property: {misfits:?}");
    assert!(daemon.stop().await.success());
    let output = setup.run(&["verify", "--deep"]).await;
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said} {}", text(&output.stderr));
    assert_eq!(said.matches("equal to HubSpot").count(), types.len(), "{said}");
}

/// Waits until so many types have been listed.
async fn each_has_run(test: &TestDatabase, types: usize) {
    eventually("every type has been listed", async || {
        let listed = "SELECT COUNT(*) FROM information_schema.tables \
                      WHERE table_schema = DATABASE() AND table_name = 'sync_state'";
        if test.number(listed).await == 0 {
            return Err("no table yet".to_owned());
        }
        let listed = test.number("SELECT COUNT(*) FROM sync_state WHERE watermark IS NOT NULL").await;
        holds(listed == types as i64, listed)
    })
    .await;
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
    in_step(&simulator, &test, &[("tickets", "tickets")]).await;

    simulator.set(json!({"deniedTypes": ["tickets"]})).await;
    let failed = "SELECT COUNT(*) FROM sync_runs WHERE object_type = 'tickets' AND outcome = 'failed'";
    eventually("several runs were refused", async || {
        let failed = test.number(failed).await;
        holds(failed >= 4, failed)
    })
    .await;
    is_in_error(&test, "tickets", "Grant the named scopes").await;
    is_in_error(&test, "tickets", "crm.objects.tickets.read").await;
    let requests = "SELECT MAX(requests) FROM sync_runs WHERE object_type = 'tickets' AND outcome = 'failed'";
    assert_eq!(test.number(requests).await, 1);
    assert_eq!(daemon.log().matches("Failed to sync tickets").count(), 1, "{}", daemon.log());
    let kept = "SELECT COUNT(*) FROM hubspot_tickets WHERE NOT archived";
    assert_eq!(test.number(kept).await, RECORDS as i64, "a refusal deletes nothing");

    simulator.mutate(json!({"type": "tickets", "count": 3, "seed": 4})).await;
    simulator.set(json!({"deniedTypes": []})).await;
    in_step(&simulator, &test, &[("tickets", "tickets")]).await;
    daemon.says("HubSpot lets tickets be read again").await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn verifying_names_the_types_it_cannot_compare_and_compares_the_others() {
    let (simulator, test) = (account_of(&["tickets"]), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url).set("SYNC_OBJECTS", "tickets,companies,p62515_boats");
    setup.sync(&["tickets"]).await;
    let verified = setup.run(&["verify"]).await;
    assert_eq!(verified.status.code(), Some(1));
    let (verified, never) = (text(&verified.stdout), "not compared: it was never synced to its end; run");
    for line in [
        format!("tickets: {RECORDS} compared, no difference"),
        format!("companies: {never} `hubspot-connector sync companies` first"),
        format!("p62515_boats: {never} `hubspot-connector sync p62515_boats` first"),
    ] {
        assert!(verified.lines().any(|printed| printed == line), "{line}\n{verified}");
    }

    simulator.set(json!({"deniedTypes": ["tickets"]})).await;
    let refused = setup.run(&["verify", "tickets", "--json"]).await;
    assert_eq!(refused.status.code(), Some(1));
    let refused: Value = serde_json::from_slice(&refused.stdout).unwrap();
    let error = refused["tickets"]["error"].as_str().unwrap();
    assert!(error.contains("crm.objects.tickets.read"), "{error}");
}

/// An account with two custom objects: boats, and one whose name belongs to a standard type.
fn account_with_custom_objects() -> Simulator {
    let arguments = "--contacts 5 --companies 0 --deals 0 --no-limits --custom boats=30,orders=7";
    Simulator::with(&arguments.split(' ').map(str::to_owned).collect::<Vec<_>>())
}

/// The type id of a custom object.
async fn type_id(test: &TestDatabase, name: &str) -> String {
    test.value(&format!("SELECT object_type_id FROM hubspot_schemas WHERE object_type = '{name}'")).await
}

#[tokio::test]
async fn custom_objects_are_mirrored_by_full_name_and_by_type_id() {
    let (simulator, test) = (account_with_custom_objects(), TestDatabase::empty().await);
    let by_name = Setup::new(&simulator, &test.url)
        .set("SYNC_OBJECTS", "contacts,p62515_boats,p62515_orders")
        .set("COLUMNS_BOATS", "weight,condition");
    by_name.sync(&[]).await;
    for (object_type, name_here) in [("p62515_boats", "boats"), ("p62515_orders", "p62515_orders")] {
        let found = differences_of(&simulator, &test, object_type, name_here).await;
        assert!(found.is_empty(), "{found:?}");
    }
    let names = test.rows("sync_state", &["object_type", "status"], "ORDER BY object_type").await;
    let expected =
        ["boats", "boats_pipelines", "contacts", "owners", "p62515_orders", "p62515_orders_pipelines"];
    assert_eq!(names, expected.map(|name| format!("{name}|idle")));
    let columns = "WHERE NOT (weight <=> CAST(JSON_VALUE(properties_json, '$.weight') AS DECIMAL(38,12)) \
                   AND `condition` <=> JSON_VALUE(properties_json, '$.condition') \
                   AND name <=> JSON_VALUE(properties_json, '$.name') \
                   AND serial_number <=> JSON_VALUE(properties_json, '$.serial_number'))";
    assert!(test.rows("hubspot_boats", &["hubspot_id"], columns).await.is_empty());
    let joined = "SELECT COUNT(*) FROM hubspot_boats AS b \
                  JOIN hubspot_boats_stages AS s ON s.stage_id = b.hs_pipeline_stage \
                  JOIN hubspot_boats_pipelines AS p ON p.pipeline_id = s.pipeline_id";
    assert_eq!(test.number(joined).await, 30);

    // The same type under its other name is the same table, and its schema is not asked for again.
    let boats = type_id(&test, "boats").await;
    assert!(boats.starts_with("2-"), "{boats}");
    simulator.mutate(json!({"type": "p62515_boats", "count": 9, "seed": 2})).await;
    everything_is_searchable(&simulator).await;
    simulator.reset_stats().await;
    let by_id = Setup::new(&simulator, &test.url).set("SYNC_OBJECTS", &format!("{boats},p62515_boats"));
    by_id.sync(&[&boats]).await;
    assert!(differences_of(&simulator, &test, "p62515_boats", "boats").await.is_empty());
    let stats = simulator.stats().await;
    assert!(stats["byFamily"]["schemas"].is_null() && stats["byFamily"]["search"].is_u64(), "{stats}");
    let shown = by_id.run(&["status"]).await;
    assert!(shown.status.success(), "{}", text(&shown.stdout));
    let migrated = by_id.set("COLUMNS_BOATS", "is_insured").run(&["migrate"]).await;
    assert!(migrated.status.success(), "{}", text(&migrated.stderr));
    let insured = "SELECT COUNT(*) FROM hubspot_boats WHERE is_insured IS NOT NULL";
    assert!(test.number(insured).await > 0);
}

#[tokio::test]
async fn a_custom_object_hubspot_does_not_know_stops_alone_and_comes_once_it_is_there() {
    let (simulator, test) = (account_with_custom_objects(), TestDatabase::empty().await);
    simulator.set(json!({"schemaLagMs": 1500})).await;
    let setup = Setup::new(&simulator, &test.url).set("SYNC_OBJECTS", "contacts,p62515_cars,p62515_boats");
    let cron = setup.clone().set("SYNC_CRON_P62515_CARS", "* * * * * *");
    let daemon = cron.start(&["run"]);
    daemon.says("Synced boats").await;
    daemon.says("Failed to sync p62515_cars").await;
    is_in_error(&test, "p62515_cars", "Correct the type in SYNC_OBJECTS").await;
    eventually("status says so", async || {
        let shown = setup.run(&["status"]).await;
        holds(shown.status.code() == Some(1), text(&shown.stdout))
    })
    .await;
    let check = text(&setup.run(&["check"]).await.stdout);
    assert!(check.contains("FAILED   p62515_cars") && check.contains("ok       boats"), "{check}");
    let failed = "SELECT COUNT(*) FROM sync_runs WHERE object_type = 'p62515_cars' AND outcome = 'failed'";
    eventually("it was asked for several times", async || {
        let failed = test.number(failed).await;
        holds(failed >= 3, failed)
    })
    .await;
    assert_eq!(daemon.log().matches("Failed to sync p62515_cars").count(), 1, "{}", daemon.log());

    simulator.post("/schemas", json!({"name": "cars", "count": 4, "hasPipelines": false})).await;
    daemon.says("Synced cars").await;
    assert!(differences_of(&simulator, &test, "p62515_cars", "cars").await.is_empty());
    let rows = test.rows("sync_state", &["object_type"], "WHERE object_type LIKE '%cars%'").await;
    assert_eq!(rows, ["cars"], "no pipelines, and the name it was configured by has no row any more");
    assert!(daemon.stop().await.success());
    // A schema that reads do not show for a while is known all the same.
    simulator.set(json!({"deniedTypes": ["custom"]})).await;
    let daemon = setup.start(&["run"]);
    daemon.says("syncing contacts, cars, boats").await;
    assert!(daemon.stop().await.success());
    assert_eq!(test.number("SELECT COUNT(*) FROM hubspot_cars").await, 4);
}

#[tokio::test]
async fn check_reads_a_custom_object_before_the_first_sync_and_names_settings_of_no_type() {
    let (simulator, test) = (account_with_custom_objects(), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url)
        .set("SYNC_OBJECTS", "contacts,p62515_boats")
        .set("COLUMNS_BOATS", "weight")
        .set("SYNC_CRON_BAOTS", "0 * * * *");
    let output = setup.run(&["check"]).await;
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("ok       boats          30 record(s)"), "{said}");
    assert!(said.contains("SYNC_CRON_BAOTS is set, but no type of that name is mirrored"), "{said}");
    assert_eq!(said.matches("is set, but").count(), 1, "{said}");

    simulator.set(json!({"deniedTypes": ["custom"]})).await;
    let said = text(&setup.run(&["check"]).await.stdout);
    assert!(said.contains("lacks crm.objects.custom.read, crm.schemas.custom.read"), "{said}");
}

#[tokio::test]
async fn without_the_right_to_change_tables_a_custom_object_waits_for_migrate() {
    let (simulator, test) = (account_with_custom_objects(), TestDatabase::empty().await);
    let owner = Setup::new(&simulator, &test.url).set("SYNC_OBJECTS", "contacts,p62515_boats");
    let daemon = owner.clone().set("MIGRATE_ON_START", "false");
    assert!(owner.run(&["migrate"]).await.status.success());
    let first = daemon.run(&["sync"]).await;
    assert_eq!(first.status.code(), Some(1));
    assert!(text(&first.stderr).contains("there is no table hubspot_boats"), "{}", text(&first.stderr));
    assert!(owner.run(&["migrate"]).await.status.success());
    daemon.sync(&[]).await;
    assert!(differences_of(&simulator, &test, "p62515_boats", "boats").await.is_empty());
}

#[test]
fn the_readme_lists_every_standard_type() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, section) = readme.split_once("## Object types\n").unwrap();
    let rows =
        section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let names = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let listed: BTreeSet<_> =
        names.filter_map(ObjectType::named).map(|object_type| object_type.name).collect();
    assert_eq!(listed, standard_names().into_iter().collect());
}

#[tokio::test]
async fn a_type_the_account_does_not_have_is_said_and_the_others_go_on() {
    let (simulator, test) = (account_of(&["contacts", "courses"]), TestDatabase::empty().await);
    let body = json!({"status": "error", "message": "Not here", "category": "OBJECT_NOT_FOUND"}).to_string();
    let refusal = json!({"kind": "status", "status": 404, "body": body});
    simulator.fault(json!({"match": {"pathContains": "/0-410"}, "times": 1000, "action": refusal})).await;
    let setup = Setup::new(&simulator, &test.url).set("SYNC_OBJECTS", "courses,contacts");

    let output = setup.run(&["sync"]).await;

    assert_eq!(output.status.code(), Some(1));
    assert!(differences(&simulator, &test, "contacts").await.is_empty());
    for subject in ["courses", "course_pipelines"] {
        let state = format!("WHERE object_type = '{subject}'");
        let state = test.rows("sync_state", &["status", "last_error"], &state).await;
        let told = state[0].starts_with("error|") && state[0].contains("switch it on in the HubSpot account");
        assert!(told, "{state:?}");
    }
    assert_eq!(simulator.stats().await["byStatus"]["404"], json!(2), "one request each");
}
