//! Learning what a custom object is: its schema is read once, kept, and makes the table.
//!
//! Until then the type is a subject of its own under the name it is configured by, so a name HubSpot does not know is
//! an error of that type alone and is asked for again once an interval. Then records and pipelines take its place.

use std::sync::PoisonError;

use tracing::info;

use super::engine::Engine;
use super::error::SyncError;
use super::run::Run;
use crate::hubspot::Priority;
use crate::model::CustomName;
use crate::storage::{StorageError, create_tables, recall_types, store_schema};

impl Engine {
    /// Reads the schema of a custom object, keeps it and makes the tables of the type.
    ///
    /// # Errors
    /// When HubSpot does not know it or does not let it be read, or the database cannot be written.
    pub(super) async fn learn(&self, name: CustomName, run: &Run) -> Result<(), SyncError> {
        let schema = run.hubspot.schema(name, Priority::Incremental).await?;
        let object_type = store_schema(&self.database, &self.lease, &schema).await?.descriptor();
        if self.may_alter {
            create_tables(&self.database, &[object_type]).await?;
        }
        info!("The custom object {name} is mirrored as {object_type}, into {}", object_type.table);
        Ok(())
    }

    /// Puts the custom types that are known in the place of their names: from now on their records are subjects.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn recall(&self) -> Result<(), StorageError> {
        let selected = self.objects.read().unwrap_or_else(PoisonError::into_inner).clone();
        let objects = recall_types(&self.database, &selected).await?;
        *self.objects.write().unwrap_or_else(PoisonError::into_inner) = objects;
        Ok(())
    }
}
