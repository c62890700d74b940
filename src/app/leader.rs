//! The loop that runs what is due, in the one process that may.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sd_notify::NotifyState;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::figures::show_leading;
use super::start::tell_service_manager;
use super::{ACCOUNT_LEASE, Parts, watch};
use crate::clock;
use crate::hubspot::HubSpotClient;
use crate::lifecycle::Lifecycle;
use crate::storage::{
    Database, LEASE_TTL, LaneState, Lease, LeaseKeeper, Request, StorageError, SyncState, Trigger,
    interrupt_open_runs, load_lanes, load_states,
};
use crate::sync::{Chain, Engine, Subject, SyncError, Upkeep};
use crate::web::Role;

/// Pause between two attempts to take over from another process.
const STANDBY: Duration = Duration::from_secs(2);
/// Rest of a subject whose run failed, whatever `sync_state` says.
const REST: Duration = Duration::from_secs(5);
/// Types whose upkeep runs at the same time, in each slot.
const MOST_UPKEEP: usize = 2;
/// How often runs are held to the schedule.
const SCHEDULE_CHECK: Duration = Duration::from_mins(1);

/// Leads whenever possible and stands by otherwise, until the process stops.
pub(super) async fn lead_or_stand_by(parts: &Parts) {
    let shutdown = parts.lifecycle.shutdown();
    let mut announced = None;
    while !shutdown.is_cancelled() {
        let situation = match parts.keeper.acquire(ACCOUNT_LEASE).await {
            Ok(Some(lease)) => {
                announced = None;
                lead(parts, lease).await;
                continue;
            }
            Ok(None) => "Standing by: another hubspot-connector syncs this database".to_owned(),
            Err(error) => format!("Waiting for the database: {}", Chain(&error)),
        };
        if announced.as_ref() != Some(&situation) {
            warn!("{situation}");
            tell_service_manager(NotifyState::Status(&situation));
            announced = Some(situation);
        }
        show_leading(false);
        tell_service_manager(NotifyState::Watchdog);
        wait(shutdown, STANDBY).await;
    }
}

/// Waits, or until the process stops.
async fn wait(stop: &CancellationToken, time: Duration) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

/// Works under the lease until it is lost or the process stops, then gives it up.
async fn lead(parts: &Parts, lease: Lease) {
    let stop = parts.lifecycle.shutdown().child_token();
    parts.lifecycle.spawn(keep_renewed(parts.keeper.clone(), lease.clone(), stop.clone()));
    if let Err(error) = work(parts, &lease, &stop).await {
        error!(error = %Chain(error.as_ref()), "The sync loop failed; starting it again");
        tell_service_manager(NotifyState::Status("The sync loop failed; starting it again"));
        wait(&stop, STANDBY).await;
    }
    stop.cancel();
    parts.situation.set(Role::StandingBy);
    if let Err(error) = parts.keeper.release(&lease).await {
        warn!(error = %Chain(&error), "The lease ends by itself within {} s", LEASE_TTL.as_secs());
    }
}

/// Renews the lease in time; cancels `stop` when it is lost.
pub async fn keep_renewed(keeper: LeaseKeeper, lease: Lease, stop: CancellationToken) {
    loop {
        wait(&stop, LEASE_TTL / 3).await;
        if stop.is_cancelled() {
            return;
        }
        match keeper.renew(&lease).await {
            Ok(()) => {}
            Err(StorageError::LeaseLost(_)) => {
                warn!("Another hubspot-connector took over; stopping the runs under way");
                stop.cancel();
            }
            // Pages cannot be stored either way, and if somebody takes over meanwhile the next renewal says so.
            Err(error) => warn!(error = %Chain(&error), "Could not renew the lease"),
        }
    }
}

/// Starts what is due at every tick.
async fn work(parts: &Parts, lease: &Lease, stop: &CancellationToken) -> anyhow::Result<()> {
    let interrupted = interrupt_open_runs(&parts.database, clock::now()).await?;
    if interrupted > 0 {
        info!("{interrupted} run(s) of an earlier process were interrupted; they go on where they were");
    }
    let hubspot = HubSpotClient::new(&parts.config.hubspot, stop.clone())?;
    let engine = Arc::new(Engine::new(
        (parts.database.clone(), hubspot),
        parts.config.sync.clone(),
        parts.config.database.migrate_on_start,
        lease.clone(),
        parts.events.clone(),
        stop.clone(),
    ));
    engine.recall().await?;
    engine.retire_others().await?;
    parts.situation.set(Role::Leading(engine.clone()));
    let runs = Runs::new(parts.lifecycle.clone(), engine.clone());
    watch::start(parts, lease, &engine, stop);
    let pushes = parts.lifecycle.spawn(push_edits(parts.lifecycle.clone(), engine.clone()));
    let webhooks = parts.lifecycle.spawn(process_webhooks(parts.lifecycle.clone(), engine.clone()));
    // Whether the database did not answer; unknown at first.
    let mut troubled = None;
    let mut schedule_checked = None;
    // What an earlier process has shown is unknown, and shown no more.
    let mut waiting = Some(String::new());
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => break,
            () = parts.ticker.tick() => {}
            () = runs.ended.notified() => {}
        }
        tell_service_manager(NotifyState::Watchdog);
        let now = Instant::now();
        if schedule_checked.is_none_or(|checked| now - checked >= SCHEDULE_CHECK) {
            schedule_checked = Some(now);
            // What keeps the state from being written keeps it from being read, and is reported there.
            engine.keep_to_schedule().await.ok();
        }
        // As above.
        engine.show_waiting(&mut waiting).await.ok();
        // Before the states are read: a run that ends meanwhile makes them out of date.
        let busy = runs.busy();
        match load_progress(&parts.database).await {
            Ok((states, lanes)) => {
                if troubled.replace(false) != Some(false) {
                    tell_service_manager(NotifyState::Status("Syncing"));
                }
                runs.start_due(&states, &busy);
                runs.start_due_upkeep(&states, &lanes, &busy);
            }
            Err(error) => {
                if troubled.replace(true) != Some(true) {
                    warn!(error = %Chain(&error), "The database does not answer; runs wait for it");
                    tell_service_manager(NotifyState::Status("Waiting for the database"));
                }
            }
        }
    }
    runs.finished().await;
    pushes.await?;
    webhooks.await?;
    Ok(())
}

/// Pushes edits until the engine stops, in a task of its own: a defect there ends nothing else.
async fn push_edits(lifecycle: Lifecycle, engine: Arc<Engine>) {
    loop {
        let pushing = engine.clone();
        let Err(panic) = lifecycle.spawn(async move { pushing.push_edits().await }).await else { return };
        error!("Pushing edits panicked, and begins again: {panic}");
        engine.rest().await;
    }
}

/// Reads again what webhooks tell of until the engine stops, in a task of its own as well.
async fn process_webhooks(lifecycle: Lifecycle, engine: Arc<Engine>) {
    loop {
        let processing = engine.clone();
        let task = lifecycle.spawn(async move { processing.process_webhooks().await });
        let Err(panic) = task.await else { return };
        error!("Processing webhooks panicked, and begins again: {panic}");
        engine.rest().await;
    }
}

/// How far everything is.
async fn load_progress(database: &Database) -> Result<(Vec<SyncState>, Vec<LaneState>), StorageError> {
    Ok((load_states(database).await?, load_lanes(database).await?))
}

/// What a task does.
#[derive(Clone, Copy)]
enum Work {
    /// A regular run of a subject.
    Regular(Subject, Trigger, Option<Request>),
    /// A lane beside the regular runs.
    Upkeep(Upkeep, Trigger),
}

impl Work {
    /// What must not run twice at once.
    fn name(&self) -> String {
        match self {
            Self::Regular(subject, ..) => subject.to_string(),
            Self::Upkeep(upkeep, _) => format!("{}{}", upkeep.object_type, slot(*upkeep)),
        }
    }

    /// Does it.
    async fn carry_out(self, engine: &Engine) -> Result<(), SyncError> {
        match self {
            Self::Regular(subject, trigger, request) => engine.run_verified(subject, trigger, request).await,
            Self::Upkeep(upkeep, trigger) => engine.run_upkeep(upkeep, trigger).await,
        }
    }

    /// Records that it panicked.
    async fn record_panic(self, engine: &Engine) {
        match self {
            Self::Regular(subject, ..) => engine.record_panic(subject).await,
            Self::Upkeep(upkeep, _) => engine.record_upkeep_panic(upkeep).await,
        }
    }
}

/// What the names of lanes end with that take turns.
fn slot(upkeep: Upkeep) -> &'static str {
    if upkeep.is_short() { " recycle bin" } else { " upkeep" }
}

/// The runs, at most one a subject at a time, and one lane of upkeep a type and slot.
struct Runs {
    lifecycle: Lifecycle,
    engine: Arc<Engine>,
    /// What cannot be started now, by [`Work::name`].
    busy: Arc<Mutex<HashMap<String, Busy>>>,
    /// Told whenever a run has ended.
    ended: Arc<Notify>,
}

/// Why something cannot be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Busy {
    /// It is running.
    Running,
    /// Its last run failed, and how it ended may not have been recorded: without a rest it could be due again at once,
    /// for ever.
    RestingUntil(Instant),
}

impl Runs {
    /// No run yet.
    fn new(lifecycle: Lifecycle, engine: Arc<Engine>) -> Self {
        Self { lifecycle, engine, busy: Arc::default(), ended: Arc::default() }
    }

    /// What cannot be started now.
    fn busy(&self) -> BTreeSet<String> {
        let now = Instant::now();
        let is_busy = |busy: &Busy| match busy {
            Busy::Running => true,
            Busy::RestingUntil(end) => now < *end,
        };
        lock(&self.busy).iter().filter(|(_, busy)| is_busy(busy)).map(|(name, _)| name.clone()).collect()
    }

    /// Starts every subject that is due by `states` and was not `busy` before they were read.
    fn start_due(&self, states: &[SyncState], busy: &BTreeSet<String>) {
        let now = clock::now();
        for subject in self.engine.subjects() {
            let name = subject.to_string();
            let state = states.iter().find(|state| state.object_type == name);
            let Some((trigger, request)) = due(state, now) else { continue };
            // Only this loop starts runs, so who was not busy then is not busy now.
            if !busy.contains(&name) {
                self.start(Work::Regular(subject, trigger, request));
            }
        }
    }

    /// Starts the lanes that are due, a few types at a time: each keeps pages in memory.
    fn start_due_upkeep(&self, states: &[SyncState], lanes: &[LaneState], busy: &BTreeSet<String>) {
        for (upkeep, trigger) in self.engine.due_upkeep(states, lanes, clock::now()) {
            let work = Work::Upkeep(upkeep, trigger);
            let slot = slot(upkeep);
            let is_running = |(name, busy): (&String, &Busy)| name.ends_with(slot) && *busy == Busy::Running;
            let running = lock(&self.busy).iter().filter(|entry| is_running(*entry)).count();
            if running < MOST_UPKEEP && !busy.contains(&work.name()) {
                self.start(work);
            }
        }
    }

    /// Starts a task.
    fn start(&self, work: Work) {
        let name = work.name();
        lock(&self.busy).insert(name.clone(), Busy::Running);
        let engine = self.engine.clone();
        let run = self.lifecycle.spawn(async move { work.carry_out(&engine).await });
        let (engine, busy, ended) = (self.engine.clone(), self.busy.clone(), self.ended.clone());
        self.lifecycle.spawn(async move {
            let succeeded = match run.await {
                // The engine has logged and recorded whatever went wrong.
                Ok(result) => result.is_ok(),
                Err(panic) => {
                    error!("The run of {name} panicked: {panic}");
                    work.record_panic(&engine).await;
                    false
                }
            };
            if succeeded {
                lock(&busy).remove(&name);
            } else {
                lock(&busy).insert(name, Busy::RestingUntil(Instant::now() + REST));
            }
            ended.notify_one();
        });
    }

    /// Waits until no run is under way.
    async fn finished(&self) {
        while lock(&self.busy).values().any(|busy| *busy == Busy::Running) {
            self.ended.notified().await;
        }
    }
}

/// Locks what a panicked holder cannot have left half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a subject is due, and why. One that never ran is.
fn due(state: Option<&SyncState>, now: DateTime<Utc>) -> Option<(Trigger, Option<Request>)> {
    let Some(state) = state else { return Some((Trigger::Schedule, None)) };
    if let Some(request) = state.request() {
        return Some((Trigger::Request, Some(request)));
    }
    let is_due = state.next_run_at.is_none_or(|next| next <= now);
    is_due.then_some((Trigger::Schedule, None))
}
