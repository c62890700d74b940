//! Reading all links of all records, a page of records at a time.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::engine::Engine;
use super::super::error::SyncError;
use super::super::run::Run;
use super::super::upkeep::Pass;
use super::pairs::Hold;
use super::reader::{Appetite, Reader, Told};
use crate::hubspot::{ASSOCIATION_INPUTS, Priority};
use crate::model::{ObjectId, TypePair};
use crate::storage::{
    LeasedTransaction, PageOutcome, RunCounts, StorageError, count_page, live_or_linked_ids,
};

/// How far a pass over the pairs of a type is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sync) struct Progress {
    /// Name of the type the links lead to; the pairs before it are done.
    pub(in crate::sync) to: String,
    /// The links of every record up to this one are done.
    pub(in crate::sync) after: ObjectId,
}

/// What is recorded together with the last links of a page.
pub(super) struct Step<'s> {
    run: &'s Run,
    pass: &'s Pass,
    /// Figures of the run with this page, but for the links stored in the same transaction.
    counts: RunCounts,
    progress: Progress,
}

impl Step<'_> {
    /// Adds what became of links of this page that are stored already.
    pub(super) fn add(&mut self, outcome: PageOutcome) {
        self.counts.add(0, outcome);
    }

    /// Writes it; `outcome` is what became of the links in the transaction.
    pub(super) async fn record(
        &self,
        transaction: &mut LeasedTransaction,
        outcome: PageOutcome,
    ) -> Result<(), StorageError> {
        let Progress { to, after } = &self.progress;
        self.pass.row.advance(transaction, &format!("{to} {after}"), &json!(self.progress)).await?;
        let mut counts = self.counts;
        counts.add(0, outcome);
        count_page(transaction, self.run.id, &counts).await
    }
}

impl Engine {
    /// Reads the links of every record of the type from where the pass stands: those to each other type, one after the
    /// other. A pair that HubSpot refuses stops no other.
    ///
    /// # Errors
    /// When HubSpot or the database fails for longer than the retries. What is stored stays.
    pub(in crate::sync) async fn sweep_associations(
        &self,
        run: &mut Run,
        pass: &Pass,
    ) -> Result<(), SyncError> {
        let from = pass.upkeep.object_type;
        let pairs = self.pairs().into_iter().filter(|pair| pair.from.type_id == from.type_id).collect();
        for (pair, after) in rest_of(pairs, pass.progress::<Progress>()) {
            self.sweep_pair(run, pass, pair, after).await?;
        }
        Ok(())
    }

    /// Reads the links of one pair behind the record `after`.
    async fn sweep_pair(
        &self,
        run: &mut Run,
        pass: &Pass,
        pair: TypePair,
        mut after: ObjectId,
    ) -> Result<(), SyncError> {
        let mut appetite = Appetite::default();
        loop {
            self.go_on()?;
            // Given back after each page: searches want to store the links of what they find.
            let Hold::Held(mut held) = self.hold_pair(&run.hubspot, pair, Priority::Audit).await? else {
                return Ok(());
            };
            match self.sweep_page(run, pass, pair, after, &mut appetite).await {
                Ok(Some(last)) => {
                    self.pair_was_read(&mut held, pair).await?;
                    after = last;
                }
                Err(error) if error.refuses_pair() => {
                    return self.give_pair_up(&mut held, pair, &error).await;
                }
                result => return result.map(|_| ()),
            }
        }
    }

    /// Reads the links of the next records and returns the last of them, `None` when there are no more.
    async fn sweep_page(
        &self,
        run: &mut Run,
        pass: &Pass,
        pair: TypePair,
        after: ObjectId,
        appetite: &mut Appetite,
    ) -> Result<Option<ObjectId>, SyncError> {
        // Links may have been read from the far side, of a record that vanished before it was stored.
        let ids = live_or_linked_ids(&self.database, pair, after, ASSOCIATION_INPUTS).await?;
        let Some(last) = ids.last().copied() else { return Ok(None) };
        let hubspot = run.hubspot.clone();
        let mut reader = Reader::new(&hubspot, pair, &ids, Priority::Audit, appetite);
        let mut told = Told::default();
        while let Some(next) = reader.next().await? {
            let mut previous = std::mem::replace(&mut told, next);
            let outcome = self.store_told(pair, &mut previous, None).await?;
            run.counts.add(0, outcome);
        }
        let progress = Progress { to: pair.to.name.to_owned(), after: last };
        let mut counts = run.counts_now();
        counts.add(ids.len() as u64, PageOutcome::default());
        let outcome = self.store_told(pair, &mut told, Some(Step { run, pass, counts, progress })).await?;
        run.counts.add(ids.len() as u64, outcome);
        run.progress(run.counts.fetched, None);
        Ok(Some(last))
    }
}

/// What is left of a pass over the pairs, and behind which record each goes on. A pass that stood at a type that is no
/// longer mirrored begins anew.
pub(in crate::sync) fn rest_of(
    pairs: Vec<TypePair>,
    progress: Option<Progress>,
) -> Vec<(TypePair, ObjectId)> {
    let position = progress.as_ref().and_then(|at| pairs.iter().position(|pair| pair.to.name == at.to));
    let rest = pairs.into_iter().skip(position.unwrap_or_default());
    let first = progress.filter(|_| position.is_some()).map_or(ObjectId::START, |at| at.after);
    rest.zip(std::iter::once(first).chain(std::iter::repeat(ObjectId::START))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OBJECT_TYPES;

    /// What is left of the first type's pass that stands there, as names.
    fn rest(progress: Option<(&str, i64)>) -> Vec<(&'static str, i64)> {
        let pairs =
            TypePair::all(&OBJECT_TYPES.iter().take(3).collect::<Vec<_>>()).into_iter().take(3).collect();
        let progress = progress.map(|(to, after)| Progress { to: to.to_owned(), after: ObjectId(after) });
        rest_of(pairs, progress).into_iter().map(|(pair, after)| (pair.to.name, after.0)).collect()
    }

    #[test]
    fn a_pass_goes_on_where_it_was() {
        assert_eq!(rest(None), [("contacts", 0), ("companies", 0), ("deals", 0)]);
        assert_eq!(rest(Some(("contacts", 7))), [("contacts", 7), ("companies", 0), ("deals", 0)]);
        assert_eq!(rest(Some(("deals", 9))), [("deals", 9)]);
        assert_eq!(rest(Some(("unicorns", 9))), rest(None));
    }
}
