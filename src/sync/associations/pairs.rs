//! Who works with the links of a pair, and whether there are any to work with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tracing::{debug, info, warn};

use super::super::engine::Engine;
use super::super::error::SyncError;
use crate::clock;
use crate::hubspot::{HubSpotClient, Priority};
use crate::model::TypePair;
use crate::storage::{PairState, load_pairs, show_notices, store_pair};

/// How long HubSpot's word counts that two types can be linked, or cannot: types are switched on and off, but rarely.
const CHECKED_EVERY: TimeDelta = TimeDelta::days(1);
/// How long a refusal counts: somebody may be mending it. Short enough for the regular run that follows to come within
/// the hour.
const REFUSED_FOR: TimeDelta = TimeDelta::minutes(30);

/// The pairs, each in one hand at a time.
#[derive(Debug, Default)]
pub(in crate::sync) struct Pairs(Mutex<HashMap<(&'static str, &'static str), Shared>>);

/// What is known of a pair; `None` until somebody has looked.
type Shared = Arc<AsyncMutex<Option<Knowledge>>>;

/// What is known of a pair.
#[derive(Debug, Clone, Copy)]
struct Knowledge {
    /// What HubSpot lets be done with its links.
    state: PairState,
    /// When HubSpot was asked.
    checked_at: DateTime<Utc>,
}

impl Knowledge {
    /// Whether HubSpot need not be asked again at `now`.
    fn counts_at(self, now: DateTime<Utc>) -> bool {
        let most = if self.state == PairState::Refused { REFUSED_FOR } else { CHECKED_EVERY };
        now - self.checked_at < most
    }
}

/// A pair whose links nobody else asks for or stores until this is dropped.
#[derive(Debug)]
pub(in crate::sync) struct HeldPair(OwnedMutexGuard<Option<Knowledge>>);

/// What came of wanting to work with the links of a pair.
#[derive(Debug)]
pub(in crate::sync) enum Hold {
    /// There they are.
    Held(HeldPair),
    /// HubSpot does not link the two types.
    Unlinked,
    /// HubSpot does not let them be read, at least for now.
    Refused,
}

impl Pairs {
    /// What is shared of a pair.
    fn of(&self, pair: TypePair) -> Shared {
        let mut pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.entry((pair.from.name, pair.to.name)).or_default().clone()
    }
}

impl Engine {
    /// Every pair of the mirrored types.
    pub(in crate::sync) fn pairs(&self) -> Vec<TypePair> {
        TypePair::all(&self.types())
    }

    /// Waits until nobody works with the links of the pair. Asks HubSpot whether there are any to work with, at most once a
    /// day, or after a refusal at most every [`REFUSED_FOR`].
    ///
    /// # Errors
    /// When HubSpot or the database does not answer.
    pub(in crate::sync) async fn hold_pair(
        &self,
        hubspot: &HubSpotClient,
        pair: TypePair,
        priority: Priority,
    ) -> Result<Hold, SyncError> {
        let mut guard = self.pairs.of(pair).lock_owned().await;
        if guard.is_none() {
            let known = load_pairs(&self.database).await?;
            let known =
                known.iter().find(|known| (&*known.from, &*known.to) == (pair.from.name, pair.to.name));
            *guard = known.map(|known| Knowledge { state: known.state, checked_at: known.checked_at });
        }
        let mut held = HeldPair(guard);
        let now = clock::now();
        if let Some(known) = held.0.filter(|known| known.counts_at(now)) {
            return Ok(held.unless_unread(known.state));
        }
        match hubspot.association_types(pair.from, pair.to, priority).await.map_err(SyncError::from) {
            // That the types can be linked is not yet that their links can be read: whoever holds the pair will see.
            Ok(Some(_)) if held.is_refused() => Ok(Hold::Held(held)),
            Ok(types) => {
                let state = if types.is_some() { PairState::Read } else { PairState::Unlinked };
                self.note_pair(&mut held, pair, state, None, now).await?;
                Ok(held.unless_unread(state))
            }
            Err(error) if error.refuses_pair() => {
                self.give_pair_up(&mut held, pair, &error).await?;
                Ok(Hold::Refused)
            }
            Err(error) => Err(error),
        }
    }

    /// Lets a pair be whose links HubSpot does not let us read, until it is asked about again. The log says so once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(in crate::sync) async fn give_pair_up(
        &self,
        held: &mut HeldPair,
        pair: TypePair,
        error: &SyncError,
    ) -> Result<(), SyncError> {
        let reason = error.report();
        if held.is_refused() {
            debug!(error = reason, "Links of {pair} are still not read");
        } else {
            warn!(error = reason, "Links of {pair} are not read; HubSpot is asked again within the hour");
        }
        self.note_pair(held, pair, PairState::Refused, Some(&reason), clock::now()).await
    }

    /// Notes that links of the pair were read. Where they were refused before, all of them are read again: what has
    /// changed meanwhile was missed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(in crate::sync) async fn pair_was_read(
        &self,
        held: &mut HeldPair,
        pair: TypePair,
    ) -> Result<(), SyncError> {
        if !held.is_refused() {
            return Ok(());
        }
        info!("Links of {pair} are read again");
        self.note_pair(held, pair, PairState::Read, None, clock::now()).await?;
        Ok(self.sweep_soon(pair).await?)
    }

    /// Keeps what HubSpot said at `now`, for this process, the next one, and people.
    async fn note_pair(
        &self,
        held: &mut HeldPair,
        pair: TypePair,
        state: PairState,
        reason: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), SyncError> {
        let was_refused = held.is_refused();
        store_pair(&self.database, &self.lease, pair, (state, reason), now).await?;
        *held.0 = Some(Knowledge { state, checked_at: now });
        if was_refused || held.is_refused() {
            show_notices(&self.database, &self.lease, pair.from.name, true).await?;
        }
        Ok(())
    }
}

impl HeldPair {
    /// Whether HubSpot refused the links the last time it was asked for them.
    fn is_refused(&self) -> bool {
        self.0.is_some_and(|known| known.state == PairState::Refused)
    }

    /// Gives the pair back unless its links are read.
    fn unless_unread(self, state: PairState) -> Hold {
        match state {
            PairState::Read => Hold::Held(self),
            PairState::Unlinked => Hold::Unlinked,
            PairState::Refused => Hold::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_counts_for_less_long_than_what_the_types_are() {
        let asked = DateTime::UNIX_EPOCH;
        let counts = |state, after| Knowledge { state, checked_at: asked }.counts_at(asked + after);
        for state in [PairState::Read, PairState::Unlinked] {
            assert!(counts(state, TimeDelta::hours(23)) && !counts(state, TimeDelta::days(1)), "{state:?}");
        }
        assert!(counts(PairState::Refused, TimeDelta::minutes(29)));
        // With the 15 minutes between two regular runs, within the hour.
        assert!(!counts(PairState::Refused, TimeDelta::minutes(30)));
    }
}
