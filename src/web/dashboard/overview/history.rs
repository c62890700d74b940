//! The last day, hour by hour.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::chart::{Chart, HOURS, hours_until};
use crate::storage::{Counted, Database, StorageError, change_hours, hour_of, run_hours};

/// The charts of the day that ends at `now`.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn charts(
    database: &Database,
    overlap: Duration,
    now: DateTime<Utc>,
) -> Result<[Chart; 2], StorageError> {
    let since = now - TimeDelta::hours(HOURS - 1);
    let runs = run_hours(database, since, overlap, now).await?;
    let told = change_hours(database, Counted::Webhooks, since).await?;
    let pushes = change_hours(database, Counted::Pushes, since).await?;
    let count = |counts: &BTreeMap<_, u64>, hour| counts.get(&hour).copied().unwrap_or_default();
    let changes = hours_until(hour_of(now)).map(|hour| {
        let pulled = runs.get(&hour).map_or(0, |run| run.changes) + count(&told, hour);
        (hour, vec![Some(pulled), Some(count(&pushes, hour))])
    });
    let lag = hours_until(hour_of(now)).map(|hour| {
        let lag = runs.get(&hour).and_then(|run| run.lag);
        (hour, vec![lag.map(|lag| lag.num_seconds().unsigned_abs())])
    });
    Ok([Chart::of_changes(&changes.collect::<Vec<_>>()), Chart::of_lag(&lag.collect::<Vec<_>>())])
}
