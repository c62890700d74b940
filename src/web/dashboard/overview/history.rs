//! The last day, hour by hour.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::chart::{Chart, HOURS, hours_until};
use crate::storage::{Database, StorageError, hour_of, push_hours, run_hours, webhook_hours};

/// How long after its end an hour is still counted anew: what was under way may be noted late.
const SETTLES: TimeDelta = TimeDelta::minutes(5);

/// Pushes of hours that are over. A day may have a million of them, which takes a second to count and changes no more.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<BTreeMap<DateTime<Utc>, u64>>);

impl History {
    /// The charts of the day that ends at `now`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) async fn charts(
        &self,
        database: &Database,
        overlap: Duration,
        now: DateTime<Utc>,
    ) -> Result<[Chart; 2], StorageError> {
        let hours: Vec<_> = hours_until(hour_of(now)).collect();
        let since = now - TimeDelta::hours(HOURS - 1);
        let runs = run_hours(database, since, overlap, now).await?;
        let told = webhook_hours(database, since).await?;
        let pushes = self.pushes(database, &hours, now).await?;
        let count = |counts: &BTreeMap<_, u64>, hour| counts.get(hour).copied().unwrap_or_default();
        let changes = hours.iter().map(|hour| {
            let pulled = runs.get(hour).map_or(0, |run| run.changes) + count(&told, hour);
            (*hour, vec![Some(pulled), Some(count(&pushes, hour))])
        });
        let lag = hours.iter().map(|hour| {
            let lag = runs.get(hour).and_then(|run| run.lag);
            (*hour, vec![lag.map(|lag| lag.num_seconds().unsigned_abs())])
        });
        Ok([Chart::of_changes(&changes.collect::<Vec<_>>()), Chart::of_lag(&lag.collect::<Vec<_>>())])
    }

    /// Pushes by hour; only hours that are not known for good are counted.
    async fn pushes(
        &self,
        database: &Database,
        hours: &[DateTime<Utc>],
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<DateTime<Utc>, u64>, StorageError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(first) = hours.iter().find(|hour| !known.contains_key(hour)) else { return Ok(known) };
        let counted = push_hours(database, *first).await?;
        let unknown = hours.iter().filter(|hour| *hour >= first);
        let counted = unknown.map(|hour| (*hour, counted.get(hour).copied().unwrap_or_default()));
        let counts: BTreeMap<_, _> = known.into_iter().chain(counted).collect();
        let is_final =
            |hour: &DateTime<Utc>| hours.contains(hour) && *hour + TimeDelta::hours(1) + SETTLES < now;
        let kept = counts.iter().filter(|(hour, _)| is_final(hour));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            kept.map(|(hour, count)| (*hour, *count)).collect();
        Ok(counts)
    }
}
