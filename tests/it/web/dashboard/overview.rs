//! The overview: what it says when all is well and when it is not.

use chrono::{DateTime, TimeDelta, Utc};
use hubspot_mariadb_connector::clock;
use reqwest::Method;
use serde_json::json;

use super::super::Served;
use super::Visitor;
use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::eventually;
use crate::support::simulator::Simulator;
use crate::web::client::Api;

/// The overview, once it contains all of the words.
async fn overview(api: &Api, words: &[&str]) -> String {
    eventually(&format!("the overview says {words:?}"), async || {
        let html = Visitor::at(api.address()).get("/").await.ok();
        let missing: Vec<_> = words.iter().filter(|word| !html.contains(*word)).collect();
        if missing.is_empty() { Ok(html) } else { Err(format!("{missing:?} is missing in {html}")) }
    })
    .await
}

/// The part of a page from the first place of `from` to the next of `to`.
fn part<'h>(html: &'h str, from: &str, to: &str) -> &'h str {
    let rest = html.split_once(from).unwrap_or_else(|| panic!("no {from} in {html}")).1;
    rest.split_once(to).unwrap_or_else(|| panic!("no {to} behind {from}")).0
}

#[tokio::test]
async fn every_type_is_shown_with_how_it_stands() {
    let served = Served::start(1_234, 2).await;
    let words = ["Everything is in step with HubSpot", "Requests today", "HubSpot had"];
    let html = overview(&served.api, &words).await;
    for name in ["owners", "deal_pipelines", "contacts", "companies", "deals"] {
        assert!(html.contains(&format!("<th scope=\"row\">{name}</th>")), "{name}: {html}");
    }
    let contacts = part(&html, "<th scope=\"row\">contacts</th>", "</tr>");
    assert!(contacts.contains("in step") && contacts.contains("1,234"), "{contacts}");
    assert!(part(&html, "<h2>Open conflicts</h2>", "</div>").contains(">0<"), "{html}");
    assert!(!html.contains("href=\"/conflicts\">Settle"), "nothing to settle is no link");
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_told_once_with_what_to_do() {
    let served =
        Served::start_with(2, 1, |setup| setup.set("HUBSPOT_ACCESS_TOKEN", "pat-of-somebody-else")).await;
    // The token is tried with the next run.
    served.test.execute("UPDATE sync_state SET next_run_at = NULL").await;
    let words = ["HubSpot does not accept the token", "<code>HUBSPOT_ACCESS_TOKEN</code>", "failing"];
    let html = overview(&served.api, &words).await;
    assert_eq!(html.matches("INVALID_AUTHENTICATION").count(), 1, "{html}");
    assert!(!html.contains("pat-of-somebody-else"));
}

#[tokio::test]
async fn a_first_copy_shows_how_far_it_is() {
    let (simulator, test) = (Simulator::start(900, 1, 0), TestDatabase::empty().await);
    // So slow that the copy is still under way when it is looked at.
    let setup = Setup::new(&simulator, &test.url).serving().set("RATE_LIMIT_PER_10_SECONDS", "10");
    let daemon = setup.start(&["run"]);
    let api = Api::at(&daemon.address().await).await;
    api.is_ready().await;
    let html = overview(&api, &["The first copy is under way", "of 900 records", "contacts</strong>"]).await;
    let listing = part(&html, "<progress class=\"bar busy\"", ">");
    assert!(listing.contains("max=\"900\"") && listing.contains("aria-label=\"contacts\""), "{listing}");
    assert!(part(&html, "<th scope=\"row\">contacts</th>", "</tr>").contains("never"), "{html}");
}

#[tokio::test]
async fn what_others_said_is_shown_as_text() {
    let served = Served::start(2, 1).await;
    overview(&served.api, &["Everything is in step with HubSpot"]).await;
    let long = "long ".repeat(2_000);
    let sql = format!(
        "UPDATE sync_state SET status = 'error', consecutive_failures = 3, error_kind = 'hubspot', \
         last_error = '<script>alert(1)</script> \"quoted\" `command` {long}', last_error_at = UTC_TIMESTAMP(3), \
         notice = '<img src=x onerror=alert(2)>\nsecond line', next_run_at = UTC_TIMESTAMP(3) + INTERVAL 5 MINUTE \
         WHERE object_type = 'deals'"
    );
    let html = eventually("the overview shows what was written", async || {
        // Written until it is shown: the daemon's first run and its lanes write there too.
        served.test.execute(&sql).await;
        let html = Visitor::at(served.api.address()).get("/").await.ok();
        let words = ["1 of 5 types cannot be synced", "<code>command</code>", ">second line<"];
        if words.iter().all(|words| html.contains(words)) { Ok(html) } else { Err(html) }
    })
    .await;
    assert!(!html.contains("<script>alert") && !html.contains("<img src=x"), "{html}");
    assert!(html.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "{html}");
}

#[tokio::test]
async fn what_waits_for_a_person_is_counted_and_linked() {
    let served = Served::start(2, 1).await;
    let sql = "INSERT INTO jobs (object_type, kind, record_id, state, run_at, created_at, updated_at) VALUES \
               ('contacts', 'push', 999999, 'dead', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))";
    served.test.execute(sql).await;
    let html = overview(&served.api, &["In step, but 1 failed edit waits for you"]).await;
    let failed = part(&html, "<h2>Failed edits</h2>", "</div>");
    assert!(failed.contains(">1<") && failed.contains("href=\"/activity?status=failed\""), "{failed}");
}

#[tokio::test]
async fn a_process_that_stands_by_names_the_one_that_calls_hubspot() {
    let served = Served::start(2, 1).await;
    overview(&served.api, &["Requests today"]).await;
    let other = served.setup.start(&["run"]);
    let api = Api::at(&other.address().await).await;
    api.is_ready().await;
    let status = served.api.get("/api/sync/status").await.ok();
    let leader = status["leader"].as_str().unwrap();
    let html = overview(&api, &["This process stands by", leader]).await;
    assert!(
        html.contains("Everything is in step") && html.contains("the limits are shown by the one that does")
    );
}

#[tokio::test]
async fn charts_count_what_came_and_what_went() {
    let served = Served::start(2, 1).await;
    overview(&served.api, &["Everything is in step with HubSpot"]).await;
    let at = clock::now() - TimeDelta::hours(3);
    let hour = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:00:00").to_string();
    let began = hour(at);
    for sql in [
        format!(
            "INSERT INTO sync_runs (object_type, lane, triggered_by, started_at, finished_at, outcome, window_start, \
             inserted, updated, deleted) VALUES ('contacts', 'incremental', 'schedule', '{began}', \
             '{began}' + INTERVAL 1 MINUTE, 'succeeded', '{began}' - INTERVAL 44 MINUTE, 1000, 230, 4), \
             ('contacts', 'fill', 'schedule', '{began}', '{began}', 'succeeded', NULL, 0, 77, 0)"
        ),
        format!("INSERT INTO webhook_hours (hour, object_type, changes) VALUES ('{began}', 'contacts', 6)"),
        format!("INSERT INTO push_hours (hour, object_type, changes) VALUES ('{began}', 'contacts', 2)"),
    ] {
        served.test.execute(&sql).await;
    }
    let html = overview(&served.api, &["Changes per hour"]).await;
    let label = at.format("%H:00").to_string();
    let cells = |chart: &str| {
        let chart = part(&html, &format!("id=\"chart-{chart}-table\""), "</table>");
        part(chart, &format!("<th scope=\"row\">{label}</th>"), "</tr>").to_owned()
    };
    assert_eq!(cells("changes"), "<td class=\"number\">1,240</td><td class=\"number\">2</td>");
    assert_eq!(cells("lag"), "<td class=\"number\">45 min</td>");
    let chart = part(&html, "id=\"chart-changes\"", "</svg>");
    assert!(chart.contains(&format!("{label} UTC: 1,240 from HubSpot, 2 to HubSpot")), "{chart}");
}

#[tokio::test]
async fn an_edit_that_is_sent_is_counted_at_once() {
    let served = Served::start(2, 1).await;
    overview(&served.api, &["and 0 to HubSpot"]).await;
    let contact = served.contact().await;
    served.api.patch(&format!("/api/contacts/{}", contact["id"]), &json!({"phone": "12345"})).await.ok();
    overview(&served.api, &["and 1 to HubSpot", "all sent"]).await;
}

#[tokio::test]
async fn parts_that_change_by_themselves_can_be_replaced_alone() {
    let served = Served::start(1, 1).await;
    let html = overview(&served.api, &["Everything is in step with HubSpot"]).await;
    for section in html.split("<section ").skip(1) {
        let tag = section.split('>').next().unwrap();
        assert!(tag.contains("id=\"") && tag.contains("data-live"), "{tag}");
    }
    let asset = part(&html, "rel=\"stylesheet\" href=\"", "\"");
    let style = served.api.request(Method::GET, asset).send().await.unwrap().text().await.unwrap();
    assert!(style.contains(".verdict") && style.contains(".card"), "{asset} has both style sheets");
}
