//! Misbehaviour on demand.
//!
//! A fault waits for requests that match, lets some pass, hits the next ones and is gone. Faults are tried in the
//! order they were made; the first that hits decides. Random faults come on top, from a seed.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::limits::Policy;
use crate::random::{Draws, below, mix, pick};

/// Which requests a fault is for; an absent part matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Match {
    /// Method, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Part of the path with query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_contains: Option<String>,
}

impl Match {
    /// Whether a request is meant.
    fn fits(&self, method: &str, target: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path_contains.as_ref().is_none_or(|part| target.contains(part))
    }
}

/// What happens to a request that is hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// Answered with this status.
    Status {
        /// The status.
        status: u16,
        /// The body; HubSpot's usual one when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        /// Seconds in `Retry-After`; no such header when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
    /// The connection is reset before anything is answered.
    Reset,
    /// The connection ends in the middle of the body.
    Truncate,
    /// Nothing is answered for this long, then the connection is reset.
    Hang {
        /// Milliseconds.
        ms: u64,
    },
    /// The answer comes this much later.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// An HTML page with status 200.
    Garbage,
    /// Refused as if a limit were reached.
    RateLimit {
        /// The limit.
        policy: Policy,
    },
    /// Half of the results are left out; everything else of the page stays.
    ShortPage,
}

/// A fault waiting for its requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Which requests are meant.
    #[serde(default, rename = "match")]
    pub matching: Match,
    /// How many are still to be hit.
    #[serde(default = "once")]
    pub times: u64,
    /// How many pass before that.
    #[serde(default)]
    pub skip: u64,
    /// What happens to them.
    pub action: Action,
}

/// A fault hits one request unless it says otherwise.
const fn once() -> u64 {
    1
}

/// All waiting faults.
#[derive(Debug, Default)]
pub struct Faults {
    /// In the order they were made.
    waiting: VecDeque<Fault>,
    /// Requests that random faults were drawn for.
    drawn: u64,
}

impl Faults {
    /// Adds a fault behind the others.
    pub fn add(&mut self, fault: Fault) {
        if fault.times > 0 {
            self.waiting.push_back(fault);
        }
    }

    /// Takes all faults away.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Faults that still wait.
    pub const fn waiting(&self) -> &VecDeque<Fault> {
        &self.waiting
    }

    /// What happens to a request: the first fault that hits it, else a random one in `rate` of 1.
    pub fn strike(&mut self, method: &str, target: &str, rate: f64, seed: u64) -> Option<Action> {
        let mut hit = None;
        for fault in self.waiting.iter_mut().filter(|fault| fault.matching.fits(method, target)) {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times -= 1;
            hit = Some(fault.action.clone());
            break;
        }
        self.waiting.retain(|fault| fault.times > 0);
        hit.or_else(|| self.random(rate, seed))
    }

    /// A random fault in `rate` of 1.
    fn random(&mut self, rate: f64, seed: u64) -> Option<Action> {
        const PARTS: u64 = 1_000_000;
        if rate <= 0.0 {
            return None;
        }
        self.drawn += 1;
        let mut draws = Draws::new(mix(seed, self.drawn));
        if below(draws.word(), PARTS) as f64 >= rate * PARTS as f64 {
            return None;
        }
        let status = |status| Action::Status { status, body: None, retry_after: None };
        let kinds = [
            status(500),
            status(502),
            status(503),
            Action::Reset,
            Action::Truncate,
            Action::RateLimit { policy: Policy::TenSecondlyRolling },
        ];
        Some(pick(draws.word(), &kinds).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_skips_then_hits_then_is_gone() {
        let mut faults = Faults::default();
        faults.add(Fault { matching: Match::default(), times: 2, skip: 1, action: Action::Reset });
        let hits: Vec<bool> = (0..4).map(|_| faults.strike("GET", "/x", 0.0, 0).is_some()).collect();
        assert_eq!(hits, [false, true, true, false]);
        assert!(faults.waiting().is_empty());
    }

    #[test]
    fn a_fault_leaves_other_requests_alone() {
        let mut faults = Faults::default();
        let matching = Match { method: Some("post".into()), path_contains: Some("search".into()) };
        faults.add(Fault { matching, times: 1, skip: 0, action: Action::Garbage });
        assert_eq!(faults.strike("GET", "/crm/search", 0.0, 0), None);
        assert_eq!(faults.strike("POST", "/crm/list", 0.0, 0), None);
        assert_eq!(faults.strike("POST", "/crm/search", 0.0, 0), Some(Action::Garbage));
    }

    #[test]
    fn random_faults_come_at_about_their_rate_and_repeat_with_the_seed() {
        let struck = |seed| {
            let mut faults = Faults::default();
            (0..1_000).map(|_| faults.strike("GET", "/x", 0.2, seed)).collect::<Vec<_>>()
        };
        let count = struck(9).iter().flatten().count();
        assert!((150..250).contains(&count), "{count}");
        assert_eq!(struck(9), struck(9));
    }
}
