//! Rules of the rate limits. Source: HubSpot, "Usage guidelines"; 429 bodies as published by people who met them.

use hubspot_simulator::Config;
use serde_json::json;

use crate::harness::{Sim, small};

/// An account that allows this many requests and searches.
async fn limited(requests: u64, searches: u64, daily: u64) -> Sim {
    let config = Config {
        no_limits: false,
        limit_per_10_seconds: requests,
        search_limit_per_second: searches,
        daily_limit: daily,
        ..small()
    };
    Sim::start(config).await
}

/// Lets time pass.
async fn pass(sim: &Sim, ms: u64) {
    sim.control("POST", "clock/advance", &json!({ "ms": ms })).await;
}

#[tokio::test]
async fn headers_tell_what_is_left_of_window_and_day() {
    let sim = limited(100, 5, 1_000).await;
    sim.get("/crm/v3/owners").await;
    let answer = sim.get("/crm/v3/objects/contacts?limit=1").await;
    assert_eq!(answer.header("x-hubspot-ratelimit-max"), "100");
    assert_eq!(answer.header("x-hubspot-ratelimit-remaining"), "98");
    assert_eq!(answer.header("x-hubspot-ratelimit-interval-milliseconds"), "10000");
    assert_eq!(answer.header("x-hubspot-ratelimit-daily"), "1000");
    assert_eq!(answer.header("x-hubspot-ratelimit-daily-remaining"), "998");
}

#[tokio::test]
async fn the_window_rolls_and_refused_requests_count_too() {
    let sim = limited(3, 5, 1_000).await;
    let status = async || sim.get("/crm/v3/objects/contacts?limit=1").await.status;
    for expected in [200, 200, 200, 429] {
        assert_eq!(status().await, expected);
    }
    pass(&sim, 6_000).await;
    assert_eq!(status().await, 429);
    pass(&sim, 5_000).await;
    // The four of the start have left the window, the refused one of the middle has not.
    for expected in [200, 200, 429] {
        assert_eq!(status().await, expected);
    }
}

#[tokio::test]
async fn a_refusal_names_its_policy_and_gives_no_hint_when_to_come_back_unless_switched_on() {
    let sim = limited(1, 5, 1_000).await;
    sim.get("/crm/v3/owners").await;
    let refused = sim.get("/crm/v3/owners").await;
    let body = refused.json();
    assert_eq!(refused.status, 429);
    assert_eq!(body["message"], "You have reached your ten_secondly_rolling limit.");
    assert_eq!(body["errorType"], "RATE_LIMIT");
    assert_eq!(body["policyName"], "TEN_SECONDLY_ROLLING");
    assert!(body["groupName"].is_string());
    assert_eq!(refused.header("retry-after"), "");
    assert_eq!(refused.header("x-hubspot-ratelimit-remaining"), "0");
    sim.set(json!({ "retryAfter": true })).await;
    assert_eq!(sim.get("/crm/v3/owners").await.header("retry-after"), "10");
}

#[tokio::test]
async fn searches_have_their_own_limit_per_second_without_headers() {
    let sim = limited(1, 2, 1_000).await;
    let search = async || sim.search("contacts", json!({ "limit": 1 })).await;
    let first = search().await;
    assert_eq!(first.status, 200);
    assert!(first.headers.keys().all(|name| !name.as_str().contains("ratelimit")));
    assert_eq!(search().await.status, 200);
    let refused = search().await;
    assert_eq!((refused.status, refused.json()["policyName"].as_str()), (429, Some("SECONDLY")));
    assert_eq!(refused.json()["message"], "You have reached your secondly limit.");
    assert_eq!(sim.get("/crm/v3/owners").await.status, 200, "searches are outside the general limit");
    pass(&sim, 1_001).await;
    assert_eq!(search().await.status, 200);
}

#[tokio::test]
async fn the_daily_limit_counts_everything_and_starts_anew_at_midnight_of_the_account() {
    let sim = limited(100, 100, 3).await;
    sim.get("/crm/v3/owners").await;
    sim.search("contacts", json!({})).await;
    let usage = sim.get("/account-info/v3/api-usage/daily/private-apps").await.json();
    assert_eq!(usage["results"][0]["currentUsage"], json!(3));
    assert_eq!(usage["results"][0]["usageLimit"], json!(3));
    let refused = sim.search("contacts", json!({})).await;
    assert_eq!((refused.status, refused.json()["policyName"].as_str()), (429, Some("DAILY")));
    let resets_at = crate::harness::millis(&usage["results"][0]["resetsAt"]);
    let midnight = chrono::DateTime::from_timestamp_millis(resets_at)
        .unwrap()
        .with_timezone(&chrono_tz::America::New_York);
    assert_eq!(midnight.format("%H:%M:%S").to_string(), "00:00:00");
    pass(&sim, 86_400_000).await;
    assert_eq!(sim.get("/crm/v3/owners").await.header("x-hubspot-ratelimit-daily-remaining"), "2");
}

#[tokio::test]
async fn traffic_of_other_apps_counts_and_shows() {
    let sim = limited(100, 5, 1_000).await;
    sim.set(json!({ "otherAppsPer10Seconds": 98 })).await;
    assert_eq!(sim.get("/crm/v3/owners").await.header("x-hubspot-ratelimit-remaining"), "1");
    assert_eq!(sim.get("/crm/v3/owners").await.status, 200);
    assert_eq!(sim.get("/crm/v3/owners").await.status, 429);
}

#[tokio::test]
async fn requests_without_token_and_unknown_paths_do_not_count() {
    let sim = limited(1, 5, 1_000).await;
    for _ in 0..3 {
        let answer = sim.try_send("GET", "/crm/v3/owners", None, "").await.unwrap();
        assert_eq!(answer.status, 401);
        assert_eq!(sim.get("/crm/v3/nothing").await.status, 404);
    }
    assert_eq!(sim.get("/crm/v3/owners").await.status, 200);
}

#[tokio::test]
async fn statistics_tell_families_statuses_and_extremes() {
    let sim = limited(3, 1, 1_000).await;
    for _ in 0..4 {
        sim.get("/crm/v3/objects/contacts?limit=1").await;
    }
    sim.search("deals", json!({})).await;
    sim.post("/crm/v3/objects/contacts/batch/read", &json!({ "inputs": [] })).await;
    let stats = sim.control("GET", "stats", &json!({})).await;
    assert_eq!(stats["requests"], json!(6));
    assert_eq!(stats["byFamily"], json!({ "list": 4, "search": 1, "batchRead": 1 }));
    assert_eq!(stats["byStatus"], json!({ "200": 4, "429": 2 }));
    assert_eq!(stats["maxInWindow"], json!(5));
    assert_eq!(stats["maxSearchPerSecond"], json!(1));
    assert_eq!(stats["rateLimited"], json!(2));
    assert!(stats["firstRequestAt"].as_i64() <= stats["lastRequestAt"].as_i64());
    sim.control("POST", "stats/reset", &json!({})).await;
    let stats = sim.control("GET", "stats", &json!({})).await;
    assert_eq!((&stats["requests"], &stats["maxInWindow"]), (&json!(0), &json!(0)));
    assert_eq!(stats["firstRequestAt"], json!(null));
}
