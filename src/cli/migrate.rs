//! `migrate`: what a start does with the schema, triggers included, and nothing else. For installations whose daemon may not change
//! tables.
//!
//! Beside a daemon it adds tables and columns and leaves the rest to the daemon, whose runs under way know nothing
//! of a new column: their next ones fill it. Where none runs, this process takes its place until all is done.

use std::process::ExitCode;

use anyhow::anyhow;

use super::print;
use crate::app::{ACCOUNT_LEASE, advise, keep_renewed, migrate_all, process_name};
use crate::config::{Config, Environment, SyncConfig};
use crate::lifecycle::Lifecycle;
use crate::model::Selected;
use crate::storage::{
    Database, Lease, LeaseKeeper, TableChanges, TypedColumns, ensure_capture, load_catalogue,
    load_mirror_table,
};

/// Brings tables and typed columns up to date.
pub(super) async fn main(environment: Environment) -> anyhow::Result<ExitCode> {
    let (database, mut sync) = Config::read_without_hubspot(environment)?;
    let database = Database::new(&database)?;
    migrate_all(&database, &mut sync).await.map_err(advise)?;
    let keeper = LeaseKeeper::new(database.clone(), process_name());
    if let Some(lease) = keeper.acquire(ACCOUNT_LEASE).await.map_err(advise)? {
        let result = complete_columns(&database, &sync, &keeper, &lease).await;
        keeper.release(&lease).await.ok();
        result?;
        print("The schema is up to date.");
    } else {
        let incomplete = add_columns(&database, &sync).await?;
        print("The schema is up to date.");
        if !incomplete.is_empty() {
            let columns = incomplete.join(", ");
            print(format_args!("The hubspot-connector that is running fills {columns} with its next run."));
        }
    }
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Makes and fills all columns, in the place of a daemon. A signal ends it between two batches.
async fn complete_columns(
    database: &Database,
    sync: &SyncConfig,
    keeper: &LeaseKeeper,
    lease: &Lease,
) -> anyhow::Result<()> {
    let lifecycle = Lifecycle::default();
    lifecycle.listen_for_signals()?;
    let stop = lifecycle.shutdown().child_token();
    lifecycle.spawn(keep_renewed(keeper.clone(), lease.clone(), stop.clone()));
    let go_on = || {
        let stopped = "stopped before all columns were filled; the next run goes on with them";
        if stop.is_cancelled() { Err(anyhow!(stopped)) } else { Ok(()) }
    };
    for object_type in Selected::known(&sync.objects) {
        // Empty before the first sync, which then is what brings the types of the columns.
        let catalogue = load_catalogue(database, object_type).await.map_err(advise)?;
        let wanted = sync.columns.get(object_type.name).map_or(&[][..], Vec::as_slice);
        let columns = TypedColumns::new(database, object_type, wanted, &catalogue);
        columns.define(TableChanges::All(lease)).await.map_err(advise)?;
        // All of them, before one can be edited: what the triggers do not know is lost.
        let table = load_mirror_table(database, object_type).await.map_err(advise)?;
        ensure_capture(database, &table, sync.push.is_writable(object_type)).await.map_err(advise)?;
        columns.complete(lease, go_on).await?;
    }
    lifecycle.stop().await;
    Ok(())
}

/// Makes the columns that are missing, beside a daemon; returns those that it has to fill.
async fn add_columns(database: &Database, sync: &SyncConfig) -> anyhow::Result<Vec<String>> {
    let mut incomplete = Vec::new();
    for object_type in Selected::known(&sync.objects) {
        let catalogue = load_catalogue(database, object_type).await.map_err(advise)?;
        let wanted = sync.columns.get(object_type.name).map_or(&[][..], Vec::as_slice);
        let columns = TypedColumns::new(database, object_type, wanted, &catalogue);
        columns.define(TableChanges::Additions).await.map_err(advise)?;
        let names = columns.incomplete().await.map_err(advise)?;
        let table = load_mirror_table(database, object_type).await.map_err(advise)?;
        ensure_capture(database, &table, sync.push.is_writable(object_type)).await.map_err(advise)?;
        incomplete.extend(names.iter().map(|name| format!("{}.{name}", object_type.table)));
    }
    Ok(incomplete)
}
