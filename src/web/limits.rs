//! HubSpot's limits as the API and the dashboard show them, with how the day will end.

mod forecast;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use crate::hubspot::{DailySnapshot, Pause, QuotaSnapshot};
use crate::storage::{StorageError, account_time_zone};
use forecast::{Forecast, forecast};

/// HubSpot's limits.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Limiter {
    /// Per 10 seconds, of everything but the other two.
    pub(super) burst: Quota,
    /// Searches, per second.
    pub(super) search: Quota,
    /// Associations, per 10 seconds.
    pub(super) associations: Quota,
    /// Per day, of everything but associations.
    pub(super) daily: Daily,
    /// Associations, per day.
    pub(super) daily_associations: Daily,
    /// Requests since the process started.
    pub(super) requests: u64,
    /// How many of them were answered with 429.
    pub(super) throttled: u64,
}

/// A limit per some seconds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Quota {
    /// The account's limit.
    pub(super) limit: u32,
    /// The time it is for, milliseconds.
    pub(super) interval_ms: u64,
    /// How much of it is ours.
    pub(super) capacity: usize,
    /// How much of that is used now.
    pub(super) used: usize,
    /// Requests that wait.
    pub(super) waiting: usize,
    /// Until when nothing is sent.
    pub(super) paused_until: Option<DateTime<Utc>>,
}

/// A limit per day.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Daily {
    /// The account's limit; null until HubSpot told.
    pub(super) limit: Option<u64>,
    /// What is left of it; null until HubSpot told.
    pub(super) remaining: Option<u64>,
    /// Until when some requests wait.
    pub(super) paused_until: Option<DateTime<Utc>>,
    /// Which.
    pub(super) waiting: Option<String>,
    /// How the day will end at the pace so far; null while too little is known.
    pub(super) forecast: Option<Forecast>,
}

impl Limiter {
    /// The limits at `now`; `None` in a process that does not call HubSpot.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) async fn load(app: &App, now: DateTime<Utc>) -> Result<Option<Self>, StorageError> {
        let Some(limits) = app.situation.limits() else { return Ok(None) };
        let time_zone = account_time_zone(&app.database).await?;
        let time_zone = time_zone.as_deref();
        Ok(Some(Self {
            burst: limits.burst.into(),
            search: limits.search.into(),
            associations: limits.associations.into(),
            daily: daily(&limits.daily, time_zone, now),
            daily_associations: daily(&limits.daily_associations, time_zone, now),
            requests: limits.requests,
            throttled: limits.throttled,
        }))
    }
}

impl From<QuotaSnapshot> for Quota {
    fn from(quota: QuotaSnapshot) -> Self {
        let QuotaSnapshot { limit, interval_ms, capacity, used, waiting, paused } = quota;
        Self { limit, interval_ms, capacity, used, waiting, paused_until: paused.map(end) }
    }
}

/// A daily limit as it is shown.
fn daily(quota: &DailySnapshot, time_zone: Option<&str>, now: DateTime<Utc>) -> Daily {
    let known = quota.limit.zip(quota.remaining).zip(time_zone);
    Daily {
        limit: quota.limit,
        remaining: quota.remaining,
        paused_until: quota.paused.map(end),
        waiting: quota.waiting.map(str::to_owned),
        forecast: known.and_then(|((limit, remaining), zone)| forecast(limit, remaining, zone, now)),
    }
}

/// When a pause ends.
fn end(pause: Pause) -> DateTime<Utc> {
    pause.until
}
