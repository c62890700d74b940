//! The fill lane: the values of properties that were not known when records were stored, by a listing with only these.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::info;

use super::compare::{Horizon, Scope};
use super::engine::Engine;
use super::error::SyncError;
use super::pass::{Overlay, PassPage};
use super::run::Run;
use super::upkeep::Pass;
use super::walk::Walk;
use crate::model::ObjectId;

/// How far a pass is, besides HubSpot's cursor.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Progress {
    /// Every record up to this one has the values.
    after: ObjectId,
    /// Records that were given any.
    filled: u64,
}

impl Engine {
    /// Gives stored records the values of properties that were not known before, from where the pass stands.
    ///
    /// # Errors
    /// When HubSpot or the database fails for longer than the retries.
    pub(super) async fn fill(&self, run: &mut Run, pass: &Pass) -> Result<(), SyncError> {
        let object_type = pass.upkeep.object_type;
        let context = self.mirrors.hold(object_type).await.context();
        let names: Arc<[String]> = match pass.state.completed_at {
            Some(filled) => context.known_after(filled),
            None => context.properties.clone(),
        };
        if names.is_empty() {
            return Ok(());
        }
        info!("Filling {} new properties of {object_type}", names.len());
        // Only what is there in the version listed is filled; all else is for other lanes, whatever they have seen yet.
        let scope = Scope { names: &names, silent: &names, retired: None, horizon: Horizon::default() };
        let mut progress = Progress { after: ObjectId::START, filled: 0 };
        let mut cursor = None;
        if let Some(so_far) = pass.progress() {
            (progress, cursor) = (so_far, pass.cursor());
        }
        let mut walk = Walk::start(&run.hubspot, object_type, names.clone(), cursor).await?;
        while let Some(page) = walk.page() {
            // The catalogue may have grown since the pass began.
            let context = self.mirrors.hold(object_type).await.context();
            let to = page.covers_up_to(progress.after);
            let recalculated = self.compare(&context, page, (progress.after, to), scope).await?.recalculated;
            progress.after = to;
            progress.filled += recalculated.len() as u64;
            let overlay = Overlay::of(page, &names, &recalculated);
            let found = PassPage { overlay, ..PassPage::of(page, json!(progress)) };
            self.store_pass_page(run, pass, &found).await?;
            self.walk_on(&mut walk).await?;
        }
        info!("Filled new properties of {} {object_type}", progress.filled);
        Ok(())
    }
}
