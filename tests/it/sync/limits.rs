//! HubSpot's limits, as HubSpot counts them.

use serde_json::json;

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::assert_equal;

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
    let stats = simulator.stats().await;
    assert_eq!(stats["rateLimited"], json!(0), "{stats}");
    assert!(stats["maxInWindow"].as_u64() <= Some(90), "{stats}");
    assert!(stats["maxSearchPerSecond"].as_u64() <= Some(4), "{stats}");
}

#[tokio::test]
async fn the_limit_in_the_answers_overrides_the_configuration() {
    let (simulator, test) = (limited(5_000), TestDatabase::empty().await);
    simulator.set(json!({"limitPer10Seconds": 40})).await;
    setup(&simulator, &test).sync(&["contacts"]).await;
    let stats = simulator.stats().await;
    assert_eq!(stats["rateLimited"], json!(0), "{stats}");
    assert!(stats["maxInWindow"].as_u64() <= Some(36), "{stats}");
}

#[tokio::test]
async fn other_apps_with_the_same_token_get_their_share() {
    let (simulator, test) = (limited(5_000), TestDatabase::empty().await);
    simulator.set(json!({"otherAppsPer10Seconds": 50})).await;
    setup(&simulator, &test).sync(&["contacts"]).await;
    let stats = simulator.stats().await;
    assert_eq!(stats["rateLimited"], json!(0), "{stats}");
}

#[tokio::test]
async fn a_burst_refused_by_hubspot_is_waited_out() {
    let (simulator, test) = (limited(1_500), TestDatabase::empty().await);
    let refused = json!({"match": {"pathContains": "/contacts?"}, "skip": 4, "times": 1, "action": {"kind": "rateLimit", "policy": "TEN_SECONDLY_ROLLING"}});
    simulator.fault(refused).await;
    setup(&simulator, &test).sync(&[]).await;
    assert_equal(&simulator, &test).await;
}
