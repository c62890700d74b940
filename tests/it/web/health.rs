//! Whether the process lives and can work, told at any time of its life.

use super::Served;
use super::client::Api;
use crate::support::daemon::Setup;
use crate::support::simulator::Simulator;
use crate::support::{eventually, holds};

#[tokio::test]
async fn a_process_lives_before_its_database_is_there_and_is_not_ready() {
    let simulator = Simulator::start(1, 1, 1);
    // Nobody listens there.
    let setup = Setup::new(&simulator, "mysql://nobody:x@127.0.0.1:1/none").serving();
    let daemon = setup.start(&["run"]);
    let api = Api::at(&daemon.address().await).await;
    let alive = api.get("/health/live").await.ok();
    assert_eq!((&alive["status"], &alive["role"]), (&"ok".into(), &"starting".into()));
    api.get("/health/ready").await.refused(503, "starting");
    let answer = api.get("/api/contacts").await;
    assert_eq!(answer.headers["retry-after"], "5");
    answer.refused(503, "starting");
    daemon.stop_well().await;
}

#[tokio::test]
async fn a_process_that_stands_by_serves_as_well() {
    let served = Served::start(3, 1).await;
    let other = served.setup.start(&["run"]);
    other.says("Standing by").await;
    let api = Api::at(&other.address().await).await;
    let roles = async |api: &Api| api.get("/health/ready").await.ok()["role"].clone();
    eventually("the first one leads", async || {
        let role = roles(&served.api).await;
        holds(role == "leading", role)
    })
    .await;
    assert_eq!(roles(&api).await, "standby");
    let status = api.get("/api/sync/status").await.ok();
    assert_eq!((&status["role"], &status["limiter"]), (&"standby".into(), &serde_json::Value::Null));
    assert!(status["leader"].is_string(), "{status}");
    // An edit made there is sent by the one that leads.
    let id = served.contact().await["id"].clone();
    api.patch(&format!("/api/contacts/{id}"), &serde_json::json!({"phone": "+49 1"})).await.ok();
    eventually("the edit is sent", async || {
        let status = api.get(&format!("/api/contacts/{id}")).await.ok()["syncStatus"].clone();
        holds(status == "synced", status)
    })
    .await;
    other.stop_well().await;
    served.daemon.stop_well().await;
}

#[tokio::test]
async fn a_port_that_is_taken_keeps_nothing_but_the_server_waiting() {
    let served = Served::start(1, 1).await;
    let port = served.api.address().rsplit(':').next().unwrap().to_owned();
    let other = served.setup.clone().set("PORT", &port).start(&["run"]);
    other.says("Cannot listen on 127.0.0.1").await;
    other.says("Standing by").await;
    served.daemon.stop_well().await;
    assert_eq!(other.address().await, format!("127.0.0.1:{port}"));
    Api::at(&format!("127.0.0.1:{port}")).await.is_ready().await;
    other.stop_well().await;
}
