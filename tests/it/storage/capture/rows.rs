//! What becomes of a row that is edited, and of one that is made or deleted.

use serde_json::json;
use sqlx::{Connection, Executor};

use super::{Fixture, contact, person};

/// The columns of the contacts table, each set to itself.
async fn every_column(fixture: &Fixture) -> String {
    let sql = "SELECT GROUP_CONCAT('`', column_name, '` = `', column_name, '`') FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = 'hubspot_contacts'";
    fixture.test.value(sql).await
}

#[tokio::test]
async fn an_edit_keeps_the_base_and_puts_one_job_and_a_second_one_adds_to_it() {
    let fixture = Fixture::new().await;
    let base = fixture.of("properties_json").await;
    assert_eq!(fixture.state().await, "synced|1|-");
    fixture.edit("city = 'Bonn'").await;
    assert_eq!(fixture.state().await, "pending|2|push 1");
    assert_eq!(fixture.of("base_properties_json").await, base);
    let edited_at = fixture.of("last_modified_local").await;
    assert_ne!(edited_at, "-");

    fixture.edit("city = 'Kiel', firstname = 'Ada'").await;
    assert_eq!(fixture.state().await, "pending|3|push 2");
    assert_eq!(fixture.of("base_properties_json").await, base);
    assert_eq!(fixture.edited().await, json!({"city": "Kiel", "firstname": "Ada"}));
    assert_eq!(fixture.test.number("SELECT COUNT(*) FROM jobs").await, 1);
    let untouched = "CONCAT_WS('|', hubspot_id, hubspot_updated_at, content_hash IS NOT NULL, archived)";
    assert_eq!(fixture.of(untouched).await, "1|2026-05-28 20:26:40.010|1|0");
}

#[tokio::test]
async fn an_update_that_changes_nothing_leaves_no_trace() {
    let fixture = Fixture::new().await;
    let everything = "SHA2(CONCAT_WS('|', sync_status, version, updated_at, COALESCE(last_modified_local, '-'), \
                      properties_json, COALESCE(base_properties_json, '-'), `Score-2`, COALESCE(phone, '-')), 256)";
    let every_column = every_column(&fixture).await;
    let before = fixture.of(everything).await;
    for set in [
        "city = 'Ulm'",
        "city = city, born = born",
        "`Score-2` = 1.5",
        "phone = NULL",
        "archived = 0",
        "properties_json = properties_json",
        "properties_json = JSON_COMPACT(properties_json)",
        "properties_json = JSON_LOOSE(properties_json)",
        "properties_json = JSON_SET(properties_json, '$.level', 5)",
        "properties_json = JSON_SET(properties_json, '$.phone', NULL)",
        "version = 17, sync_error = 'mine', last_modified_local = NOW(), created_at = NOW(), archived_at = NOW()",
        &every_column,
    ] {
        fixture.edit(set).await;
        assert_eq!(fixture.state().await, "synced|1|-", "{set}");
        let changed =
            fixture.of("CONCAT_WS('|', COALESCE(sync_error, '-'), COALESCE(archived_at, '-'))").await;
        assert_eq!(changed, "-|-", "{set}");
        if !set.starts_with("version") {
            assert_eq!(fixture.of(everything).await, before, "{set}");
        }
    }
}

#[tokio::test]
async fn an_edit_that_changes_the_case_alone_is_one() {
    let fixture = Fixture::new().await;
    fixture.edit("city = 'ULM', remark = 'OLD'").await;
    assert_eq!(fixture.edited().await, json!({"city": "ULM", "remark": "OLD"}));
    fixture.edit("properties_json = JSON_SET(properties_json, '$.city', 'ulm')").await;
    assert_eq!(fixture.state().await, "pending|3|push 2");
    assert_eq!(fixture.of("city").await, "ulm");
}

#[tokio::test]
async fn an_update_that_writes_every_column_back_is_an_edit_of_what_it_changes() {
    let fixture = Fixture::new().await;
    let every_column = every_column(&fixture).await;
    let set = every_column.replace("`city` = `city`", "`city` = 'Bonn'");
    fixture.edit(&set).await;
    assert_eq!(fixture.state().await, "pending|2|push 1");
    assert_eq!(fixture.edited().await, json!({"city": "Bonn"}));
    assert_eq!(fixture.of("updated_at >= UTC_TIMESTAMP() - INTERVAL 1 HOUR").await, "1");
}

#[tokio::test]
async fn an_update_of_many_rows_captures_each() {
    let fixture = Fixture::new().await;
    let records: Vec<_> = (2..=50).map(|id| contact(id, 10, &[("city", "Ulm")])).collect();
    fixture.store(&records).await;
    fixture.test.execute("UPDATE hubspot_contacts SET city = 'Bonn' WHERE hubspot_id > 40").await;
    fixture
        .test
        .execute(
            "UPDATE hubspot_contacts AS contact JOIN (SELECT seq, CONCAT('n', seq) AS text FROM seq_38_to_42) AS new \
             ON new.seq = contact.hubspot_id SET contact.lastname = new.text",
        )
        .await;
    let columns = ["hubspot_id", "city", "lastname", "version", "generation"];
    let from = "hubspot_contacts AS mirror JOIN jobs ON jobs.record_id = mirror.id AND jobs.kind = 'push'";
    let rows = fixture.test.rows(from, &columns, "WHERE hubspot_id < 44 ORDER BY hubspot_id").await;
    let expected = [
        "38|Ulm|n38|2|1",
        "39|Ulm|n39|2|1",
        "40|Ulm|n40|2|1",
        "41|Bonn|n41|3|2",
        "42|Bonn|n42|3|2",
        "43|Bonn|-|2|1",
    ];
    assert_eq!(rows, expected);
    assert_eq!(fixture.test.number("SELECT COUNT(*) FROM jobs").await, 13);
}

#[tokio::test]
async fn a_transaction_that_is_rolled_back_leaves_nothing() {
    let fixture = Fixture::new().await;
    let mut person = person(&fixture.test).await;
    let mut transaction = person.begin().await.unwrap();
    for sql in [
        "UPDATE hubspot_contacts SET city = 'Bonn'",
        "INSERT INTO hubspot_contacts (email) VALUES ('new@example.test')",
        "DELETE FROM hubspot_contacts WHERE hubspot_id = 1",
    ] {
        transaction.execute(sql).await.unwrap();
    }
    transaction.rollback().await.unwrap();
    assert_eq!(fixture.state().await, "synced|1|-");
    assert_eq!(fixture.test.number("SELECT COUNT(*) FROM jobs").await, 0);
}

#[tokio::test]
async fn a_new_row_is_pending_with_nothing_agreed_on() {
    let fixture = Fixture::new().await;
    for sql in [
        "INSERT INTO hubspot_contacts (email, `Score-2`, vip) VALUES ('a@example.test', 1.5, TRUE)",
        r#"INSERT INTO hubspot_contacts (properties_json) VALUES ('{"email": "b@example.test", "Score-2": 2, "vip": false}')"#,
        r#"INSERT INTO hubspot_contacts (email, properties_json, sync_status, version, last_synced_at, content_hash)
           VALUES ('c@example.test', '{"email": "other", "nickname": "C"}', 'synced', 9, NOW(), REPEAT('x', 16))"#,
        "INSERT INTO hubspot_contacts (email, city) SELECT 'd@example.test', city FROM hubspot_contacts WHERE hubspot_id = 1",
    ] {
        fixture.test.execute(sql).await;
    }
    let columns = [
        "email",
        "`Score-2`",
        "vip",
        "JSON_COMPACT(properties_json)",
        "base_properties_json",
        "sync_status",
        "version",
        "last_synced_at",
        "content_hash",
        "(SELECT COUNT(*) FROM jobs WHERE record_id = hubspot_contacts.id AND kind = 'push')",
    ];
    let rows = fixture.test.rows("hubspot_contacts", &columns, "WHERE hubspot_id IS NULL ORDER BY id").await;
    let expected = [
        r#"a@example.test|1.500000000000|1|{"email":"a@example.test","Score-2":"1.5","vip":"true"}|{}|pending|1|-|-|1"#,
        r#"b@example.test|2.000000000000|0|{"email":"b@example.test","Score-2":2,"vip":false}|{}|pending|1|-|-|1"#,
        r#"c@example.test|-|-|{"email":"c@example.test","nickname":"C"}|{}|pending|1|-|-|1"#,
        r#"d@example.test|-|-|{"email":"d@example.test","city":"Ulm"}|{}|pending|1|-|-|1"#,
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn an_insert_that_finds_its_row_is_an_edit_of_it() {
    let fixture = Fixture::new().await;
    fixture
        .test
        .execute(
            "INSERT INTO hubspot_contacts (hubspot_id, city, phone) VALUES (1, 'Bonn', '12') \
             ON DUPLICATE KEY UPDATE city = VALUES(city)",
        )
        .await;
    assert_eq!(fixture.state().await, "pending|2|push 1");
    assert_eq!(fixture.edited().await, json!({"city": "Bonn"}));
    let key = fixture.of("id").await;
    fixture
        .test
        .execute(&format!(
            "INSERT INTO hubspot_contacts (id, phone) VALUES ({key}, '12') ON DUPLICATE KEY UPDATE phone = VALUES(phone)"
        ))
        .await;
    fixture
        .test
        .execute(
            "INSERT INTO hubspot_contacts (hubspot_id, archived) VALUES (1, TRUE) \
             ON DUPLICATE KEY UPDATE archived = VALUES(archived)",
        )
        .await;
    assert_eq!(fixture.state().await, "pending|4|push 3");
    assert_eq!(fixture.edited().await, json!({"city": "Bonn", "phone": "12"}));
    assert_eq!(fixture.of("archived").await, "1");
    assert_eq!(fixture.test.number("SELECT COUNT(*) FROM hubspot_contacts").await, 1);
}

#[tokio::test]
async fn an_archived_row_is_pending_and_may_be_taken_back_until_it_is_sent() {
    let fixture = Fixture::new().await;
    fixture.edit("archived = 1").await;
    assert_eq!(fixture.state().await, "pending|2|push 1");
    assert_eq!(fixture.of("ABS(TIMESTAMPDIFF(SECOND, archived_at, UTC_TIMESTAMP())) < 60").await, "1");
    fixture.edit("city = 'Bonn'").await;
    fixture.edit("archived = 0").await;
    assert_eq!(fixture.state().await, "pending|4|push 3");
    assert_eq!(fixture.of("archived_at").await, "-");
    assert_eq!(fixture.edited().await, json!({"city": "Bonn"}));
    fixture.edit("archived = 5").await;
    assert_eq!(fixture.of("archived").await, "1");
    fixture.edit("archived = 6").await;
    assert_eq!(fixture.state().await, "pending|5|push 4", "it was archived before");
}

#[tokio::test]
async fn a_refused_row_is_tried_again_on_demand() {
    let fixture = Fixture::new().await;
    fixture.edit("city = 'Bonn'").await;
    let spoiled = "SET @hubspot_connector = TRUE; \
                   UPDATE hubspot_contacts SET sync_status = 'error', sync_error = 'no'; \
                   UPDATE jobs SET state = 'dead', attempts = 5, last_error = 'no'";
    let mut daemon = person(&fixture.test).await;
    for sql in spoiled.split("; ") {
        daemon.execute(sql).await.unwrap();
    }
    fixture.edit("sync_status = 'pending'").await;
    assert_eq!(fixture.state().await, "pending|3|push 2");
    assert_eq!(fixture.of("sync_error").await, "-");
    assert_eq!(fixture.edited().await, json!({"city": "Bonn"}));
    assert_eq!(fixture.test.rows("jobs", &["state", "attempts", "last_error"], "").await, ["ready|0|-"]);
    daemon.execute("UPDATE hubspot_contacts SET sync_status = 'conflict'").await.unwrap();
    fixture.edit("city = 'Kiel'").await;
    assert_eq!(fixture.state().await, "pending|4|push 3");
}

#[tokio::test]
async fn a_deleted_row_puts_a_job_unless_hubspot_never_had_it() {
    let fixture = Fixture::new().await;
    fixture.test.execute("INSERT INTO hubspot_contacts (email) VALUES ('a@example.test')").await;
    fixture.test.execute("DELETE FROM hubspot_contacts").await;
    let jobs = fixture.test.rows("jobs", &["kind", "record_id", "state"], "WHERE kind = 'deleted'").await;
    assert_eq!(jobs, ["deleted|1|ready"]);
}

#[tokio::test]
async fn what_the_daemon_writes_is_no_edit() {
    let fixture = Fixture::new().await;
    let newer = contact(1, 20, &[("city", "Bonn")]);
    assert_eq!(fixture.store(&[newer, contact(2, 20, &[("city", "Kiel")])]).await.updated, 1);
    // Another version, for whoever has looked at the one before, and nothing to send.
    assert_eq!(fixture.state().await, "synced|2|-");
    assert_eq!(fixture.test.number("SELECT COUNT(*) FROM jobs").await, 0);
    assert_eq!(fixture.of("city").await, "Bonn");
}
