//! Watching while leading: what is wrong is told, and figures are shown.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::figures::{show_facts, show_leading, show_limits, show_webhooks};
use super::{Parts, host_name};
use crate::alerts::{Courier, Facts, Watcher};
use crate::clock;
use crate::config::AlertConfig;
use crate::lifecycle::Lifecycle;
use crate::storage::{
    AlertChannel, Database, Lease, StorageError, StorageErrorKind, open_conflicts, webhook_counts,
};
use crate::sync::{Chain, Engine};

/// How often the facts are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// The pause is at least so many times as long as a look takes: a queue of a million edits takes a second to count.
const PAUSE_FACTOR: u32 = 20;
/// Pause after a defect.
const DEFECT: Duration = Duration::from_mins(1);

/// Starts watching and carrying messages, until `stop` is cancelled.
pub(super) fn start(parts: &Parts, lease: &Lease, engine: &Arc<Engine>, stop: &CancellationToken) {
    let lifecycle = &parts.lifecycle;
    let watch = Watch {
        database: parts.database.clone(),
        lease: lease.clone(),
        config: parts.config.alert.clone(),
        engine: engine.clone(),
        leading_since: clock::now(),
        stop: stop.clone(),
    };
    keep_going("Watching for problems", lifecycle, stop, move || {
        let watch = watch.clone();
        async move { watch.run().await }
    });
    for channel in AlertChannel::ALL {
        let courier = match Courier::new(*channel, &parts.config.alert) {
            Ok(courier) => Arc::new(courier),
            Err(error) => {
                error!(%channel, %error, "No alert can be sent this way");
                continue;
            }
        };
        let (database, stopped) = (parts.database.clone(), stop.clone());
        keep_going("Carrying alert messages", lifecycle, stop, move || {
            let (courier, database, stop) = (courier.clone(), database.clone(), stopped.clone());
            async move { courier.run(&database, &stop).await }
        });
    }
}

/// Runs a task to its end; after a panic, which ends nothing else, it begins again.
fn keep_going<F>(
    what: &'static str,
    lifecycle: &Lifecycle,
    stop: &CancellationToken,
    task: impl Fn() -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let (lifecycle, stop) = (lifecycle.clone(), stop.clone());
    let tasks = lifecycle.clone();
    lifecycle.spawn(async move {
        while let Err(panic) = tasks.spawn(task()).await {
            error!("{what} panicked, and begins again: {panic}");
            if stop.run_until_cancelled(tokio::time::sleep(DEFECT)).await.is_none() {
                return;
            }
        }
    });
}

/// What watching needs.
#[derive(Clone)]
struct Watch {
    database: Database,
    lease: Lease,
    config: AlertConfig,
    engine: Arc<Engine>,
    leading_since: DateTime<Utc>,
    stop: CancellationToken,
}

impl Watch {
    /// Looks at the facts again and again.
    async fn run(&self) {
        let (database, config) = (&self.database, self.config.clone());
        let mut watcher = Watcher::new(database.clone(), self.lease.clone(), config, host_name());
        // Said once; the loop that starts runs says that the database is away.
        let mut trouble = None;
        let mut pause = LOOK;
        while self.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            let started = Instant::now();
            show_leading(true);
            show_limits(&self.engine.limits());
            let result = async {
                let schedule = self.engine.periods();
                let facts = Facts::load(database, schedule, self.leading_since, clock::now()).await?;
                let problems = watcher.look(&facts).await?;
                show_facts(&facts, &open_conflicts(database).await?, &problems);
                show_webhooks(webhook_counts(database).await?);
                Ok::<_, StorageError>(())
            };
            let report = match result.await {
                Ok(()) => None,
                Err(error) if error.kind() == StorageErrorKind::LeaseLost => return,
                Err(error) => Some(Chain(&error).to_string()),
            };
            if report.is_some() && report != trouble {
                warn!(error = report, "Nobody watches for problems until this is over");
            }
            trouble = report;
            pause = LOOK.max(started.elapsed() * PAUSE_FACTOR);
        }
    }
}
