//! `migrate`: what a start does with the schema, and nothing else. For installations whose daemon may not change
//! tables.

use std::process::ExitCode;

use super::print;
use crate::app::advise;
use crate::config::{Config, Environment};
use crate::storage::{Database, ensure_columns, load_catalogue, migrate};

/// Brings tables and typed columns up to date.
pub(super) async fn main(environment: Environment) -> anyhow::Result<ExitCode> {
    let (database, sync) = Config::read_without_hubspot(environment)?;
    let database = Database::new(&database)?;
    migrate(&database, &sync.objects).await.map_err(advise)?;
    for object_type in &sync.objects {
        // Empty before the first sync, which then is what brings the types of the columns.
        let catalogue = load_catalogue(&database, object_type).await?;
        if let Some(wanted) = sync.columns.get(object_type.name).filter(|_| !catalogue.is_empty()) {
            ensure_columns(&database, object_type, wanted, &catalogue, true).await.map_err(advise)?;
        }
    }
    print("The schema is up to date.");
    Ok(ExitCode::SUCCESS)
}
