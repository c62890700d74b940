//! The dashboard without a mouse.

use hubspot_connector_browser::TAB;
use serde_json::{Value, json};

use super::Stage;
use super::support::edits::{all_is_sent, hubspot_contact};

const ENTER: &str = "\u{e007}";
const SPACE: &str = " ";
/// What the tabulator stops at, as far as it can be seen and used.
const STOPS: &str = "document.querySelectorAll('a, button, input, select, textarea, summary')";
const RIGHT: &str = "\u{e014}";

/// What cannot be reached with the tabulator, or does not show that it has the focus, on the page that is open.
async fn unreachable(stage: &Stage) -> Value {
    let browser = &stage.browser;
    browser
        .ask(
            "window.met = new Set(); window.unseen = []; \
             document.addEventListener('focusin', ({ target }) => { window.met.add(target); \
             const shown = getComputedStyle(target); \
             if (shown.outlineStyle === 'none' && shown.boxShadow === 'none') window.unseen.push(target.outerHTML); })",
        )
        .await;
    let rest = format!(
        "const open = (e) => e.checkVisibility() && !e.disabled && e.tabIndex >= 0 && e.type !== 'hidden'; \
         const group = (e) => e.type === 'radio' && [...window.met].some((m) => m.name === e.name); \
         return [...{STOPS}].filter((e) => open(e) && !window.met.has(e) && !group(e)).map((e) => e.outerHTML)"
    );
    let count = format!("return {STOPS}.length");
    let most = browser.ask(&count).await.as_u64().unwrap() + 10;
    for _ in 0..most {
        browser.press(TAB).await;
    }
    json!({"unreached": browser.ask(&rest).await, "unseen": browser.ask("return window.unseen").await})
}

#[tokio::test]
async fn the_tabulator_leads_everywhere_and_shows_where_it_is() {
    // Nothing happens meanwhile that a page would show.
    let stage = Stage::start_with(3, 1, |setup| setup.at("0 0 0 1 1 *")).await;
    let contact = stage.test.value("(SELECT MIN(id) FROM hubspot_contacts)").await;
    for path in ["/", "/contacts", &format!("/contacts/{contact}"), "/contacts/new", "/activity", "/health"] {
        stage.browser.open(path).await;
        assert_eq!(unreachable(&stage).await, json!({"unreached": [], "unseen": []}), "{path}");
    }
    stage.end().await;
}

#[tokio::test]
async fn a_contact_is_edited_and_a_conflict_settled_with_the_keyboard_alone() {
    let stage = Stage::start(3, 1).await;
    let browser = &stage.browser;
    let id = stage.test.value("(SELECT MIN(hubspot_id) FROM hubspot_contacts)").await;
    browser.open("/").await;
    browser.tab_to("nav a[href='/contacts']").await;
    browser.press(ENTER).await;
    browser.sees("New contact").await;
    let key = stage.test.value(&format!("(SELECT id FROM hubspot_contacts WHERE hubspot_id = {id})")).await;
    browser.tab_to(&format!("main a[href='/contacts/{key}']")).await;
    browser.press(ENTER).await;
    browser.sees("Main properties").await;
    browser.tab_to(&format!("a[href='/contacts/{key}/edit']")).await;
    browser.press(ENTER).await;
    browser.sees("Save").await;
    browser.tab_to("[name='value.firstname']").await;
    browser.ask("document.activeElement.select()").await;
    browser.press("Grace").await;
    browser.press(ENTER).await;
    all_is_sent(&stage.test, "hubspot_contacts").await;
    assert_eq!(hubspot_contact(&stage.simulator, &id).await["properties"]["firstname"], "Grace");

    let theirs = stage.simulator.edit("contacts", &id, json!({"city": "Lisboa"}));
    let ours = format!("UPDATE hubspot_contacts SET city = 'Faro' WHERE hubspot_id = {id}");
    tokio::join!(theirs, stage.test.execute(&ours));
    browser.sees_at("#navigation .count", "1").await;
    browser.tab_to("nav a[href='/conflicts']").await;
    browser.press(ENTER).await;
    browser.tab_to("main a[href^='/conflicts/']:not([href$='history'])").await;
    browser.press(ENTER).await;
    browser.sees("What counts?").await;
    browser.tab_to("[name='side.city']").await;
    browser.press(SPACE).await;
    browser.press(RIGHT).await;
    assert_eq!(browser.ask("return document.activeElement.value").await, "hubspot");
    browser.press(ENTER).await;
    browser.sees("This is the result").await;
    browser.tab_to(".primary").await;
    browser.press(ENTER).await;
    browser.sees("Settled").await;
    all_is_sent(&stage.test, "hubspot_contacts").await;
    let row = format!("WHERE hubspot_id = {id}");
    let rows = stage.test.rows("hubspot_contacts", &["city", "sync_status"], &row).await;
    assert_eq!(rows, ["Lisboa|synced"]);
    stage.end().await;
}
