//! The incremental and the delayed lane: search a closed window of modification time, read what the mirror does not
//! hold in that version.
//!
//! Hits are enumerated by id, never by offset: that has no cap of 10,000, no ties, and does not care that records
//! move while they are enumerated. One that is modified during the walk leaves the window, and its new time lies
//! behind the window's end, where the next one begins.

use std::collections::HashMap;
use std::time::Duration;

use tracing::{debug, warn};

use super::engine::Engine;
use super::error::SyncError;
use super::page::{Page, Progress};
use super::patience::Patience;
use super::plan::listing_is_cheaper;
use super::records::Context;
use super::run::Run;
use super::webhooks::Unannounced;
use crate::hubspot::{Hit, Priority, RECORD_PAGE, SEARCH_PAGE, SearchPage};
use crate::model::{ObjectId, Window};
use crate::storage::{
    Lane, StorageError, StoredVersion, SyncState, newest_id, quarantined_records, release_from_quarantine,
    stored_versions,
};

/// Answers that contradict themselves (hits counted but none shown that was asked for) before a walk gives up for this time.
const CONTRADICTIONS: u32 = 3;
/// Pause before such an answer is asked for again; the index settles in moments.
const SETTLING: Duration = Duration::from_secs(1);

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Everything in the window is in the mirror.
    All,
    /// So much that listing everything is cheaper; nothing was done.
    TooMany,
}

impl Engine {
    /// Brings everything modified in `window` into the mirror and moves the lane's watermark to its end.
    ///
    /// # Errors
    /// When HubSpot or the database fails for longer than the retries; the watermark then stays.
    pub(super) async fn search(
        &self,
        run: &mut Run,
        context: &Context,
        window: Window,
        state: &SyncState,
    ) -> Result<Found, SyncError> {
        let mut to_read = quarantined_records(&self.database, context.object_type).await?;
        // A new record is met whatever its time; the delayed pass is after changes only. The index may show one later than
        // others with a higher id, so what is new is told by what was there before the window.
        let newest = match run.lane {
            Lane::Incremental => Some(newest_id(&self.database, &context.table, window.start).await?),
            _ => None,
        };
        let mut walk = Walk { newest, ..Walk::default() };
        let mut seen = Vec::new();
        while let Some(page) = self.next_page(&mut walk, run, context, window).await? {
            let outdated = self.outdated(context, &page.hits).await?;
            run.counts.outcome.unchanged += (page.hits.len() - outdated.len()) as u64;
            run.counts.fetched += (page.hits.len() - outdated.len()) as u64;
            let (hits, reads) = (page.hits.len() as u64, outdated.len() as u64);
            let records = u64::try_from(state.records_synced).unwrap_or(0);
            if walk.pages == 1
                && run.lane == Lane::Incremental
                && listing_is_cheaper(page.total, hits, reads, records)
            {
                return Ok(Found::TooMany);
            }
            seen.extend(to_refresh(run.lane, &page.hits, &outdated));
            to_read.extend(outdated);
            while to_read.len() >= RECORD_PAGE {
                let batch: Vec<_> = to_read.drain(..RECORD_PAGE).collect();
                self.read_and_store(run, context, &batch).await?;
            }
            self.go_on()?;
        }
        self.read_and_store(run, context, &to_read).await?;
        self.refresh_associations(&run.hubspot, context.object_type, &seen).await?;
        if walk.is_complete() {
            self.cover(run, context, window).await?;
        } else {
            let object_type = context.object_type;
            warn!(
                "HubSpot counts more {object_type} than it shows; the next run searches the same window again"
            );
        }
        Ok(Found::All)
    }

    /// The next page with hits, `None` after the last one.
    async fn next_page(
        &self,
        walk: &mut Walk,
        run: &Run,
        context: &Context,
        window: Window,
    ) -> Result<Option<SearchPage>, SyncError> {
        while !walk.ended {
            let page = run
                .hubspot
                .search_modified(context.object_type, window, walk.after, walk.newest, Priority::Incremental)
                .await?;
            walk.take(&page);
            if walk.contradictions == 0 && !page.hits.is_empty() {
                return Ok(Some(page));
            }
            if !walk.ended {
                self.pause(SETTLING).await?;
            }
        }
        Ok(None)
    }

    /// The hits whose stored copy is missing, older, or was read before all properties were known.
    async fn outdated(&self, context: &Context, hits: &[Hit]) -> Result<Vec<ObjectId>, SyncError> {
        let ids: Vec<_> = hits.iter().map(|hit| hit.id).collect();
        let versions = stored_versions(&self.database, &context.table, &ids).await?;
        let held: HashMap<ObjectId, StoredVersion> =
            versions.into_iter().map(|version| (version.id, version)).collect();
        let complete_since = context.complete_since();
        let is_current = |hit: &&Hit| {
            held.get(&hit.id).is_some_and(|held| {
                held.updated_at.is_some_and(|version| version >= hit.updated_at)
                    && held.synced_at.is_some_and(|at| at >= complete_since)
            })
        };
        Ok(hits.iter().filter(|hit| !is_current(hit)).map(|hit| hit.id).collect())
    }

    /// Reads up to [`RECORD_PAGE`] records whole and stores them.
    async fn read_and_store(
        &self,
        run: &mut Run,
        context: &Context,
        ids: &[ObjectId],
    ) -> Result<(), SyncError> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(());
        }
        let read = run
            .hubspot
            .read_records(context.object_type, &context.properties, &ids, Priority::Incremental)
            .await?;
        if !read.missing.is_empty() {
            debug!(
                "{} {} found by search no longer exist under that id",
                read.missing.len(),
                context.object_type
            );
            release_from_quarantine(&self.database, context.object_type, &read.missing).await?;
        }
        let page = Page { table: &context.table, records: &read.records, rejected: &read.rejected };
        self.store_page(run, &context.state, &page, &Progress::Found).await?;
        run.progress(run.counts.fetched, None);
        Ok(())
    }

    /// Everything in the window is stored: says so.
    async fn cover(&self, run: &Run, context: &Context, window: Window) -> Result<(), SyncError> {
        let mut patience = Patience::new(&self.stop, format!("Moving the watermark of {}", run.subject));
        loop {
            match self.try_cover(run, context, window).await {
                Ok(()) => return Ok(()),
                Err(error) => patience.wait(error).await?,
            }
        }
    }

    /// One attempt of [`Engine::cover`].
    async fn try_cover(&self, run: &Run, context: &Context, window: Window) -> Result<(), StorageError> {
        let mut transaction = self.lease.begin(&self.database).await?;
        match run.lane {
            Lane::Delayed => context.state.advance_delayed_watermark(&mut transaction, window.end).await?,
            _ => context.state.advance_watermark(&mut transaction, window.end).await?,
        }
        Unannounced::of(run.lane, &run.counts).note(&mut transaction, context.object_type).await?;
        transaction.commit().await
    }
}

/// Whose links to read of a page: in the first search of a window everybody's, also of records that are stored already,
/// because a run that was killed may have stored them and not have come to their links.
fn to_refresh(lane: Lane, hits: &[Hit], outdated: &[ObjectId]) -> Vec<ObjectId> {
    match lane {
        Lane::Delayed => outdated.to_vec(),
        _ => hits.iter().map(|hit| hit.id).collect(),
    }
}

/// A walk through the hits of a window in id order: which page to ask for, and when it was the last.
#[derive(Debug)]
struct Walk {
    /// Every record with a higher id is met, whenever it was modified.
    newest: Option<ObjectId>,
    /// The last id seen.
    after: ObjectId,
    /// Pages with hits seen.
    pages: u64,
    /// Contradictions met since the last page with hits.
    contradictions: u32,
    /// There is no further page.
    ended: bool,
}

impl Default for Walk {
    fn default() -> Self {
        Self { newest: None, after: ObjectId::START, pages: 0, contradictions: 0, ended: false }
    }
}

impl Walk {
    /// Whether every hit was seen, as far as the index can be believed.
    fn is_complete(&self) -> bool {
        self.ended && self.contradictions == 0
    }

    /// Takes note of an answer to "what comes after [`Walk::after`]".
    fn take(&mut self, page: &SearchPage) {
        let last = page.hits.iter().map(|hit| hit.id).max();
        if let Some(last) = last.filter(|last| *last > self.after) {
            self.after = last;
            self.pages += 1;
            self.contradictions = 0;
            // Neither a short page nor a count proves anything alone.
            self.ended = page.hits.len() < SEARCH_PAGE && page.total <= page.hits.len() as u64;
        } else if page.total == 0 {
            (self.ended, self.contradictions) = (true, 0);
        } else {
            self.contradictions += 1;
            self.ended = self.contradictions == CONTRADICTIONS;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    /// An answer with hits of these ids.
    fn page(ids: impl IntoIterator<Item = i64>, total: u64) -> SearchPage {
        let hit = |id| Hit { id: ObjectId(id), updated_at: DateTime::UNIX_EPOCH };
        SearchPage { total, hits: ids.into_iter().map(hit).collect() }
    }

    #[test]
    fn a_count_without_hits_is_asked_again_but_not_for_ever() {
        let mut walk = Walk::default();
        walk.take(&page([], 7));
        walk.take(&page([], 7));
        assert!(!walk.ended);
        walk.take(&page([1], 7));
        assert_eq!((walk.ended, walk.contradictions), (false, 0));
        (0..CONTRADICTIONS).for_each(|_| walk.take(&page([], 6)));
        assert!(walk.ended && !walk.is_complete(), "what was not shown is not covered");
    }

    #[test]
    fn pages_that_do_not_advance_are_not_asked_for_for_ever() {
        let mut walk = Walk::default();
        walk.take(&page([5, 9], 7));
        (0..CONTRADICTIONS).for_each(|_| walk.take(&page([5, 9], 7)));
        assert!(walk.ended && !walk.is_complete());
    }

    #[test]
    fn a_full_page_is_not_the_last_whatever_the_count_says() {
        let mut walk = Walk::default();
        walk.take(&page(1..=200, 200));
        assert!(!walk.ended);
        walk.take(&page([], 0));
        assert!(walk.is_complete());
    }

    #[test]
    fn an_empty_window_ends_at_once() {
        let mut walk = Walk::default();
        walk.take(&page([], 0));
        assert!(walk.is_complete());
    }

    proptest! {
        #[test]
        fn every_id_is_met_once_whatever_the_size_of_the_pages(
            ids in prop::collection::btree_set(1..10_000_i64, 0..500),
            sizes in prop::collection::vec(1..200_usize, 1..20),
        ) {
            let mut walk = Walk::default();
            let mut met = BTreeSet::new();
            for size in sizes.iter().cycle().take(1_000) {
                if walk.ended {
                    break;
                }
                let rest: Vec<_> = ids.range(walk.after.0 + 1..).copied().collect();
                // Full, short, in any order: the index promises nothing but what it counted.
                let shown: Vec<_> = rest.iter().copied().take(*size).rev().collect();
                for id in &shown {
                    prop_assert!(met.insert(*id), "{} twice", id);
                }
                walk.take(&page(shown, rest.len() as u64));
            }
            prop_assert!(walk.is_complete());
            prop_assert_eq!(met, ids);
        }
    }
}
