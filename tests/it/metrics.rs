//! The figures, as Prometheus sees them.

#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use std::collections::{BTreeMap, BTreeSet};

use hubspot_mariadb_connector::lifecycle::Lifecycle;
use hubspot_mariadb_connector::metrics::{Kind, METRICS, render};
use hubspot_mariadb_connector::{app, clock};
use serde_json::json;

use crate::support::daemon::Setup;
use crate::support::database::TestDatabase;
use crate::support::edits::writable_account;
use crate::support::simulator::Simulator;
use crate::support::{eventually, holds};

/// The value of a series, `None` while there is none.
fn value(page: &str, series: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

/// Waits until the series meets the condition.
async fn shows(series: &str, condition: impl Fn(f64) -> bool) {
    eventually(&format!("{series} is as expected"), async || {
        let found = value(&render(), series);
        holds(found.is_some_and(&condition), found)
    })
    .await;
}

/// Runs the daemon in this process, for as long as `work` takes: only so its figures can be read without its server.
async fn while_running(setup: &Setup, work: impl Future<Output = ()>) {
    let lifecycle = Lifecycle::default();
    let work = async {
        work.await;
        lifecycle.shutdown().cancel();
    };
    let (ended, ()) = tokio::join!(app::run(setup.config(), lifecycle.clone()), work);
    ended.unwrap();
}

#[tokio::test]
async fn the_figures_say_what_is_going_on() {
    let (simulator, test) = (Simulator::start(30, 10, 5), TestDatabase::empty().await);
    simulator.set(json!({"deniedTypes": ["deals"]})).await;
    let setup = Setup::new(&simulator, &test.url).at("* * * * * *").set("ALERT_AFTER_FAILURES", "1");
    let began = clock::now().timestamp() as f64;
    while_running(&setup, async {
        let of = |name: &str, labels: &str| format!("hubspot_connector_{name}{{{labels}}}");
        let backfill = "object_type=\"contacts\",lane=\"backfill\"";
        shows(&of("rows_total", &format!("{backfill},outcome=\"inserted\"")), |rows| rows == 30.0).await;
        shows(&of("runs_total", &format!("{backfill},outcome=\"succeeded\"")), |runs| runs == 1.0).await;
        let incremental = "object_type=\"contacts\",lane=\"incremental\",outcome=\"succeeded\"";
        shows(&of("runs_total", incremental), |runs| runs >= 2.0).await;
        shows(&of("sync_lag_seconds", "object_type=\"contacts\""), |lag| (0.0..120.0).contains(&lag)).await;
        shows(&of("records", "object_type=\"contacts\""), |records| records == 30.0).await;
        let last = of("last_success_timestamp_seconds", "object_type=\"contacts\"");
        shows(&last, |at| at >= began).await;
        shows(&of("sync_consecutive_failures", "object_type=\"deals\""), |failures| failures >= 1.0).await;
        shows(&of("alerts", "problem=\"failing\""), |count| count >= 1.0).await;
        shows(&of("alerts", "problem=\"token_rejected\""), |count| count == 0.0).await;
        let listing = "method=\"GET\",route=\"/crm/objects/{type}\"";
        shows(&of("hubspot_requests_total", &format!("{listing},status=\"200\"")), |sent| sent >= 2.0).await;
        let denied = "method=\"POST\",route=\"/crm/objects/{type}/search\",status=\"403\"";
        shows(&of("hubspot_requests_total", denied), |refused| refused >= 1.0).await;
        shows(&of("hubspot_request_duration_seconds_count", listing), |sent| sent >= 2.0).await;
        shows(&of("limiter_capacity", "quota=\"search\""), |capacity| capacity > 1.0).await;
        shows(&of("daily_requests_remaining", "quota=\"general\""), |left| left > 0.0).await;
        shows(&of("pool_connections", "state=\"idle\""), |idle| idle >= 0.0).await;
        shows("hubspot_connector_pool_connections_max", |most| most == 6.0).await;
        shows("hubspot_connector_leader", |leads| leads == 1.0).await;
        let counted = "INSERT INTO webhook_counts (name, total, last_at) VALUES ('stored', 41, NOW(3))";
        test.execute(counted).await;
        shows(&of("webhooks_total", "outcome=\"stored\""), |total| total == 41.0).await;
        every_family_is_listed(&render());
    })
    .await;
}

/// Fails when the page has a figure that is in no table, or with other labels.
fn every_family_is_listed(page: &str) {
    let types: BTreeMap<_, _> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    for (name, kind) in &types {
        let metric = METRICS.iter().find(|metric| metric.name == *name);
        let metric = metric.unwrap_or_else(|| panic!("{name} is not listed"));
        let expected = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        assert_eq!(*kind, expected, "{name}");
    }
    let missing: BTreeSet<_> =
        METRICS.iter().map(|metric| metric.name).filter(|name| !types.contains_key(name)).collect();
    let expected = ["hubspot_connector_alert_messages_total", "hubspot_connector_web_requests_total"];
    assert_eq!(missing, BTreeSet::from(expected), "no channel is set up, and nobody has asked a server");
}

#[tokio::test]
async fn edits_and_what_becomes_of_them_are_counted() {
    let (_simulator, test, setup) = writable_account(5, 0).await;
    let setup = setup.set("MAX_PUSH_PER_HOUR", "1");
    test.execute("UPDATE hubspot_contacts SET city = 'Elsewhere'").await;
    while_running(&setup, async {
        let jobs = |state: &str| format!("hubspot_connector_jobs{{object_type=\"contacts\",state=\"{state}\"}}");
        shows(&jobs("waiting"), |count| count == 4.0).await;
        shows(&jobs("dead"), |count| count == 0.0).await;
        shows("hubspot_connector_oldest_job_age_seconds{object_type=\"contacts\"}", |age| age > 0.0).await;
        shows("hubspot_connector_alerts{problem=\"brake\"}", |count| count == 1.0).await;
        let sent = "hubspot_connector_hubspot_requests_total{method=\"PATCH\",route=\"/crm/objects/{type}/{id}\",status=\"200\"}";
        shows(sent, |count| count >= 1.0).await;
    })
    .await;
}
