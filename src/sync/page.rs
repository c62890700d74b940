//! Storing a page: one transaction, tried again as a whole when the database stumbles.

use super::engine::Engine;
use super::error::SyncError;
use super::patience::Patience;
use super::run::Run;
use crate::model::{Cursor, Record, RejectedRecord};
use crate::storage::{MirrorTable, RunCounts, StateRow, StorageError, StoredPage, count_page, store_records};

/// Records on their way into the mirror.
pub(super) struct Page<'p> {
    pub(super) table: &'p MirrorTable,
    pub(super) records: &'p [Record],
    pub(super) rejected: &'p [RejectedRecord],
}

/// What a stored page means for the state of its type; written with the rows.
pub(super) enum Progress<'p> {
    /// A page of a listing.
    Listed {
        /// Where the listing continues; it is complete without one.
        next: Option<&'p Cursor>,
        /// Records listed up to and with this page.
        listed: u64,
    },
    /// Records found by search.
    Found,
}

impl Page<'_> {
    /// Records HubSpot showed.
    pub(super) fn len(&self) -> u64 {
        (self.records.len() + self.rejected.len()) as u64
    }
}

impl Engine {
    /// Stores a page with its progress and adds it to the run's figures.
    ///
    /// # Errors
    /// When the database stays away, or another process has the lease.
    pub(super) async fn store_page(
        &self,
        run: &mut Run,
        state: &StateRow,
        page: &Page<'_>,
        progress: &Progress<'_>,
    ) -> Result<(), SyncError> {
        let mut patience = Patience::new(&self.stop, format!("Storing a page of {}", run.subject));
        let (counts, stored) = loop {
            match self.try_store_page(run, state, page, progress).await {
                Ok(stored) => break stored,
                Err(error) => patience.wait(error).await?,
            }
        };
        run.counts = counts;
        self.events.stored(page.table.object_type(), stored.outcome, &stored.written);
        Ok(())
    }

    /// One attempt: all of it or nothing.
    async fn try_store_page(
        &self,
        run: &Run,
        state: &StateRow,
        page: &Page<'_>,
        progress: &Progress<'_>,
    ) -> Result<(RunCounts, StoredPage), StorageError> {
        let mut transaction = self.lease.begin(&self.database).await?;
        let stored = store_records(&mut transaction, page.table, page.records, page.rejected).await?;
        let mut counts = run.counts_now();
        counts.add(page.len(), stored.outcome);
        match progress {
            Progress::Listed { next, listed } => {
                state.advance_backfill(&mut transaction, *next, *listed).await?;
            }
            Progress::Found => state.count_inserted(&mut transaction, stored.outcome.inserted).await?,
        }
        count_page(&mut transaction, run.id, &counts).await?;
        transaction.commit().await?;
        Ok((counts, stored))
    }
}
