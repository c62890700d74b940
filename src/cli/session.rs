//! What a command works with that syncs or verifies: in the place of a daemon, or watching one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::app::{ACCOUNT_LEASE, advise, keep_renewed, open_database, process_name};
use crate::clock;
use crate::config::Config;
use crate::hubspot::HubSpotClient;
use crate::lifecycle::Lifecycle;
use crate::storage::{Database, Lease, LeaseKeeper, interrupt_open_runs};
use crate::sync::{Engine, Events};

/// How often the progress of a daemon is read that carries a request out.
const WATCH: Duration = Duration::from_millis(250);
/// How long a daemon may leave what was asked for unnoticed; it looks every second.
const UNNOTICED: Duration = Duration::from_secs(30);

/// An open database and everything around it.
pub(super) struct Session {
    pub(super) config: Config,
    pub(super) database: Database,
    pub(super) lifecycle: Lifecycle,
    pub(super) keeper: LeaseKeeper,
}

/// How far a daemon is with what was asked for.
pub(super) struct Progress {
    /// What is not done yet.
    pub(super) open: Vec<String>,
    /// Whether the daemon is at work, on this or on what comes before it.
    pub(super) is_busy: bool,
}

/// An engine that takes the place of a daemon, until [`Session::step_down`].
pub(super) struct Leading {
    pub(super) engine: Arc<Engine>,
    lease: Lease,
    stop: CancellationToken,
}

impl Session {
    /// Waits for the database and brings its schema up to date.
    pub(super) async fn open(mut config: Config) -> anyhow::Result<Self> {
        let lifecycle = Lifecycle::default();
        lifecycle.listen_for_signals()?;
        let database = Database::new(&config.database)?;
        open_database(&database, &mut config, lifecycle.shutdown()).await?;
        let keeper = LeaseKeeper::new(database.clone(), process_name());
        Ok(Self { config, database, lifecycle, keeper })
    }

    /// Takes the place of a daemon, under its lease.
    pub(super) async fn lead(&self, lease: Lease, events: Events) -> anyhow::Result<Leading> {
        let stop = self.lifecycle.shutdown().child_token();
        self.lifecycle.spawn(keep_renewed(self.keeper.clone(), lease.clone(), stop.clone()));
        interrupt_open_runs(&self.database, clock::now()).await?;
        let hubspot = HubSpotClient::new(&self.config.hubspot, stop.clone())?;
        let engine = Arc::new(Engine::new(
            (self.database.clone(), hubspot),
            self.config.sync.clone(),
            self.config.database.migrate_on_start,
            lease.clone(),
            events,
            stop.clone(),
        ));
        Ok(Leading { engine, lease, stop })
    }

    /// Watches a daemon do what was asked for, until `look` sees nothing left. When the daemon ends before, the lease is
    /// free: it is returned, and what is left is this process's to do.
    pub(super) async fn watch(
        &self,
        mut look: impl AsyncFnMut() -> anyhow::Result<Progress>,
    ) -> anyhow::Result<Option<Lease>> {
        let mut noticed = Instant::now();
        loop {
            let Progress { open, is_busy } = look().await?;
            if open.is_empty() {
                return Ok(None);
            }
            if is_busy {
                noticed = Instant::now();
            }
            let lease = self.keeper.acquire(ACCOUNT_LEASE).await.map_err(advise)?;
            if lease.is_some() {
                info!("The other hubspot-connector has ended; going on here");
                return Ok(lease);
            }
            if noticed.elapsed() > UNNOTICED {
                bail!(
                    "the running hubspot-connector does not begin {}; is it in its SYNC_OBJECTS?",
                    open.join(", ")
                );
            }
            tokio::select! {
                () = self.lifecycle.shutdown().cancelled() => bail!("stopped watching; the daemon goes on"),
                () = tokio::time::sleep(WATCH) => {}
            }
        }
    }

    /// Makes room for a daemon.
    pub(super) async fn step_down(&self, leading: Leading) {
        leading.stop.cancel();
        self.keeper.release(&leading.lease).await.ok();
    }

    /// Ends everything.
    pub(super) async fn close(&self) {
        self.lifecycle.stop().await;
        self.database.close().await;
    }
}
