//! How to reach HubSpot and how much of its limits to use.

use std::time::Duration;

use secrecy::SecretString;

/// Settings of the HubSpot client.
#[derive(Debug, Clone)]
pub struct HubSpotConfig {
    /// Private app token or service key.
    pub access_token: SecretString,
    /// Scheme and host without a trailing slash, default `https://api.hubapi.com`.
    pub base_url: String,
    /// Version segment of the paths: `2026-09`, `2026-03` or `v3`.
    pub api_version: String,
    /// The account's limit in any 10 seconds; response headers override it. 100, 190 or 250 by tier.
    pub requests_per_10_seconds: u32,
    /// The account's search limit in any second.
    pub search_requests_per_second: u32,
    /// Share of each limit this daemon uses, above 0 and at most 1.
    pub limit_threshold: f64,
    /// Deadline of one request including its body.
    pub timeout: Duration,
    /// The account the database belongs to; another account's token is refused. `None` takes any.
    pub portal_id: Option<i64>,
}
