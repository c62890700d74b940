//! Links between records.
//!
//! HubSpot does not say when links change: neither record's modification date moves reliably. So they are read in two
//! ways, which complement each other:
//!
//! | Way | Reads | When |
//! | --- | --- | --- |
//! | [`refresh`] | the links of records a search has just shown, from both sides | at once |
//! | [`sweep`] | all links of all records, some 1,000 records a request | within `ASSOCIATION_MAX_AGE_HOURS` |
//!
//! A link is read and stored in one direction, that of its [`TypePair`]. What is stored and no longer told is marked as
//! removed, but only of records HubSpot has told everything of. Both ways may meet in a pair; whoever holds it
//! ([`pairs`]) asks and stores, so that an older answer cannot be stored after a newer one.

mod pairs;
mod parts;
mod reader;
mod refresh;
mod sweep;

pub(super) use self::pairs::{Hold, Pairs};
pub(super) use self::parts::parts;
pub(super) use self::reader::{Appetite, Reader, Told};
use self::sweep::Step;
pub(super) use self::sweep::{Progress, rest_of};
use super::engine::Engine;
use super::error::SyncError;
use super::patience::Patience;
use crate::model::TypePair;
use crate::storage::{Links, PageOutcome, StorageError, store_associations};

/// Links stored in one transaction: more would hold locks for longer than others like to wait.
pub(super) const LINKS_AT_ONCE: usize = 10_000;

impl Engine {
    /// Stores what HubSpot told, in as many transactions as it takes; `last` belongs to the last of them. Returns what
    /// became of the links.
    ///
    /// # Errors
    /// When the database stays away, or another process has the lease.
    async fn store_told(
        &self,
        pair: TypePair,
        told: &mut Told,
        mut last: Option<Step<'_>>,
    ) -> Result<PageOutcome, SyncError> {
        told.sort();
        let mut parts = parts(pair, &told.records, &told.associations, LINKS_AT_ONCE).into_iter().peekable();
        let mut outcome = PageOutcome::default();
        while let Some(links) = parts.next() {
            let mut step = if parts.peek().is_none() { last.as_mut() } else { None };
            if let Some(step) = &mut step {
                step.add(outcome);
            }
            let mut patience = Patience::new(&self.stop, format!("Storing the links of {pair}"));
            let stored = loop {
                match self.try_store_links(&links, step.as_deref()).await {
                    Ok(stored) => break stored,
                    Err(error) => patience.wait(error).await?,
                }
            };
            outcome = outcome + stored;
        }
        Ok(outcome)
    }

    /// One attempt at one transaction.
    async fn try_store_links(
        &self,
        links: &Links<'_>,
        step: Option<&Step<'_>>,
    ) -> Result<PageOutcome, StorageError> {
        let mut transaction = self.lease.begin(&self.database).await?;
        let outcome = store_associations(&mut transaction, links).await?;
        if let Some(step) = step {
            step.record(&mut transaction, outcome).await?;
        }
        transaction.commit().await?;
        Ok(outcome)
    }
}
