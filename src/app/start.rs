//! Starting: the database first.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::clock;
use crate::config::{Config, SyncConfig};
use crate::model::Selected;
use crate::storage::{
    Database, StorageError, StorageErrorKind, create_tables, migrate, pending_migrations, recall_types,
    server_facts,
};
use crate::sync::Chain;

/// Pause between two attempts to reach the database at start.
const RECONNECT: Duration = Duration::from_secs(1);

/// Waits for the database where necessary, brings the schema up to date or checks that it is, and recalls what the
/// custom objects in the configuration are.
///
/// # Errors
/// When the schema cannot be used, or the process is stopped while it waits.
pub async fn open_database(
    database: &Database,
    config: &mut Config,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    wait_for(database, shutdown).await?;
    tell_service_manager(NotifyState::Status("Bringing the tables up to date"));
    if config.database.migrate_on_start {
        migrate_all(database, &mut config.sync).await.map_err(advise)?;
    } else {
        let pending = pending_migrations(database).await.map_err(advise)?;
        if pending > 0 {
            let what = format!("{pending} migration(s) have not run and MIGRATE_ON_START is off");
            return Err(advise(StorageError::SchemaOutdated(what)));
        }
        config.sync.objects = recall_types(database, &config.sync.objects).await.map_err(advise)?;
    }
    for name in config.sync.settings_of_no_type() {
        warn!(
            "COLUMNS_{0} or SYNC_CRON_{0} is set, but no type of that name is mirrored",
            name.to_uppercase()
        );
    }
    Ok(())
}

/// Brings the schema up to date, with the tables of the custom types that are known, and puts their descriptors in the
/// place of their names.
///
/// # Errors
/// When the user may not change tables, or a migration was edited after it ran.
pub async fn migrate_all(database: &Database, sync: &mut SyncConfig) -> Result<(), StorageError> {
    let standard = Selected::known(&sync.objects);
    migrate(database, &standard).await?;
    sync.objects = recall_types(database, &sync.objects).await?;
    let custom: Vec<_> =
        Selected::known(&sync.objects).into_iter().filter(|known| !standard.contains(known)).collect();
    create_tables(database, &custom).await
}

/// The error with what to do about it.
#[expect(clippy::needless_pass_by_value, reason = "for use in map_err")]
pub(crate) fn advise(error: StorageError) -> anyhow::Error {
    anyhow::anyhow!("{}. {}", Chain(&error), error.advice())
}

/// Waits until the database answers. Refused credentials are no reason to wait, nor is a server that will not do.
async fn wait_for(database: &Database, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let mut waiting = false;
    loop {
        match server_facts(database).await {
            Ok(facts) => {
                if let Some(shortcoming) = facts.shortcoming() {
                    return Err(advise(StorageError::Unsuitable(shortcoming)));
                }
                info!("Connected to MariaDB {} at {}", facts.version, facts.host);
                return Ok(());
            }
            Err(error) if error.kind() == StorageErrorKind::Transient => {
                if !waiting {
                    tell_service_manager(NotifyState::Status("Waiting for the database"));
                    warn!(error = %Chain(&error), "The database does not answer; waiting for it");
                }
                waiting = true;
            }
            Err(error) => return Err(advise(error)),
        }
        tokio::select! {
            () = shutdown.cancelled() => anyhow::bail!("stopped while waiting for the database"),
            () = tokio::time::sleep(RECONNECT) => {}
        }
    }
}

/// A name no other process has: host, process id and start time.
pub fn process_name() -> String {
    format!("{}:{}:{}", host_name(), std::process::id(), clock::now().timestamp_millis())
}

/// The name of this machine.
pub fn host_name() -> String {
    // From the kernel itself: the service unit hides `/proc/sys`, and not every machine has an `/etc/hostname`.
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Tells systemd how things are; without systemd this does nothing.
pub(super) fn tell_service_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        debug!("Could not notify the service manager: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_named_by_its_host_number_and_start() {
        let name = process_name();
        let parts: Vec<_> = name.split(':').collect();
        assert_eq!(parts.len(), 3, "{name}");
        assert!(!parts[0].is_empty(), "{name}");
        assert_eq!(parts[1], std::process::id().to_string());
    }
}
