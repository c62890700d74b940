//! A database the first version made is taken over by this one.

use std::path::Path;

use hubspot_mariadb_connector::storage::pending_migrations;
use serde_json::json;
use sqlx::migrate::Migrator;

use crate::support::daemon::{Setup, text};
use crate::support::database::TestDatabase;
use crate::support::edits::all_is_sent;
use crate::support::lanes::{lane_is_done, run_lane};
use crate::support::simulator::Simulator;
use crate::support::truth::{everything_is_searchable, in_step};

/// The mirror tables of the first version.
const FIRST_TABLES: &str = include_str!("upgrade/first_tables.sql");
/// Its last migration.
const LAST_MIGRATION: i64 = 20_261_122_000_011;

/// A database as the first version made it, with what `donor` holds as far as it had room for it.
async fn first_database(donor: &TestDatabase) -> TestDatabase {
    let test = TestDatabase::empty().await;
    let files = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"));
    let mut migrator = Migrator::new(files).await.unwrap();
    migrator.locking = false;
    migrator.migrations.to_mut().retain(|migration| migration.version <= LAST_MIGRATION);
    migrator.run(&test.sql).await.unwrap();
    sqlx::raw_sql(FIRST_TABLES).execute(&test.sql).await.unwrap();
    let tables = test
        .rows(
            "information_schema.tables",
            &["table_name"],
            "WHERE table_schema = DATABASE() AND table_name NOT IN ('_sqlx_migrations', 'leases', 'sync_runs')",
        )
        .await;
    let source = donor.value("DATABASE()").await;
    for table in tables {
        let condition = format!("WHERE table_schema = DATABASE() AND table_name = '{table}'");
        let columns = test.rows("information_schema.columns", &["column_name"], &condition).await;
        let columns = format!("`{}`", columns.join("`, `"));
        test.execute(&format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM {source}.{table}"))
            .await;
    }
    test
}

/// Every column, key and rule of the tables.
async fn schema(test: &TestDatabase) -> Vec<String> {
    let own = "WHERE table_schema = DATABASE() ORDER BY table_name";
    let column = [
        "table_name",
        "column_name",
        "ordinal_position",
        "column_type",
        "column_default",
        "is_nullable",
        "column_comment",
    ];
    let key = ["table_name", "index_name", "seq_in_index", "column_name", "non_unique"];
    let mut found =
        test.rows("information_schema.columns", &column, &format!("{own}, ordinal_position")).await;
    found.extend(
        test.rows("information_schema.statistics", &key, &format!("{own}, index_name, seq_in_index")).await,
    );
    let rule = ["table_name", "constraint_name", "check_clause"];
    let rules = "WHERE constraint_schema = DATABASE() ORDER BY table_name, constraint_name";
    found.extend(test.rows("information_schema.check_constraints", &rule, rules).await);
    found
}

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_to_date_and_goes_on_without_a_full_sync() {
    let (simulator, donor) = (Simulator::start(150, 30, 20), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &donor.url);
    setup.sync(&[]).await;
    everything_is_searchable(&simulator).await;
    setup.sync(&[]).await;
    let test = first_database(&donor).await;
    assert!(pending_migrations(&test.database).await.unwrap() > 0);
    assert_ne!(schema(&test).await, schema(&donor).await);

    // What happened while the new version was installed.
    let ids = test.rows("hubspot_contacts", &["hubspot_id"], "ORDER BY hubspot_id").await;
    simulator.edit("contacts", &ids[0], json!({"city": "Bonn"})).await;
    simulator.create("contacts", 3).await;
    for id in &ids[1..3] {
        simulator.delete("contacts", id).await;
    }
    let setup = Setup::new(&simulator, &test.url).set("WRITABLE_OBJECTS", "companies").at("* * * * * *");
    let setup = setup.set("ARCHIVE_INTERVAL_MINUTES", "60").set("AUDIT_INTERVAL_HOURS", "24");
    let setup = setup.set("ASSOCIATION_MAX_AGE_HOURS", "24");
    let daemon = setup.start(&["run"]);
    daemon.says("is up after").await;
    for lane in ["fill", "archive", "associations"] {
        lane_is_done(&test, lane).await;
    }
    in_step(&simulator, &test).await;
    assert_eq!(pending_migrations(&test.database).await.unwrap(), 0);
    assert_eq!(schema(&test).await, schema(&donor).await, "as if this version had made it");
    let listings = "SELECT COUNT(*) FROM sync_runs WHERE lane = 'backfill'";
    assert_eq!(test.number(listings).await, 0);

    // What only the new version does.
    let company = test.value("SELECT MIN(hubspot_id) FROM hubspot_companies").await;
    let edit = format!("UPDATE hubspot_companies SET city = 'Atlantis' WHERE hubspot_id = {company}");
    test.execute(&edit).await;
    test.execute("INSERT INTO hubspot_companies (name, domain) VALUES ('Navy', 'navy.test')").await;
    all_is_sent(&test, "hubspot_companies").await;
    let truth = simulator.truth("companies", false).await;
    assert_eq!(
        truth.matches("Atlantis").count() + truth.matches("navy.test").count(),
        2,
        "both have arrived"
    );
    simulator.post(&format!("/objects/contacts/{}/purge", ids[1]), json!({})).await;
    test.execute("UPDATE hubspot_contacts SET archived_at = archived_at - INTERVAL 3 HOUR WHERE archived")
        .await;
    run_lane(&test, "archive").await;
    let purged =
        test.rows("hubspot_contacts", &["hubspot_id", "properties_json"], "WHERE purged_at IS NOT NULL");
    assert_eq!(purged.await, [format!("{}|{{}}", ids[1])]);
    run_lane(&test, "audit").await;
    let verified = setup.run(&["verify", "--deep"]).await;
    assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));
    let repairs = "SELECT SUM(audit_repairs) FROM sync_state";
    assert_eq!(test.value(repairs).await, "0");
    assert_eq!(test.number(listings).await, 0);
    assert!(daemon.stop().await.success());
}
