//! What a run learns before it reads records: the property catalogue, and the columns that follow from it.

use std::sync::Arc;

use super::engine::Engine;
use super::error::SyncError;
use super::records::Context;
use crate::hubspot::{HubSpotClient, Priority};
use crate::model::{ObjectType, Property};
use crate::storage::{StateRow, TableChanges, TypedColumns, known_properties, store_catalogue};

/// Properties that can be written and still follow links, which leave the modification date alone.
/// Source: captures of property definitions.
const FOLLOWING_LINKS: [&str; 2] = ["associatedcompanyid", "hs_parent_company_id"];

impl Engine {
    /// Reads the catalogue of the type, stores it, and brings the typed columns up to date.
    ///
    /// # Errors
    /// [`SyncError::EmptyCatalogue`] when there are no properties: asking for none would empty every row.
    pub(super) async fn prepare(
        &self,
        object_type: &'static ObjectType,
        state: &StateRow,
        hubspot: &HubSpotClient,
    ) -> Result<Arc<Context>, SyncError> {
        let mut mirror = self.mirrors.change(object_type).await;
        let catalogue = hubspot.properties(object_type, Priority::Incremental).await?;
        if catalogue.is_empty() {
            return Err(SyncError::EmptyCatalogue(object_type.name));
        }
        store_catalogue(&self.database, &self.lease, object_type, &catalogue).await?;
        let known = known_properties(&self.database, object_type).await?;
        let wanted = self.config.columns.get(object_type.name).map_or(&[][..], Vec::as_slice);
        let columns = TypedColumns::new(&self.database, object_type, wanted, &catalogue);
        let changes = if self.may_alter { TableChanges::All(&self.lease) } else { TableChanges::Nothing };
        columns.define(changes).await?;
        let table = columns.complete(&self.lease, || self.go_on()).await?;
        // Neither flag alone says so: roll-ups come with `calculated: false`, scores can be written.
        let is_silent = |property: &&Property| {
            let is_calculated = property.calculated || property.field_type.starts_with("calculation");
            is_calculated || property.read_only || FOLLOWING_LINKS.contains(&&*property.name)
        };
        let mut silent: Vec<_> =
            catalogue.iter().filter(is_silent).map(|property| property.name.clone()).collect();
        silent.sort_unstable();
        let properties = catalogue.into_iter().map(|property| property.name).collect();
        let (silent, state) = (silent.into(), state.clone());
        let context = Arc::new(Context { object_type, table, properties, silent, known, state });
        *mirror = Some(context.clone());
        Ok(context)
    }
}
