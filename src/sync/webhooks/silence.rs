//! Noticing that webhooks do not come any more, and keeping the inbox small.

use std::collections::BTreeMap;

use tracing::{info, warn};

use super::Desk;
use crate::clock;
use crate::model::ObjectType;
use crate::storage::{
    Lane, LeasedTransaction, RunCounts, StorageError, WebhookOutcome, count_unannounced,
    count_webhook_outcomes, judge_silence, purge_hours, purge_webhook_events, show_notices,
};
use crate::sync::engine::Engine;
use crate::sync::error::SyncError;

/// Changes a search found that nobody had told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sync) struct Unannounced(u64);

impl Unannounced {
    /// Those of a search with these figures; of other lanes' nothing follows, because they find what no event tells.
    pub(in crate::sync) fn of(lane: Lane, counts: &RunCounts) -> Self {
        match lane {
            Lane::Incremental => Self(counts.outcome.inserted + counts.outcome.updated),
            _ => Self(0),
        }
    }

    /// Notes them inside the caller's transaction.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(in crate::sync) async fn note(
        self,
        transaction: &mut LeasedTransaction,
        object_type: &ObjectType,
    ) -> Result<(), StorageError> {
        if self.0 == 0 {
            return Ok(());
        }
        count_unannounced(transaction, object_type.name, self.0, clock::now()).await
    }
}

impl Engine {
    /// Lets go of old events, and says which types' webhooks have gone silent or come again.
    pub(super) async fn tidy_webhooks(&self, desk: &Desk) -> Result<(), SyncError> {
        let now = clock::now();
        purge_hours(&self.database, now).await?;
        let (_, unread) = purge_webhook_events(&self.database, now).await?;
        if unread > 0 {
            warn!("{unread} webhook(s) were given up after two days; polling has found what they told of");
        }
        self.tell_unerased(desk).await?;
        let (silent, heard) =
            judge_silence(&self.database, &self.lease, self.config.webhooks_missed_after, now).await?;
        for one in &silent {
            let since = one.unannounced_since.unwrap_or(now).format("%F %H:%M UTC");
            warn!(
                "Webhooks of {} are silent: since {since} polling alone has found {} change(s). Check the app's webhook \
                 settings in HubSpot and that its target URL reaches this server; nothing is missed meanwhile",
                one.object_type, one.unannounced
            );
        }
        for name in &heard {
            info!("Webhooks of {name} come again");
        }
        let with_links = self.config.upkeep.associations.is_some();
        for name in silent.iter().map(|one| &one.object_type).chain(&heard) {
            show_notices(&self.database, &self.lease, name, with_links).await?;
        }
        Ok(())
    }

    /// Says of how many records HubSpot told that they were erased and shows them all the same, when their number changes.
    async fn tell_unerased(&self, desk: &Desk) -> Result<(), SyncError> {
        let unerased = count_webhook_outcomes(&self.database, WebhookOutcome::StillThere).await?;
        let told = desk.memory().unerased.clone();
        if told.as_ref() == Some(&unerased) {
            return Ok(());
        }
        let told = told.unwrap_or_default();
        let with_links = self.config.upkeep.associations.is_some();
        let types = self.types();
        for object_type in types.iter().filter(|known| known.has_privacy_delete()) {
            let of = |counts: &BTreeMap<String, u64>| counts.get(object_type.type_id).copied().unwrap_or(0);
            if of(&unerased) > of(&told) {
                warn!(
                    "HubSpot told that {} of {object_type} were erased, and still shows them a day later: erase them \
                     there again; `notice` in sync_state names them",
                    of(&unerased)
                );
            }
            show_notices(&self.database, &self.lease, object_type.name, with_links).await?;
        }
        desk.memory().unerased = Some(unerased);
        Ok(())
    }
}
