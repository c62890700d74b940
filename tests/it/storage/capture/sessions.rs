//! Clients of every kind: what they have set for their sessions makes no difference.

use serde_json::json;
use sqlx::{Connection, Executor};

use super::{Fixture, person};
use crate::scripts::PrivateServer;
use crate::support::database::TestDatabase;

/// Settings of a session, each of which would change what the same words mean.
const SETTINGS: [&str; 12] = [
    "sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'",
    "sql_mode = ''",
    "sql_mode = 'ORACLE'",
    "sql_mode = 'TRADITIONAL,IGNORE_SPACE,PAD_CHAR_TO_FULL_LENGTH,EMPTY_STRING_IS_NULL,HIGH_NOT_PRECEDENCE'",
    "time_zone = '+09:00'",
    "NAMES latin1",
    "NAMES utf8mb4 COLLATE utf8mb4_bin",
    "TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "group_concat_max_len = 4",
    "sql_select_limit = 1",
    "default_regex_flags = 'EXTENDED,MULTILINE,DOTALL'",
];

#[tokio::test]
async fn the_settings_of_a_session_do_not_change_what_is_captured() {
    for setting in SETTINGS {
        let fixture = Fixture::new().await;
        let mut session = session(&fixture.test, setting).await;
        for sql in [
            "START TRANSACTION",
            "UPDATE hubspot_contacts SET city = 'Bonn', `Score-2` = 2.50, seen = '2026-03-29 02:30:00', vip = 0, \
             remark = 'x' WHERE hubspot_id = 1",
            "UPDATE hubspot_contacts SET properties_json = JSON_SET(properties_json, '$.phone', '12', \
             '$.born', '2024-02-29', '$.level', '7') WHERE hubspot_id = 1",
            "INSERT INTO hubspot_contacts (email, seen) VALUES ('a@example.test', '2026-03-29 02:30:00')",
            "COMMIT",
        ] {
            session.execute(sql).await.unwrap_or_else(|error| panic!("{setting}: {error}"));
        }
        assert_eq!(fixture.state().await, "pending|3|push 2", "{setting}");
        let expected = json!({
            "city": "Bonn", "Score-2": "2.5", "seen": "2026-03-29T02:30:00Z", "vip": "false", "remark": "x",
            "phone": "12", "born": "2024-02-29", "level": "7",
        });
        assert_eq!(fixture.edited().await, expected, "{setting}");
        assert_eq!(fixture.of("CONCAT_WS('|', phone, born)").await, "12|2024-02-29", "{setting}");
        let made = "SELECT COUNT(*) FROM hubspot_contacts WHERE hubspot_id IS NULL AND sync_status = 'pending' \
                    AND JSON_COMPACT(properties_json) = '{\"email\":\"a@example.test\",\"seen\":\"2026-03-29T02:30:00Z\"}' \
                    AND TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP()) BETWEEN 0 AND 60 \
                    AND TIMESTAMPDIFF(SECOND, updated_at, UTC_TIMESTAMP()) BETWEEN 0 AND 60 \
                    AND TIMESTAMPDIFF(SECOND, last_modified_local, UTC_TIMESTAMP()) BETWEEN 0 AND 60";
        assert_eq!(fixture.test.number(made).await, 1, "{setting}");
        let refused = session.execute("UPDATE hubspot_contacts SET tier = 'x' WHERE hubspot_id = 1").await;
        let said = refused.expect_err(setting).to_string();
        assert!(said.contains("`tier` has to be one of its options"), "{setting}: {said}");
    }
}

/// A session with the setting.
async fn session(test: &TestDatabase, setting: &str) -> sqlx::MySqlConnection {
    let mut person = person(test).await;
    let session = if setting.starts_with("NAMES") { "SET" } else { "SET SESSION" };
    person.execute(sqlx::AssertSqlSafe(format!("{session} {setting}"))).await.unwrap();
    person
}

#[tokio::test]
async fn a_client_that_speaks_latin1_edits_in_any_letters_it_has() {
    let fixture = Fixture::new().await;
    let mut person = person(&fixture.test).await;
    person.execute("SET NAMES latin1").await.unwrap();
    // The bytes of `Köln` in that character set.
    person
        .execute("UPDATE hubspot_contacts SET city = _latin1 X'4BF66C6E' WHERE hubspot_id = 1")
        .await
        .unwrap();
    assert_eq!(fixture.edited().await, json!({"city": "Köln"}));
}

#[tokio::test]
async fn who_may_only_edit_the_table_needs_no_right_on_any_other() {
    let server = PrivateServer::start();
    let fixture = Fixture::on(TestDatabase::migrated_on(&server.url()).await).await;
    super::ensure_capture(&fixture.test.database, &fixture.table, true).await.unwrap();
    fixture.store(&[super::contact(1, 10, &super::VALUES)]).await;
    let database = fixture.test.value("DATABASE()").await;
    server.ask(&format!(
        "CREATE USER editor@'127.0.0.1' IDENTIFIED BY 'secret'; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.hubspot_contacts TO editor@'127.0.0.1'"
    ));
    let url = format!("mysql://editor:secret@127.0.0.1:{}/{database}", server.port);
    let mut editor = sqlx::MySqlConnection::connect(&url).await.unwrap();
    for sql in [
        "UPDATE hubspot_contacts SET city = 'Bonn' WHERE hubspot_id = 1",
        "INSERT INTO hubspot_contacts (email) VALUES ('a@example.test')",
    ] {
        editor.execute(sql).await.unwrap();
    }
    assert_eq!(fixture.state().await, "pending|2|push 1");
    editor.execute("DELETE FROM hubspot_contacts WHERE hubspot_id = 1").await.unwrap();
    assert_eq!(fixture.test.number("SELECT COUNT(*) FROM jobs").await, 3);
}
