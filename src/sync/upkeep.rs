//! Upkeep: the lanes that find what modification dates do not show, beside the regular runs.
//!
//! | Lane | Finds |
//! | --- | --- |
//! | archive | records that were deleted, restored or erased |
//! | fill | the values of properties that were not known when records were stored |
//! | associations | links between records |
//! | audit | whatever all the others missed, and values HubSpot recalculates silently |
//!
//! Of a type the archive lane and one of the others may be under way at once, so that a long audit, or one that waits for
//! the daily limit, holds up no delete; regular runs wait for none. Each is a series of passes; a pass that is interrupted goes on where it was. How far each is stands in
//! `sync_lanes`.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use tracing::{error, info, warn};

use super::Subject;
use super::engine::Engine;
use super::error::{NextTry, SyncError, soon};
use super::records::Context;
use super::run::Run;
use crate::clock;
use crate::config::UpkeepConfig;
use crate::model::ObjectType;
use crate::storage::{
    FailureKind, LaneRow, LaneState, StorageError, SyncState, Trigger, UpkeepLane, show_notices,
};

/// Longest wait before a lane that failed for a passing reason is tried again.
const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// A lane of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upkeep {
    /// The records it is about.
    pub object_type: &'static ObjectType,
    /// How it finds what it looks for.
    pub lane: UpkeepLane,
}

impl Upkeep {
    /// Whether the lane is soon done; the others may take hours, or wait for midnight. Short lanes of a type take turns,
    /// and so do long ones; a short and a long one run side by side.
    pub fn is_short(self) -> bool {
        match self.lane {
            UpkeepLane::Archive => true,
            UpkeepLane::Fill | UpkeepLane::Associations | UpkeepLane::Audit => false,
        }
    }
}

impl fmt::Display for Upkeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.object_type, self.lane)
    }
}

/// What the passes of a lane have in hand.
pub(super) struct Pass {
    pub(super) upkeep: Upkeep,
    pub(super) row: LaneRow,
    /// As it was when the run began.
    pub(super) state: LaneState,
}

impl Pass {
    /// How far the pass is, in the lane's own words; `None` at its start.
    pub(super) fn progress<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.state.pass_state.clone()?).ok()
    }
}

impl UpkeepConfig {
    /// How long after a pass the next one is due; `None` when the lane is off or has no rhythm of its own.
    fn period(&self, lane: UpkeepLane) -> Option<Duration> {
        match lane {
            UpkeepLane::Archive => self.archive,
            // Half of it, so that a pass may take as long again and still be in time.
            UpkeepLane::Associations => self.associations.map(|most| most / 2),
            UpkeepLane::Audit => self.audit,
            UpkeepLane::Fill => None,
        }
    }

    /// Whether a lane runs by itself at all.
    pub(super) fn is_on(&self, lane: UpkeepLane) -> bool {
        match lane {
            UpkeepLane::Fill => true,
            UpkeepLane::Archive | UpkeepLane::Associations | UpkeepLane::Audit => self.period(lane).is_some(),
        }
    }

    /// How long after the first listing of a type a lane is due for the first time; `None`: it waits for an occasion.
    fn first_wait(&self, lane: UpkeepLane) -> Option<Duration> {
        match lane {
            // What was just listed needs no comparison yet.
            UpkeepLane::Audit => self.audit,
            UpkeepLane::Archive | UpkeepLane::Fill | UpkeepLane::Associations => {
                self.period(lane).map(|_| Duration::ZERO)
            }
        }
    }
}

/// Why a lane is due, `None` when it is not.
fn due(state: &LaneState, config: &UpkeepConfig, now: DateTime<Utc>) -> Option<Trigger> {
    if state.requested_at.is_some() {
        return Some(Trigger::Request);
    }
    let is_due = state.next_run_at.is_some_and(|next| next <= now);
    (config.is_on(state.lane) && is_due).then_some(Trigger::Schedule)
}

impl Engine {
    /// The lanes each type should run now: of the short ones the most important that is due, and of the long ones. Types whose listing is not done
    /// have none.
    pub fn due_upkeep(
        &self,
        states: &[SyncState],
        lanes: &[LaneState],
        now: DateTime<Utc>,
    ) -> Vec<(Upkeep, Trigger)> {
        let is_listed = |object_type: &ObjectType| {
            states.iter().any(|state| {
                state.object_type == object_type.name
                    && state.watermark.is_some()
                    && state.backfill_cursor.is_none()
            })
        };
        let first_due = |object_type: &'static ObjectType, is_short: bool| {
            let upkeep = UpkeepLane::ALL.iter().map(|&lane| Upkeep { object_type, lane });
            upkeep.filter(|upkeep| upkeep.is_short() == is_short).find_map(|upkeep| {
                let is_its =
                    |state: &&LaneState| state.object_type == object_type.name && state.lane == upkeep.lane;
                let trigger = due(lanes.iter().find(is_its)?, &self.config.upkeep, now)?;
                Some((upkeep, trigger))
            })
        };
        let types = self.types().into_iter();
        types
            .filter(|object_type| is_listed(object_type))
            .filter(|object_type| !self.refusals.contain(Subject::Records(object_type)))
            .flat_map(|object_type| [true, false].map(|is_short| first_due(object_type, is_short)))
            .flatten()
            .collect()
    }

    /// A full listing begins; once it is done, every record has the properties known now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(super) async fn listing_begins(&self, object_type: &'static ObjectType) -> Result<(), StorageError> {
        let row = self.lane_row(Upkeep { object_type, lane: UpkeepLane::Fill });
        row.load().await?;
        row.restart(clock::now()).await
    }

    /// A full listing has done what filling would do.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(super) async fn listing_is_done(&self, object_type: &'static ObjectType) -> Result<(), StorageError> {
        self.lane_row(Upkeep { object_type, lane: UpkeepLane::Fill }).complete(None, None).await
    }

    /// Gives the lanes of a type that is listed their first time, and fills properties that are new since.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(super) async fn schedule_upkeep(&self, context: &Context) -> Result<(), StorageError> {
        let (object_type, now) = (context.object_type, clock::now());
        let fill = self.lane_row(Upkeep { object_type, lane: UpkeepLane::Fill });
        let config = &self.config.upkeep;
        let filled = fill.load().await?.completed_at;
        if filled.is_none_or(|filled| context.complete_since() > filled) {
            fill.schedule(now).await?;
        }
        for &lane in UpkeepLane::ALL {
            if let (Some(wait), Some(period)) = (config.first_wait(lane), config.period(lane)) {
                self.lane_row(Upkeep { object_type, lane }).keep_to(now + wait, now + period).await?;
            }
        }
        Ok(())
    }

    /// The row of `sync_lanes` of a lane.
    pub(super) fn lane_row(&self, upkeep: Upkeep) -> LaneRow {
        LaneRow::new(self.database.clone(), self.lease.clone(), upkeep.object_type.name, upkeep.lane)
    }

    /// Begins a pass of a lane, or goes on with it, and records in `sync_lanes` how it went.
    ///
    /// # Errors
    /// Why it failed. It is logged and recorded already; the caller only needs to know. [`SyncError::Unverified`] until
    /// the token has proven to belong to the account the database mirrors.
    pub async fn run_upkeep(&self, upkeep: Upkeep, trigger: Trigger) -> Result<(), SyncError> {
        if !self.verify_account(Subject::Records(upkeep.object_type)).await {
            return Err(SyncError::Unverified);
        }
        let row = self.lane_row(upkeep);
        row.load().await?;
        row.begin(clock::now()).await?;
        let state = row.load().await?;
        let pass = Pass { upkeep, row, state };
        let mut run =
            Run::start(self, Subject::Records(upkeep.object_type), upkeep.lane.into(), trigger, None).await?;
        let result = self.carry_out(&mut run, &pass).await;
        let result = run.finish(result).await;
        if let Err(error) = &result {
            log_failure(upkeep, error);
        }
        self.record_upkeep(&pass, &result).await;
        result
    }

    /// The work of the lane.
    async fn carry_out(&self, run: &mut Run, pass: &Pass) -> Result<(), SyncError> {
        let object_type = pass.upkeep.object_type;
        if !self.mirrors.is_ready(object_type).await {
            let state = self.state_row(Subject::Records(object_type));
            self.prepare(object_type, &state, &run.hubspot).await?;
        }
        match pass.upkeep.lane {
            UpkeepLane::Archive => self.read_recycle_bin(run, pass).await,
            UpkeepLane::Fill => self.fill(run, pass).await,
            UpkeepLane::Audit => self.audit(run, pass).await,
            UpkeepLane::Associations => self.sweep_associations(run, pass).await,
        }
    }

    /// Records how a run ended, for as long as it takes.
    async fn record_upkeep(&self, pass: &Pass, result: &Result<(), SyncError>) {
        let what = format!("Failed to record the run of {}", pass.upkeep);
        while !self.is_recorded(&what, self.try_record_upkeep(pass, result).await).await {}
    }

    /// One attempt of [`Engine::record_upkeep`].
    async fn try_record_upkeep(
        &self,
        pass: &Pass,
        result: &Result<(), SyncError>,
    ) -> Result<(), StorageError> {
        let (row, now) = (&pass.row, clock::now());
        let period = self.config.upkeep.period(pass.upkeep.lane);
        match result {
            Ok(()) => row.complete(period.map(|period| now + period), pass.state.next_run_at).await?,
            Err(error) => match error.next_try() {
                NextTry::Elsewhere => row.interrupt(now).await?,
                NextTry::Soon if self.stop.is_cancelled() => row.interrupt(now).await?,
                NextTry::Soon => {
                    let failures = row.load().await?.consecutive_failures.unsigned_abs() + 1;
                    row.fail(&error.failure(), now, now + soon(failures, LONGEST_WAIT), false).await?;
                }
                NextTry::NextInterval if error.is_daily_limit() => {
                    // The next day goes on where this one ended.
                    let paused = self.hubspot.limits().daily_associations.paused;
                    let next = paused.map_or(now + LONGEST_WAIT, |paused| paused.until);
                    row.fail(&error.failure(), now, next, false).await?;
                }
                NextTry::NextInterval => {
                    let (failure, interval) = (error.failure(), self.config.schedule.interval);
                    // With a valid token it goes on soon, and not after a day.
                    let is_soon = failure.kind == FailureKind::TokenRejected;
                    let wait = period.filter(|_| !is_soon).unwrap_or(interval);
                    row.fail(&failure, now, now + wait, true).await?;
                }
            },
        }
        let with_links = self.config.upkeep.associations.is_some();
        show_notices(&self.database, &self.lease, pass.upkeep.object_type.name, with_links).await
    }

    /// Records that a lane panicked, which is a defect of this program.
    pub async fn record_upkeep_panic(&self, upkeep: Upkeep) {
        let row = self.lane_row(upkeep);
        let Ok(state) = row.load().await else { return };
        let pass = Pass { upkeep, row, state };
        let result = Err(SyncError::Panicked(Subject::Records(upkeep.object_type)));
        self.record_upkeep(&pass, &result).await;
    }
}

/// One line, as loud as it matters.
fn log_failure(upkeep: Upkeep, error: &SyncError) {
    let Upkeep { object_type, lane } = upkeep;
    match error.next_try() {
        NextTry::Elsewhere => info!(%lane, "Stopped the {lane} lane of {object_type}"),
        NextTry::Soon => {
            warn!(%lane, error = error.report(), "The {lane} lane of {object_type} failed, trying again soon");
        }
        NextTry::NextInterval => {
            error!(%lane, error = error.report(), "The {lane} lane of {object_type} failed");
        }
    }
}
