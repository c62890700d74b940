//! What HubSpot's limits do to calls.

use std::time::Instant;

use tokio::time::timeout;

use super::*;

/// A 429 under `policy` that asks to wait `retry_after` seconds.
fn too_many(policy: &str, retry_after: &str) -> ResponseTemplate {
    let body = json!({"status": "error", "message": format!("You have reached your {policy} limit."),
        "errorType": "RATE_LIMIT", "correlationId": "c", "policyName": policy});
    refusal(429, &body).insert_header("retry-after", retry_after)
}

#[tokio::test]
async fn a_429_waits_as_asked_and_costs_no_try() {
    let trouble = || too_many("TEN_SECONDLY_ROLLING", "0.1");
    let answers = vec![trouble(), trouble(), trouble(), ResponseTemplate::new(503), page_of(&[1])];
    let server = server_with_each(answers).await;
    let client = client_at(&server.uri());
    let start = Instant::now();
    client.list_records(contacts(), &[], None, Priority::Audit).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
    let limits = client.limits();
    assert_eq!((limits.requests, limits.throttled), (5, 3));
}

#[tokio::test]
async fn a_limit_that_never_lifts_fails_the_call_in_the_end() {
    let server = server_with(too_many("TEN_SECONDLY_ROLLING", "0")).await;
    let client = client_at(&server.uri());
    let error = client.list_records(contacts(), &[], None, Priority::Audit).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::RateLimited, 10));
    assert!(error.to_string().contains("TEN_SECONDLY_ROLLING limit"), "{error}");
}

#[tokio::test]
async fn a_search_refused_without_a_hint_waits_a_second() {
    let refused =
        refusal(429, &json!({"message": "You have reached your secondly limit.", "policyName": "SECONDLY"}));
    let found = ResponseTemplate::new(200).set_body_json(json!({"total": 0, "results": []}));
    let server = server_with_each(vec![refused, found]).await;
    let start = Instant::now();
    client_at(&server.uri()).count_records(contacts(), Priority::Interactive).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn while_the_account_moves_nothing_is_sent() {
    let moving =
        refusal(477, &json!({"message": "migration in progress"})).insert_header("retry-after", "0.2");
    let server = server_with_each(vec![moving, page_of(&[1])]).await;
    let client = client_at(&server.uri());
    let start = Instant::now();
    client.list_records(contacts(), &[], None, Priority::Audit).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
    assert_eq!(client.limits().throttled, 0, "it is no 429");
}

#[tokio::test]
async fn a_person_hears_of_a_used_up_day_at_once_and_background_work_waits() {
    let server = server_with(refusal(429, &json!({"policyName": "DAILY"}))).await;
    let shutdown = CancellationToken::new();
    let client = HubSpotClient::with_policy(&config(&server.uri()), shutdown.clone(), HASTY).unwrap();
    let error = client.account(Priority::Interactive).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::DailyLimit, 1));
    let paused = client.limits().daily.paused.unwrap();
    assert_eq!(paused.reason, PauseReason::DailyLimit);

    let listing = client.list_records(contacts(), &[], None, Priority::Backfill);
    let stop_once_waiting = async {
        while client.limits().burst.waiting == 0 {
            tokio::task::yield_now().await;
        }
        shutdown.cancel();
    };
    let (listed, ()) = timeout(PATIENCE, async { tokio::join!(listing, stop_once_waiting) }).await.unwrap();
    let error = listed.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Cancelled, 0));
}

#[tokio::test]
async fn headers_teach_the_limits() {
    let answer = page_of(&[1])
        .insert_header("x-hubspot-ratelimit-max", "190")
        .insert_header("x-hubspot-ratelimit-remaining", "149")
        .insert_header("x-hubspot-ratelimit-interval-milliseconds", "10000")
        .insert_header("x-hubspot-ratelimit-daily", "625000")
        .insert_header("x-hubspot-ratelimit-daily-remaining", "600000");
    let server = server_with(answer).await;
    let client = client_at(&server.uri());
    client.list_records(contacts(), &[], None, Priority::Audit).await.unwrap();
    let limits = client.limits();
    assert_eq!((limits.burst.limit, limits.burst.capacity, limits.burst.used), (190, 150, 1));
    assert_eq!((limits.daily.limit, limits.daily.remaining), (Some(625_000), Some(600_000)));
    assert_eq!(limits.daily.paused, None);
}

#[tokio::test]
async fn a_lock_is_waited_out() {
    let server = server_with_each(vec![ResponseTemplate::new(423), page_of(&[1])]).await;
    let start = Instant::now();
    client_at(&server.uri()).list_records(contacts(), &[], None, Priority::Audit).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_pause_longer_than_a_run_should_wait_fails_the_call() {
    let server = server_with(ResponseTemplate::new(503).insert_header("retry-after", "600")).await;
    let client = client_at(&server.uri());
    let error = client.list_records(contacts(), &[], None, Priority::Audit).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unavailable, 1));
}

#[tokio::test]
async fn a_used_up_day_of_associations_fails_at_once_and_stops_nothing_else() {
    let server = MockServer::start().await;
    let associations = Mock::given(matchers::path("/crm/associations/2026-09/contacts/contacts/batch/read"));
    let refused = refusal(429, &json!({"policyName": "DAILY"}));
    associations.respond_with(refused).expect(1).mount(&server).await;
    Mock::given(matchers::any()).respond_with(page_of(&[1])).mount(&server).await;
    let client = client_at(&server.uri());
    let asked = [(ObjectId(1), None)];
    for attempts in [1, 0] {
        let error = client.read_associations(contacts(), contacts(), &asked, Priority::Audit).await;
        let error = error.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::DailyLimit, attempts));
    }
    client.list_records(contacts(), &[], None, Priority::Backfill).await.unwrap();
    let limits = client.limits();
    assert!(limits.daily_associations.paused.is_some() && limits.daily.paused.is_none());
    assert_eq!((limits.associations.used, limits.burst.used), (1, 1));
}
