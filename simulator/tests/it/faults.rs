//! Misbehaviour on demand.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::Sim;

/// Where the faults strike.
const PATH: &str = "/crm/v3/objects/contacts?limit=20";

/// A simulator with one fault waiting.
async fn with_fault(action: Value) -> Sim {
    let sim = Sim::small().await;
    sim.control("POST", "faults", &json!({ "match": { "pathContains": "contacts" }, "action": action }))
        .await;
    sim
}

/// Reads after the fault was used up, which must work.
async fn assert_recovered(sim: &Sim) {
    assert_eq!(sim.get(PATH).await.ids().len(), 20);
    assert_eq!(sim.control("GET", "faults", &json!({})).await, json!({ "faults": [] }));
}

#[tokio::test]
async fn a_status_fault_answers_with_status_body_and_hint() {
    let sim =
        with_fault(json!({ "kind": "status", "status": 477, "body": "{\"x\":1}", "retryAfter": 3600 })).await;
    assert_eq!(sim.get("/crm/v3/owners").await.status, 200, "other paths are left alone");
    let answer = sim.get(PATH).await;
    assert_eq!((answer.status, answer.text().as_str()), (477, "{\"x\":1}"));
    assert_eq!(answer.header("retry-after"), "3600");
    assert_recovered(&sim).await;
}

#[tokio::test]
async fn a_reset_closes_the_connection_before_any_answer() {
    let sim = with_fault(json!({ "kind": "reset" })).await;
    let error = sim.try_send("GET", PATH, Some("sim-token"), "").await.unwrap_err();
    assert!(chain(error.as_ref()).contains("reset"), "{}", chain(error.as_ref()));
    assert_recovered(&sim).await;
    assert_eq!(sim.control("GET", "stats", &json!({})).await["byStatus"], json!({ "0": 1, "200": 1 }));
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[tokio::test]
async fn a_truncated_answer_promises_more_than_it_sends() {
    let sim = with_fault(json!({ "kind": "truncate" })).await;
    let error = sim.try_send("GET", PATH, Some("sim-token"), "").await.unwrap_err();
    let text = chain(error.as_ref());
    assert!(text.contains("end of file") || text.contains("closed") || text.contains("body"), "{text}");
    assert_recovered(&sim).await;
}

#[tokio::test]
async fn a_delayed_answer_is_late_and_a_hung_one_never_comes() {
    let sim = with_fault(json!({ "kind": "delay", "ms": 150 })).await;
    let started = Instant::now();
    assert_eq!(sim.get(PATH).await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(150));
    sim.control("POST", "faults", &json!({ "action": { "kind": "hang", "ms": 100 } })).await;
    assert!(sim.try_send("GET", PATH, Some("sim-token"), "").await.is_err());
    assert_recovered(&sim).await;
}

#[tokio::test]
async fn garbage_is_html_with_status_200() {
    let sim = with_fault(json!({ "kind": "garbage" })).await;
    let answer = sim.get(PATH).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("<html>"));
    assert_recovered(&sim).await;
}

#[tokio::test]
async fn a_rate_limit_fault_refuses_under_the_given_policy() {
    let sim = with_fault(json!({ "kind": "rateLimit", "policy": "DAILY" })).await;
    let answer = sim.get(PATH).await;
    assert_eq!((answer.status, answer.json()["policyName"].as_str()), (429, Some("DAILY")));
    assert_recovered(&sim).await;
}

#[tokio::test]
async fn a_short_page_leaves_out_half_but_pages_on_as_usual() {
    let sim = with_fault(json!({ "kind": "shortPage" })).await;
    let short = sim.get(PATH).await;
    let full = sim.get(PATH).await;
    assert_eq!(short.ids(), full.ids()[..10]);
    assert_eq!(short.after(), full.after());
}

#[tokio::test]
async fn faults_strike_in_order_after_skipping_and_can_be_taken_away() {
    let sim = Sim::small().await;
    let status = |status: u16| json!({ "kind": "status", "status": status });
    let faults = json!([
        { "match": { "method": "get" }, "times": 2, "skip": 1, "action": status(502) },
        { "match": { "method": "POST" }, "action": status(503) },
    ]);
    sim.control("POST", "faults", &faults).await;
    for expected in [200, 502] {
        assert_eq!(sim.get(PATH).await.status, expected);
    }
    let waiting = sim.control("GET", "faults", &json!({})).await;
    assert_eq!(waiting["faults"][0]["times"], json!(1));
    assert_eq!(waiting["faults"][1]["match"]["method"], "POST");
    sim.control("DELETE", "faults", &json!({})).await;
    assert_eq!(sim.get(PATH).await.status, 200);
}

#[tokio::test]
async fn a_fault_that_makes_no_sense_is_refused() {
    let sim = Sim::small().await;
    for fault in
        [json!({ "action": { "kind": "explode" } }), json!({ "action": { "kind": "reset" }, "path": "x" })]
    {
        assert_eq!(sim.post("/_sim/faults", &fault).await.status, 400, "{fault}");
    }
}

#[tokio::test]
async fn random_faults_come_at_their_rate_and_repeat_with_their_seed() {
    let outcomes = async |seed: u64| {
        let sim = Sim::small().await;
        sim.set(json!({ "faultRate": 0.5, "faultSeed": seed })).await;
        let mut statuses = Vec::new();
        for _ in 0..40 {
            let answer = sim.try_send("GET", "/crm/v3/owners?limit=1", Some("sim-token"), "").await;
            statuses.push(answer.map_or(0, |answer| answer.status));
        }
        statuses
    };
    let first = outcomes(3).await;
    assert!((8..=32).contains(&first.iter().filter(|&&status| status == 200).count()), "{first:?}");
    assert_eq!(first, outcomes(3).await);
    assert_ne!(first, outcomes(4).await);
}

#[tokio::test]
async fn latency_is_waited_before_every_answer() {
    let sim = Sim::small().await;
    sim.set(json!({ "latencyMs": 80 })).await;
    let started = Instant::now();
    sim.get(PATH).await;
    assert!(started.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn a_lost_answer_comes_after_the_write_and_the_next_one_is_answered() {
    let sim = Sim::small().await;
    let path = "/crm/objects/2026-09/contacts";
    let body = |email: &str| json!({ "properties": { "email": email } }).to_string();
    let fault = json!([
        { "match": { "family": "create" }, "action": { "kind": "loseAnswer" } },
        { "match": { "writes": true }, "action": { "kind": "loseAnswer", "status": 504 } },
    ]);
    sim.control("POST", "faults", &fault).await;
    assert_eq!(sim.search("contacts", json!({})).await.status, 200, "reads that are posted are left alone");
    let lost = sim.try_send("POST", path, Some("sim-token"), &body("first@lost.test")).await;
    assert!(chain(lost.unwrap_err().as_ref()).contains("reset"));
    assert_eq!(sim.send("POST", path, &body("second@lost.test")).await.status, 504);
    for email in ["first@lost.test", "second@lost.test"] {
        assert_eq!(sim.send("POST", path, &body(email)).await.status, 409, "{email} was written");
    }
}

#[tokio::test]
async fn answers_to_writes_are_lost_at_the_set_rate() {
    let sim = Sim::small().await;
    sim.set(json!({ "lostAnswerRate": 0.3 })).await;
    let mut lost = 0;
    for number in 0..100 {
        let body = json!({ "properties": { "name": format!("Company {number}") } }).to_string();
        let sent = sim.try_send("POST", "/crm/v3/objects/companies", Some("sim-token"), &body).await;
        lost += usize::from(sent.is_err() || sent.unwrap().status != 201);
        assert_eq!(sim.get(PATH).await.status, 200);
    }
    assert!((10..60).contains(&lost), "{lost}");
    assert_eq!(sim.truth("companies").await.len(), 140, "all were written");
}
