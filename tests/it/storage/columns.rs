//! Typed columns the operator asks for.

use hubspot_mariadb_connector::model::{ObjectType, Property};
use hubspot_mariadb_connector::storage::{ensure_columns, store_catalogue};
use serde_json::json;

use crate::support::database::TestDatabase;

/// A property definition.
fn property(name: &str, data_type: &str, field_type: &str) -> Property {
    Property {
        name: name.into(),
        label: name.into(),
        data_type: data_type.into(),
        field_type: field_type.into(),
        group_name: "group".into(),
        description: String::new(),
        calculated: false,
        read_only: false,
        has_unique_value: false,
        hidden: false,
        hubspot_defined: false,
        options: json!([]),
        updated_at: None,
    }
}

/// A database with some contacts that hold values no column shows yet.
async fn with_contacts(count: usize) -> (TestDatabase, &'static ObjectType) {
    let test = TestDatabase::migrated().await;
    for start in (1..=count).step_by(1000) {
        let rows: Vec<_> = (start..start + 1000.min(count + 1 - start))
            .map(|id| format!("({id}, '{{\"score\":\"{id}.5\",\"note\":\"n{id}\",\"when\":\"soon\"}}')"))
            .collect();
        test.execute(&format!(
            "INSERT INTO hubspot_contacts (hubspot_id, properties_json) VALUES {}",
            rows.join(",")
        ))
        .await;
    }
    (test, ObjectType::named("contacts").unwrap())
}

/// The three properties the contacts hold.
fn catalogue() -> Vec<Property> {
    vec![
        property("score", "number", "number"),
        property("note", "string", "text"),
        property("when", "date", "date"),
    ]
}

/// Shorthand for owned names.
fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_new_column_is_filled_from_stored_json() {
    let (test, contacts) = with_contacts(1203).await;
    ensure_columns(&test.database, contacts, &names(&["score", "note"]), &catalogue(), true).await.unwrap();
    let wrong = test
        .rows(
            "hubspot_contacts",
            &["hubspot_id"],
            "WHERE NOT (score <=> hubspot_id + 0.5 AND note <=> CONCAT('n', hubspot_id))",
        )
        .await;
    assert!(wrong.is_empty(), "rows with a wrong value: {wrong:?}");
    let types = "SELECT GROUP_CONCAT(column_type ORDER BY column_name) FROM information_schema.columns \
                 WHERE table_schema = DATABASE() AND table_name = 'hubspot_contacts' AND column_name IN ('score', 'note')";
    assert_eq!(test.value(types).await, "text,decimal(38,12)");
}

#[tokio::test]
async fn values_that_do_not_fit_a_new_column_are_recorded() {
    let (test, contacts) = with_contacts(2).await;
    ensure_columns(&test.database, contacts, &names(&["when"]), &catalogue(), true).await.unwrap();
    assert_eq!(test.rows("hubspot_contacts", &["`when`"], "").await, ["-", "-"]);
    let recorded = test.rows("quarantine", &["record_key", "property", "raw"], "ORDER BY 1").await;
    assert_eq!(recorded, ["1|when|soon", "2|when|soon"]);
}

#[tokio::test]
async fn a_fill_that_was_killed_is_taken_up_again() {
    let (test, contacts) = with_contacts(10).await;
    ensure_columns(&test.database, contacts, &names(&["note"]), &catalogue(), true).await.unwrap();
    // As if the process had died half way: some rows empty, the mark still there.
    test.execute("UPDATE hubspot_contacts SET note = NULL WHERE hubspot_id > 4").await;
    test.execute(
        "ALTER TABLE hubspot_contacts MODIFY note TEXT NULL COMMENT 'HubSpot property note, being filled'",
    )
    .await;
    ensure_columns(&test.database, contacts, &[], &catalogue(), true).await.unwrap();
    let wrong =
        test.rows("hubspot_contacts", &["hubspot_id"], "WHERE NOT note <=> CONCAT('n', hubspot_id)").await;
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[tokio::test]
async fn unknown_reserved_and_forbidden_columns_do_not_stop_the_mirror() {
    let (test, contacts) = with_contacts(1).await;
    let mut known = catalogue();
    known.push(property("version", "number", "number"));
    let wanted = names(&["no_such_property", "version", "email"]);
    ensure_columns(&test.database, contacts, &wanted, &known, true).await.unwrap();
    ensure_columns(&test.database, contacts, &names(&["score"]), &known, false).await.unwrap();
    let added = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() \
                 AND table_name = 'hubspot_contacts' AND column_name IN ('no_such_property', 'score')";
    assert_eq!(test.value(added).await, "0");
}

#[tokio::test]
async fn the_catalogue_follows_hubspot() {
    let (test, contacts) = with_contacts(0).await;
    store_catalogue(&test.database, &test.lease().await, contacts, &catalogue()).await.unwrap();
    let mut later = catalogue();
    later.remove(0);
    later[0].label = "Renamed".into();
    later.push(property("fresh", "bool", "booleancheckbox"));
    store_catalogue(&test.database, &test.lease().await, contacts, &later).await.unwrap();
    let stored = || test.rows("hubspot_properties", &["name", "label", "archived"], "ORDER BY name");
    assert_eq!(stored().await, ["fresh|fresh|0", "note|Renamed|0", "score|score|1", "when|when|0"]);

    store_catalogue(&test.database, &test.lease().await, contacts, &catalogue()).await.unwrap();
    assert_eq!(stored().await, ["fresh|fresh|1", "note|note|0", "score|score|0", "when|when|0"]);
}
