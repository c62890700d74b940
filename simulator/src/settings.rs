//! What can be changed while the simulator runs.
//!
//! Rules HubSpot does not document are switches here, so that a client can be tried against either answer.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::write::{Condition, LifecycleBack, Rules};
use crate::account::{Habits, RestoredStamp, Source};
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
    /// Batches answer in another order than asked.
    pub shuffle_batches: bool,
    /// The app the token belongs to; what histories show of its writes.
    pub app_id: u32,
    /// How histories show the app's writes: what they show of a service key is not established.
    pub writes_show_as: WritesShowAs,
    /// The body that refuses an address another contact has.
    pub conflict_body: ConflictBody,
    /// A write that changes nothing moves last-modified.
    pub identical_writes_touch: bool,
    /// What becomes of an attempt to move a lifecycle stage back: `ignored`, `refused` or `allowed`.
    pub lifecycle_back: LifecycleBack,
    /// A contact that gets another address keeps the old one as a further one.
    pub email_change_keeps_old: bool,
    /// Versions of the API, as in paths, in which the rules below count and days and times are taken in more forms.
    pub binding_versions: Vec<String>,
    /// Properties new records need, by plural name of the type.
    pub required_on_create: BTreeMap<String, Vec<String>>,
    /// Properties records need once another one has a value.
    pub conditionally_required: Vec<Condition>,
    /// Share of writes that are carried out and then not answered, 0 to 1.
    pub lost_answer_rate: f64,
}

/// How histories show what an app wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WritesShowAs {
    /// As `INTEGRATION`, which was seen of private apps.
    #[default]
    Integration,
    /// As `API`.
    Api,
}

/// How an address that another contact has is refused; all were seen. Source: HubSpot developer Slack, 2022 to 2024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConflictBody {
    /// The message names the other contact.
    #[default]
    WithId,
    /// The message does not.
    WithoutId,
    /// The message names the other contact and there is no category.
    WithoutCategory,
    /// The body of early 2024, with the identities of the other contact.
    Rich,
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
            app_id: 1_845_122,
            writes_show_as: WritesShowAs::Integration,
            conflict_body: ConflictBody::WithId,
            identical_writes_touch: true,
            lifecycle_back: LifecycleBack::Ignored,
            email_change_keeps_old: false,
            binding_versions: vec!["2026-09".to_owned()],
            required_on_create: BTreeMap::new(),
            conditionally_required: Vec::new(),
            lost_answer_rate: 0.0,
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
        for (name, rate) in [("faultRate", self.fault_rate), ("lostAnswerRate", self.lost_answer_rate)] {
            if !(0.0..=1.0).contains(&rate) {
                bail!("{name} must lie between 0 and 1");
            }
        }
        Ok(())
    }

    /// Whether the token has no scope for a type.
    pub fn denies_type(&self, object_type: &ObjectType) -> bool {
        let is_meant = |denied: &String| denied == object_type.scope_name() || object_type.is_called(denied);
        self.denied_types.iter().any(is_meant)
    }

    /// Who writes through the API.
    pub const fn app(&self) -> Source {
        match self.writes_show_as {
            WritesShowAs::Integration => Source::Integration(self.app_id),
            WritesShowAs::Api => Source::Api(self.app_id),
        }
    }

    /// The rules for writes of a type with a version of the API.
    pub fn rules(&self, object_type: &ObjectType, version: &str) -> Rules {
        let is_meant = |name: &str| object_type.is_called(name);
        let required = self.required_on_create.iter().filter(|(name, _)| is_meant(name));
        let conditions = self.conditionally_required.iter().filter(|rule| is_meant(&rule.object_type));
        Rules {
            binds: self.binding_versions.iter().any(|known| known == version),
            required: required.flat_map(|(_, names)| names.iter().cloned()).collect(),
            conditions: conditions.cloned().collect(),
            lifecycle_back: self.lifecycle_back,
            email_change_keeps_old: self.email_change_keeps_old,
            identical_writes_touch: self.identical_writes_touch,
        }
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
