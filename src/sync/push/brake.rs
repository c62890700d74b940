//! Brakes: no more than so many records are changed or deleted in HubSpot within an hour, whatever somebody's `UPDATE`
//! without a `WHERE` asks for.

use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::warn;

use super::Push;
use crate::clock;
use crate::storage::{Job, LogAction, postpone_jobs, pushed_since};
use crate::sync::engine::Engine;
use crate::sync::error::SyncError;

/// What a brake counts over.
const HOUR: TimeDelta = TimeDelta::hours(1);
/// How soon what waits is looked at again: whoever has raised the limit does not want to wait for an hour.
const LOOK_AGAIN: TimeDelta = TimeDelta::minutes(1);
/// How often the log says that something waits.
const SAY_EVERY: TimeDelta = TimeDelta::minutes(10);

/// The brakes of a process, which know when the log last told of them.
#[derive(Debug, Default)]
pub(in crate::sync) struct Brakes(Arc<Mutex<Option<DateTime<Utc>>>>);

/// What may be done now. Until it is dropped nobody else passes: what it lets through counts once it is recorded.
pub(super) struct Passed<T> {
    pub(super) items: Vec<T>,
    _turn: Option<OwnedMutexGuard<Option<DateTime<Utc>>>>,
}

impl Engine {
    /// Lets as many of the records pass as may be changed, or deleted, now; the others wait.
    pub(super) async fn brake<T>(
        &self,
        push: &Push,
        mut items: Vec<T>,
        action: LogAction,
        job: impl Fn(&T) -> &Job,
    ) -> Result<Passed<T>, SyncError> {
        let config = &self.config.push;
        let deletes = (action == LogAction::Delete).then_some(config.max_deletes_per_hour);
        let changes = config.max_per_hour.map(NonZeroU32::get);
        if items.is_empty() || (deletes.is_none() && changes.is_none()) {
            return Ok(Passed { items, _turn: None });
        }
        let mut told_at = self.brakes.0.clone().lock_owned().await;
        let now = clock::now();
        let limits = [
            (deletes, Some(LogAction::Delete), "MAX_PUSH_DELETES_PER_HOUR"),
            (changes, None, "MAX_PUSH_PER_HOUR"),
        ];
        for (most, counted, setting) in limits {
            let Some(most) = most else { continue };
            let sent = pushed_since(&self.database, counted, now - HOUR).await?;
            let room = usize::try_from(u64::from(most).saturating_sub(sent)).unwrap_or(usize::MAX);
            let waiting: Vec<_> =
                items.drain(room.min(items.len())..).map(|item| job(&item).clone()).collect();
            if waiting.is_empty() {
                continue;
            }
            let done = if counted.is_some() { "deleted" } else { "changed" };
            let reason =
                format!("{sent} record(s) were {done} in HubSpot within an hour; {setting} is {most}");
            if told_at.is_none_or(|told_at| now - told_at > SAY_EVERY) {
                let object_type = push.context.object_type;
                warn!("{} edit(s) of {object_type} wait: {reason}", waiting.len());
                *told_at = Some(now);
            }
            postpone_jobs(&self.database, &waiting, now + LOOK_AGAIN, &reason).await?;
        }
        Ok(Passed { items, _turn: Some(told_at) })
    }
}
