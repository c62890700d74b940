//! Every page, as people see it, and the story of a conflict from its beginning to its end.

use serde_json::{Value, json};

use super::Stage;
use super::support::edits::{all_is_sent, hubspot_contact};

#[tokio::test]
async fn every_page_can_be_looked_at() {
    let stage = Stage::start(12, 4).await;
    let browser = &stage.browser;
    let contact = stage.test.value("(SELECT MIN(id) FROM hubspot_contacts)").await;
    let pages = [
        ("contacts", "/contacts".to_owned(), "New contact"),
        ("contact", format!("/contacts/{contact}"), "Main properties"),
        ("contact-edit", format!("/contacts/{contact}/edit"), "Save"),
        ("companies", "/companies".to_owned(), "New company"),
        ("deals", "/deals".to_owned(), "Deals"),
        ("conflicts", "/conflicts".to_owned(), "Conflicts"),
        ("activity", "/activity".to_owned(), "Activity"),
        ("runs", "/activity/runs".to_owned(), "Runs"),
        ("health", "/health".to_owned(), "Checks"),
        ("quarantine", "/health/quarantine".to_owned(), "Quarantine"),
        ("configuration", "/health/configuration".to_owned(), "HUBSPOT_BASE_URL"),
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
