//! The reference lane: small tables read whole.

use super::Subject;
use super::engine::Engine;
use super::error::SyncError;
use super::run::Run;
use crate::hubspot::Priority;
use crate::storage::{Lane, PageOutcome, RunMode, StateRow, Trigger, store_owners, store_pipelines};

impl Engine {
    /// Reads pipelines, owners or a schema and stores what differs; returns how many there are.
    ///
    /// # Errors
    /// When HubSpot or the database fails for longer than the retries.
    pub(super) async fn run_reference(
        &self,
        subject: Subject,
        state: &StateRow,
        trigger: Trigger,
    ) -> Result<u64, SyncError> {
        state.load().await?;
        state.begin(RunMode::Reference).await?;
        let mut run = Run::start(self, subject, Lane::Reference, trigger, None).await?;
        let result = match self.knock(&run, trigger).await {
            Ok(()) => self.refresh(&mut run).await,
            Err(error) => Err(error),
        };
        let records = run.counts.fetched;
        run.finish(result).await.map(|()| records)
    }

    /// Fetches and stores.
    async fn refresh(&self, run: &mut Run) -> Result<(), SyncError> {
        let (fetched, outcome) = match run.subject {
            Subject::Owners => {
                let owners = run.hubspot.owners(Priority::Incremental).await?;
                (owners.len(), store_owners(&self.database, &self.lease, &owners).await?)
            }
            Subject::Schema(name) => {
                self.learn(name, run).await?;
                (1, PageOutcome { inserted: 1, ..PageOutcome::default() })
            }
            Subject::Pipelines(object_type) | Subject::Records(object_type) => {
                let pipelines = run.hubspot.pipelines(object_type, Priority::Incremental).await?;
                (
                    pipelines.len(),
                    store_pipelines(&self.database, &self.lease, object_type, &pipelines).await?,
                )
            }
        };
        run.counts.add(fetched as u64, outcome);
        Ok(())
    }
}
