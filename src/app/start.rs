//! Starting: the database first.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::clock;
use crate::config::{DatabaseConfig, SyncConfig};
use crate::storage::{Database, StorageError, StorageErrorKind, migrate, pending_migrations, server_facts};
use crate::sync::Chain;

/// Pause between two attempts to reach the database at start.
const RECONNECT: Duration = Duration::from_secs(1);

/// Connects, waits for the database where necessary, and brings the schema up to date or checks that it is.
///
/// # Errors
/// When the schema cannot be used, or the process is stopped while it waits.
pub async fn open_database(
    config: &DatabaseConfig,
    sync: &SyncConfig,
    shutdown: &CancellationToken,
) -> anyhow::Result<Database> {
    let database = Database::new(config)?;
    wait_for(&database, shutdown).await?;
    if config.migrate_on_start {
        migrate(&database, &sync.objects).await.map_err(advise)?;
    } else {
        let pending = pending_migrations(&database).await.map_err(advise)?;
        if pending > 0 {
            let what = format!("{pending} migration(s) have not run and MIGRATE_ON_START is off");
            return Err(advise(StorageError::SchemaOutdated(what)));
        }
    }
    Ok(database)
}

/// The error with what to do about it.
#[expect(clippy::needless_pass_by_value, reason = "for use in map_err")]
pub(crate) fn advise(error: StorageError) -> anyhow::Error {
    anyhow::anyhow!("{}. {}", Chain(&error), error.advice())
}

/// Waits until the database answers. Refused credentials are no reason to wait.
async fn wait_for(database: &Database, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let mut waiting = false;
    loop {
        match server_facts(database).await {
            Ok(facts) => {
                info!("Connected to MariaDB {} at {}", facts.version, facts.host);
                return Ok(());
            }
            Err(error) if error.kind() == StorageErrorKind::Transient => {
                if !waiting {
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
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}:{}", host.trim(), std::process::id(), clock::now().timestamp_millis())
}

/// Tells systemd how things are; without systemd this does nothing.
pub(super) fn tell_service_manager(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        debug!("Could not notify the service manager: {error}");
    }
}
