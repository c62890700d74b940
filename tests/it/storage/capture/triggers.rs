//! The triggers themselves: made, changed and taken away, and nobody else's.

use hubspot_mariadb_connector::model::Property;
use hubspot_mariadb_connector::storage::{StorageErrorKind, ensure_capture};
use serde_json::json;

use super::{COLUMNS, Fixture, catalogue, columns, contact, property};
use crate::scripts::PrivateServer;
use crate::support::database::{TestDatabase, config};

/// The triggers on the contacts, each with the time it was made.
async fn triggers(test: &TestDatabase) -> Vec<String> {
    let condition = "WHERE event_object_schema = DATABASE() ORDER BY trigger_name";
    test.rows("information_schema.triggers", &["trigger_name", "created"], condition).await
}

/// Their names.
async fn names(test: &TestDatabase) -> Vec<String> {
    triggers(test).await.iter().map(|row| row.split('|').next().unwrap().to_owned()).collect()
}

const OURS: [&str; 4] = [
    "hubspot_contacts_capture_after_delete",
    "hubspot_contacts_capture_after_insert",
    "hubspot_contacts_capture_before_insert",
    "hubspot_contacts_capture_before_update",
];

#[tokio::test]
async fn they_are_made_once_and_go_when_the_table_is_read_only() {
    let fixture = Fixture::new().await;
    assert_eq!(names(&fixture.test).await, OURS);
    let before = triggers(&fixture.test).await;
    ensure_capture(&fixture.test.database, &fixture.table, true).await.unwrap();
    assert_eq!(triggers(&fixture.test).await, before, "none is made anew");
    for _ in 0..2 {
        ensure_capture(&fixture.test.database, &fixture.table, false).await.unwrap();
        assert_eq!(names(&fixture.test).await, Vec::<String>::new());
    }
    fixture.edit("city = 'Bonn'").await;
    assert_eq!(fixture.state().await, "synced|1|-", "nothing is captured any more");
}

#[tokio::test]
async fn those_of_others_stay() {
    let fixture = Fixture::new().await;
    fixture.test.execute("CREATE TABLE seen (city VARCHAR(255))").await;
    let theirs = "CREATE TRIGGER theirs AFTER UPDATE ON hubspot_contacts FOR EACH ROW INSERT INTO seen VALUES (NEW.city)";
    fixture.test.execute(theirs).await;
    fixture
        .test
        .execute(
            "CREATE TRIGGER also_theirs BEFORE UPDATE ON hubspot_contacts FOR EACH ROW \
             PRECEDES hubspot_contacts_capture_before_update SET NEW.phone = NEW.city",
        )
        .await;
    fixture.edit("city = 'Bonn'").await;
    assert_eq!(fixture.test.rows("seen", &["city"], "").await, ["Bonn"]);
    assert_eq!(fixture.edited().await, json!({"city": "Bonn", "phone": "Bonn"}));
    ensure_capture(&fixture.test.database, &fixture.table, true).await.unwrap();
    ensure_capture(&fixture.test.database, &fixture.table, false).await.unwrap();
    assert_eq!(names(&fixture.test).await, ["also_theirs", "theirs"]);
}

#[tokio::test]
async fn they_follow_columns_that_are_added_retyped_and_dropped() {
    let mut fixture = Fixture::new().await;
    let capture = async |fixture: &Fixture| {
        ensure_capture(&fixture.test.database, &fixture.table, true).await.unwrap();
    };
    let with_nickname = [COLUMNS.as_slice(), &["nickname"]].concat();
    fixture.table = columns(&fixture.test, &fixture.lease, &with_nickname, &catalogue()).await;
    capture(&fixture).await;
    fixture.edit("nickname = 'Countess'").await;
    assert_eq!(fixture.edited().await, json!({"nickname": "Countess"}));

    let retyped = |mut known: Property| {
        if known.name == "level" || known.name == "Score-2" {
            known = property(&known.name, "string", "text");
        }
        known
    };
    let retyped: Vec<_> = catalogue().into_iter().map(retyped).collect();
    fixture.table = columns(&fixture.test, &fixture.lease, &with_nickname, &retyped).await;
    capture(&fixture).await;
    fixture.edit("`Score-2` = '1.50'").await;
    assert_eq!(fixture.edited().await, json!({"nickname": "Countess"}), "as HubSpot has it");

    // An operator drops one: until the next look at it the table takes no write.
    fixture.test.execute("ALTER TABLE hubspot_contacts DROP COLUMN nickname").await;
    fixture.table = columns(&fixture.test, &fixture.lease, &COLUMNS, &retyped).await;
    capture(&fixture).await;
    fixture.edit("city = 'Bonn'").await;
    assert_eq!(fixture.edited().await, json!({"nickname": "Countess", "city": "Bonn"}));
    assert_eq!(fixture.store(&[contact(2, 10, &[])]).await.inserted, 1);
}

#[tokio::test]
async fn who_may_not_make_them_is_told_so() {
    let server = PrivateServer::start_with("--log-bin=binlog --server-id=1");
    let fixture = Fixture::on(TestDatabase::migrated_on(&server.url()).await).await;
    let error = ensure_capture(&fixture.test.database, &fixture.table, true).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Permanent);
    let advice = error.advice();
    assert!(advice.contains("log_bin_trust_function_creators"), "{advice}");

    server.ask("SET GLOBAL log_bin_trust_function_creators = 1");
    ensure_capture(&fixture.test.database, &fixture.table, true).await.unwrap();
    assert_eq!(names(&fixture.test).await, OURS);

    let database = fixture.test.value("DATABASE()").await;
    server.ask(&format!(
        "CREATE USER poor@'127.0.0.1' IDENTIFIED BY 'secret'; \
         GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX ON {database}.* TO poor@'127.0.0.1'"
    ));
    let url = format!("mysql://poor:secret@127.0.0.1:{}/{database}", server.port);
    let poor = hubspot_mariadb_connector::storage::Database::new(&config(&url)).unwrap();
    let error = ensure_capture(&poor, &fixture.table, true).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Permanent);
    assert!(error.advice().contains("rights"), "{}", error.advice());
}

#[tokio::test]
async fn those_of_a_user_that_is_gone_are_made_anew() {
    let server = PrivateServer::start();
    let fixture = Fixture::on(TestDatabase::migrated_on(&server.url()).await).await;
    ensure_capture(&fixture.test.database, &fixture.table, true).await.unwrap();
    let database = fixture.test.value("DATABASE()").await;
    server.ask(&format!(
        "CREATE USER later@'127.0.0.1' IDENTIFIED BY 'secret'; GRANT ALL ON {database}.* TO later@'127.0.0.1'"
    ));
    let url = format!("mysql://later:secret@127.0.0.1:{}/{database}", server.port);
    let later = hubspot_mariadb_connector::storage::Database::new(&config(&url)).unwrap();
    ensure_capture(&later, &fixture.table, true).await.unwrap();
    fixture.store(&[contact(1, 10, &[])]).await;
    let definers = "SELECT GROUP_CONCAT(DISTINCT definer) FROM information_schema.triggers WHERE event_object_schema = DATABASE()";
    assert_eq!(fixture.test.value(definers).await, "later@127.0.0.1");
    fixture.edit("city = 'Bonn'").await;
    assert_eq!(fixture.state().await, "pending|2|push 1");
}
