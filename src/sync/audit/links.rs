//! Comparing links: what HubSpot says of the links of each record beside what is stored, pair by pair, with the reading
//! and the storing of the lane that keeps them.
//!
//! HubSpot does not say when a link has changed. So one that differs counts, however young the change may be, once the
//! lane has been over the type; before, all of them wait for the lane.

use serde_json::json;

use super::super::associations::{self, Appetite, Hold, LINKS_AT_ONCE, Reader, Told, parts, rest_of};
use super::super::engine::Engine;
use super::super::error::SyncError;
use super::super::patience::Patience;
use super::super::run::Run;
use super::super::upkeep::{Pass, Upkeep};
use super::{AuditReport, Depth, Progress};
use crate::hubspot::{ASSOCIATION_INPUTS, Priority};
use crate::model::{ObjectId, TypePair};
use crate::storage::{
    LeasedTransaction, Links, RunCounts, StorageError, UpkeepLane, count_page, differing_associations,
    live_or_linked_ids, store_associations,
};

/// What a pass over the links has in hand.
struct Work<'w> {
    run: &'w mut Run,
    pass: &'w Pass,
    progress: Progress,
    /// Whether the lane has been over the type.
    is_due: bool,
    appetite: Appetite,
}

impl Work<'_> {
    /// Writes how far the pass is, inside the caller's transaction.
    async fn record(
        &self,
        transaction: &mut LeasedTransaction,
        progress: &Progress,
        counts: &RunCounts,
    ) -> Result<(), StorageError> {
        let place = progress.links.as_ref().map(|at| format!("links to {} {}", at.to, at.after));
        self.pass.row.advance(transaction, &place.unwrap_or_default(), &json!(progress)).await?;
        count_page(transaction, self.run.id, counts).await
    }
}

impl Engine {
    /// Compares the links of the audited type from where the pass stands, if the audit goes as deep and links are
    /// mirrored; returns what the whole pass found. Where the audit repairs, what differs is stored.
    ///
    /// # Errors
    /// When HubSpot or the database fails for longer than the retries.
    pub(super) async fn audit_links(
        &self,
        run: &mut Run,
        pass: &Pass,
        progress: Progress,
    ) -> Result<AuditReport, SyncError> {
        let object_type = pass.upkeep.object_type;
        if progress.report.request.depth != Depth::Everything || self.config.upkeep.associations.is_none() {
            return Ok(progress.report);
        }
        let lane = self.lane_row(Upkeep { object_type, lane: UpkeepLane::Associations }).load().await?;
        let is_due = lane.completed_at.is_some();
        let pairs =
            self.pairs().into_iter().filter(|pair| pair.from.type_id == object_type.type_id).collect();
        let rest = rest_of(pairs, progress.links.clone());
        let mut work = Work { run, pass, progress, is_due, appetite: Appetite::default() };
        for (pair, after) in rest {
            self.audit_pair(&mut work, pair, after).await?;
        }
        Ok(work.progress.report)
    }

    /// Compares the links of one pair behind the record `after`.
    async fn audit_pair(
        &self,
        work: &mut Work<'_>,
        pair: TypePair,
        mut after: ObjectId,
    ) -> Result<(), SyncError> {
        loop {
            self.go_on()?;
            // Given back after each page: searches want to store the links of what they find.
            let mut held = match self.hold_pair(&work.run.hubspot, pair, Priority::Audit).await? {
                Hold::Held(held) => held,
                Hold::Unlinked => return Ok(()),
                Hold::Refused => {
                    work.progress.report.leave_out(pair);
                    return Ok(());
                }
            };
            match self.audit_page(work, pair, after).await {
                Ok(Some(last)) => {
                    self.pair_was_read(&mut held, pair).await?;
                    after = last;
                }
                Err(error) if error.refuses_pair() => {
                    work.progress.report.leave_out(pair);
                    return self.give_pair_up(&mut held, pair, &error).await;
                }
                result => return result.map(|_| ()),
            }
        }
    }

    /// Compares the links of the next records and returns the last of them, `None` when there are no more.
    async fn audit_page(
        &self,
        work: &mut Work<'_>,
        pair: TypePair,
        after: ObjectId,
    ) -> Result<Option<ObjectId>, SyncError> {
        let ids = live_or_linked_ids(&self.database, pair, after, ASSOCIATION_INPUTS).await?;
        let Some(last) = ids.last().copied() else { return Ok(None) };
        let hubspot = work.run.hubspot.clone();
        let mut appetite = work.appetite;
        let mut reader = Reader::new(&hubspot, pair, &ids, Priority::Audit, &mut appetite);
        while let Some(mut told) = reader.next().await? {
            self.audit_told(work, pair, &mut told).await?;
            self.go_on()?;
        }
        work.appetite = appetite;
        work.progress.links = Some(associations::Progress { to: pair.to.name.to_owned(), after: last });
        let mut patience =
            Patience::new(&self.stop, format!("Recording that the links of {pair} are compared"));
        while let Err(error) = self.try_record_links(work).await {
            patience.wait(error).await?;
        }
        work.run.progress(work.run.counts.fetched, None);
        Ok(Some(last))
    }

    /// Compares what HubSpot told, in as many transactions as storing it takes.
    async fn audit_told(
        &self,
        work: &mut Work<'_>,
        pair: TypePair,
        told: &mut Told,
    ) -> Result<(), SyncError> {
        told.sort();
        // A record that is cut into parts is one record.
        let mut counted = None;
        for links in parts(pair, &told.records, &told.associations, LINKS_AT_ONCE) {
            let mut patience = Patience::new(&self.stop, format!("Comparing the links of {pair}"));
            let (mut differing, counts) = loop {
                match self.try_audit_links(work, &links, counted).await {
                    Ok(compared) => break compared,
                    Err(error) => patience.wait(error).await?,
                }
            };
            work.run.counts = counts;
            add(&mut work.progress.report, work.is_due, &differing, counted);
            counted = differing.pop().or(counted);
        }
        Ok(())
    }

    /// One attempt at one transaction: which records differ, and the figures of the run with what was stored. What was
    /// stored is in the pass's report from the same moment on; what was only compared, when its page is done.
    async fn try_audit_links(
        &self,
        work: &Work<'_>,
        links: &Links<'_>,
        counted: Option<ObjectId>,
    ) -> Result<(Vec<ObjectId>, RunCounts), StorageError> {
        let mut transaction = self.lease.begin(&self.database).await?;
        let differing = differing_associations(&mut transaction, links).await?;
        let mut counts = work.run.counts_now();
        if work.progress.report.request.repair && !differing.is_empty() {
            let outcome = store_associations(&mut transaction, links).await?;
            counts.add(0, outcome);
            let mut progress = work.progress.clone();
            add(&mut progress.report, work.is_due, &differing, counted);
            work.record(&mut transaction, &progress, &counts).await?;
            transaction.commit().await?;
        }
        Ok((differing, counts))
    }

    /// One attempt to write how far the pass is.
    async fn try_record_links(&self, work: &Work<'_>) -> Result<(), StorageError> {
        let mut transaction = self.lease.begin(&self.database).await?;
        work.record(&mut transaction, &work.progress, &work.run.counts_now()).await?;
        transaction.commit().await
    }
}

/// Adds the records of a part whose links differ to the report, but for one that is `counted` already.
fn add(report: &mut AuditReport, is_due: bool, differing: &[ObjectId], counted: Option<ObjectId>) {
    let finding = if is_due { &mut report.links } else { &mut report.pending_links };
    // Parts are in id order, so only the first record of one can be the last of another.
    let new = differing.strip_prefix(counted.as_slice()).unwrap_or(differing);
    finding.add(new);
}
