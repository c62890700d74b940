//! Starting: the database first.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::clock;
use crate::config::Config;
use crate::storage::{Database, StorageError, StorageErrorKind, migrate, pending_migrations, server_facts};
use crate::sync::Chain;

/// Pause between two attempts to reach the database at start.
const RECONNECT: Duration = Duration::from_secs(1);

/// Waits for the database where necessary, and brings the schema up to date or checks that it is.
///
/// # Errors
/// When the schema cannot be used, or the process is stopped while it waits.
pub async fn open_database(
    database: &Database,
    config: &Config,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    wait_for(database, shutdown).await?;
    tell_service_manager(NotifyState::Status("Bringing the tables up to date"));
    if config.database.migrate_on_start {
        migrate(database, &config.sync.objects).await.map_err(advise)?;
    } else {
        let pending = pending_migrations(database).await.map_err(advise)?;
        if pending > 0 {
            let what = format!("{pending} migration(s) have not run and MIGRATE_ON_START is off");
            return Err(advise(StorageError::SchemaOutdated(what)));
        }
    }
    Ok(())
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
    // From the kernel itself: the service unit hides `/proc/sys`, and not every machine has an `/etc/hostname`.
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    format!("{host}:{}:{}", std::process::id(), clock::now().timestamp_millis())
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
