//! Something happens in the middle of a push: it is killed, an answer is short or lost, the row goes.

use serde_json::{Value, json};

use super::{account, arrived, contact, history, is_asked_for, set, settled};
use crate::support::database::TestDatabase;
use crate::support::{eventually, holds};

/// Waits until the push of the only new row has failed once.
async fn has_failed(test: &TestDatabase) {
    eventually("the answer is lost", async || {
        let status = test.rows("sync_log", &["status"], "WHERE action = 'create'").await;
        holds(status == ["retrying"], status)
    })
    .await;
}

#[tokio::test]
async fn a_daemon_killed_before_it_read_back_has_overwritten_nothing_for_good() {
    let (simulator, test, setup) = account(2, 1).await;
    let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    let daemon = setup.start(&["run"]);
    daemon.says("is up after").await;
    simulator.set(json!({"latencyMs": 700})).await;
    simulator.reset_stats().await;
    set(&test, &id, &json!({"city": "ours"})).await;
    is_asked_for(&simulator, "update").await;
    simulator.edit("contacts", &id, json!({"city": "theirs"})).await;
    arrived(&simulator, &id, "city", "ours").await;
    // What it has overwritten it would know 700 ms later.
    daemon.kill();
    simulator.set(json!({"latencyMs": 0})).await;
    let daemon = setup.start(&["run"]);
    settled(&test, "hubspot_contacts").await;
    let values = history(&simulator, &id, "city").await;
    assert_eq!((&*values[0], &*values[1]), ("theirs", "ours"), "it is put back: {values:?}");
    let conflict = test.rows("conflicts", &["local_json", "hubspot_json", "status"], "").await;
    assert_eq!(conflict, [r#"{"city":"ours"}|{"city":"theirs"}|pending"#]);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn one_short_answer_is_no_delete() {
    let (simulator, test, setup) = account(2, 1).await;
    let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    set(&test, &id, &json!({"city": "ours"})).await;
    let short = json!({"match": {"pathContains": "contacts/batch/read"}, "action": {"kind": "shortPage"}});
    simulator.fault(short).await;
    let daemon = setup.start(&["run"]);
    settled(&test, "hubspot_contacts").await;
    assert_eq!(contact(&simulator, &id).await["properties"]["city"], "ours");
    assert_eq!(test.rows("conflicts", &["kind"], "").await, Vec::<String>::new());
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_record_that_is_restored_while_a_person_is_asked_is_in_step_again() {
    let (simulator, test, setup) = account(2, 1).await;
    let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    set(&test, &id, &json!({"city": "ours"})).await;
    simulator.delete("contacts", &id).await;
    let daemon = setup.start(&["run"]);
    settled(&test, "hubspot_contacts").await;
    assert_eq!(test.rows("conflicts", &["kind", "status"], "").await, ["deleted_in_hubspot|pending"]);
    assert!(daemon.stop().await.success());

    // It comes back as it was, its version too.
    assert!(simulator.try_restore("contacts", &id).await);
    let daemon = setup.start(&["run"]);
    arrived(&simulator, &id, "city", "ours").await;
    settled(&test, "hubspot_contacts").await;
    assert_eq!(test.rows("conflicts", &["status"], "").await, ["superseded"]);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_row_deleted_while_the_answer_to_its_creation_was_lost_takes_its_record_along() {
    for (object_type, table, values) in [
        ("contacts", "hubspot_contacts", "(email) VALUES ('ada@example.test')"),
        ("companies", "hubspot_companies", "(name) VALUES ('Navy')"),
    ] {
        let (simulator, test, setup) = account(2, 2).await;
        let lost =
            json!({"match": {"pathContains": object_type, "writes": true}, "action": {"kind": "loseAnswer"}});
        simulator.fault(lost).await;
        test.execute(&format!("INSERT INTO {table} {values}")).await;
        let daemon = setup.start(&["run"]);
        has_failed(&test).await;
        assert!(daemon.stop().await.success());

        test.execute(&format!("UPDATE {table} SET archived = 1 WHERE hubspot_id IS NULL")).await;
        let daemon = setup.start(&["run"]);
        settled(&test, table).await;
        let made = test.rows(table, &["hubspot_id IS NULL", "archived", "sync_status"], "ORDER BY id").await;
        assert_eq!(made.last().unwrap(), "0|1|synced", "{object_type}");
        let (live, bin) =
            (simulator.truth(object_type, false).await, simulator.truth(object_type, true).await);
        assert_eq!((live.lines().count(), bin.lines().count()), (2, 1), "{object_type}");
        assert!(daemon.stop().await.success());
    }
}

#[tokio::test]
async fn a_contact_of_somebody_else_stays_when_a_row_with_its_address_is_deleted() {
    let (simulator, test, setup) = account(2, 1).await;
    let busy = json!({"match": {"pathContains": "contacts", "writes": true}, "action": {"kind": "status", "status": 503}});
    simulator.fault(busy).await;
    test.execute("INSERT INTO hubspot_contacts (email, city) VALUES ('ada@example.test', 'Oxford')").await;
    let daemon = setup.start(&["run"]);
    has_failed(&test).await;
    assert!(daemon.stop().await.success());

    let there = json!({"email": "ada@example.test", "city": "London"});
    let id = simulator.create_with("contacts", there).await;
    test.execute("UPDATE hubspot_contacts SET archived = 1 WHERE hubspot_id IS NULL").await;
    let daemon = setup.start(&["run"]);
    settled(&test, "hubspot_contacts").await;
    assert_eq!(contact(&simulator, &id).await["properties"]["city"], "London");
    let row = test.rows("hubspot_contacts", &["archived", "sync_status"], "WHERE hubspot_id IS NULL").await;
    assert_eq!(row, ["1|synced"]);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_row_deleted_by_sql_while_its_record_is_made_comes_back_or_takes_it_along() {
    for (sql_delete, row) in [("restore", "0|synced|Navy"), ("archive", "1|synced|Navy")] {
        let (simulator, test, setup) = account(1, 2).await;
        let daemon = setup.clone().set("SQL_DELETE", sql_delete).start(&["run"]);
        daemon.says("is up after").await;
        simulator.set(json!({"latencyMs": 700})).await;
        simulator.reset_stats().await;
        test.execute("INSERT INTO hubspot_companies (name) VALUES ('Navy')").await;
        is_asked_for(&simulator, "create").await;
        test.execute("DELETE FROM hubspot_companies WHERE name = 'Navy'").await;
        simulator.set(json!({"latencyMs": 0})).await;
        eventually("it has a row again", async || {
            let rows = test
                .rows("hubspot_companies", &["archived", "sync_status", "name"], "WHERE name = 'Navy'")
                .await;
            holds(rows == [row], rows)
        })
        .await;
        settled(&test, "hubspot_companies").await;
        let is_live = simulator.truth("companies", false).await.contains("Navy");
        assert_eq!(is_live, sql_delete == "restore", "{sql_delete}");
        let made = simulator.get("/creates/companies?by=name").await["counts"]["Navy"].clone();
        assert_eq!(made, Value::from(1));
        assert!(daemon.stop().await.success());
    }
}
