//! The engine: one run of one subject, from its plan to its record.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::account::AccountCheck;
use super::backfill::Listing;
use super::error::{Chain, NextTry, SyncError, soon};
use super::plan::{self, BackfillReason, Plan};
use super::run::Run;
use super::search::Found;
use super::{Events, Subject};
use crate::clock;
use crate::config::SyncConfig;
use crate::hubspot::{HubSpotClient, Priority};
use crate::model::{Cursor, ObjectType};
use crate::storage::{
    Database, Lane, Lease, MirrorTable, RequestedMode, RunMode, StateRow, StorageError, StorageErrorKind,
    SyncState, Trigger,
};

/// Pause between two attempts to record how a run ended while the database is away.
const RECORD_RETRY: Duration = Duration::from_secs(1);

/// Runs subjects. Shared by all runs of a process; holds the lease that makes it the only one.
#[derive(Debug)]
pub struct Engine {
    pub(super) database: Database,
    pub(super) hubspot: HubSpotClient,
    pub(super) config: SyncConfig,
    pub(super) lease: Lease,
    pub(super) events: Events,
    /// Whether tables may be changed.
    pub(super) may_alter: bool,
    /// Whether the token is known to belong to the account the database mirrors.
    pub(super) account: AccountCheck,
    /// Cancelled when the process stops or loses the lease.
    stop: CancellationToken,
}

/// What the lanes of one type need besides the engine.
pub(super) struct Context {
    pub(super) object_type: &'static ObjectType,
    pub(super) table: MirrorTable,
    /// The properties to ask for: the whole catalogue.
    pub(super) properties: Vec<String>,
    pub(super) state: StateRow,
}

impl Engine {
    /// An engine that works under `lease` until `stop` is cancelled.
    pub fn new(
        (database, hubspot): (Database, HubSpotClient),
        config: SyncConfig,
        may_alter: bool,
        lease: Lease,
        events: Events,
        stop: CancellationToken,
    ) -> Self {
        Self { database, hubspot, config, lease, events, may_alter, account: AccountCheck::default(), stop }
    }

    /// Everything this engine keeps up to date.
    pub fn subjects(&self) -> Vec<Subject> {
        Subject::all(&self.config.objects)
    }

    /// Brings runs forward that an earlier configuration put further away than the present one does.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn adopt_schedule(&self) -> Result<(), StorageError> {
        for subject in self.subjects() {
            let state = StateRow::new(self.database.clone(), subject.to_string());
            state.bring_forward(self.next_run(subject, clock::now())).await?;
        }
        Ok(())
    }

    /// When the subject is due again if nothing fails.
    pub(super) fn next_run(&self, subject: Subject, now: DateTime<Utc>) -> DateTime<Utc> {
        let subjects = self.subjects();
        let index = subjects.iter().position(|other| *other == subject).unwrap_or_default();
        plan::next_run(&self.config.schedule, &subject.to_string(), (index, subjects.len()), now)
    }

    /// [`Engine::run`], once the token has proven to belong to the account the database mirrors. Until it has, every
    /// subject is left as it is.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn run_verified(
        &self,
        subject: Subject,
        trigger: Trigger,
        requested: Option<RequestedMode>,
    ) -> Result<(), SyncError> {
        if self.verify_account().await { self.run(subject, trigger, requested).await } else { Ok(()) }
    }

    /// Brings `subject` up to date and records in `sync_state` how it went and when it is due next.
    ///
    /// # Errors
    /// Why the run failed. It is logged and recorded already; the caller only needs to know.
    pub async fn run(
        &self,
        subject: Subject,
        trigger: Trigger,
        requested: Option<RequestedMode>,
    ) -> Result<(), SyncError> {
        let started_at = clock::now();
        let state = StateRow::new(self.database.clone(), subject.to_string());
        let result = match subject {
            Subject::Records(object_type) => {
                self.run_records(object_type, &state, trigger, requested).await.map(|()| None)
            }
            Subject::Pipelines(_) | Subject::Owners => {
                self.run_reference(subject, &state, trigger).await.map(Some)
            }
        };
        self.record(subject, &state, started_at, &result).await;
        result.map(|_| ())
    }

    /// Runs the lanes of an object type.
    async fn run_records(
        &self,
        object_type: &'static ObjectType,
        state_row: &StateRow,
        trigger: Trigger,
        requested: Option<RequestedMode>,
    ) -> Result<(), SyncError> {
        let state = state_row.load().await?;
        // Until the plan is made, the mode is what was asked for.
        let expected = if state.watermark.is_none() { RunMode::Full } else { RunMode::Incremental };
        state_row.begin(expected).await?;
        let hubspot = self.hubspot.counted();
        let context = self.prepare(object_type, state_row, &hubspot).await?;
        let now = hubspot.server_now();
        let subject = Subject::Records(object_type);
        let start = |hubspot, lane, window| {
            Run::start((&self.database, hubspot, &self.events), subject, lane, trigger, window)
        };
        match plan::plan(&state, requested, now, &self.config) {
            Plan::ResumeBackfill(cursor) => {
                info!("Resuming the full listing of {object_type} at record {}", state.records_synced);
                let run = start(hubspot, Lane::Backfill, None).await?;
                self.list_from(run, &context, cursor, &state).await
            }
            Plan::StartBackfill(reason) => {
                let run = start(hubspot, Lane::Backfill, None).await?;
                self.list_anew(run, &context, reason, now).await
            }
            Plan::Search(window) => {
                let mut run = start(hubspot, Lane::Incremental, Some(window)).await?;
                let found = self.search(&mut run, &context, window, &state).await;
                let too_many = matches!(found, Ok(Found::TooMany));
                run.finish(found.map(|_| ())).await?;
                if too_many {
                    let run = start(self.hubspot.counted(), Lane::Backfill, None).await?;
                    return self.list_anew(run, &context, BackfillReason::ManyChanges, now).await;
                }
                let Some(window) = plan::delayed_pass(&state, now, &self.config) else { return Ok(()) };
                let mut run = start(self.hubspot.counted(), Lane::Delayed, Some(window)).await?;
                let result = self.search(&mut run, &context, window, &state).await.map(|_| ());
                run.finish(result).await.map(|_| ())
            }
        }
    }

    /// Begins a full listing at HubSpot's time `now` and carries it through.
    async fn list_anew(
        &self,
        run: Run,
        context: &Context,
        reason: BackfillReason,
        now: DateTime<Utc>,
    ) -> Result<(), SyncError> {
        let object_type = context.object_type;
        // Only for the progress shown; a listing works without.
        let total = run.hubspot.count_records(object_type, Priority::Backfill).await.ok();
        info!("Listing all {object_type}: {reason}");
        context.state.begin_backfill(now - self.config.search_lag, total).await?;
        let state = context.state.load().await?;
        self.list_from(run, context, None, &state).await
    }

    /// Carries a full listing through from `cursor`.
    async fn list_from(
        &self,
        mut run: Run,
        context: &Context,
        cursor: Option<Cursor>,
        state: &SyncState,
    ) -> Result<(), SyncError> {
        let listing = Listing {
            cursor,
            listed: u64::try_from(state.records_synced).unwrap_or(0),
            total: state.records_total.and_then(|total| u64::try_from(total).ok()),
        };
        let result = self.backfill(&mut run, context, listing).await;
        run.finish(result).await.map(|_| ())
    }

    /// Records how the run ended, for as long as it takes: a state that still says `running` would be a lie.
    async fn record(
        &self,
        subject: Subject,
        state: &StateRow,
        started_at: DateTime<Utc>,
        result: &Result<Option<u64>, SyncError>,
    ) {
        loop {
            match self.try_record(subject, state, started_at, result).await {
                Ok(()) => return,
                Err(error) if error.kind() == StorageErrorKind::Transient => {
                    // Stopping with the database away: the next start tidies up.
                    if self.pause(RECORD_RETRY).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    error!(%subject, error = %Chain(&error), "Failed to record the run of {subject}");
                    return;
                }
            }
        }
    }

    /// One attempt of [`Engine::record`].
    async fn try_record(
        &self,
        subject: Subject,
        state: &StateRow,
        started_at: DateTime<Utc>,
        result: &Result<Option<u64>, SyncError>,
    ) -> Result<(), StorageError> {
        let now = clock::now();
        let regular = self.next_run(subject, now);
        let error = match result {
            Ok(records) => return state.succeed(started_at, regular, *records).await,
            Err(error) => error,
        };
        match error.next_try() {
            NextTry::Elsewhere => state.interrupt().await,
            NextTry::NextInterval => state.fail(&error.report(), now, regular).await,
            NextTry::Soon => {
                let failures = state.load().await?.consecutive_failures.unsigned_abs() + 1;
                let retry = now + soon(failures, self.config.schedule.interval);
                state.fail(&error.report(), now, retry.min(regular)).await
            }
        }
    }

    /// Waits, unless the process stops first.
    ///
    /// # Errors
    /// [`SyncError::Stopped`].
    pub(super) async fn pause(&self, delay: Duration) -> Result<(), SyncError> {
        tokio::select! {
            () = self.stop.cancelled() => Err(SyncError::Stopped),
            () = tokio::time::sleep(delay) => Ok(()),
        }
    }

    /// Whether to go on with another page.
    ///
    /// # Errors
    /// [`SyncError::Stopped`].
    pub(super) fn go_on(&self) -> Result<(), SyncError> {
        if self.stop.is_cancelled() { Err(SyncError::Stopped) } else { Ok(()) }
    }
}
