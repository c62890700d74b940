//! People leave their transactions open, as a client without autocommit does.

use super::{account, arrived, contact, settled};
use crate::support::{eventually, holds};

#[tokio::test]
async fn a_locked_row_keeps_no_other_waiting_and_costs_no_try() {
    let (simulator, test, setup) = account(3, 1).await;
    let ids = test.rows("hubspot_contacts", &["hubspot_id"], "ORDER BY hubspot_id").await;
    test.execute("UPDATE hubspot_contacts SET city = 'ours'").await;
    let mut editor = test.sql.begin().await.unwrap();
    let sql = format!("SELECT id FROM hubspot_contacts WHERE hubspot_id = {} FOR UPDATE", ids[1]);
    sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *editor).await.unwrap();
    let daemon = setup.start(&["run"]);
    for id in &ids {
        arrived(&simulator, id, "city", "ours").await;
    }
    let statuses = async || test.rows("hubspot_contacts", &["sync_status"], "ORDER BY hubspot_id").await;
    eventually("the others are in step", async || {
        let found = statuses().await;
        holds(found == ["synced", "pending", "synced"], found)
    })
    .await;
    eventually("the job is put off", async || {
        let jobs = test.rows("jobs", &["state", "attempts", "waiting"], "").await;
        holds(jobs == ["ready|0|its row is locked by somebody's open transaction"], jobs)
    })
    .await;
    // Whoever holds it may well have edited it.
    let sql = format!("UPDATE hubspot_contacts SET city = 'ours again' WHERE hubspot_id = {}", ids[1]);
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *editor).await.unwrap();
    editor.commit().await.unwrap();
    // What has arrived before is ours: nobody is asked whose it is.
    arrived(&simulator, &ids[1], "city", "ours again").await;
    settled(&test, "hubspot_contacts").await;
    assert_eq!(statuses().await, ["synced"; 3]);
    assert_eq!(test.rows("conflicts", &["kind"], "").await, Vec::<String>::new());
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_new_row_that_is_locked_is_sent_once_it_is_free() {
    let (simulator, test, setup) = account(1, 1).await;
    test.execute("INSERT INTO hubspot_contacts (email) VALUES ('ada@example.test'), ('bob@example.test')")
        .await;
    let mut editor = test.sql.begin().await.unwrap();
    let sql = "SELECT id FROM hubspot_contacts WHERE email = 'ada@example.test' FOR UPDATE";
    sqlx::query(sql).fetch_one(&mut *editor).await.unwrap();
    let daemon = setup.start(&["run"]);
    let id_of = async |email: &str| {
        test.value(&format!(
            "SELECT COALESCE(MAX(hubspot_id), 0) FROM hubspot_contacts WHERE email = '{email}'"
        ))
        .await
    };
    eventually("the free one is made", async || {
        let id = id_of("bob@example.test").await;
        holds(id != "0", id)
    })
    .await;
    eventually("the job of the other one is put off", async || {
        let jobs = test.rows("jobs", &["state", "attempts"], "WHERE waiting LIKE '%locked%'").await;
        holds(jobs == ["ready|0"], jobs)
    })
    .await;
    assert_eq!(id_of("ada@example.test").await, "0");
    editor.rollback().await.unwrap();
    settled(&test, "hubspot_contacts").await;
    let id = id_of("ada@example.test").await;
    assert_eq!(contact(&simulator, &id).await["properties"]["email"], "ada@example.test");
    assert!(daemon.stop().await.success());
}
