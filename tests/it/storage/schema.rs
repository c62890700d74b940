//! Migrations and mirror tables.

use hubspot_mariadb_connector::model::OBJECT_TYPES;
use hubspot_mariadb_connector::storage::{migrate, pending_migrations, probe_rights};

use crate::support::database::TestDatabase;

#[tokio::test]
async fn migrating_twice_and_from_two_processes_at_once_is_harmless() {
    let test = TestDatabase::empty().await;
    let objects: Vec<_> = OBJECT_TYPES.iter().collect();
    assert!(pending_migrations(&test.database).await.unwrap() > 0);

    let (first, second) = tokio::join!(migrate(&test.database, &objects), migrate(&test.database, &objects));
    first.unwrap();
    second.unwrap();
    migrate(&test.database, &objects).await.unwrap();

    assert_eq!(pending_migrations(&test.database).await.unwrap(), 0);
    let applied = test.value("SELECT COUNT(*) FROM _sqlx_migrations WHERE success").await;
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
    assert_eq!(applied, files.to_string());
}

#[tokio::test]
async fn every_column_of_every_table_is_explained() {
    let test = TestDatabase::migrated().await;
    let silent = test
        .rows(
            "information_schema.columns",
            &["table_name", "column_name"],
            "WHERE table_schema = DATABASE() AND column_comment = '' AND table_name <> '_sqlx_migrations'",
        )
        .await;
    assert!(silent.is_empty(), "columns without a comment: {silent:?}");
}

#[tokio::test]
async fn every_timestamp_is_a_datetime_and_every_table_is_utf8mb4() {
    let test = TestDatabase::migrated().await;
    let wrong = test
        .rows(
            "information_schema.columns",
            &["table_name", "column_name"],
            "WHERE table_schema = DATABASE() AND table_name <> '_sqlx_migrations' \
             AND (data_type = 'timestamp' OR character_set_name NOT IN ('utf8mb4', 'ascii'))",
        )
        .await;
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[tokio::test]
async fn the_rights_probe_leaves_nothing_behind() {
    let test = TestDatabase::migrated().await;
    assert_eq!(probe_rights(&test.database, true).await.unwrap(), Vec::<&str>::new());
    let probe = "SELECT COUNT(*) FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name = 'hubspot_connector_check'";
    assert_eq!(test.value(probe).await, "0");
}
