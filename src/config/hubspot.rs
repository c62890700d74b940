//! How to reach HubSpot and how much of its limits to use.

use std::time::Duration;

use secrecy::SecretString;

use super::Environment;

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
    /// The account's limit of requests about associations in any 10 seconds; response headers may lower it.
    pub association_requests_per_10_seconds: u32,
    /// Share of each limit this daemon uses, above 0 and at most 1.
    pub limit_threshold: f64,
    /// Deadline of one request including its body.
    pub timeout: Duration,
}

/// Versions whose paths the client knows. Source: HubSpot changelog, "Introducing date-based API versioning".
const API_VERSIONS: &[&str] = &["2026-09", "2026-03", "v3"];

impl HubSpotConfig {
    /// Reads the `HUBSPOT_` and `RATE_LIMIT_` variables.
    pub(super) fn read(env: &mut Environment) -> Self {
        let token =
            env.secret("HUBSPOT_ACCESS_TOKEN", is_token).or_else(|| env.secret("HUBSPOT_API_KEY", is_token));
        let access_token =
            token.unwrap_or_else(|| env.reject("HUBSPOT_ACCESS_TOKEN", SecretString::default()));
        let base_url = env.text("HUBSPOT_BASE_URL").trim_end_matches('/').to_owned();
        if !is_safe_url(&base_url) {
            env.reject("HUBSPOT_BASE_URL", ());
        }
        let api_version = env.text("HUBSPOT_API_VERSION");
        if !API_VERSIONS.contains(&api_version.as_str()) {
            env.reject("HUBSPOT_API_VERSION", ());
        }
        Self {
            access_token,
            base_url,
            api_version,
            requests_per_10_seconds: env.parsed("RATE_LIMIT_PER_10_SECONDS", |n| (1..=10_000).contains(n)),
            search_requests_per_second: env.parsed("RATE_LIMIT_SEARCH_PER_SECOND", |n| (1..=100).contains(n)),
            association_requests_per_10_seconds: env
                .parsed("RATE_LIMIT_ASSOCIATIONS_PER_10_SECONDS", |n| (1..=10_000).contains(n)),
            limit_threshold: env.parsed("RATE_LIMIT_THRESHOLD", |share| *share > 0.0 && *share <= 1.0),
            timeout: Duration::from_secs(env.parsed("HUBSPOT_TIMEOUT_SECONDS", |n| (1..=600).contains(n))),
        }
    }
}

/// Whether it can be a token: one word, so neither the placeholder of the documents nor a file of several lines.
fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a token may be sent there: encrypted, or never leaving this machine.
pub(super) fn is_safe_url(url: &str) -> bool {
    let loopback = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let ends_host = |rest: &str| rest.is_empty() || rest.starts_with([':', '/']);
    let is_loopback = loopback.iter().any(|host| url.strip_prefix(host).is_some_and(ends_host));
    // What stands before an `@` is not the host.
    !url.contains('@') && (url.starts_with("https://") || is_loopback)
}

#[cfg(test)]
mod tests {
    use super::{is_safe_url, is_token};

    #[test]
    fn a_token_is_one_word() {
        assert!(is_token("pat-eu1-0123abcd"));
        for text in ["put the token here", "two\nlines", "pat-eu1-…"] {
            assert!(!is_token(text), "{text}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for url in ["https://api.hubapi.com", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"] {
            assert!(is_safe_url(url), "{url}");
        }
        for url in [
            "http://api.hubapi.com",
            "http://localhost.evil.example",
            "http://127.0.0.1:x@evil.example",
            "ftp://127.0.0.1",
            "",
        ] {
            assert!(!is_safe_url(url), "{url}");
        }
    }
}
