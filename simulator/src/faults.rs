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
    /// What statistics count it as, such as `batchUpdate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Whether it changes records or their links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<bool>,
}

impl Match {
    /// Whether a request is meant.
    fn fits(&self, request: &Request<'_>) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(request.method))
            && self.path_contains.as_ref().is_none_or(|part| request.target.contains(part))
            && self.family.as_ref().is_none_or(|wanted| wanted == request.family)
            && self.writes.is_none_or(|wanted| wanted == request.writes)
    }
}

/// What faults look at in a request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path with query.
    pub target: &'a str,
    /// What statistics count it as.
    pub family: &'a str,
    /// Whether it changes records or their links.
    pub writes: bool,
}

/// How often random faults come.
#[derive(Debug, Clone, Copy)]
pub struct Odds {
    /// Share of all requests that are hit.
    pub any: f64,
    /// Share of the writes among the others that are carried out and not answered.
    pub lost_answer: f64,
    /// What the draws start from.
    pub seed: u64,
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
    /// What the request asks for is done, and the answer is lost: after a while the connection is reset, or a server in
    /// front answers in its place.
    LoseAnswer {
        /// Milliseconds until then.
        #[serde(default)]
        ms: u64,
        /// What the server in front answers, such as 504; the connection is reset when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
    },
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
    /// Writes that lost answers were drawn for.
    writes_drawn: u64,
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

    /// What happens to a request: the first fault that hits it, else now and then a random one.
    pub fn strike(&mut self, request: &Request<'_>, odds: Odds) -> Option<Action> {
        let mut hit = None;
        for fault in self.waiting.iter_mut().filter(|fault| fault.matching.fits(request)) {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times -= 1;
            hit = Some(fault.action.clone());
            break;
        }
        self.waiting.retain(|fault| fault.times > 0);
        hit.or_else(|| self.random(odds))
            .or_else(|| if request.writes { self.random_loss(odds) } else { None })
    }

    /// A random fault.
    fn random(&mut self, odds: Odds) -> Option<Action> {
        let mut draws = drawn(odds.any, odds.seed, &mut self.drawn)?;
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

    /// A random loss of an answer: the connection breaks or a server in front gives up.
    fn random_loss(&mut self, odds: Odds) -> Option<Action> {
        let mut draws = drawn(odds.lost_answer, odds.seed ^ 0x1057, &mut self.writes_drawn)?;
        let status = *pick(draws.word(), &[None, Some(502), Some(504)]);
        Some(Action::LoseAnswer { ms: 0, status })
    }
}

/// Draws for the next request, in `rate` of 1.
fn drawn(rate: f64, seed: u64, count: &mut u64) -> Option<Draws> {
    const PARTS: u64 = 1_000_000;
    if rate <= 0.0 {
        return None;
    }
    *count += 1;
    let mut draws = Draws::new(mix(seed, *count));
    ((below(draws.word(), PARTS) as f64) < rate * PARTS as f64).then_some(draws)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No random faults.
    const NEVER: Odds = Odds { any: 0.0, lost_answer: 0.0, seed: 0 };

    fn request<'a>(method: &'a str, target: &'a str) -> Request<'a> {
        Request { method, target, family: "list", writes: false }
    }

    #[test]
    fn a_fault_skips_then_hits_then_is_gone() {
        let mut faults = Faults::default();
        faults.add(Fault { matching: Match::default(), times: 2, skip: 1, action: Action::Reset });
        let hits: Vec<bool> = (0..4).map(|_| faults.strike(&request("GET", "/x"), NEVER).is_some()).collect();
        assert_eq!(hits, [false, true, true, false]);
        assert!(faults.waiting().is_empty());
    }

    #[test]
    fn a_fault_leaves_other_requests_alone() {
        let mut faults = Faults::default();
        let (method, path_contains) = (Some("post".into()), Some("search".into()));
        let matching = Match { method, path_contains, ..Match::default() };
        faults.add(Fault { matching, times: 1, skip: 0, action: Action::Garbage });
        assert_eq!(faults.strike(&request("GET", "/crm/search"), NEVER), None);
        assert_eq!(faults.strike(&request("POST", "/crm/list"), NEVER), None);
        assert_eq!(faults.strike(&request("POST", "/crm/search"), NEVER), Some(Action::Garbage));
    }

    #[test]
    fn random_faults_come_at_about_their_rate_and_repeat_with_the_seed() {
        let struck = |seed| {
            let mut faults = Faults::default();
            (0..1_000)
                .map(|_| faults.strike(&request("GET", "/x"), Odds { any: 0.2, lost_answer: 0.0, seed }))
                .collect::<Vec<_>>()
        };
        let count = struck(9).iter().flatten().count();
        assert!((150..250).contains(&count), "{count}");
        assert_eq!(struck(9), struck(9));
    }

    #[test]
    fn only_answers_to_writes_are_lost_at_random() {
        let mut faults = Faults::default();
        let odds = Odds { any: 0.0, lost_answer: 0.5, seed: 3 };
        let read = request("GET", "/x");
        assert!((0..100).all(|_| faults.strike(&read, odds).is_none()));
        let write = Request { writes: true, ..read };
        let lost: Vec<Action> = (0..100).filter_map(|_| faults.strike(&write, odds)).collect();
        assert!((30..70).contains(&lost.len()), "{}", lost.len());
        assert!(lost.iter().all(|action| matches!(action, Action::LoseAnswer { .. })));
    }
}
