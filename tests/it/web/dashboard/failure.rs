//! Pages that say what is wrong.

use std::time::{Duration, Instant};

use reqwest::Method;

use super::super::Served;
use super::Visitor;
use crate::support::daemon::Setup;
use crate::support::simulator::Simulator;

#[tokio::test]
async fn a_database_that_is_gone_is_told_soon_and_with_what_to_do() {
    let simulator = Simulator::start(1, 1, 0);
    // Nobody listens there.
    let setup = Setup::new(&simulator, "mysql://hubspot:secret@127.0.0.1:1/hubspot").serving();
    let daemon = setup.start(&["run"]);
    let visitor = Visitor::at(&daemon.address().await);
    for path in ["/", "/contacts", "/login"] {
        let asked = Instant::now();
        let page = visitor.get(path).await;
        assert!(asked.elapsed() < Duration::from_secs(8), "{path} took {:?}", asked.elapsed());
        assert_eq!(page.status, 503, "{path}: {}", page.html);
        for words in [
            "The database does not answer",
            "<code>systemctl status mariadb</code>",
            "http-equiv=\"refresh\"",
        ] {
            assert!(page.html.contains(words), "{path} without `{words}`: {}", page.html);
        }
        assert!(!page.html.contains("secret") && !page.html.contains("127.0.0.1:1"), "{}", page.html);
    }
    let figures = visitor.get("/metrics").await;
    assert_eq!(figures.status, 200, "they are wanted most now");
    assert!(figures.html.contains("hubspot_connector_build_info"), "{}", figures.html);
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_a_page_for_people_and_json_for_programs() {
    let served = Served::start(1, 1).await;
    let visitor = Visitor::at(served.api.address());
    let html = "text/html,application/xhtml+xml,*/*;q=0.8";
    let page = visitor.send_with(Method::GET, "/nowhere/<b>", &[], &[("accept", html)]).await;
    assert_eq!(
        (page.status.as_u16(), page.headers["content-type"].to_str().unwrap()),
        (404, "text/html; charset=utf-8")
    );
    assert!(page.html.contains("There is no such page") && page.html.contains("href=\"/\""), "{}", page.html);
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("style-src 'self'"));
    let answer = visitor.get("/nowhere").await;
    assert_eq!(
        (answer.status.as_u16(), answer.headers["content-type"].to_str().unwrap()),
        (404, "application/json")
    );
}
