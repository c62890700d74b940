//! What was asked, for tests that count.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::clock::Millis;
use crate::limits::Limiter;

/// Counts since the start or the last reset.
#[derive(Debug, Default)]
pub struct Stats {
    /// Requests to the API; the control API does not count.
    requests: u64,
    /// By what was asked for.
    by_family: BTreeMap<&'static str, u64>,
    /// By status; a connection cut before the answer counts as 0.
    by_status: BTreeMap<u16, u64>,
    /// When the first came.
    first_at: Option<Millis>,
    /// When the last came.
    last_at: Option<Millis>,
}

impl Stats {
    /// Counts a request that came in.
    pub fn count(&mut self, family: &'static str, now: Millis) {
        self.requests += 1;
        *self.by_family.entry(family).or_default() += 1;
        self.first_at.get_or_insert(now);
        self.last_at = Some(now);
    }

    /// Counts an answer that goes out.
    pub fn answered(&mut self, status: u16) {
        *self.by_status.entry(status).or_default() += 1;
    }

    /// The document of `GET /_sim/stats`.
    pub fn to_json(&self, limiter: &Limiter) -> Value {
        let (max_in_window, max_search, refused) = limiter.extremes();
        json!({
            "requests": self.requests,
            "byFamily": self.by_family,
            "byStatus": self.by_status,
            "maxInWindow": max_in_window,
            "maxSearchPerSecond": max_search,
            "maxAssociationInWindow": limiter.most_associations(),
            "rateLimited": refused,
            "firstRequestAt": self.first_at,
            "lastRequestAt": self.last_at,
        })
    }
}
