//! The engine: one run of one subject, from its plan to its record.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, OnceCell};
use tokio_util::sync::CancellationToken;

use super::access::Refusals;
use super::account::AccountCheck;
use super::associations::Pairs;
use super::error::SyncError;
use super::patience::Patience;
use super::push::{Brakes, LockedRows};
use super::records::Mirrors;
use super::{Events, Subject, plan};
use crate::clock;
use crate::config::SyncConfig;
use crate::hubspot::{HubSpotClient, LimiterSnapshot, TokenInfo};
use crate::model::{ObjectType, Selected};
use crate::storage::{
    Database, Lease, Request, StateRow, StorageError, Trigger, UpkeepLane, retire_others,
    retire_webhook_sources, show_waiting,
};

/// Runs subjects. Shared by all runs of a process; holds the lease that makes it the only one.
#[derive(Debug)]
pub struct Engine {
    pub(super) database: Database,
    pub(super) hubspot: HubSpotClient,
    pub(super) config: SyncConfig,
    /// What is mirrored; custom types are put in the place of their names as they become known.
    pub(super) objects: RwLock<Vec<Selected>>,
    pub(super) lease: Lease,
    pub(super) events: Events,
    /// Whether tables may be changed.
    pub(super) may_alter: bool,
    /// Whether the token is known to belong to the account the database mirrors.
    pub(super) account: AccountCheck,
    /// What upkeep lanes need to know of the tables.
    pub(super) mirrors: Mirrors,
    /// What HubSpot does not let us read.
    pub(super) refusals: Refusals,
    /// Who reads links between which types.
    pub(super) pairs: Pairs,
    /// How much may be pushed within an hour.
    pub(super) brakes: Brakes,
    pub(super) locked: LockedRows,
    /// What the token may do; `None` inside when HubSpot does not say.
    pub(super) token: OnceCell<Option<TokenInfo>>,
    /// Notified when this process has received webhooks.
    pub(super) webhook_news: Notify,
    /// What the log has been told once and for all.
    pub(super) said: Mutex<BTreeSet<String>>,
    /// Cancelled when the process stops or loses the lease.
    pub(super) stop: CancellationToken,
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
        Self {
            objects: RwLock::new(config.objects.clone()),
            database,
            hubspot,
            config,
            lease,
            events,
            may_alter,
            account: AccountCheck::default(),
            mirrors: Mirrors::default(),
            refusals: Refusals::default(),
            pairs: Pairs::default(),
            brakes: Brakes::default(),
            locked: LockedRows::default(),
            token: OnceCell::default(),
            webhook_news: Notify::new(),
            said: Mutex::default(),
            stop,
        }
    }

    /// Everything this engine keeps up to date.
    pub fn subjects(&self) -> Vec<Subject> {
        Subject::all(&self.objects.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What this engine keeps up to date, by its name in `sync_state`, and how often.
    pub fn periods(&self) -> Vec<(String, TimeDelta)> {
        let (schedule, now) = (&self.config.schedule, clock::now());
        let named = |subject: Subject| {
            let name = subject.to_string();
            let period = schedule.period(&name, now);
            (name, period)
        };
        self.subjects().into_iter().map(named).collect()
    }

    /// The types whose records this engine keeps up to date.
    pub(super) fn types(&self) -> Vec<&'static ObjectType> {
        Selected::known(&self.objects.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The limits of HubSpot's requests and how much of them is used.
    pub fn limits(&self) -> LimiterSnapshot {
        self.hubspot.limits()
    }

    /// The row of `sync_state` of a subject.
    pub(super) fn state_row(&self, subject: Subject) -> StateRow {
        StateRow::new(self.database.clone(), self.lease.clone(), subject.to_string())
    }

    /// Brings runs forward that stand further away than the schedule puts them: the configuration has changed, or a
    /// clock was set back.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn keep_to_schedule(&self) -> Result<(), StorageError> {
        for subject in self.subjects() {
            self.state_row(subject).bring_forward(self.next_run(subject, clock::now())).await?;
        }
        Ok(())
    }

    /// Clears the errors of what this engine does not keep up to date, because it is no longer configured.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn retire_others(&self) -> Result<(), StorageError> {
        let synced: Vec<_> = self.subjects().iter().map(ToString::to_string).collect();
        let off: Vec<_> =
            UpkeepLane::ALL.iter().copied().filter(|lane| !self.config.upkeep.is_on(*lane)).collect();
        retire_others(&self.database, &self.lease, &synced, &off).await?;
        retire_webhook_sources(&self.database, &self.lease, &synced).await
    }

    /// Shows in `sync_state` what waits for the daily request limit. `shown` is what is shown now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn show_waiting(&self, shown: &mut Option<String>) -> Result<(), StorageError> {
        let limits = self.hubspot.limits();
        let general = limits.daily.waiting.zip(limits.daily.paused).map(|(who, pause)| {
            let until = pause.until.format("%F %H:%M UTC");
            format!("The daily request limit: {who} wait until {until} at the latest")
        });
        let associations = limits.daily_associations.paused.map(|pause| {
            let until = pause.until.format("%F %H:%M UTC");
            format!("The daily limit of associations: links between records wait until {until} at the latest")
        });
        let waiting: Vec<_> = general.into_iter().chain(associations).collect();
        let waiting = (!waiting.is_empty()).then(|| waiting.join("\n"));
        if waiting != *shown {
            show_waiting(&self.database, &self.lease, waiting.as_deref()).await?;
            *shown = waiting;
        }
        Ok(())
    }

    /// When the subject is due again if nothing fails.
    pub(super) fn next_run(&self, subject: Subject, now: DateTime<Utc>) -> DateTime<Utc> {
        let subjects = self.subjects();
        let index = subjects.iter().position(|other| *other == subject).unwrap_or_default();
        plan::next_run(&self.config.schedule, &subject.to_string(), (index, subjects.len()), now)
    }

    /// [`Engine::run`], once the token has proven to belong to the account the database mirrors.
    ///
    /// # Errors
    /// [`SyncError::Unverified`] until it has; otherwise as [`Engine::run`].
    pub async fn run_verified(
        &self,
        subject: Subject,
        trigger: Trigger,
        request: Option<Request>,
    ) -> Result<(), SyncError> {
        if !self.verify_account(subject).await {
            return Err(SyncError::Unverified);
        }
        self.run(subject, trigger, request).await
    }

    /// [`Engine::run_verified`] for somebody who waits for it: what failed only because the database was away for a
    /// moment is run again, where a daemon would do so with its next look.
    ///
    /// # Errors
    /// As [`Engine::run_verified`].
    pub async fn run_patiently(
        &self,
        subject: Subject,
        trigger: Trigger,
        request: Option<Request>,
    ) -> Result<(), SyncError> {
        let mut patience = Patience::new(&self.stop, format!("Syncing {subject}"));
        loop {
            match self.run_verified(subject, trigger, request).await {
                Err(SyncError::Storage(error)) => patience.wait(error).await?,
                result => return result,
            }
        }
    }

    /// Brings `subject` up to date and records in `sync_state` how it went and when it is due next. `request` is what
    /// the run answers.
    ///
    /// # Errors
    /// Why the run failed. It is logged and recorded already; the caller only needs to know.
    async fn run(
        &self,
        subject: Subject,
        trigger: Trigger,
        request: Option<Request>,
    ) -> Result<(), SyncError> {
        let started_at = clock::now();
        let state = self.state_row(subject);
        let result = match subject {
            Subject::Records(object_type) => {
                let mode = request.map(|request| request.mode);
                self.run_records(object_type, &state, trigger, mode).await.map(|()| None)
            }
            Subject::Pipelines(_) | Subject::Schema(_) | Subject::Owners => {
                self.run_reference(subject, &state, trigger).await.map(Some)
            }
        };
        self.record(subject, &state, started_at, request, &result).await;
        if matches!((subject, &result), (Subject::Schema(_), Ok(_))) {
            // With the database away the schema is read once more.
            self.recall().await.ok();
        }
        result.map(|_| ())
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
