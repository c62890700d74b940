//! Figures for Prometheus that only the whole program knows.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::alerts::{Facts, Problem};
use crate::hubspot::{DailySnapshot, LimiterSnapshot, QuotaSnapshot};
use crate::metrics::{
    ALERTS, CONFLICTS_OPEN, DAILY_REQUESTS_LIMIT, DAILY_REQUESTS_REMAINING, JOB_AGE, JOBS, LAST_SUCCESS,
    LEADER, LIMITER_CAPACITY, LIMITER_PAUSED, LIMITER_USED, LIMITER_WAITING, POOL_CONNECTIONS,
    POOL_CONNECTIONS_MAX, RECORDS, SYNC_FAILURES, SYNC_LAG, WEBHOOKS, tidy,
};
use crate::storage::{AlertKind, Database, QueueFigures};

/// How often the figures of the process are brought up to date.
const LOOK: Duration = Duration::from_secs(5);

/// Keeps the figures of every process up to date, whether it leads or not.
pub(super) async fn show_process(database: Database, stop: CancellationToken) {
    loop {
        let pool = database.pool_use();
        POOL_CONNECTIONS.set(f64::from(pool.used), [("state", "used".to_owned())]);
        POOL_CONNECTIONS.set(f64::from(pool.idle), [("state", "idle".to_owned())]);
        POOL_CONNECTIONS_MAX.set(f64::from(pool.most), []);
        tidy();
        if stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
            return;
        }
    }
}

/// Shows whether this process leads.
pub(super) fn show_leading(is_leading: bool) {
    LEADER.set(f64::from(u8::from(is_leading)), []);
}

/// Shows what became of webhooks, by name.
pub(super) fn show_webhooks(counts: BTreeMap<String, u64>) {
    for (outcome, total) in counts {
        WEBHOOKS.reach(total, [("outcome", outcome)]);
    }
}

/// Shows the facts, the open conflicts by type, and what is wrong.
pub(super) fn show_facts(facts: &Facts, conflicts: &[(String, u64)], problems: &[Problem]) {
    for (state, _) in facts.judged_states() {
        let object_type = || [("object_type", state.object_type.clone())];
        if let Some(lag) = facts.lag(state) {
            SYNC_LAG.set(lag.as_seconds_f64(), object_type());
        }
        if let Some(at) = state.last_sync_date {
            LAST_SUCCESS.set(at.timestamp_millis() as f64 / 1000.0, object_type());
        }
        SYNC_FAILURES.set(f64::from(state.consecutive_failures), object_type());
        RECORDS.set(state.records_synced as f64, object_type());
        let queue = facts.queues.iter().find(|queue| queue.object_type == state.object_type);
        show_queue(&state.object_type, queue);
        let open = conflicts.iter().find(|(name, _)| *name == state.object_type);
        CONFLICTS_OPEN.set(open.map_or(0, |(_, count)| *count) as f64, object_type());
    }
    for problem in AlertKind::ALL {
        let count = problems.iter().filter(|found| found.kind == *problem).count();
        ALERTS.set(count as f64, [("problem", problem.to_string())]);
    }
}

/// Shows the queue of a type; without figures it is empty.
fn show_queue(object_type: &str, queue: Option<&QueueFigures>) {
    let counts = queue.map_or([0; 4], |queue| [queue.ready, queue.running, queue.waiting, queue.dead]);
    for (state, count) in ["ready", "running", "waiting", "dead"].into_iter().zip(counts) {
        JOBS.set(count as f64, [("object_type", object_type.to_owned()), ("state", state.to_owned())]);
    }
    let age = queue.and_then(|queue| queue.oldest_seconds).unwrap_or_default();
    JOB_AGE.set(age as f64, [("object_type", object_type.to_owned())]);
}

/// Shows the limits.
pub(super) fn show_limits(limits: &LimiterSnapshot) {
    for (name, quota) in
        [("general", &limits.burst), ("search", &limits.search), ("associations", &limits.associations)]
    {
        let QuotaSnapshot { capacity, used, waiting, paused, .. } = quota;
        let name = || [("quota", name.to_owned())];
        LIMITER_CAPACITY.set(*capacity as f64, name());
        LIMITER_USED.set(*used as f64, name());
        LIMITER_WAITING.set(*waiting as f64, name());
        LIMITER_PAUSED.set(f64::from(u8::from(paused.is_some())), name());
    }
    for (name, quota) in [("general", &limits.daily), ("associations", &limits.daily_associations)] {
        let DailySnapshot { limit, remaining, .. } = quota;
        if let Some((limit, remaining)) = limit.zip(*remaining) {
            DAILY_REQUESTS_LIMIT.set(limit as f64, [("quota", name.to_owned())]);
            DAILY_REQUESTS_REMAINING.set(remaining as f64, [("quota", name.to_owned())]);
        }
    }
}
