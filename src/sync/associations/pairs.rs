//! Who works with the links of a pair, and whether there are any to work with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tracing::warn;

use super::super::engine::Engine;
use super::super::error::{Chain, SyncError};
use crate::clock;
use crate::hubspot::{ErrorKind, HubSpotClient, Priority};
use crate::model::TypePair;
use crate::storage::{load_pairs, store_pair};

/// How long HubSpot's word on a pair counts: types and scopes are switched on and off, but rarely.
const CHECKED_EVERY: TimeDelta = TimeDelta::days(1);

/// What is kept in `association_pairs` of a pair whose types HubSpot does not link.
const UNKNOWN: &str = "HubSpot knows of no links between the two types";

/// The pairs, each in one hand at a time.
#[derive(Debug, Default)]
pub(in crate::sync) struct Pairs(Mutex<HashMap<(&'static str, &'static str), Shared>>);

/// What is known of a pair; `None` until somebody has looked.
type Shared = Arc<AsyncMutex<Option<Knowledge>>>;

/// What is known of a pair.
#[derive(Debug, Clone, Copy)]
struct Knowledge {
    /// Whether its links are read.
    is_read: bool,
    /// When HubSpot was asked.
    checked_at: DateTime<Utc>,
}

/// A pair whose links nobody else asks for or stores until this is dropped.
#[derive(Debug)]
pub(in crate::sync) struct HeldPair(OwnedMutexGuard<Option<Knowledge>>);

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

    /// Waits until nobody works with the links of the pair; `None` when there are none to work with. Asks HubSpot at most
    /// once a day whether there are.
    ///
    /// # Errors
    /// When HubSpot or the database does not answer.
    pub(in crate::sync) async fn hold_pair(
        &self,
        hubspot: &HubSpotClient,
        pair: TypePair,
        priority: Priority,
    ) -> Result<Option<HeldPair>, SyncError> {
        let mut guard = self.pairs.of(pair).lock_owned().await;
        if guard.is_none() {
            let known = load_pairs(&self.database).await?;
            let is_this = |known: &&_| is_named(known, pair);
            *guard = known
                .iter()
                .find(is_this)
                .map(|known| Knowledge { is_read: known.is_read, checked_at: known.checked_at });
        }
        let now = clock::now();
        let known = match *guard {
            Some(known) if now - known.checked_at < CHECKED_EVERY => known,
            _ => *guard.insert(self.check_pair(hubspot, pair, priority, now).await?),
        };
        Ok(known.is_read.then_some(HeldPair(guard)))
    }

    /// Asks HubSpot whether the types can be linked, and keeps the answer.
    async fn check_pair(
        &self,
        hubspot: &HubSpotClient,
        pair: TypePair,
        priority: Priority,
        now: DateTime<Utc>,
    ) -> Result<Knowledge, SyncError> {
        let reason = match hubspot.association_types(pair.from, pair.to, priority).await {
            Ok(Some(_)) => None,
            Ok(None) => Some(UNKNOWN.to_owned()),
            Err(error) if error.kind() == ErrorKind::ScopeMissing => Some(said(pair, &error)),
            Err(error) => return Err(error.into()),
        };
        store_pair(&self.database, &self.lease, pair, reason.as_deref(), now).await?;
        Ok(Knowledge { is_read: reason.is_none(), checked_at: now })
    }

    /// Lets a pair be whose links HubSpot does not let us read, until it is asked about again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(in crate::sync) async fn give_pair_up(
        &self,
        held: &mut HeldPair,
        pair: TypePair,
        error: &SyncError,
    ) -> Result<(), SyncError> {
        let now = clock::now();
        store_pair(&self.database, &self.lease, pair, Some(&said(pair, error)), now).await?;
        *held.0 = Some(Knowledge { is_read: false, checked_at: now });
        Ok(())
    }
}

/// Says in the log why the links of a pair are not read, and hands the reason on.
fn said(pair: TypePair, error: &dyn std::error::Error) -> String {
    let reason = Chain(error).to_string();
    warn!(error = reason, "Links of {pair} are not read; HubSpot is asked again in a day");
    reason
}

/// Whether a stored pair is this one.
fn is_named(known: &crate::storage::KnownPair, pair: TypePair) -> bool {
    (known.from.as_str(), known.to.as_str()) == (pair.from.name, pair.to.name)
}
