//! What becomes of edits of a type that is not writable any more.

use tracing::warn;

use super::settle::ACTOR;
use crate::clock;
use crate::storage::{MirrorTable, has_edits, take_back_edits};
use crate::sync::engine::Engine;
use crate::sync::error::SyncError;

impl Engine {
    /// Takes edits back that were not sent, so that the table is an exact copy again. Only for a type that is left out of
    /// `WRITABLE_OBJECTS`: where only a scope is missing, edits wait.
    pub(in crate::sync) async fn take_edits_back(&self, table: &MirrorTable) -> Result<(), SyncError> {
        let object_type = table.object_type();
        if !has_edits(&self.database, object_type).await? {
            return Ok(());
        }
        let mut dropped = 0;
        loop {
            self.go_on()?;
            let mut transaction = self.lease.begin(&self.database).await?;
            let some = take_back_edits(&mut transaction, table, ACTOR, clock::now()).await?;
            transaction.commit().await?;
            dropped += some;
            if some == 0 {
                break;
            }
        }
        warn!(
            "{object_type} are not in WRITABLE_OBJECTS: {dropped} edit(s) that were not sent are dropped, the rows are \
             as HubSpot had them last"
        );
        Ok(())
    }
}
