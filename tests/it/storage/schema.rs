//! Migrations and mirror tables.

use hubspot_mariadb_connector::model::OBJECT_TYPES;
use hubspot_mariadb_connector::storage::{
    Database, Lane, NewRun, Trigger, migrate, pending_migrations, probe_rights, start_run,
};

use crate::scripts::PrivateServer;
use crate::support::database::{TestDatabase, config};

#[tokio::test]
async fn migrating_twice_and_from_two_processes_at_once_is_harmless() {
    let test = TestDatabase::empty().await;
    let objects: Vec<_> = OBJECT_TYPES.iter().take(4).collect();
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
async fn every_column_of_every_table_of_every_type_is_explained() {
    let test = TestDatabase::empty().await;
    migrate(&test.database, &OBJECT_TYPES.iter().collect::<Vec<_>>()).await.unwrap();
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
    assert_eq!(probe_rights(&test.database, true, true).await.unwrap(), Vec::<&str>::new());
    let probe = "SELECT COUNT(*) FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name = 'hubspot_connector_check'";
    assert_eq!(test.value(probe).await, "0");
}

#[tokio::test]
async fn a_schema_that_only_looks_up_to_date_is_refused() {
    let test = TestDatabase::migrated().await;
    let newest = "WHERE version = (SELECT MAX(version) FROM (SELECT * FROM _sqlx_migrations) AS all_of_them)";
    for (spoil, mend, words) in [
        ("success = 0", "success = 1", "partially applied"),
        ("version = version + 1", "version = version - 1", "missing in the resolved"),
        ("checksum = REVERSE(checksum)", "checksum = REVERSE(checksum)", "has been modified"),
    ] {
        test.execute(&format!("UPDATE _sqlx_migrations SET {spoil} {newest}")).await;
        let error = pending_migrations(&test.database).await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(words), "{spoil}: {cause}");
        test.execute(&format!("UPDATE _sqlx_migrations SET {mend} {newest}")).await;
        assert_eq!(pending_migrations(&test.database).await.unwrap(), 0, "{mend}");
    }
}

#[tokio::test]
async fn a_migration_that_was_killed_halfway_runs_again() {
    let test = TestDatabase::migrated().await;
    test.execute("UPDATE _sqlx_migrations SET success = 0").await;
    pending_migrations(&test.database).await.unwrap_err();
    migrate(&test.database, &[]).await.unwrap();
    assert_eq!(pending_migrations(&test.database).await.unwrap(), 0);

    let newer = "INSERT INTO _sqlx_migrations VALUES (29990101000000, 'later', NOW(), 0, 'x', 1)";
    test.execute(newer).await;
    migrate(&test.database, &[]).await.unwrap_err();
    assert_eq!(
        test.value("SELECT COUNT(*) FROM _sqlx_migrations WHERE NOT success").await,
        "1",
        "it is left alone"
    );
}

#[tokio::test]
async fn the_rights_probe_names_missing_rights_and_blames_them_for_nothing_else() {
    let server = PrivateServer::start();
    let test = TestDatabase::migrated_on(&server.url()).await;
    let name = test.value("SELECT DATABASE()").await;
    server.ask(&format!(
        "CREATE USER reader@127.0.0.1 IDENTIFIED BY 'r'; GRANT SELECT ON {name}.* TO reader@127.0.0.1"
    ));
    let url = format!("mysql://reader:r@127.0.0.1:{}/{name}", server.port);
    let reader = Database::new(&config(&url)).unwrap();
    let missing = probe_rights(&reader, false, true).await.unwrap();
    assert_eq!(missing, ["INSERT", "UPDATE", "DELETE"]);
    let missing = probe_rights(&reader, true, true).await.unwrap();
    assert!(missing.contains(&"CREATE"), "{missing:?}");

    test.execute("ALTER TABLE leases DROP COLUMN server").await;
    let error = probe_rights(&test.database, false, true).await.unwrap_err();
    assert_eq!(error.to_string(), "failed to try the rights of the database user");
    test.execute("DROP TABLE leases").await;
    assert_eq!(probe_rights(&test.database, false, true).await.unwrap(), Vec::<&str>::new());
}

#[tokio::test]
async fn the_start_of_a_run_reads_no_history() {
    let server = PrivateServer::start();
    server.ask(
        "SET GLOBAL log_output = 'TABLE'; SET GLOBAL long_query_time = 0; SET GLOBAL slow_query_log = ON",
    );
    let test = TestDatabase::migrated_on(&server.url()).await;
    test.execute(
        "INSERT INTO sync_runs (object_type, lane, triggered_by, started_at, outcome) \
         SELECT IF(seq % 2, 'contacts', 'deals'), 'incremental', 'schedule', NOW(3) - INTERVAL seq MINUTE, 'succeeded' \
         FROM seq_1_to_20000",
    )
    .await;
    test.execute("ANALYZE TABLE sync_runs").await;
    let started_at =
        chrono::DateTime::from_timestamp(test.number("SELECT UNIX_TIMESTAMP()").await, 0).unwrap();
    let run = NewRun {
        object_type: "contacts",
        lane: Lane::Incremental,
        trigger: Trigger::Schedule,
        started_at,
        window: None,
    };
    for _ in 0..2 {
        start_run(&test.database, &run).await.unwrap();
    }

    let read = "SELECT CONCAT(COUNT(*), ' ', MAX(rows_examined)) FROM mysql.slow_log \
                WHERE sql_text LIKE 'DELETE FROM sync_runs%' OR sql_text LIKE 'UPDATE sync_runs%'";
    let read = server.ask(read);
    let (statements, most) = read.split_once(' ').unwrap();
    assert_eq!(statements, "4", "both statements of both starts are in the log");
    assert!(most.parse::<u32>().unwrap() <= 2, "{most} rows were read");
}

#[tokio::test]
async fn a_mirror_table_of_an_earlier_version_gets_what_it_lacks() {
    let test = TestDatabase::migrated().await;
    let definition = "SELECT GROUP_CONCAT(column_name, ' ', COALESCE(column_default, '-') ORDER BY ordinal_position) \
                      FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'hubspot_contacts'";
    let indexes = "SELECT GROUP_CONCAT(DISTINCT index_name ORDER BY index_name) \
                   FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'hubspot_contacts'";
    let present = (test.value(definition).await, test.value(indexes).await);
    for lacking in [
        "ALTER COLUMN properties_json DROP DEFAULT",
        "DROP COLUMN purged_at",
        "DROP KEY hubspot_contacts_by_archived, DROP COLUMN purged_at",
        "DROP KEY hubspot_contacts_by_sync_status",
    ] {
        test.execute(&format!("ALTER TABLE hubspot_contacts {lacking}")).await;
        migrate(&test.database, &[&OBJECT_TYPES[0]]).await.unwrap();
        assert_eq!((test.value(definition).await, test.value(indexes).await), present, "{lacking}");
    }
}
