//! Pages that stay current by themselves.

use super::Stage;

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
    let expected = ["ERR_CONNECTION_REFUSED", "503", "/ws"];
    let is_about_it = |error: &String| expected.iter().any(|words| error.contains(words));
    assert!(errors.iter().all(is_about_it), "{errors:#?}");
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
