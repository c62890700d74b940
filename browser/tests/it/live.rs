//! Pages that stay current by themselves.

use std::time::{Duration, Instant};

use super::Stage;

/// Keeps the socket of a page where a test can speak through it, and notes when the page is loaded again.
const WATCH: &str = "window.loads = []; const load = window.fetch; \
                     window.fetch = (...what) => { window.loads.push(performance.now()); return load(...what); }; \
                     window.WebSocket = class extends window.WebSocket { \
                     constructor(...where) { super(...where); window.feed = this; } };";

/// Has the page hear news of that type.
fn news(of: &str) -> String {
    format!("window.feed.onmessage({{ data: JSON.stringify({{ type: '{of}' }}) }})")
}

#[tokio::test]
async fn the_overview_shows_every_type() {
    let stage = Stage::start(3, 2).await;
    stage.browser.open("/").await;
    for text in ["Overview", "contacts", "companies"] {
        stage.browser.sees(text).await;
    }
    stage.browser.shot("overview").await;
    stage.end().await;
}

#[tokio::test]
async fn a_change_in_hubspot_appears_on_an_open_page() {
    let stage = Stage::start(3, 1).await;
    let browser = &stage.browser;
    browser.open("/").await;
    browser.sees_at("[data-live] .number", "3").await;
    browser.ask("window.isTheSamePage = true").await;
    stage.simulator.create("contacts", 40).await;
    browser.sees_at("[data-live] .number", "43").await;
    assert_eq!(browser.ask("return window.isTheSamePage").await, true, "nothing was loaded anew");
    stage.end().await;
}

#[tokio::test]
async fn a_lost_connection_is_said_and_comes_back_by_itself() {
    let mut stage = Stage::start(3, 1).await;
    let browser = &stage.browser;
    browser.open("/").await;
    browser.sees_at("[data-live] .number", "3").await;
    let is_hidden = async || browser.ask("return document.getElementById('connection').hidden").await == true;
    assert!(is_hidden().await);
    stage.daemon.kill();
    browser.sees("Connection lost. What you see is from ").await;
    browser.shot("connection-lost").await;
    stage.simulator.create("contacts", 40).await;
    stage.daemon = stage.setup.start(&["run"]);
    browser.sees_at("[data-live] .number", "43").await;
    browser.until("the connection is back", is_hidden).await;
    let errors = browser.errors().await;
    // Before the daemon is ready again it answers with 503.
    let expected = ["ERR_CONNECTION_", "503", "/ws"];
    let is_about_it = |error: &String| expected.iter().any(|words| error.contains(words));
    assert!(errors.iter().all(is_about_it), "{errors:#?}");
    stage.end().await;
}

#[tokio::test]
async fn a_page_that_says_what_is_wrong_with_a_question_has_lost_no_connection() {
    let stage = Stage::start(3, 1).await;
    let browser = &stage.browser;
    browser.ask_first(WATCH).await;
    browser.open("/activity?record=x").await;
    let loads = "return window.loads.length";
    browser.until("it was loaded again", async || browser.ask(loads).await.as_u64() > Some(1)).await;
    browser.no_longer_sees("Connection lost").await;
    assert_eq!(browser.ask("return document.getElementById('connection').hidden").await, true);
    browser.errors().await;
    stage.end().await;
}

#[tokio::test]
async fn a_page_is_whole_without_scripts() {
    let stage = Stage::start(3, 1).await;
    let page = reqwest::get(format!("http://{}/", stage.daemon.address().await)).await.unwrap();
    let html = page.text().await.unwrap();
    assert!(html.contains("contacts") && html.len() < 100 * 1024, "{html}");
    stage.end().await;
}

#[tokio::test]
async fn news_without_end_are_a_refresh_every_few_seconds_and_a_conflict_is_seen_at_once() {
    // Nothing runs meanwhile.
    let stage = Stage::start_with(3, 1, |setup| setup.at("0 0 0 1 1 *")).await;
    let browser = &stage.browser;
    browser.ask_first(WATCH).await;
    browser.open("/contacts").await;
    let loads = async || browser.ask("return window.loads.length").await.as_u64().unwrap();
    // The one after `hello`, and whatever the first runs tell.
    browser.until("the page is connected", async || loads().await > 0).await;
    browser
        .until("nothing is heard any more", async || {
            let before = loads().await;
            tokio::time::sleep(Duration::from_secs(4)).await;
            loads().await == before
        })
        .await;
    let (before, began) = (loads().await, Instant::now());
    while began.elapsed() < Duration::from_secs(7) {
        for of in ["run_progress", "records_changed", "limiter"] {
            browser.ask(&news(of)).await;
        }
    }
    let during = loads().await - before;
    let lasted = began.elapsed();
    assert!((2..=lasted.as_secs() / 2 + 1).contains(&during), "{during} refreshes in {lasted:?}");
    let before = loads().await;
    let told = browser.ask(&format!("{}; return performance.now()", news("conflict_opened"))).await;
    browser.until("the conflict is looked at", async || loads().await > before).await;
    let next = format!("return window.loads.find((at) => at > {told}) - {told}");
    let after_ms = browser.ask(&next).await.as_f64().unwrap();
    assert!(after_ms < 2_000.0, "looked at after {after_ms} ms");
    stage.end().await;
}

#[tokio::test]
async fn a_part_that_is_replaced_keeps_the_focus_and_what_was_opened() {
    let stage = Stage::start(3, 1).await;
    let browser = &stage.browser;
    browser.open("/").await;
    browser.sees_at("[data-live] .number", "3").await;
    browser.ask("document.querySelector('#upkeep summary').click()").await;
    browser.ask("document.querySelector('#upkeep summary').focus()").await;
    browser.ask("window.before = document.getElementById('types')").await;
    stage.simulator.create("contacts", 40).await;
    browser.sees_at("[data-live] .number", "43").await;
    let is_another = "return window.before !== document.getElementById('types')";
    assert_eq!(browser.ask(is_another).await, true, "the part is another one now");
    assert_eq!(browser.ask("return document.getElementById('upkeep').open").await, true);
    let focused = "return document.activeElement === document.querySelector('#upkeep summary')";
    assert_eq!(browser.ask(focused).await, true);
    browser.ask("document.querySelector('#waiting a').focus()").await;
    let sql = "INSERT INTO jobs (object_type, kind, record_id, state, run_at, created_at, updated_at) VALUES \
               ('contacts', 'push', 999999, 'dead', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))";
    stage.test.execute(sql).await;
    stage.simulator.create("contacts", 1).await;
    browser.sees("waits for you").await;
    let focused = "return document.activeElement.textContent + document.activeElement.isConnected";
    assert_eq!(browser.ask(focused).await, "See what was senttrue");
    stage.end().await;
}

#[tokio::test]
async fn selected_text_stays_selected_until_it_is_let_go() {
    let stage = Stage::start(3, 1).await;
    let browser = &stage.browser;
    browser.open("/").await;
    browser.sees_at("[data-live] .number", "3").await;
    browser.ask("window.chart = document.querySelector('#chart-changes p').innerText").await;
    browser.ask("getSelection().selectAllChildren(document.querySelector('#types h2'))").await;
    stage.simulator.create("contacts", 40).await;
    let has_come = "return document.querySelector('#chart-changes p').innerText !== window.chart";
    browser.until("another part shows them", async || browser.ask(has_come).await == true).await;
    assert_eq!(browser.ask("return getSelection().toString()").await, "Types");
    let counts =
        "return [...document.querySelectorAll('#types .number')].map((cell) => cell.innerText).join(' ')";
    let shown = browser.ask(counts).await;
    assert!(!shown.as_str().unwrap().contains("43"), "the part waits, but shows {shown}");
    browser.ask("getSelection().removeAllRanges()").await;
    browser.sees_at("[data-live] .number", "43").await;
    stage.end().await;
}
