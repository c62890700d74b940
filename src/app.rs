//! The daemon put together: configuration in, running process out. The start order is written here.
//!
//! 1. wait for the database, bring the schema up to date;
//! 2. become the one process that calls HubSpot for this database, or stand by until the other one is gone;
//! 3. make sure the token belongs to the account the database mirrors;
//! 4. run whatever is due, every second, until told to stop.

mod leader;
mod start;

use sd_notify::NotifyState;
use tracing::info;

use crate::config::Config;
use crate::lifecycle::Lifecycle;
use crate::schedule::Ticker;
use crate::storage::{Database, LeaseKeeper};

pub use leader::keep_renewed;
pub(crate) use start::advise;
pub use start::{open_database, process_name};

/// The lease of the process that calls HubSpot: the request limits are per account, so there is one caller.
pub const ACCOUNT_LEASE: &str = "account";

/// Everything a leader works with.
struct Parts {
    config: Config,
    database: Database,
    lifecycle: Lifecycle,
    ticker: Ticker,
    keeper: LeaseKeeper,
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// When it cannot start: schema, rights, signal handlers. Afterwards failures are retried for ever; only a stop that
/// takes too long is one more.
pub async fn run(config: Config, lifecycle: Lifecycle) -> anyhow::Result<()> {
    let Some(result) = lifecycle.within_grace(Box::pin(start_and_lead(config, &lifecycle))).await else {
        anyhow::bail!("some work did not end in time; it is repeated at the next start");
    };
    result?;
    info!("Stopped");
    Ok(())
}

/// Everything from the first connection to the last.
async fn start_and_lead(config: Config, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    let started = tokio::time::Instant::now();
    let database = match open_database(&config.database, &config.sync, lifecycle.shutdown()).await {
        // Told to stop while it waited for the database: that is no failure.
        Err(_) if lifecycle.shutdown().is_cancelled() => return Ok(()),
        opened => opened?,
    };
    let keeper = LeaseKeeper::new(database.clone(), process_name());
    let ticker = Ticker::start().await?;
    info!(
        "hubspot-connector {} is up after {} ms, syncing {}",
        env!("CARGO_PKG_VERSION"),
        started.elapsed().as_millis(),
        config.sync.objects.iter().map(|object_type| object_type.name).collect::<Vec<_>>().join(", ")
    );
    start::tell_service_manager(NotifyState::Ready);
    let parts = Parts { config, database, lifecycle: lifecycle.clone(), ticker, keeper };
    leader::lead_or_stand_by(&parts).await;

    start::tell_service_manager(NotifyState::Stopping);
    parts.lifecycle.stop().await;
    parts.ticker.stop().await.ok();
    parts.database.close().await;
    Ok(())
}
