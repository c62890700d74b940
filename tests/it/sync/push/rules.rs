//! What the account's own rules make of an edit: its reason is said at once, and to whom it belongs.

use serde_json::json;

use super::{account, arrived, contact, set, settled};
use crate::support::{eventually, holds};

#[tokio::test]
async fn a_lifecycle_stage_that_would_go_back_is_refused_by_name() {
    for (back, words) in [("ignored", "kept its own value of lifecyclestage"), ("refused", "lifecyclestage")]
    {
        let (simulator, test, setup) = account(2, 1).await;
        let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
        simulator.edit("contacts", &id, json!({"lifecyclestage": "customer"})).await;
        crate::support::truth::everything_is_searchable(&simulator).await;
        setup.sync(&[]).await;
        simulator.set(json!({"lifecycleBack": back})).await;
        set(&test, &id, &json!({"lifecyclestage": "lead"})).await;
        let daemon = setup.start(&["run"]);
        settled(&test, "hubspot_contacts").await;
        let of_row = format!("WHERE hubspot_id = {id}");
        let row = test.rows("hubspot_contacts", &["sync_status", "sync_error"], &of_row).await;
        assert!(row[0].starts_with("error|") && row[0].contains(words), "{row:?}");
        let log = test.rows("sync_log", &["status", "changed_fields"], "WHERE message IS NOT NULL").await;
        assert_eq!(log, [r#"failed|["lifecyclestage"]"#], "{back}");
        assert_eq!(contact(&simulator, &id).await["properties"]["lifecyclestage"], "customer");
        assert!(daemon.stop().await.success());
    }
}

#[tokio::test]
async fn a_property_the_account_requires_is_named() {
    let (simulator, test, setup) = account(1, 2).await;
    let rules = json!({
        "requiredOnCreate": {"companies": ["phone"]},
        "conditionallyRequired": [{"objectType": "companies", "property": "city", "value": "Bonn", "requires": ["zip"]}],
    });
    simulator.set(rules).await;
    test.execute("INSERT INTO hubspot_companies (name) VALUES ('Navy')").await;
    let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_companies)").await;
    test.execute(&format!(
        "UPDATE hubspot_companies SET properties_json = JSON_SET(JSON_REMOVE(properties_json, '$.zip'), '$.city', 'Bonn') \
         WHERE hubspot_id = {id}"
    ))
    .await;
    let daemon = setup.start(&["run"]);
    settled(&test, "hubspot_companies").await;
    let columns = ["sync_status", "sync_error LIKE '%phone%'", "sync_error LIKE '%zip%'"];
    let rows = test.rows("hubspot_companies", &columns, "WHERE sync_status <> 'synced' ORDER BY id").await;
    assert_eq!(rows, ["error|0|1", "error|1|0"]);
    // What is refused for its content is tried once.
    assert_eq!(test.rows("jobs", &["state", "attempts"], "").await, ["dead|1", "dead|1"]);
    test.execute("UPDATE hubspot_companies SET phone = '+49 228 1' WHERE name = 'Navy'").await;
    eventually("it is made", async || {
        let made = test.rows("hubspot_companies", &["sync_status"], "WHERE name = 'Navy'").await;
        holds(made == ["synced"], made)
    })
    .await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_company_that_is_not_there_is_said_so_at_once() {
    let (simulator, test, setup) = account(2, 1).await;
    let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    let of_row = format!("WHERE hubspot_id = {id}");
    test.execute(&format!("UPDATE hubspot_contacts SET associatedcompanyid = 99, city = 'Bonn' {of_row}"))
        .await;
    let daemon = setup.start(&["run"]);
    settled(&test, "hubspot_contacts").await;
    let row = test.rows("hubspot_contacts", &["sync_status", "sync_error"], &of_row).await;
    assert!(row[0].starts_with("error|associatedcompanyid: company 99 cannot be set: "), "{row:?}");
    assert_eq!(test.rows("jobs", &["state", "attempts"], "").await, ["dead|1"]);
    // The rest of the edit is nobody's business but its own.
    arrived(&simulator, &id, "city", "Bonn").await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn no_more_edits_leave_within_an_hour_than_the_brake_lets_through() {
    let (simulator, test, setup) = account(5, 1).await;
    test.execute("UPDATE hubspot_contacts SET city = 'ours'").await;
    let daemon = setup.set("MAX_PUSH_PER_HOUR", "2").start(&["run"]);
    daemon.says("MAX_PUSH_PER_HOUR is 2").await;
    eventually("two are sent and three wait", async || {
        let synced = test.number("SELECT COUNT(*) FROM hubspot_contacts WHERE sync_status = 'synced'").await;
        let waiting = test.number("SELECT COUNT(*) FROM jobs WHERE waiting LIKE '%MAX_PUSH_PER_HOUR%'").await;
        holds((synced, waiting) == (2, 3), (synced, waiting))
    })
    .await;
    let truth = simulator.truth("contacts", false).await;
    assert_eq!(truth.matches(r#""city":"ours""#).count(), 2);
    assert!(daemon.stop().await.success());
}
