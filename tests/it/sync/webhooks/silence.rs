//! Webhooks that do not come any more are noticed, because polling goes on.

use serde_json::json;

use super::{DEFAULT, contacts};
use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::in_step;
use crate::support::webhooks::{Receiving, SECRET};
use crate::support::{eventually, holds};

/// What `sync_state` says of contacts beside their errors.
async fn notice(test: &TestDatabase) -> String {
    test.value("SELECT notice FROM sync_state WHERE object_type = 'contacts'").await
}

#[tokio::test]
async fn changes_only_polling_finds_mean_that_webhooks_are_silent() {
    let (simulator, test) = (Simulator::start(30, 0, 0), TestDatabase::migrated().await);
    let setup = Setup::new(&simulator, &test.url)
        .at("* * * * * *")
        .set("HUBSPOT_WEBHOOK_SECRET", SECRET)
        // Nobody listens there; what is told is in the table all the same.
        .set("ALERT_WEBHOOK_URL", "http://127.0.0.1:1/");
    let daemon = setup.start(&["run"]);
    in_step(&simulator, &test).await;
    let id = contacts(&test, 1).await.remove(0);
    let runs = "SELECT COALESCE(SUM(unannounced_runs), 0) FROM webhook_sources";
    for round in 1..=3 {
        simulator.edit("contacts", &id, json!({"city": format!("Place {round}")})).await;
        eventually("polling has found the change", async || {
            let found = test.number(runs).await;
            holds(found >= round, found)
        })
        .await;
    }
    assert_eq!(notice(&test).await, "-", "not for long enough");
    let long_ago = "unannounced_since = UTC_TIMESTAMP(3) - INTERVAL 61 MINUTE";
    test.execute(&format!("UPDATE webhook_sources SET {long_ago}")).await;
    daemon.says("Webhooks of contacts are silent").await;
    eventually("sync_state says so", async || {
        let notice = notice(&test).await;
        holds(notice.contains("Webhooks are silent since"), notice)
    })
    .await;
    eventually("somebody is told", async || {
        let told = test.rows("alerts", &["problem", "text"], "").await;
        let words = "webhooks_silent|HubSpot's webhooks have been silent since";
        holds(told.iter().any(|row| row.starts_with(words) && row.contains("(contacts)")), told)
    })
    .await;

    let receiving = Receiving::start(&test, DEFAULT).await;
    receiving.told_by(&simulator, json!({})).await;
    simulator.edit("contacts", &id, json!({"city": "Jena"})).await;
    daemon.says("Webhooks of contacts come again").await;
    eventually("sync_state says so", async || {
        let notice = notice(&test).await;
        holds(notice == "-", notice)
    })
    .await;
    drop(daemon);
}
