//! The daemon put together: configuration in, running process out. The start order is written here.
//!
//! 0. listen for requests, which are told to wait;
//! 1. wait for the database, bring the schema up to date;
//! 2. become the one process that calls HubSpot for this database, or stand by until the other one is gone;
//! 3. make sure the token belongs to the account the database mirrors;
//! 4. run whatever is due, every second, until told to stop.

mod figures;
mod leader;
mod start;
mod watch;

use sd_notify::NotifyState;
use tracing::info;

use crate::config::Config;
use crate::lifecycle::Lifecycle;
use crate::metrics;
use crate::schedule::Ticker;
use crate::storage::{Database, LeaseKeeper};
use crate::sync::Events;
use crate::web::{self, Role, Situation};

pub use crate::storage::ACCOUNT_LEASE;
pub use leader::keep_renewed;
pub(crate) use start::advise;
pub use start::{host_name, migrate_all, open_database, process_name};

/// Everything a leader works with.
struct Parts {
    config: Config,
    database: Database,
    lifecycle: Lifecycle,
    ticker: Ticker,
    keeper: LeaseKeeper,
    /// What the HTTP server tells of this process.
    situation: Situation,
    /// What this process does, told to those who watch; outlives every lead.
    events: Events,
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// When it cannot start: schema, rights, signal handlers. Afterwards failures are retried for ever; only a stop that
/// takes too long and a database that leaves calls unanswered are more.
pub async fn run(config: Config, lifecycle: Lifecycle) -> anyhow::Result<()> {
    metrics::install();
    let Some(result) = lifecycle.within_grace(Box::pin(start_and_lead(config, &lifecycle))).await else {
        anyhow::bail!("some work did not end in time; it is repeated at the next start");
    };
    result?;
    info!("Stopped");
    Ok(())
}

/// Does `work`, unless the database leaves a call of it unanswered for ever.
///
/// # Errors
/// When it does. The process must then end, because what was under way is dropped wherever it was; who started it
/// starts it again, and it waits for the database.
pub async fn unless_unanswered<T>(database: &Database, work: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::select! {
        done = work => Ok(done),
        () = database.overdue() => anyhow::bail!(
            "the database has not answered for longer than it lets any statement take, so it is gone without having \
             closed its connections; ending, to be started again"
        ),
    }
}

/// Everything from the first connection to the last.
async fn start_and_lead(config: Config, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    let database = Database::new(&config.database)?;
    let (situation, events) = (Situation::default(), Events::default());
    // Before the database is there, so that others can see what the process waits for.
    let (watched, situation_shown) = (events.clone(), situation.clone());
    lifecycle.spawn(web::serve(
        config.clone(),
        database.clone(),
        situation_shown,
        watched,
        lifecycle.clone(),
    ));
    let work = Box::pin(open_and_lead(config, database.clone(), (situation, events), lifecycle));
    unless_unanswered(&database, work).await?
}

/// The same, with the database to use.
async fn open_and_lead(
    mut config: Config,
    database: Database,
    (situation, events): (Situation, Events),
    lifecycle: &Lifecycle,
) -> anyhow::Result<()> {
    let started = tokio::time::Instant::now();
    match open_database(&database, &mut config, lifecycle.shutdown()).await {
        // Told to stop while it waited for the database: that is no failure.
        Err(_) if lifecycle.shutdown().is_cancelled() => return Ok(()),
        opened => opened?,
    }
    let keeper = LeaseKeeper::new(database.clone(), process_name());
    let ticker = Ticker::start().await?;
    info!(
        "hubspot-connector {} is up after {} ms, syncing {}",
        env!("CARGO_PKG_VERSION"),
        started.elapsed().as_millis(),
        config.sync.objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    );
    start::tell_service_manager(NotifyState::Ready);
    lifecycle.spawn(figures::show_process(database.clone(), lifecycle.shutdown().clone()));
    situation.set(Role::StandingBy);
    let parts = Parts { config, database, lifecycle: lifecycle.clone(), ticker, keeper, situation, events };
    leader::lead_or_stand_by(&parts).await;

    start::tell_service_manager(NotifyState::Stopping);
    parts.lifecycle.stop().await;
    parts.ticker.stop().await.ok();
    parts.database.close().await;
    Ok(())
}
