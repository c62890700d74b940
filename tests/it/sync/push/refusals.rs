//! What is refused, what is held back, and what is nobody's business.

use serde_json::{Value, json};

use super::{account, arrived, contact, set, settled};
use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::{eventually, holds};

#[tokio::test]
async fn a_refused_edit_says_why_fails_alone_and_recovers_with_the_next() {
    let (simulator, test, setup) = account(4, 1).await;
    let ids = test.rows("hubspot_contacts", &["hubspot_id"], "ORDER BY hubspot_id").await;
    simulator.edit("contacts", &ids[3], json!({"email": "taken@example.test"})).await;
    set(&test, &ids[0], &json!({"city": "Bonn"})).await;
    set(&test, &ids[1], &json!({"email": "taken@example.test"})).await;
    set(&test, &ids[2], &json!({"city": "Ulm"})).await;
    let daemon = setup.start(&["run"]);
    settled(&test, "hubspot_contacts").await;
    for (id, city) in [(&ids[0], "Bonn"), (&ids[2], "Ulm")] {
        assert_eq!(contact(&simulator, id).await["properties"]["city"], city);
    }
    let of_row = format!("WHERE hubspot_id = {}", ids[1]);
    let row = test.rows("hubspot_contacts", &["sync_status", "sync_error"], &of_row).await;
    assert!(row[0].starts_with("error|") && row[0].len() > "error|".len() && row[0] != "error|-", "{row:?}");
    let reason = row[0].trim_start_matches("error|");
    assert_eq!(test.rows("jobs", &["state", "last_error"], "").await, [format!("dead|{reason}")]);
    let log =
        test.rows("sync_log", &["action", "direction", "status", "message", "changed_fields"], &of_row).await;
    assert_eq!(log, [format!(r#"update|push|failed|{reason}|["email"]"#)]);
    set(&test, &ids[1], &json!({"email": "free@example.test"})).await;
    arrived(&simulator, &ids[1], "email", "free@example.test").await;
    settled(&test, "hubspot_contacts").await;
    assert_eq!(test.rows("hubspot_contacts", &["sync_status", "sync_error"], &of_row).await, ["synced|-"]);
    assert_eq!(test.number("SELECT COUNT(*) FROM jobs").await, 0);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn our_own_echo_is_no_work() {
    let (simulator, test, setup) = account(3, 1).await;
    let daemon = setup.clone().at("* * * * * *").start(&["run"]);
    daemon.says("is up after").await;
    let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    set(&test, &id, &json!({"city": "ours"})).await;
    arrived(&simulator, &id, "city", "ours").await;
    settled(&test, "hubspot_contacts").await;
    let claims = test.number("SELECT COUNT(*) FROM sync_log").await;
    crate::support::truth::everything_is_searched(&simulator, &test).await;
    let written = super::history(&simulator, &id, "city").await;
    assert_eq!(written.iter().filter(|value| *value == "ours").count(), 1, "{written:?}");
    assert_eq!(test.number("SELECT COUNT(*) FROM sync_log").await, claims);
    assert_eq!(test.number("SELECT COUNT(*) FROM jobs").await, 0);
    assert_eq!(
        test.value(&format!("(SELECT version FROM hubspot_contacts WHERE hubspot_id = {id})")).await,
        "2"
    );
    let writes = ["update", "batchUpdate"];
    let stats = simulator.stats().await;
    let sent: u64 = writes.iter().filter_map(|name| stats["byFamily"][*name].as_u64()).sum();
    assert_eq!(sent, 1, "{stats}");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn edits_wait_while_pushing_is_off() {
    let (simulator, test, setup) = account(3, 1).await;
    let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    let quiet = setup.clone().set("PUSH_ENABLED", "false");
    set(&test, &id, &json!({"city": "ours"})).await;
    quiet.sync(&[]).await;
    let daemon = quiet.start(&["run"]);
    daemon.says("is up after").await;
    set(&test, &id, &json!({"jobtitle": "Pilot"})).await;
    quiet.sync(&[]).await;
    assert_eq!(super::history(&simulator, &id, "city").await, [""; 0]);
    assert_eq!(test.rows("jobs", &["state", "attempts"], "").await, ["ready|0"]);
    daemon.stop_well().await;
    let daemon = setup.start(&["run"]);
    arrived(&simulator, &id, "jobtitle", "Pilot").await;
    arrived(&simulator, &id, "city", "ours").await;
    settled(&test, "hubspot_contacts").await;
    assert!(daemon.stop().await.success());
}

/// Edits a contact where that is nobody's business, and asserts that nothing comes of it.
async fn nothing_is_captured(simulator: &Simulator, test: &TestDatabase) {
    let id = test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    let before = contact(simulator, &id).await["properties"]["city"].clone();
    set(test, &id, &json!({"city": "ours"})).await;
    let of_row = format!("WHERE hubspot_id = {id}");
    let row =
        test.rows("hubspot_contacts", &["sync_status", "base_properties_json", "version"], &of_row).await;
    assert_eq!(row, ["synced|-|1"]);
    assert_eq!(test.number("SELECT COUNT(*) FROM jobs").await, 0);
    assert_eq!(contact(simulator, &id).await["properties"]["city"], before);
    let triggers = "SELECT COUNT(*) FROM information_schema.triggers WHERE event_object_schema = DATABASE() \
                    AND event_object_table = 'hubspot_contacts'";
    assert_eq!(test.number(triggers).await, 0);
}

#[tokio::test]
async fn nothing_is_captured_of_what_is_not_writable() {
    let (simulator, test) = (Simulator::start(3, 1, 0), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url);
    setup.sync(&[]).await;
    nothing_is_captured(&simulator, &test).await;
    // Nor of what is no more.
    setup.clone().writable().sync(&[]).await;
    setup.sync(&[]).await;
    nothing_is_captured(&simulator, &test).await;
}

#[tokio::test]
async fn nothing_is_captured_with_a_token_that_may_only_read_and_the_log_says_so_once() {
    let (simulator, test) = (Simulator::start(3, 1, 0), TestDatabase::empty().await);
    simulator.set(json!({"deniedScopes": ["crm.objects.contacts.write"]})).await;
    let daemon = Setup::new(&simulator, &test.url).writable().at("* * * * * *").start(&["run"]);
    let words = "contacts are read-only: the token lacks the scope crm.objects.contacts.write";
    daemon.says(words).await;
    eventually("several runs have ended", async || {
        let ended = test
            .number("SELECT COUNT(*) FROM sync_runs WHERE object_type = 'contacts' AND outcome = 'succeeded'")
            .await;
        holds(ended >= 3, ended)
    })
    .await;
    assert_eq!(daemon.log().matches(words).count(), 1, "{}", daemon.log());
    assert!(daemon.stop().await.success());
    nothing_is_captured(&simulator, &test).await;
}

#[tokio::test]
async fn the_company_of_a_contact_is_linked_and_taken_away() {
    let (simulator, test, setup) = account(2, 3).await;
    let contact_id = simulator.create_with("contacts", json!({"email": "alone@example.test"})).await;
    crate::support::truth::everything_is_searchable(&simulator).await;
    setup.sync(&[]).await;
    let company = test.value("(SELECT MIN(hubspot_id) FROM hubspot_companies)").await;
    let primary = async || {
        let links = simulator.links("contacts", "companies").await;
        let links = links.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut primary = links.filter(|link| {
            let types = link["types"].as_array().unwrap();
            link["from"] == *contact_id && types.iter().any(|one| one["typeId"] == 1)
        });
        primary.next().map(|link| link["to"].as_str().unwrap().to_owned())
    };
    assert_eq!(primary().await, None);
    let daemon = setup.start(&["run"]);
    let of_row = format!("WHERE hubspot_id = {contact_id}");
    for (value, expected) in [(company.as_str(), Some(company.clone())), ("NULL", None)] {
        test.execute(&format!("UPDATE hubspot_contacts SET associatedcompanyid = {value} {of_row}")).await;
        settled(&test, "hubspot_contacts").await;
        assert_eq!(primary().await, expected);
        let row = test
            .rows("hubspot_contacts", &["COALESCE(associatedcompanyid, 'NULL')", "sync_status"], &of_row)
            .await;
        assert_eq!(row, [format!("{value}|synced")]);
    }
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_type_that_fails_keeps_no_other_from_being_sent() {
    let (simulator, test, setup) = account(1, 1).await;
    let refusal = json!({"kind": "status", "status": 403, "body": "{\"message\": \"no\"}"});
    simulator
        .fault(json!({"match": {"pathContains": "/crm/properties/2026-09/contacts"}, "times": 1_000_000, "action": refusal}))
        .await;
    test.execute("UPDATE hubspot_contacts SET city = 'ours'").await;
    test.execute("UPDATE hubspot_companies SET name = 'ours'").await;
    let daemon = setup.start(&["run"]);
    eventually("the company is sent", async || {
        let company = test.rows("hubspot_companies", &["sync_status", "name"], "").await;
        holds(company == ["synced|ours"], company)
    })
    .await;
    assert_eq!(test.rows("hubspot_contacts", &["sync_status"], "").await, ["pending"]);
    daemon.says("Edits wait").await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn what_the_token_may_do_is_asked_again_when_hubspot_did_not_answer() {
    let (simulator, test, setup) = account(1, 1).await;
    let setup = setup.at("* * * * * *");
    let busy = json!({"kind": "status", "status": 503, "body": "{\"message\": \"busy\"}"});
    let question = json!({"pathContains": "access-token-info"});
    simulator.fault(json!({"match": question, "times": 1_000_000, "action": busy})).await;
    let triggers = "SELECT COUNT(*) FROM information_schema.triggers WHERE event_object_schema = DATABASE() AND event_object_table = 'hubspot_contacts'";
    let made = test.number(triggers).await;
    let daemon = setup.start(&["run"]);
    daemon.says("what the token may do is not known").await;
    assert_eq!(test.number(triggers).await, made);
    test.execute("UPDATE hubspot_contacts SET city = 'ours'").await;
    simulator.clear_faults().await;
    settled(&test, "hubspot_contacts").await;
    assert_eq!(test.rows("hubspot_contacts", &["sync_status", "city"], "").await, ["synced|ours"]);
    assert_eq!(test.number("SELECT COUNT(*) FROM sync_runs WHERE outcome = 'failed'").await, 0);
    assert!(daemon.stop().await.success());
}
