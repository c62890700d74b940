//! Records that are deleted on one side.

use serde_json::{Value, json};

use super::{account, arrived, contact, set, settled};
use crate::support::{eventually, holds};

#[tokio::test]
async fn a_delete_here_goes_out_and_one_against_an_edit_there_is_asked() {
    let (simulator, test, setup) = account(3, 1).await;
    let ids = test.rows("hubspot_contacts", &["hubspot_id"], "ORDER BY hubspot_id").await;
    test.execute(&format!(
        "UPDATE hubspot_contacts SET archived = 1 WHERE hubspot_id IN ({}, {})",
        ids[0], ids[1]
    ))
    .await;
    simulator.edit("contacts", &ids[1], json!({"city": "theirs"})).await;
    let daemon = setup.start(&["run"]);
    settled(&test, "hubspot_contacts").await;
    assert_eq!(contact(&simulator, &ids[0]).await, Value::Null);
    assert_eq!(contact(&simulator, &ids[1]).await["properties"]["city"], "theirs");
    let columns = ["archived", "sync_status"];
    assert_eq!(
        test.rows("hubspot_contacts", &columns, "ORDER BY hubspot_id").await,
        ["1|synced", "1|conflict", "0|synced"]
    );
    let conflict = test.rows("conflicts", &["kind", "fields", "hubspot_json"], "").await;
    assert_eq!(conflict, [r#"deleted_here|["city"]|{"city":"theirs"}"#]);
    let log = test.rows("sync_log", &["hubspot_id", "action", "status"], "WHERE direction = 'push'").await;
    assert_eq!(log, [format!("{}|delete|success", ids[0])]);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_delete_there_against_an_edit_here_is_asked() {
    let (simulator, test, setup) = account(2, 1).await;
    let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    set(&test, &id, &json!({"city": "ours"})).await;
    simulator.delete("contacts", &id).await;
    let daemon = setup.start(&["run"]);
    settled(&test, "hubspot_contacts").await;
    let conflict = test.rows("conflicts", &["kind", "status", "local_json"], "").await;
    assert_eq!(conflict, [r#"deleted_in_hubspot|pending|{"city":"ours"}"#]);
    assert_eq!(contact(&simulator, &id).await, Value::Null);
    // Deleted here as well, there is nothing left to ask.
    test.execute(&format!("UPDATE hubspot_contacts SET archived = 1 WHERE hubspot_id = {id}")).await;
    settled(&test, "hubspot_contacts").await;
    assert_eq!(test.rows("conflicts", &["status"], "").await, ["superseded"]);
    let columns = ["archived", "sync_status"];
    assert_eq!(
        test.rows("hubspot_contacts", &columns, &format!("WHERE hubspot_id = {id}")).await,
        ["1|synced"]
    );
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_row_deleted_by_sql_comes_back_or_takes_its_record_along() {
    for (sql_delete, row) in [("restore", "0|synced"), ("archive", "1|synced")] {
        let (simulator, test, setup) = account(2, 1).await;
        let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
        test.execute(&format!("DELETE FROM hubspot_contacts WHERE hubspot_id = {id}")).await;
        let daemon = setup.clone().set("SQL_DELETE", sql_delete).start(&["run"]);
        settled(&test, "hubspot_contacts").await;
        let of_row = format!("WHERE hubspot_id = {id}");
        assert_eq!(
            test.rows("hubspot_contacts", &["archived", "sync_status"], &of_row).await,
            [row],
            "{sql_delete}"
        );
        let is_live = contact(&simulator, &id).await != Value::Null;
        assert_eq!(is_live, sql_delete == "restore");
        assert!(daemon.stop().await.success());
    }
}

#[tokio::test]
async fn a_record_that_was_edited_after_its_row_was_deleted_by_sql_comes_back() {
    let (simulator, test, setup) = account(2, 1).await;
    let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    test.execute(&format!("DELETE FROM hubspot_contacts WHERE hubspot_id = {id}")).await;
    simulator.edit("contacts", &id, json!({"city": "theirs"})).await;
    let daemon = setup.set("SQL_DELETE", "archive").start(&["run"]);
    settled(&test, "hubspot_contacts").await;
    assert_eq!(contact(&simulator, &id).await["properties"]["city"], "theirs");
    let of_row = format!("WHERE hubspot_id = {id}");
    let row = test.rows("hubspot_contacts", &["archived", "sync_status", "city"], &of_row).await;
    assert_eq!(row, ["0|synced|theirs"]);
    let log = test.rows("sync_log", &["action", "direction", "status"], &of_row).await;
    assert_eq!(log, ["create|pull|success"]);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn no_more_deletes_leave_than_the_brake_lets_through() {
    let (simulator, test, setup) = account(4, 1).await;
    test.execute("UPDATE hubspot_contacts SET archived = 1 ORDER BY id LIMIT 3").await;
    let daemon = setup.clone().set("MAX_PUSH_DELETES_PER_HOUR", "1").start(&["run"]);
    daemon.says("MAX_PUSH_DELETES_PER_HOUR is 1").await;
    let deleted = async || simulator.truth("contacts", true).await.lines().count();
    eventually("one record is deleted", async || {
        let deleted = deleted().await;
        holds(deleted == 1, deleted)
    })
    .await;
    let reason = "1 record(s) were deleted in HubSpot within an hour; MAX_PUSH_DELETES_PER_HOUR is 1";
    eventually("the others wait", async || {
        let waiting = test.rows("jobs", &["state", "attempts", "waiting"], "").await;
        holds(
            waiting.len() == 2 && waiting.iter().all(|job| job.ends_with("MAX_PUSH_DELETES_PER_HOUR is 1")),
            waiting,
        )
    })
    .await;
    // Those of the first batch waited before the record was deleted.
    test.execute("UPDATE jobs SET run_at = UTC_TIMESTAMP(3)").await;
    eventually("the log counts the record", async || {
        let waiting = test.rows("jobs", &["state", "attempts", "waiting"], "").await;
        holds(waiting == [format!("ready|0|{reason}"), format!("ready|0|{reason}")], waiting)
    })
    .await;
    assert_eq!(deleted().await, 1);
    // An edit is none of its business.
    let id = test.value("(SELECT MAX(hubspot_id) FROM hubspot_contacts)").await;
    set(&test, &id, &json!({"city": "ours"})).await;
    arrived(&simulator, &id, "city", "ours").await;
    assert!(daemon.stop().await.success());
}
