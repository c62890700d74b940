//! What a run learns before it reads records: the property catalogue, and the columns that follow from it.

use std::sync::Arc;

use super::engine::Engine;
use super::error::SyncError;
use super::records::Context;
use crate::hubspot::{HubSpotClient, Priority};
use crate::model::ObjectType;
use crate::storage::{StateRow, TableChanges, TypedColumns, catalogue_complete_since, store_catalogue};

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
        let properties_since = catalogue_complete_since(&self.database, object_type).await?;
        let wanted = self.config.columns.get(object_type.name).map_or(&[][..], Vec::as_slice);
        let columns = TypedColumns::new(&self.database, object_type, wanted, &catalogue);
        let changes = if self.may_alter { TableChanges::All(&self.lease) } else { TableChanges::Nothing };
        columns.define(changes).await?;
        let table = columns.complete(&self.lease, || self.go_on()).await?;
        let properties = catalogue.into_iter().map(|property| property.name).collect();
        let context =
            Arc::new(Context { object_type, table, properties, properties_since, state: state.clone() });
        *mirror = Some(context.clone());
        Ok(context)
    }
}
