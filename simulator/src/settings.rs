//! What can be changed while the simulator runs.
//!
//! Rules HubSpot does not document are switches here, so that a client can be tried against either answer.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::{Habits, RestoredStamp};
use crate::config::Config;
use crate::object_type::ObjectType;

/// More live changes per second than this would leave no time for requests.
const MOST_LIVE_CHANGES: f64 = 10_000.0;

/// Everything `PATCH /_sim/settings` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent switch of the control API")]
pub struct Settings {
    /// Waited before every answer of the API, in milliseconds.
    pub latency_ms: u64,
    /// Whether any limit is enforced.
    pub limits_enabled: bool,
    /// Requests per rolling ten seconds, search apart.
    pub limit_per_10_seconds: u64,
    /// Searches per rolling second.
    pub search_limit_per_second: u64,
    /// Requests per day of the account's time zone.
    pub daily_limit: u64,
    /// Traffic of other apps with the same token, per ten seconds: shown in the headers and counted in the limit.
    #[serde(rename = "otherAppsPer10Seconds")]
    pub other_apps_per_10_seconds: u64,
    /// Requests about associations per rolling ten seconds, which have a quota of their own.
    #[serde(rename = "associationLimitPer10Seconds")]
    pub association_limit_per_10_seconds: u64,
    /// Requests about associations per day of the account's time zone.
    pub association_daily_limit: u64,
    /// Most linked records per record in one answer to a batch read of associations; the rest is on further pages.
    pub association_page_size: usize,
    /// Linking records moves last-modified of both.
    pub association_touches: bool,
    /// Properties that count linked records follow the links, without last-modified.
    pub roll_ups_follow: bool,
    /// Values HubSpot calculates when they are read are calculated for the present day, without last-modified; else for
    /// the last day of the generated account, so that they stay.
    pub read_time_values: bool,
    /// Adds `Retry-After` to 429 answers, which HubSpot does not promise.
    pub retry_after: bool,
    /// How long search does not see a change, in milliseconds.
    pub index_lag_ms: u64,
    /// Up to this much longer, by record, so that changes arrive out of order.
    pub index_jitter_ms: u64,
    /// How long reads of a definition of an object type may show what was before its last change, in milliseconds.
    pub schema_lag_ms: u64,
    /// Names of types the token has no scope for; `custom` stands for all the portal defined.
    pub denied_types: Vec<String>,
    /// Scopes the token does not have, such as `crm.objects.deals.read`; that for schemas may remain.
    pub denied_scopes: Vec<String>,
    /// Changes made by themselves, per second.
    pub live_changes_per_second: f64,
    /// Longest accepted path with query, in bytes; 414 above.
    pub url_limit: usize,
    /// Share of requests that fail at random, 0 to 1.
    pub fault_rate: f64,
    /// Seed of the random failures.
    pub fault_seed: u64,
    /// Page sizes above the maximum are cut to it instead of refused.
    pub clamp_page_size: bool,
    /// Records with equal sort keys keep one order over all pages.
    pub stable_ties: bool,
    /// Search totals are up to this much too high.
    pub total_drift: u64,
    /// Cleared values show as the empty string instead of null.
    pub cleared_as_empty: bool,
    /// The merged record keeps the primary's id instead of getting a new one.
    pub merge_keeps_primary_id: bool,
    /// Merging moves last-modified.
    pub merge_touches: bool,
    /// Ids that were merged away are in the list of archived records.
    pub merged_are_archived: bool,
    /// What last-modified a record has that comes out of the bin: `newer`, `same` or `older` than it went with.
    pub restored_last_modified: RestoredStamp,
    /// The list of archived records is answered 504 for types with more than this many in the bin; never with null.
    pub bin_timeout_above: Option<usize>,
    /// How long records stay in the bin, and property definitions in the archive, before they are gone without trace, in
    /// days.
    pub bin_days: u64,
    /// Batch reads answer in another order than asked.
    pub shuffle_batches: bool,
}

impl Settings {
    /// The settings a command line asks for.
    pub fn new(config: &Config) -> Self {
        Self {
            latency_ms: config.latency_ms,
            limits_enabled: !config.no_limits,
            limit_per_10_seconds: config.limit_per_10_seconds,
            search_limit_per_second: config.search_limit_per_second,
            daily_limit: config.daily_limit,
            other_apps_per_10_seconds: 0,
            association_limit_per_10_seconds: 100,
            association_daily_limit: 500_000,
            association_page_size: 500,
            association_touches: false,
            roll_ups_follow: false,
            read_time_values: false,
            retry_after: false,
            index_lag_ms: config.index_lag_ms,
            index_jitter_ms: config.index_jitter_ms,
            schema_lag_ms: 0,
            denied_types: Vec::new(),
            denied_scopes: Vec::new(),
            live_changes_per_second: config.live_changes_per_second,
            url_limit: config.url_limit,
            fault_rate: 0.0,
            fault_seed: config.seed,
            clamp_page_size: false,
            stable_ties: false,
            total_drift: 0,
            cleared_as_empty: true,
            merge_keeps_primary_id: false,
            merge_touches: true,
            merged_are_archived: false,
            restored_last_modified: RestoredStamp::Newer,
            bin_timeout_above: None,
            bin_days: 90,
            shuffle_batches: true,
        }
    }

    /// These settings with the given ones in place.
    ///
    /// # Errors
    /// An unknown name or a value of the wrong type.
    pub fn patched(&self, patch: Value) -> Result<Self> {
        let Value::Object(patch) = patch else { bail!("settings are a JSON object") };
        let mut document = serde_json::to_value(self)?;
        let fields = document.as_object_mut().context("settings are written as an object")?;
        fields.extend(patch);
        let settings: Self = serde_json::from_value(document)?;
        settings.check()?;
        Ok(settings)
    }

    /// Checks what has limits.
    ///
    /// # Errors
    /// Names the setting that is out of range.
    pub fn check(&self) -> Result<()> {
        if !(0.0..=MOST_LIVE_CHANGES).contains(&self.live_changes_per_second) {
            bail!("liveChangesPerSecond must lie between 0 and {MOST_LIVE_CHANGES}");
        }
        if self.association_page_size == 0 {
            bail!("associationPageSize must be at least 1");
        }
        if !(0.0..=1.0).contains(&self.fault_rate) {
            bail!("faultRate must lie between 0 and 1");
        }
        Ok(())
    }

    /// Whether the token has no scope for a type.
    pub fn denies_type(&self, object_type: &ObjectType) -> bool {
        let is_meant = |denied: &String| denied == object_type.scope_name() || object_type.is_called(denied);
        self.denied_types.iter().any(is_meant)
    }

    /// The part the account needs.
    pub const fn habits(&self) -> Habits {
        Habits {
            index_lag_ms: self.index_lag_ms,
            index_jitter_ms: self.index_jitter_ms,
            cleared_as_empty: self.cleared_as_empty,
            merge_keeps_primary_id: self.merge_keeps_primary_id,
            merge_touches: self.merge_touches,
            restored_last_modified: self.restored_last_modified,
            bin_days: self.bin_days,
            association_touches: self.association_touches,
            roll_ups_follow: self.roll_ups_follow,
        }
    }
}
