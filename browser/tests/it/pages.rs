//! Every page, as people see it, and the story of a conflict from its beginning to its end.

use serde_json::{Value, json};

use super::Stage;
use super::support::daemon::Setup;
use super::support::database::TestDatabase;
use super::support::edits::{all_is_sent, hubspot_contact};
use super::support::simulator::Simulator;
use super::support::{eventually, holds};

/// A dashboard with something on every page: records of four types with links, a record that cannot be stored, a settled
/// conflict, an edit HubSpot refuses, and deletes that wait for somebody.
async fn furnished() -> Stage {
    let (simulator, test) = (Simulator::start(12, 4, 60), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url)
        .set("SYNC_OBJECTS", "contacts,companies,deals,tickets")
        .set("WRITABLE_OBJECTS", "contacts,companies,deals");
    let poison = r#"{"id":"{id}","properties":{"lastname":"Unreadable"},"updatedAt":7}"#;
    let victim = simulator.create("contacts", 1).await.remove(0);
    simulator
        .post(&format!("/raw/contacts/{victim}"), json!({"json": poison.replace("{id}", &victim)}))
        .await;
    setup.sync(&[]).await;
    let ids = test.rows("hubspot_contacts", &["hubspot_id"], "ORDER BY id").await;
    let links = "INSERT INTO hubspot_associations (from_type, from_id, to_type, to_id, category, type_id, label, \
                 is_primary, first_seen_at) SELECT 'contacts', p.hubspot_id, 'companies', c.hubspot_id, \
                 'HUBSPOT_DEFINED', 1, 'Employer', TRUE, NOW() FROM (SELECT MIN(hubspot_id) AS hubspot_id FROM \
                 hubspot_contacts) p JOIN hubspot_companies c UNION ALL SELECT 'contacts', p.hubspot_id, 'deals', \
                 d.hubspot_id, 'HUBSPOT_DEFINED', 4, NULL, FALSE, NOW() FROM (SELECT MIN(hubspot_id) AS hubspot_id \
                 FROM hubspot_contacts) p JOIN (SELECT hubspot_id FROM hubspot_deals LIMIT 3) d";
    test.execute(links).await;
    simulator.edit("contacts", &ids[1], json!({"city": "Lisboa"})).await;
    let edit = async |id: &str, what: &str| {
        test.execute(&format!("UPDATE hubspot_contacts SET {what} WHERE hubspot_id = {id}")).await;
    };
    edit(&ids[1], "city = 'Porto'").await;
    edit(&ids[2], "email = 'no address'").await;
    let stage = Stage::of(simulator, test, setup).await;
    let one = async |what: &str, of: &str| {
        let query = format!("SELECT COUNT(*) FROM {of}");
        eventually(what, async || holds(stage.test.number(&query).await == 1, "there is none")).await;
    };
    one("the edit is refused", "jobs WHERE state = 'dead'").await;
    one("a conflict is open", "conflicts").await;
    let settled = stage.setup.run(&["conflicts", "resolve", "1", "--keep", "local"]).await;
    assert!(settled.status.success(), "{settled:?}");
    // Not before it leads: what waits from before is forgotten then.
    let deletes = "INSERT INTO pending_deletes (object_type, hubspot_id, reason, found_at, found_by) SELECT \
                   'companies', hubspot_id, 'archived', UTC_TIMESTAMP(3), 'archive' FROM hubspot_companies LIMIT 2";
    let stopped = "INSERT INTO sync_lanes (object_type, lane, status, error_kind, last_error) VALUES \
                   ('companies', 'archive', 'error', 'too_many_deletes', '2 of 4 records would be marked as deleted')";
    for sql in [deletes, stopped] {
        stage.test.execute(sql).await;
    }
    stage
}

#[tokio::test]
async fn every_page_can_be_looked_at() {
    let stage = furnished().await;
    let browser = &stage.browser;
    let first = async |table: &str| stage.test.value(&format!("(SELECT MIN(id) FROM {table})")).await;
    let (contact, company) = (first("hubspot_contacts").await, first("hubspot_companies").await);
    let (deal, conflict) = (first("hubspot_deals").await, first("conflicts").await);
    let pages = [
        ("contacts", "/contacts".to_owned(), "New contact"),
        ("contact", format!("/contacts/{contact}"), "Employer"),
        ("contact-edit", format!("/contacts/{contact}/edit"), "Save"),
        ("contact-new", "/contacts/new".to_owned(), "First Name"),
        ("contact-delete", format!("/contacts/{contact}/delete"), "Delete"),
        ("companies", "/companies".to_owned(), "New company"),
        ("company", format!("/companies/{company}"), "Employer"),
        ("company-new", "/companies/new".to_owned(), "Company name"),
        ("deals", "/deals".to_owned(), "Closed Won"),
        ("deal-list", "/deals/list".to_owned(), "New deal"),
        ("deal", format!("/deals/{deal}"), "Amount"),
        ("objects", "/objects".to_owned(), "Tickets"),
        ("tickets", "/objects/tickets".to_owned(), "Tickets"),
        ("conflicts", "/conflicts".to_owned(), "Conflicts"),
        ("conflict-history", "/conflicts/history".to_owned(), "command line"),
        ("conflict-settled", format!("/conflicts/{conflict}"), "Settled"),
        ("activity", "/activity".to_owned(), "failed"),
        ("activity-retry", "/activity/retry".to_owned(), "Try"),
        ("runs", "/activity/runs".to_owned(), "Runs"),
        ("health", "/health".to_owned(), "Checks"),
        ("health-check", "/health/check".to_owned(), "Check"),
        ("health-deletes", "/health/deletes/companies".to_owned(), "Mark all 2 as deleted"),
        ("quarantine", "/health/quarantine".to_owned(), "updatedAt"),
        ("configuration", "/health/configuration".to_owned(), "HUBSPOT_BASE_URL"),
        ("api", "/api/docs".to_owned(), "/api/contacts"),
    ];
    for (name, path, words) in pages {
        browser.open(&path).await;
        browser.sees(words).await;
        browser.shot(name).await;
    }
    stage.end().await;
}

#[tokio::test]
async fn a_contact_edited_on_its_page_arrives_in_hubspot() {
    let stage = Stage::start(3, 1).await;
    let browser = &stage.browser;
    let [key, id] = ["id", "hubspot_id"];
    let row = stage.test.rows("hubspot_contacts", &[key, id], "ORDER BY id LIMIT 1").await.remove(0);
    let (key, id) = row.split_once('|').unwrap();
    browser.open(&format!("/contacts/{key}/edit")).await;
    browser.fill("First Name", "Grace \"<b>\"").await;
    browser.click("Save").await;
    browser.sees("Grace \"<b>\"").await;
    all_is_sent(&stage.test, "hubspot_contacts").await;
    assert_eq!(hubspot_contact(&stage.simulator, id).await["properties"]["firstname"], "Grace \"<b>\"");
    browser.sees("Both sides are the same").await;
    stage.end().await;
}

#[tokio::test]
async fn a_conflict_appears_is_merged_and_both_sides_are_equal() {
    let stage = Stage::start(3, 1).await;
    let browser = &stage.browser;
    let id = stage.test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    let name = json!({"firstname": "Ada", "lastname": "Lovelace"});
    stage.simulator.edit("contacts", &id, name).await;
    browser.open("/conflicts").await;
    browser.sees("Conflicts").await;
    // Both before the daemon can have seen the first of them.
    let theirs = stage.simulator.edit("contacts", &id, json!({"city": "Lisboa", "jobtitle": "Captain"}));
    let ours =
        format!("UPDATE hubspot_contacts SET city = 'Porto', jobtitle = 'Pilot' WHERE hubspot_id = {id}");
    tokio::join!(theirs, stage.test.execute(&ours));
    browser.sees("Ada Lovelace").await;
    browser.click("Ada Lovelace").await;
    for value in ["Porto", "Lisboa", "Pilot", "Captain"] {
        browser.sees(value).await;
    }
    browser.shot("conflict").await;
    for choice in ["side.city\"][value=\"hubspot", "side.jobtitle\"][value=\"own"] {
        browser.ask(&format!("document.querySelector('input[name=\"{choice}\"]').click()")).await;
    }
    browser.fill("Own value of Job Title", "Admiral").await;
    browser.click("Preview the result").await;
    browser.sees("This is the result").await;
    // Something happens meanwhile, and the page stays what it is.
    stage.simulator.create("contacts", 2).await;
    browser.sees_at("#navigation .count", "1").await;
    browser.shot("conflict-preview").await;
    browser.no_longer_sees("You are signed out").await;
    browser.click("Settle it so").await;
    browser.sees("merged").await;
    all_is_sent(&stage.test, "hubspot_contacts").await;
    let contact = hubspot_contact(&stage.simulator, &id).await;
    let remote = ["city", "jobtitle"].map(|name| contact["properties"][name].clone());
    assert_eq!(remote, ["Lisboa", "Admiral"].map(Value::from));
    let columns = ["city", "jobtitle", "sync_status"];
    let rows = stage.test.rows("hubspot_contacts", &columns, &format!("WHERE hubspot_id = {id}")).await;
    assert_eq!(rows, ["Lisboa|Admiral|synced"]);
    browser.open("/conflicts").await;
    browser.no_longer_sees("Ada Lovelace").await;
    stage.end().await;
}
