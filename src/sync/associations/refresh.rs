//! Reading the links of records that were just seen.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use tracing::{info, warn};

use super::super::engine::Engine;
use super::super::error::{Chain, SyncError};
use super::super::upkeep::Upkeep;
use super::pairs::Hold;
use super::reader::{Appetite, Reader};
use crate::clock;
use crate::hubspot::{ASSOCIATION_INPUTS, ErrorKind, HubSpotClient, HubSpotError, Priority};
use crate::model::{Cursor, ObjectId, ObjectType, TypePair};
use crate::storage::{StorageError, UpkeepLane, linked_from};

/// Records on the other side that are read again for their labels' sake, beside those whose links have come or gone.
/// Where one record has more, its labels wait for the sweep: it may change every few minutes.
const OTHERS_AT_ONCE: usize = 10_000;

/// Pairs that are read at the same time: each may have a large answer in memory.
const PAIRS_AT_ONCE: usize = 4;

/// Pages of links read of a record that is on the far side of its pair. What lies behind them waits for the sweep too.
const FAR_PAGES: usize = 10;

/// That two records are linked, in whatever ways: the one that was asked about, and the other.
type Linked = (ObjectId, ObjectId);

/// Who is on the other side of some records' links.
#[derive(Debug, Default)]
struct Seen {
    /// Who is linked with which of the records now.
    told: BTreeSet<Linked>,
    /// The records of which that is all.
    complete: Vec<ObjectId>,
}

impl Engine {
    /// Brings the links of the records up to date, from whichever side. What HubSpot does not give this time is left to
    /// the sweep: links must not hold records up.
    ///
    /// # Errors
    /// [`SyncError::Stopped`], and when the database stays away.
    pub(in crate::sync) async fn refresh_associations(
        &self,
        hubspot: &HubSpotClient,
        object_type: &'static ObjectType,
        records: &[ObjectId],
    ) -> Result<(), SyncError> {
        if self.config.upkeep.associations.is_none() || records.is_empty() {
            return Ok(());
        }
        let refresh =
            |pair| async move { (pair, self.refresh_pair(hubspot, pair, object_type, records).await) };
        let pairs = stream::iter(self.pairs_with(object_type));
        // All of them, whatever becomes of one: a query that is dropped halfway breaks its connection.
        let results: Vec<_> = pairs.map(refresh).buffer_unordered(PAIRS_AT_ONCE).collect().await;
        for (pair, result) in results {
            match result {
                Ok(()) => {}
                // The limiter has said so; the sweep goes on with the next day.
                Err(error) if error.is_daily_limit() => {
                    info!("Links of {} {object_type} are read another day ({pair})", records.len());
                }
                Err(SyncError::HubSpot(error)) if error.kind() != ErrorKind::Cancelled => {
                    warn!(error = %Chain(&error), "Links of {} {object_type} are read later ({pair})", records.len());
                    self.sweep_soon(pair).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The pairs a type is part of.
    fn pairs_with(&self, object_type: &ObjectType) -> Vec<TypePair> {
        let is_part =
            |pair: &TypePair| [pair.from, pair.to].iter().any(|one| one.type_id == object_type.type_id);
        self.pairs().into_iter().filter(is_part).collect()
    }

    /// Lets all links of a type's pairs be read soon: so many of its records may be new that nobody read them one by one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(in crate::sync) async fn sweep_associations_soon(
        &self,
        object_type: &ObjectType,
    ) -> Result<(), StorageError> {
        for pair in self.pairs_with(object_type) {
            self.sweep_soon(pair).await?;
        }
        Ok(())
    }

    /// Lets the sweep of a pair begin soon, after the one under way if there is. Before its first time this does nothing.
    pub(super) async fn sweep_soon(&self, pair: TypePair) -> Result<(), StorageError> {
        let lane = Upkeep { object_type: pair.from, lane: UpkeepLane::Associations };
        self.lane_row(lane).schedule(clock::now()).await
    }

    /// Brings the links of one pair up to date.
    async fn refresh_pair(
        &self,
        hubspot: &HubSpotClient,
        pair: TypePair,
        object_type: &ObjectType,
        records: &[ObjectId],
    ) -> Result<(), SyncError> {
        let Hold::Held(mut held) = self.hold_pair(hubspot, pair, Priority::Incremental).await? else {
            return Ok(());
        };
        match self.refresh_sides(hubspot, pair, object_type, records).await {
            Ok(()) => self.pair_was_read(&mut held, pair).await,
            Err(error) if error.refuses_pair() => self.give_pair_up(&mut held, pair, &error).await,
            Err(error) => Err(error),
        }
    }

    /// Brings the links of one pair up to date that the records are the near or the far side of.
    async fn refresh_sides(
        &self,
        hubspot: &HubSpotClient,
        pair: TypePair,
        object_type: &ObjectType,
        records: &[ObjectId],
    ) -> Result<(), SyncError> {
        let is_near = pair.from.type_id == object_type.type_id;
        for records in records.chunks(ASSOCIATION_INPUTS) {
            let seen = if is_near {
                self.read_and_store_links(hubspot, pair, records).await?
            } else {
                look_from_afar(hubspot, pair, records).await?
            };
            if is_near && !pair.is_within_one_type() {
                continue;
            }
            let stored = linked_from(&self.database, pair, &seen.complete).await?;
            let others = to_read(&seen.told, &stored, OTHERS_AT_ONCE);
            // Within one type those seen were read a moment ago.
            let others: Vec<_> =
                others.into_iter().filter(|other| !(is_near && records.contains(other))).collect();
            self.read_and_store_links(hubspot, pair, &others).await?;
        }
        Ok(())
    }

    /// Reads the links of records in the direction of storage, and stores them. Says what they are linked with where
    /// that is of the same type.
    async fn read_and_store_links(
        &self,
        hubspot: &HubSpotClient,
        pair: TypePair,
        records: &[ObjectId],
    ) -> Result<Seen, SyncError> {
        let mut seen = Seen::default();
        let mut appetite = Appetite::default();
        let mut reader = Reader::new(hubspot, pair, records, Priority::Incremental, &mut appetite);
        while let Some(mut told) = reader.next().await? {
            self.store_told(pair, &mut told, None).await?;
            if pair.is_within_one_type() {
                seen.told.extend(told.associations.iter().map(|link| (link.from, link.to)));
                seen.complete.append(&mut told.records);
            }
            self.go_on()?;
        }
        Ok(seen)
    }
}

/// Asks for the links of records of the type the pair leads to: not for the links' sake, whose kinds have other numbers
/// from there, but to learn whose links to read.
async fn look_from_afar(
    hubspot: &HubSpotClient,
    pair: TypePair,
    records: &[ObjectId],
) -> Result<Seen, HubSpotError> {
    let (mut seen, mut appetite) = (Seen::default(), Appetite::default());
    let mut open: Vec<(ObjectId, Option<Cursor>)> = records.iter().map(|id| (*id, None)).collect();
    for _ in 0..FAR_PAGES {
        let mut unfinished = Vec::new();
        let mut rest = open.as_slice();
        while !rest.is_empty() {
            let (asked, later) = rest.split_at(appetite.least(rest.len()));
            match hubspot.read_associations(pair.to, pair.from, asked, Priority::Incremental).await {
                Ok(page) => {
                    appetite.grow();
                    rest = later;
                    seen.told.extend(page.associations.iter().map(|link| (link.from, link.to)));
                    seen.complete.extend(page.finished);
                    unfinished.extend(page.unfinished.into_iter().map(|(id, next)| (id, Some(next))));
                }
                Err(error) if error.kind() == ErrorKind::TooLarge && asked.len() > 1 => {
                    appetite.shrink(asked.len());
                }
                Err(error) => return Err(error),
            }
        }
        open = unfinished;
        if open.is_empty() {
            break;
        }
    }
    Ok(seen)
}

/// Whose links to read: of those linked now and those linked as far as is stored, everybody, or where they are more than
/// `most` only those with whom that has changed. Nothing is stored here of records that may be linked with more than was
/// told, so of them it is everybody who was told.
fn to_read(told: &BTreeSet<Linked>, stored: &BTreeSet<Linked>, most: usize) -> BTreeSet<ObjectId> {
    let all: BTreeSet<_> = told.union(stored).map(|(_, other)| *other).collect();
    if all.len() <= most {
        return all;
    }
    told.symmetric_difference(stored).map(|(_, other)| *other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_others_are_all_read_again_and_of_many_those_that_changed() {
        let links = |links: &[(i64, i64)]| -> BTreeSet<Linked> {
            links.iter().map(|(record, other)| (ObjectId(*record), ObjectId(*other))).collect()
        };
        let read = |told: &[(i64, i64)], stored: &[(i64, i64)]| {
            to_read(&links(told), &links(stored), 4).iter().map(|id| id.0).collect::<Vec<_>>()
        };
        assert_eq!(read(&[(7, 1), (7, 2), (7, 3)], &[(7, 3), (7, 4)]), [1, 2, 3, 4]);
        assert_eq!(read(&[(7, 1), (7, 2), (7, 3), (7, 4)], &[(7, 2), (7, 3), (7, 4), (7, 5)]), [1, 5]);
        assert_eq!(read(&[], &[]), [0_i64; 0]);
        assert_eq!(read(&[], &[(7, 1), (7, 2), (7, 3), (7, 4), (7, 5)]), [1, 2, 3, 4, 5]);
        // Still linked with 8, which was asked about as well, and with 7 no more.
        let told = [(7, 2), (8, 1), (8, 2), (8, 3), (8, 4), (8, 5)];
        assert_eq!(read(&told, &[&told[..], &[(7, 1)]].concat()), [1]);
    }
}
