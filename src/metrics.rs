//! Figures for Prometheus: their names, and the page that shows them.
//!
//! Everybody who knows a figure sets it through a constant of `names`, so every name stands in one place; DEPLOYMENT.md,
//! the dashboard and the rules in `deploy/` are held to [`METRICS`] by tests. Setting a figure costs a hash and an atomic
//! write, and nothing at all in a process that shows none. Labels are names of types, lanes, routes and the like, never
//! ids and never values.

mod names;
mod process;

use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_util::MetricKindMask;

use crate::clock;

pub use self::names::{
    ALERT_MESSAGES, ALERTS, CONFLICTS_OPEN, DAILY_REQUESTS_LIMIT, DAILY_REQUESTS_REMAINING,
    HUBSPOT_REQUEST_DURATION, HUBSPOT_REQUESTS, JOB_AGE, JOBS, Kind, LAST_SUCCESS, LEADER, LIMITER_CAPACITY,
    LIMITER_PAUSED, LIMITER_USED, LIMITER_WAITING, METRICS, Metric, POOL_CONNECTIONS, POOL_CONNECTIONS_MAX,
    RECORDS, ROWS, RUNS, SYNC_FAILURES, SYNC_LAG, WEB_REQUESTS, WEBHOOKS,
};

/// What [`render`] returns. Source: Prometheus, "Exposition formats".
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A figure nobody has set for this long is not shown any more: of a type that is not synced, or by a process that has
/// ceased to lead.
const FORGOTTEN: Duration = Duration::from_mins(2);

/// Upper bounds for the duration of a request, seconds: HubSpot takes from 50 ms to several seconds.
const DURATIONS: &[f64] = &[0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0];

/// Where the figures of this process are kept.
static COLLECTION: OnceLock<Collection> = OnceLock::new();

/// The figures of a process.
struct Collection {
    figures: PrometheusHandle,
    /// When the process began to collect.
    started_at: DateTime<Utc>,
}

/// Begins to collect. Until then, and in processes that never do, figures are set to no effect. Idempotent.
pub fn install() {
    COLLECTION.get_or_init(|| {
        let recorder = recorder();
        let figures = recorder.handle();
        // Fails when somebody else collects already; ours are then theirs.
        metrics::set_global_recorder(recorder).ok();
        describe();
        Collection { figures, started_at: clock::now() }
    });
}

/// A recorder with our limits.
fn recorder() -> PrometheusRecorder {
    PrometheusBuilder::new()
        .idle_timeout(MetricKindMask::GAUGE, Some(FORGOTTEN))
        .set_buckets(DURATIONS)
        .expect("there are buckets")
        .build_recorder()
}

/// Gives each figure its explanation.
fn describe() {
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.meaning),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.meaning),
            Kind::Histogram => metrics::describe_histogram!(metric.name, metric.meaning),
        }
    }
}

/// All figures as Prometheus reads them, with those of the process itself. Reads a few files of `/proc` and asks nobody.
pub fn render() -> String {
    let collection = COLLECTION.get();
    let mut page = collection.map(|collection| collection.figures.render()).unwrap_or_default();
    page.push_str(&process::render(collection.map(|collection| collection.started_at)));
    page
}

/// Lets what piles up between two visits be condensed; to be called every few seconds.
pub fn tidy() {
    if let Some(collection) = COLLECTION.get() {
        collection.figures.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_page_has_type_help_and_value_of_what_was_set() {
        let recorder = recorder();
        metrics::with_local_recorder(&recorder, || {
            describe();
            SYNC_LAG.set(12.5, [("object_type", "contacts".to_owned())]);
            ROWS.add(
                3,
                [
                    ("object_type", "deals".to_owned()),
                    ("lane", "backfill".to_owned()),
                    ("outcome", "inserted".to_owned()),
                ],
            );
            HUBSPOT_REQUEST_DURATION.record(0.12, [("method", "GET".to_owned()), ("route", "/x".to_owned())]);
        });
        let page = recorder.handle().render();
        for line in [
            "# TYPE hubspot_connector_sync_lag_seconds gauge",
            "hubspot_connector_sync_lag_seconds{object_type=\"contacts\"} 12.5",
            "# TYPE hubspot_connector_rows_total counter",
            "hubspot_connector_rows_total{object_type=\"deals\",lane=\"backfill\",outcome=\"inserted\"} 3",
            "# TYPE hubspot_connector_hubspot_request_duration_seconds histogram",
            "hubspot_connector_hubspot_request_duration_seconds_bucket{method=\"GET\",route=\"/x\",le=\"0.2\"} 1",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        assert!(page.contains(&format!("# HELP {} {}", SYNC_LAG.name, SYNC_LAG.meaning)), "{page}");
    }

    #[test]
    fn the_process_shows_its_own_figures_also_when_nothing_is_collected() {
        let page = render();
        let names: BTreeSet<_> =
            page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        for name in ["process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"] {
            assert!(names.contains(name), "{name} is not in\n{page}");
        }
        assert!(names.iter().all(|name| METRICS.iter().any(|metric| metric.name == *name)), "{names:?}");
    }

    #[test]
    fn names_are_unique_and_keep_to_the_conventions() {
        let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for Metric { name, kind, meaning, .. } in METRICS {
            assert!(name.starts_with("hubspot_connector_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(meaning.ends_with('.'), "{name}: {meaning}");
        }
    }
}
