//! Storing a page: one transaction, tried again as a whole when the database stumbles.

use std::time::Duration;

use tracing::warn;

use super::engine::Engine;
use super::error::{Chain, SyncError};
use super::run::Run;
use crate::model::{Cursor, Record, RejectedRecord};
use crate::retry::RetryPolicy;
use crate::storage::{
    MirrorTable, RunCounts, StateRow, StorageError, StorageErrorKind, count_page, store_records,
};

/// Tries of a page: together about half a minute, so that a run survives a restart of the database.
const STORE_PAGE: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(200), factor: 2.0, cap: Duration::from_secs(5), tries: 12 };

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
        let mut delays = STORE_PAGE.delays();
        loop {
            let error = match self.try_store_page(run, state, page, progress).await {
                Ok(counts) => {
                    run.counts = counts;
                    return Ok(());
                }
                Err(error) => error,
            };
            let delay = delays.next().filter(|_| error.kind() == StorageErrorKind::Transient);
            let Some(delay) = delay else { return Err(error.into()) };
            let subject = run.subject;
            warn!(%subject, error = %Chain(&error), "Storing a page of {subject} again in {} ms", delay.as_millis());
            self.pause(delay).await?;
        }
    }

    /// One attempt: all of it or nothing.
    async fn try_store_page(
        &self,
        run: &Run,
        state: &StateRow,
        page: &Page<'_>,
        progress: &Progress<'_>,
    ) -> Result<RunCounts, StorageError> {
        let mut transaction = self.lease.begin(&self.database).await?;
        let outcome = store_records(&mut transaction, page.table, page.records, page.rejected).await?;
        let mut counts = run.counts_now();
        counts.add(page.len(), outcome);
        match progress {
            Progress::Listed { next, listed } => {
                state.advance_backfill(&mut transaction, *next, *listed).await?;
            }
            Progress::Found => state.count_inserted(&mut transaction, outcome.inserted).await?,
        }
        count_page(&mut transaction, run.id, &counts).await?;
        transaction.commit().await?;
        Ok(counts)
    }
}
