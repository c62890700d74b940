//! What the passes of upkeep lanes have in common: pages stored together with how far the pass is, and deletes that are
//! gathered before they are applied.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tracing::info;

use super::engine::Engine;
use super::error::SyncError;
use super::patience::Patience;
use super::run::Run;
use super::upkeep::Pass;
use crate::clock;
use crate::hubspot::RecordPage;
use crate::model::{ObjectId, Record, RejectedRecord};
use crate::storage::{
    PageOutcome, PendingDelete, RunCounts, StorageError, StoredPage, UpkeepLane, apply_deletes, count_page,
    delete_share, distrust_rows, overlay_records, record_merges, stage_deletes, store_records,
};

/// So many rows may be marked as deleted at once without arousing suspicion.
const UNSUSPICIOUS: u64 = 100;

/// What follows from a page of a pass; stored as a whole or not at all.
#[derive(Default)]
pub(super) struct PassPage {
    /// Records HubSpot showed.
    pub(super) fetched: u64,
    /// Copies to store, whatever of it is new.
    pub(super) records: Vec<Record>,
    /// Records that cannot be understood.
    pub(super) rejected: Vec<RejectedRecord>,
    /// Partial copies that say which records were merged into them.
    pub(super) survivors: Vec<Record>,
    /// Deletes to gather.
    pub(super) deletes: Vec<PendingDelete>,
    /// Values to give to records of the same version.
    pub(super) overlay: Overlay,
    /// Rows the copies replace whatever version they claim to have, unless written since.
    pub(super) distrusted: Vec<ObjectId>,
    /// Since when.
    pub(super) distrusted_at: DateTime<Utc>,
    /// Where the pass continues.
    pub(super) cursor: String,
    /// What it has found so far.
    pub(super) pass_state: Value,
}

/// Values of some properties, of some records.
#[derive(Default)]
pub(super) struct Overlay {
    /// The properties.
    pub(super) names: Arc<[String]>,
    /// The records, with these properties only.
    pub(super) partials: Vec<Record>,
}

impl PassPage {
    /// What every page of a listing says; what follows from it is added.
    pub(super) fn of(page: &RecordPage, pass_state: Value) -> Self {
        Self {
            fetched: page.records.len() as u64,
            rejected: page.rejected.clone(),
            cursor: page.next.as_ref().map_or_else(String::new, |next| next.0.clone()),
            pass_state,
            ..Self::default()
        }
    }
}

impl Overlay {
    /// The values of those of a page's records whose `ids`, which ascend, are given.
    pub(super) fn of(page: &RecordPage, names: &Arc<[String]>, ids: &[ObjectId]) -> Self {
        let is_one = |record: &&Record| ids.binary_search(&record.id).is_ok();
        Self { names: names.clone(), partials: page.records.iter().filter(is_one).cloned().collect() }
    }
}

impl Engine {
    /// Stores a page and adds it to the run's figures.
    ///
    /// # Errors
    /// When the database stays away, or another process has the lease.
    pub(super) async fn store_pass_page(
        &self,
        run: &mut Run,
        pass: &Pass,
        page: &PassPage,
    ) -> Result<(), SyncError> {
        let mut patience = Patience::new(&self.stop, format!("Storing what the {} lane found", pass.upkeep));
        let (counts, stored) = loop {
            match self.try_store_pass_page(run, pass, page).await {
                Ok(stored) => break stored,
                Err(error) => patience.wait(error).await?,
            }
        };
        run.counts = counts;
        self.events.stored(pass.upkeep.object_type, stored.outcome, &stored.written);
        run.progress(run.counts.fetched, None);
        let live = page.records.iter().filter(|record| !record.archived).map(|record| record.id);
        let live: Vec<_> = live.collect();
        self.refresh_associations(&run.hubspot, pass.upkeep.object_type, &live).await
    }

    /// One attempt.
    async fn try_store_pass_page(
        &self,
        run: &Run,
        pass: &Pass,
        page: &PassPage,
    ) -> Result<(RunCounts, StoredPage), StorageError> {
        let mirror = self.mirrors.hold(pass.upkeep.object_type).await;
        let table = &mirror.table;
        let mut transaction = self.lease.begin(&self.database).await?;
        distrust_rows(&mut transaction, table, &page.distrusted, page.distrusted_at).await?;
        let mut stored = store_records(&mut transaction, table, &page.records, &page.rejected).await?;
        let survivors: Vec<_> = page.survivors.iter().collect();
        let merged = record_merges(&mut transaction, table.object_type(), &survivors, clock::now()).await?;
        let Overlay { names, partials } = &page.overlay;
        let overlaid = overlay_records(&mut transaction, table, names, partials).await?;
        stage_deletes(&mut transaction, table.object_type(), pass.upkeep.lane, &page.deletes).await?;
        pass.row.advance(&mut transaction, &page.cursor, &page.pass_state).await?;
        let mut counts = run.counts_now();
        let merged = PageOutcome { deleted: merged, ..PageOutcome::default() };
        stored.outcome = stored.outcome + overlaid + merged;
        counts.add(page.fetched, stored.outcome);
        count_page(&mut transaction, run.id, &counts).await?;
        transaction.commit().await?;
        Ok((counts, stored))
    }

    /// Applies the deletes somebody has confirmed.
    ///
    /// # Errors
    /// As [`Engine::store_pass_page`].
    pub(super) async fn apply_confirmed_deletes(&self, run: &mut Run, pass: &Pass) -> Result<(), SyncError> {
        self.apply_all(run, pass, None).await
    }

    /// Applies the deletes a pass has gathered, if they are few enough to be believed.
    ///
    /// # Errors
    /// [`SyncError::TooManyDeletes`]: nothing was marked then. Otherwise as [`Engine::store_pass_page`].
    pub(super) async fn apply_gathered_deletes(&self, run: &mut Run, pass: &Pass) -> Result<(), SyncError> {
        let object_type = pass.upkeep.object_type;
        let share = delete_share(&self.database, object_type, pass.upkeep.lane).await?;
        let (pending, live) = (share.pending, share.live);
        let believed = self.config.upkeep.max_delete_share * live as f64;
        if pending > UNSUSPICIOUS && pending as f64 > believed {
            return Err(SyncError::TooManyDeletes { object_type: object_type.name, pending, live });
        }
        self.apply_all(run, pass, Some(pass.upkeep.lane)).await
    }

    /// Applies confirmed deletes and those found `by` a lane, some hundred a transaction.
    async fn apply_all(&self, run: &mut Run, pass: &Pass, by: Option<UpkeepLane>) -> Result<(), SyncError> {
        let mut applied = 0;
        let mut patience = Patience::new(&self.stop, format!("Marking deleted {}", pass.upkeep.object_type));
        loop {
            self.go_on()?;
            match self.try_apply(run, pass, by).await {
                Ok(Some((counts, marked))) => {
                    run.counts = counts;
                    let outcome = PageOutcome { deleted: marked, ..PageOutcome::default() };
                    self.events.stored(pass.upkeep.object_type, outcome, &[]);
                    applied += marked;
                }
                Ok(None) => break,
                Err(error) => patience.wait(error).await?,
            }
        }
        if applied > 0 {
            info!("Marked {applied} row(s) of {} as deleted", pass.upkeep.object_type.table);
        }
        Ok(())
    }

    /// One transaction of [`Engine::apply_all`]; `None` when nothing is left.
    async fn try_apply(
        &self,
        run: &Run,
        pass: &Pass,
        by: Option<UpkeepLane>,
    ) -> Result<Option<(RunCounts, u64)>, StorageError> {
        let mirror = self.mirrors.hold(pass.upkeep.object_type).await;
        let mut transaction = self.lease.begin(&self.database).await?;
        let marked = apply_deletes(&mut transaction, &mirror.table, by, clock::now()).await?;
        let Some(marked) = marked else { return Ok(None) };
        let mut counts = run.counts_now();
        counts.add(0, PageOutcome { deleted: marked, ..PageOutcome::default() });
        count_page(&mut transaction, run.id, &counts).await?;
        transaction.commit().await?;
        Ok(Some((counts, marked)))
    }
}
