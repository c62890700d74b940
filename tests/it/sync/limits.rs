//! HubSpot's limits, as HubSpot counts them.

use serde_json::json;

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::assert_equal;
use crate::support::{eventually, holds};

/// A simulator with the limits of the smallest tier.
fn limited(contacts: u32) -> Simulator {
    let contacts = contacts.to_string();
    let arguments = ["--contacts", &contacts, "--companies", "300", "--deals", "300", "--latency-ms", "30"];
    Simulator::with(&arguments.map(str::to_owned))
}

/// A setup that knows nothing of the account's limits but the defaults.
fn setup(simulator: &Simulator, test: &TestDatabase) -> Setup {
    Setup::new(simulator, &test.url)
        .set("RATE_LIMIT_PER_10_SECONDS", "100")
        .set("RATE_LIMIT_SEARCH_PER_SECOND", "5")
}

#[tokio::test]
async fn no_rolling_window_ever_holds_more_than_the_threshold() {
    let (simulator, test) = (limited(12_000), TestDatabase::empty().await);
    setup(&simulator, &test).sync(&[]).await;
    assert_equal(&simulator, &test).await;
    assert_eq!(simulator.count("rateLimited").await, 0);
    let (most, searches) =
        (simulator.count("maxInWindow").await, simulator.count("maxSearchPerSecond").await);
    assert!((1..=90).contains(&most), "{most}");
    assert!((1..=4).contains(&searches), "{searches}");
}

#[tokio::test]
async fn the_limit_in_the_answers_overrides_the_configuration() {
    let (simulator, test) = (limited(5_000), TestDatabase::empty().await);
    simulator.set(json!({"limitPer10Seconds": 40})).await;
    setup(&simulator, &test).sync(&["contacts"]).await;
    assert_eq!(simulator.count("rateLimited").await, 0);
    let most = simulator.count("maxInWindow").await;
    assert!((1..=36).contains(&most), "{most}");
}

#[tokio::test]
async fn other_apps_with_the_same_token_get_their_share() {
    let (simulator, test) = (limited(5_000), TestDatabase::empty().await);
    simulator.set(json!({"otherAppsPer10Seconds": 50})).await;
    setup(&simulator, &test).sync(&["contacts"]).await;
    assert_eq!(simulator.count("rateLimited").await, 0);
}

#[tokio::test]
async fn a_burst_refused_by_hubspot_is_waited_out() {
    let (simulator, test) = (limited(1_500), TestDatabase::empty().await);
    let refused = json!({"match": {"pathContains": "/contacts?"}, "skip": 4, "times": 1, "action": {"kind": "rateLimit", "policy": "TEN_SECONDLY_ROLLING"}});
    simulator.fault(refused).await;
    setup(&simulator, &test).sync(&[]).await;
    assert_equal(&simulator, &test).await;
    assert_eq!(simulator.stats().await["byStatus"]["429"], json!(1), "the refusal was met, and only once");
    let lasted_ms = simulator.count("lastRequestAt").await - simulator.count("firstRequestAt").await;
    assert!(lasted_ms >= 10_000, "{lasted_ms} ms: the window of the limit had not passed");
}

#[tokio::test]
async fn a_day_with_too_few_requests_holds_up_listings_first_and_says_so() {
    let (simulator, test) = (limited(6_000), TestDatabase::migrated().await);
    simulator.set(json!({"dailyLimit": 60})).await;
    // Nobody listens there; what is told is in the table all the same.
    let setup = setup(&simulator, &test).set("ALERT_WEBHOOK_URL", "http://127.0.0.1:1/");
    let daemon = setup.start(&["run"]);
    let waiting = eventually("the state says what waits", async || {
        let said = test.rows("sync_state", &["waiting"], "WHERE object_type = 'contacts'").await;
        said.first().filter(|text| text.contains("wait")).cloned().ok_or_else(|| daemon.log())
    })
    .await;
    assert!(waiting.starts_with("The daily request limit: full listings wait until "), "{waiting}");
    assert!(simulator.count("requests").await <= 50, "the rest of the day is kept for what matters more");
    let status = setup.run(&["status"]).await;
    assert!(String::from_utf8_lossy(&status.stdout).contains("full listings wait"));
    eventually("somebody is told", async || {
        let told = test.rows("alerts", &["problem", "text"], "").await;
        let words = "daily_limit|The daily request limit: full listings wait until";
        holds(told.iter().any(|row| row.starts_with(words)), told)
    })
    .await;
    test.execute("UPDATE sync_state SET next_run_at = NULL WHERE object_type = 'owners'").await;
    eventually("owners are read all the same", async || {
        let next = test.rows("sync_state", &["next_run_at"], "WHERE object_type = 'owners'").await;
        holds(next != ["-"], next)
    })
    .await;
    assert!(daemon.stop().await.success());
}
