//! Status, runs that are asked for, the log, and trying again.

use reqwest::Method;
use serde_json::{Value, json};

use super::Served;
use crate::support::{eventually, holds};

#[tokio::test]
async fn the_status_tells_of_types_queue_and_limits() {
    let served = Served::start(4, 2).await;
    // HubSpot tells with its first answer.
    served.api.post("/api/sync/trigger", &json!({"types": ["contacts"]})).await.ok();
    let status = eventually("it leads and HubSpot has told how much is left of the day", async || {
        let status = served.api.get("/api/sync/status").await.ok();
        if status["limiter"]["daily"]["remaining"].is_u64() { Ok(status) } else { Err(status.to_string()) }
    })
    .await;
    assert_eq!(status["role"], "leading");
    let of = |name: &str| {
        let types = status["types"].as_array().unwrap();
        types.iter().find(|row| row["objectType"] == name).unwrap_or(&Value::Null).clone()
    };
    assert_eq!((&of("contacts")["recordsSynced"], &of("companies")["recordsSynced"]), (&4.into(), &2.into()));
    assert!(of("contacts")["watermark"].is_string() && of("owners")["lastSyncDate"].is_string(), "{status}");
    let burst = &status["limiter"]["burst"];
    assert!(burst["limit"].as_u64().unwrap() > 0 && burst["capacity"].is_u64(), "{status}");
    assert_eq!(status["conflicts"], json!({}));
    let daily = &status["limiter"]["daily"];
    let (limit, remaining) = (daily["limit"].as_u64().unwrap(), daily["remaining"].as_u64().unwrap());
    assert!(remaining < limit, "{daily}");
    // In the first minutes of the account's day there is none.
    let forecast = &daily["forecast"];
    let is_above = |so_far| forecast["requests"].as_u64().is_some_and(|requests| requests >= so_far);
    assert!(forecast.is_null() || is_above(limit - remaining) && forecast["resetsAt"].is_string(), "{daily}");
}

#[tokio::test]
async fn a_run_that_is_asked_for_begins_and_is_listed() {
    let served = Served::start(4, 2).await;
    let none = served.api.post("/api/sync/trigger", &json!({"types": []})).await.wrong_fields();
    assert_eq!(none, ["types"]);
    let id = served.contact().await["hubspotId"].as_str().unwrap().to_owned();
    served.simulator.edit("contacts", &id, json!({"phone": "12345"})).await;
    let answer = served.api.post("/api/sync/trigger", &json!({"types": ["0-1"], "full": true})).await;
    assert_eq!(answer.status, 202);
    let asked = answer.ok();
    assert_eq!((&asked["types"], &asked["mode"]), (&json!(["contacts"]), &"full".into()));
    let path = format!("/api/sync/runs?type=contacts&after={}", asked["afterRunId"]);
    let run = eventually("the run is over", async || {
        let run = served.api.get(&path).await.ok()["data"][0].clone();
        if run["outcome"] == "succeeded" { Ok(run) } else { Err(run.to_string()) }
    })
    .await;
    assert_eq!(
        (&run["lane"], &run["trigger"], &run["fetched"]),
        (&"backfill".into(), &"request".into(), &4.into())
    );
    assert_eq!(served.api.get(&format!("/api/contacts/hs-{id}")).await.ok()["phone"], "12345");
    let all = served.api.send(served.api.request(Method::POST, "/api/sync/trigger")).await.ok();
    assert_eq!((&all["mode"], all["types"].as_array().unwrap().len()), (&"incremental".into(), 5));
    let page = served.api.get("/api/sync/runs?limit=1&outcome=succeeded").await.ok();
    assert!(page["nextBefore"].is_i64(), "{page}");
    let wrong = served.api.post("/api/sync/trigger", &json!({"types": ["contacts", "unicorns"]})).await;
    assert_eq!(wrong.wrong_fields(), ["types[1]"]);
    for body in [json!({"type": "contacts"}), json!([]), json!({"full": "yes"})] {
        served.api.post("/api/sync/trigger", &body).await.refused(400, "bad_request");
    }
    served.api.get("/api/sync/runs?outcome=well").await.refused(400, "bad_request");
    // Letters the column of names does not have.
    for path in ["/api/sync/runs", "/api/conflicts", "/api/conflicts/history", "/api/pipelines"] {
        let status = served.api.get(&format!("{path}?type=%C3%BC")).await.status.as_u16();
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
    served.api.get("/api/sync/runs?limit=999").await.refused(400, "bad_request");
}

#[tokio::test]
async fn a_run_is_asked_for_once_under_a_key() {
    let served = Served::start(1, 1).await;
    let ask = async || {
        let request = served.api.request(Method::POST, "/api/sync/trigger").header("Idempotency-Key", "now");
        served.api.send(request.json(&json!({"types": ["owners"]}))).await
    };
    let first = ask().await;
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let first = first.ok();
    served.api.post("/api/sync/trigger", &json!({"types": ["owners"]})).await.ok();
    let path = format!("/api/sync/runs?type=owners&after={}", first["afterRunId"]);
    eventually("a run has begun", async || {
        let runs = served.api.get(&path).await.ok()["data"].as_array().unwrap().len();
        holds(runs > 0, runs)
    })
    .await;
    let again = ask().await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.ok(), first);
}

#[tokio::test]
async fn what_failed_stands_in_the_log_and_is_tried_again() {
    let served = Served::start_with(2, 1, |setup| setup.set("PUSH_MAX_ATTEMPTS", "1")).await;
    let before = served.contact().await;
    let action = json!({"kind": "status", "status": 500, "body": "broken"});
    // What fails in a batch is sent again by itself.
    let one = format!("/contacts/{}", before["hubspotId"].as_str().unwrap());
    for part in ["/contacts/batch/update", &one] {
        let broken = json!({"match": {"pathContains": part}, "times": 1_000_000, "action": action});
        served.simulator.fault(broken).await;
    }
    let path = format!("/api/contacts/{}", before["id"]);
    served.api.patch(&path, &json!({"phone": "1"})).await.ok();
    eventually("the push has failed", async || {
        let status = served.api.get(&path).await.ok()["syncStatus"].clone();
        holds(status == "error", status)
    })
    .await;
    let query = format!("/api/sync/logs?type=contacts&rowId={}&status=failed&direction=push", before["id"]);
    let entry = served.api.get(&query).await.ok()["data"][0].clone();
    assert_eq!((&entry["action"], &entry["hubspotId"]), (&"update".into(), &before["hubspotId"]));
    served.simulator.clear_faults().await;
    let retry = async || {
        let path = format!("/api/sync/retry/{}", entry["id"]);
        let request = served.api.request(Method::POST, &path).header("Idempotency-Key", "once more");
        served.api.send(request.json(&json!({}))).await
    };
    // As if the process ended when the key is to be noted: the job is not due either.
    served
        .test
        .execute(
            "CREATE TRIGGER end_here BEFORE INSERT ON idempotency_keys FOR EACH ROW SIGNAL SQLSTATE '40001'",
        )
        .await;
    assert!(retry().await.status.is_server_error());
    served.test.execute("DROP TRIGGER end_here").await;
    assert_eq!(served.test.value("SELECT state FROM jobs").await, "dead");
    let retried = retry().await;
    assert_eq!(retried.status, 202);
    assert_eq!(retried.ok()["jobId"], entry["jobId"]);
    let repeated = retry().await;
    assert_eq!(
        (repeated.status.as_u16(), &repeated.headers["idempotency-replayed"]),
        (202, &"true".parse().unwrap())
    );
    eventually("it is in step", async || {
        let status = served.api.get(&path).await.ok()["syncStatus"].clone();
        holds(status == "synced", status)
    })
    .await;
    let again = served.api.post(&format!("/api/sync/retry/{}", entry["id"]), &json!({})).await;
    again.refused(409, "nothing_to_retry");
    served.api.post("/api/sync/retry/999999", &json!({})).await.refused(404, "not_found");
    served.api.post("/api/sync/retry/x", &json!({})).await.refused(400, "bad_request");
    for query in
        ["status=bad", "direction=up", "rowId=1", "hubspotId=1", "type=contacts&hubspotId=x", "what=1"]
    {
        served.api.get(&format!("/api/sync/logs?{query}")).await.refused(400, "bad_request");
    }
    served.api.get("/api/sync/logs?type=unicorns").await.refused(404, "not_found");
}
