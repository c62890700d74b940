//! Which error is retried, and by whom.
//!
//! | What failed | Who tries again |
//! | --- | --- |
//! | overload, broken connection, unreadable answer | the HubSpot client, up to [`RetryPolicy::API_CALL`] tries |
//! | the same, of a create | whoever asked for it, after a look whether it was done all the same |
//! | lock, no connection | the HubSpot client, as often, also of a create: nothing was done |
//! | rate limit, account being moved | the HubSpot client, when HubSpot's hint has passed; costs no try |
//! | any of these that outlasts the client | another run of that object type, after 5, 10, 20, ... s |
//! | an edit on its way to HubSpot, for a cause that passes | its job, up to `PUSH_MAX_ATTEMPTS` tries, see `sync::push` |
//! | a transaction, for a cause that passes | `sync::patience`, for half a minute |
//! | token, scope, unknown type, bad request | nobody, until a person changes something |
//!
//! Nothing is tried twice by two layers: a run that sees an error from the client ends. This is also the only file
//! that names the `backoff` crate, which is no longer maintained; replacing it touches nothing else.

use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;

/// How often a call is tried and how long it waits in between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Wait before the second try.
    pub base: Duration,
    /// How much longer each further wait is than the one before.
    pub factor: f64,
    /// No wait is longer, jitter included.
    pub cap: Duration,
    /// Tries altogether, the first one included; at least 1.
    pub tries: u32,
}

impl RetryPolicy {
    /// One API call inside a run.
    pub const API_CALL: Self =
        Self { base: Duration::from_secs(1), factor: 2.0, cap: Duration::from_secs(32), tries: 3 };

    /// The waits between the tries, one fewer than there are tries, each spread by up to half in both directions so
    /// that callers who failed together do not come back together.
    pub fn delays(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        let mut backoff = ExponentialBackoffBuilder::new()
            .with_initial_interval(self.base)
            .with_multiplier(self.factor)
            .with_max_interval(self.cap)
            .with_randomization_factor(0.5)
            .with_max_elapsed_time(None)
            .build();
        let cap = self.cap;
        // The crate spreads after it caps, so a wait could reach one and a half times the cap.
        (1..self.tries).map(move |_| backoff.next_backoff().map_or(cap, |delay| delay.min(cap)))
    }
}

/// How an API call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// HubSpot answered with this status.
    Status(u16),
    /// No connection was made, so nothing was sent.
    Unreachable,
    /// No complete answer: reset, timed out, cut off.
    Connection,
    /// A success status with a body that is not what it should be.
    Malformed,
}

/// What the client does about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Report it; trying again would give the same answer.
    GiveUp,
    /// Try again after the next delay of the policy.
    BackOff,
    /// Close the gate as HubSpot asks and try again when it opens. The call was refused before it did anything.
    ObeyHint,
}

/// The table. `idempotent` says that doing the call twice does no harm, which is true of every call but a create.
///
/// Source: HubSpot, "Error handling"; 408 and 520 are added because they mean the same to a client as 504 and 521.
pub const fn remedy(fault: Fault, idempotent: bool) -> Remedy {
    match fault {
        Fault::Status(429 | 477) => Remedy::ObeyHint,
        // A locked record was not touched, so even a create may be sent again.
        Fault::Status(423) | Fault::Unreachable => Remedy::BackOff,
        Fault::Status(408 | 500 | 502..=504 | 520..=526) | Fault::Connection | Fault::Malformed
            if idempotent =>
        {
            Remedy::BackOff
        }
        Fault::Status(_) | Fault::Connection | Fault::Malformed => Remedy::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every status the table answers with `wanted`.
    fn statuses(wanted: Remedy, idempotent: bool) -> Vec<u16> {
        (100..=599).filter(|status| remedy(Fault::Status(*status), idempotent) == wanted).collect()
    }

    #[test]
    fn the_retried_statuses_are_exactly_these() {
        let backed_off = [408, 423, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526];
        assert_eq!(statuses(Remedy::BackOff, true), backed_off);
        assert_eq!(statuses(Remedy::ObeyHint, true), [429, 477]);
    }

    #[test]
    fn a_create_is_sent_again_only_when_nothing_was_done() {
        assert_eq!(statuses(Remedy::BackOff, false), [423]);
        assert_eq!(remedy(Fault::Unreachable, false), Remedy::BackOff);
        assert_eq!(statuses(Remedy::ObeyHint, false), [429, 477]);
        for fault in [Fault::Connection, Fault::Malformed] {
            assert_eq!(remedy(fault, false), Remedy::GiveUp);
            assert_eq!(remedy(fault, true), Remedy::BackOff);
        }
    }

    #[test]
    fn waits_grow_are_spread_and_never_pass_the_cap() {
        let cap = Duration::from_secs(5);
        let policy = RetryPolicy { base: Duration::from_secs(1), factor: 2.0, cap, tries: 8 };
        for _ in 0..200 {
            let delays: Vec<_> = policy.delays().collect();
            assert_eq!(delays.len(), 7);
            for (delay, middle) in delays.iter().zip([1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0]) {
                let seconds = delay.as_secs_f64();
                assert!(seconds >= middle * 0.5 && seconds <= middle * 1.5, "{delays:?}");
                assert!(*delay <= cap, "{delays:?}");
            }
        }
    }

    #[test]
    fn a_policy_of_one_try_never_waits() {
        let policy = RetryPolicy { tries: 1, ..RetryPolicy::API_CALL };
        assert_eq!(policy.delays().count(), 0);
    }
}
