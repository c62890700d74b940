//! Where events go and how: what an app's webhook settings say, and what the network does.

use serde::{Deserialize, Serialize};

/// Largest batch. Source: HubSpot, "Webhooks".
const LARGEST_BATCH: usize = 100;

/// Everything `PUT /_sim/webhooks` takes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// Where events are posted to; plain HTTP on the loopback address.
    pub target_url: String,
    /// The URL that is signed, where a proxy stands in front of the target; else the target's.
    #[serde(default)]
    pub signed_url: Option<String>,
    /// What signs: the client secret of the app.
    pub secret: String,
    /// The app that is told.
    #[serde(default = "app_id")]
    pub app_id: u32,
    /// The account events are said to be of.
    #[serde(default = "portal_id")]
    pub portal_id: u64,
    /// Which signatures are sent: `v1`, `v3`.
    #[serde(default = "signatures")]
    pub signatures: Vec<String>,
    /// What the app subscribes to: `contact.creation`, `contact.propertyChange:email`, `object.deletion`; `classic.*`
    /// stands for all that is told of types with words of their own, `object.*` for all generic events.
    #[serde(default = "subscriptions")]
    pub subscriptions: Vec<String>,
    /// Most events in a batch.
    #[serde(default = "batch_size")]
    pub batch_size: usize,
    /// How long every event waits, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
    /// Up to this much longer, by event, so that they come out of order.
    #[serde(default)]
    pub jitter_ms: u64,
    /// Share of events that are sent once more in another batch.
    #[serde(default)]
    pub duplicate_rate: f64,
    /// Share of batches whose answer is taken for lost, so that they are sent again.
    #[serde(default)]
    pub lost_answer_rate: f64,
    /// How long an answer may take, in milliseconds. Source: HubSpot, "Webhooks": 5 seconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// How often a batch is sent again. Source: HubSpot, "Webhooks": 10 times.
    #[serde(default = "retries")]
    pub retries: u32,
    /// About how long to wait before that, in milliseconds; HubSpot spreads the ten over 24 hours.
    #[serde(default = "retry_ms")]
    pub retry_ms: u64,
    /// Most requests at a time. Source: HubSpot, "Configure webhooks".
    #[serde(default = "max_concurrent_requests")]
    pub max_concurrent_requests: usize,
    /// What waits, copies and losses are drawn from.
    #[serde(default)]
    pub seed: u64,
}

/// The app the token belongs to unless told otherwise.
const fn app_id() -> u32 {
    1_845_122
}

/// The account there is.
const fn portal_id() -> u64 {
    crate::account::schemas::PORTAL_ID
}

/// Both, as on newer deliveries.
fn signatures() -> Vec<String> {
    vec!["v1".to_owned(), "v3".to_owned()]
}

/// Everything once: in words of its own where a type has some, else generically.
fn subscriptions() -> Vec<String> {
    vec!["classic.*".to_owned()]
}

/// As HubSpot.
const fn batch_size() -> usize {
    LARGEST_BATCH
}

/// As HubSpot.
const fn timeout_ms() -> u64 {
    5_000
}

/// As HubSpot.
const fn retries() -> u32 {
    10
}

/// Short, so that a test need not wait for a day.
const fn retry_ms() -> u64 {
    500
}

/// As HubSpot.
const fn max_concurrent_requests() -> usize {
    10
}

impl Target {
    /// What is out of range, `None` if nothing is.
    pub fn fault(&self) -> Option<&'static str> {
        if !self.target_url.starts_with("http://127.0.0.1:") {
            return Some("targetUrl must begin with http://127.0.0.1:");
        }
        if !(1..=LARGEST_BATCH).contains(&self.batch_size) {
            return Some("batchSize must lie between 1 and 100");
        }
        if [self.duplicate_rate, self.lost_answer_rate].iter().any(|rate| !(0.0..=1.0).contains(rate)) {
            return Some("duplicateRate and lostAnswerRate must lie between 0 and 1");
        }
        if self.max_concurrent_requests == 0 {
            return Some("maxConcurrentRequests must be at least 1");
        }
        self.signatures
            .iter()
            .any(|version| !["v1", "v3"].contains(&version.as_str()))
            .then_some("signatures are v1 and v3")
    }

    /// The URL that is signed.
    pub fn signed_url(&self) -> &str {
        self.signed_url.as_deref().unwrap_or(&self.target_url)
    }

    /// Whether there is a signature of that version.
    pub fn signs(&self, version: &str) -> bool {
        self.signatures.iter().any(|wanted| wanted == version)
    }
}
