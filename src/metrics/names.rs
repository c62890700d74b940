//! Every figure there is.

use metrics::Label;

/// What sort of figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises, from 0 at the start of the process or, where its meaning says so, of the database.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

/// A figure, or a family of them with labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name; it stays as it is in later versions.
    pub name: &'static str,
    /// Its sort.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says, as one sentence.
    pub meaning: &'static str,
}

impl Metric {
    /// Sets a gauge.
    pub fn set<const N: usize>(&self, value: f64, labels: [(&'static str, String); N]) {
        metrics::gauge!(self.name, self.labelled(labels)).set(value);
    }

    /// Adds to a counter.
    pub fn add<const N: usize>(&self, count: u64, labels: [(&'static str, String); N]) {
        metrics::counter!(self.name, self.labelled(labels)).increment(count);
    }

    /// Sets a counter that is kept elsewhere and never falls.
    pub fn reach<const N: usize>(&self, total: u64, labels: [(&'static str, String); N]) {
        metrics::counter!(self.name, self.labelled(labels)).absolute(total);
    }

    /// Adds a value to a histogram.
    pub fn record<const N: usize>(&self, value: f64, labels: [(&'static str, String); N]) {
        metrics::histogram!(self.name, self.labelled(labels)).record(value);
    }

    /// The labels as the collection wants them.
    fn labelled<const N: usize>(&self, labels: [(&'static str, String); N]) -> Vec<Label> {
        debug_assert!(labels.iter().map(|(name, _)| name).eq(self.labels), "labels of {}", self.name);
        labels.into_iter().map(|(name, value)| Label::new(name, value)).collect()
    }
}

/// Declares the figures, and the list of all of them.
macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $meaning:literal;)+) => {
        $(#[doc = $meaning] pub const $constant: Metric = Metric {
            name: $name, kind: Kind::$kind, labels: &[$($label),*], meaning: $meaning,
        };)+

        /// Every figure, in the order the documents list them.
        pub const METRICS: &[Metric] = &[$($constant),+];
    };
}

metrics! {
    BUILD_INFO = Gauge "hubspot_connector_build_info" ["version"]
        "Always 1; the label says which version runs.";
    LEADER = Gauge "hubspot_connector_leader" []
        "1 in the process that syncs, 0 in one that stands by. Only the former shows the figures of the database.";
    SYNC_LAG = Gauge "hubspot_connector_sync_lag_seconds" ["object_type"]
        "How far the mirror is behind HubSpot.";
    SYNC_FAILURES = Gauge "hubspot_connector_sync_consecutive_failures" ["object_type"]
        "Failed runs since the last success.";
    LAST_SUCCESS = Gauge "hubspot_connector_last_success_timestamp_seconds" ["object_type"]
        "Start of the last successful run, seconds since 1970.";
    RECORDS = Gauge "hubspot_connector_records" ["object_type"]
        "Records in the mirror; during a full listing those listed so far.";
    RUNS = Counter "hubspot_connector_runs_total" ["object_type", "lane", "outcome"]
        "Runs that ended: succeeded, failed or interrupted.";
    ROWS = Counter "hubspot_connector_rows_total" ["object_type", "lane", "outcome"]
        "Rows by what became of them: inserted, updated, unchanged, deleted or quarantined.";
    JOBS = Gauge "hubspot_connector_jobs" ["object_type", "state"]
        "Edits on their way to HubSpot: ready, running, waiting (put off by a brake or the like) or dead (waiting for a person).";
    JOB_AGE = Gauge "hubspot_connector_oldest_job_age_seconds" ["object_type"]
        "Age of the oldest edit that is not dead; 0 when there is none.";
    CONFLICTS_OPEN = Gauge "hubspot_connector_conflicts_open" ["object_type"]
        "Conflicts that wait for a person.";
    HUBSPOT_REQUESTS = Counter "hubspot_connector_hubspot_requests_total" ["method", "route", "status"]
        "Requests to HubSpot by the status of the answer; `none` without an answer. The route has no version and no names.";
    HUBSPOT_REQUEST_DURATION = Histogram "hubspot_connector_hubspot_request_duration_seconds" ["method", "route"]
        "Time from sending a request to the end of its answer.";
    WEB_REQUESTS = Counter "hubspot_connector_web_requests_total" ["method", "route", "status"]
        "Requests this server has answered, to the API, the dashboard and the receiver of webhooks; the route has no names.";
    WEBHOOKS = Counter "hubspot_connector_webhooks_total" ["outcome"]
        "Webhook events and refused requests since the database was made, by what became of them: the names in `webhook_counts`.";
    LIMITER_CAPACITY = Gauge "hubspot_connector_limiter_capacity" ["quota"]
        "Requests that may be sent within an interval: 10 s, 1 s for searches.";
    LIMITER_USED = Gauge "hubspot_connector_limiter_used" ["quota"]
        "Requests of the current interval.";
    LIMITER_WAITING = Gauge "hubspot_connector_limiter_waiting" ["quota"]
        "Requests that wait for their turn.";
    LIMITER_PAUSED = Gauge "hubspot_connector_limiter_paused" ["quota"]
        "1 while HubSpot has asked to wait.";
    DAILY_REQUESTS_LIMIT = Gauge "hubspot_connector_daily_requests_limit" ["quota"]
        "The account's requests a day, as HubSpot says.";
    DAILY_REQUESTS_REMAINING = Gauge "hubspot_connector_daily_requests_remaining" ["quota"]
        "How many are left today, as HubSpot says.";
    POOL_CONNECTIONS = Gauge "hubspot_connector_pool_connections" ["state"]
        "Open database connections of the pool: used or idle.";
    POOL_CONNECTIONS_MAX = Gauge "hubspot_connector_pool_connections_max" []
        "Most connections the pool may open.";
    ALERTS = Gauge "hubspot_connector_alerts" ["problem"]
        "Things that are wrong now, by problem.";
    ALERT_MESSAGES = Counter "hubspot_connector_alert_messages_total" ["channel", "outcome"]
        "Attempts to deliver an alert message: delivered or failed.";
    PROCESS_CPU = Counter "process_cpu_seconds_total" []
        "Processor time, user and system.";
    PROCESS_RESIDENT_MEMORY = Gauge "process_resident_memory_bytes" []
        "Resident memory.";
    PROCESS_VIRTUAL_MEMORY = Gauge "process_virtual_memory_bytes" []
        "Virtual memory.";
    PROCESS_THREADS = Gauge "process_threads" []
        "Threads.";
    PROCESS_OPEN_FDS = Gauge "process_open_fds" []
        "Open file descriptors.";
    PROCESS_MAX_FDS = Gauge "process_max_fds" []
        "Most file descriptors it may open.";
    PROCESS_START_TIME = Gauge "process_start_time_seconds" []
        "When it started, seconds since 1970.";
}
