//! A run of an object type: which lanes it takes, one after the other.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tracing::info;

use super::Subject;
use super::backfill::Listing;
use super::engine::Engine;
use super::error::SyncError;
use super::plan::{self, BackfillReason, Plan};
use super::run::Run;
use super::search::Found;
use crate::hubspot::Priority;
use crate::model::{Cursor, ObjectType, Rules, Window};
use crate::storage::{Lane, MirrorTable, RequestedMode, RunMode, StateRow, SyncState, Trigger};

/// What the lanes of one type need besides the engine.
pub(super) struct Context {
    pub(super) object_type: &'static ObjectType,
    pub(super) table: MirrorTable,
    /// The properties to ask for: the whole catalogue.
    pub(super) properties: Arc<[String]>,
    /// Those whose values HubSpot changes without a new version, in name order.
    pub(super) silent: Arc<[String]>,
    /// Since when each is asked for, in name order.
    pub(super) known: Vec<(String, DateTime<Utc>)>,
    /// How edits made here are merged; `None` where none may be made.
    pub(super) rules: Option<Rules>,
    pub(super) state: StateRow,
}

impl Context {
    /// Since when all properties are asked for.
    pub(super) fn complete_since(&self) -> DateTime<Utc> {
        self.known.iter().map(|(_, since)| *since).max().unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// The properties that are asked for only since a later time than `then`.
    pub(super) fn known_after(&self, then: DateTime<Utc>) -> Arc<[String]> {
        self.known.iter().filter(|(_, since)| *since > then).map(|(name, _)| name.clone()).collect()
    }
}

/// The table of each type as its last regular run left it, with what else a run has learnt.
///
/// Upkeep lanes work beside regular runs, and a page written by who does not know a new column would lack its value
/// for good. So the columns of a table change only under the write lock, and upkeep holds the read lock for each
/// transaction.
#[derive(Default)]
pub(super) struct Mirrors(Mutex<HashMap<&'static str, Mirror>>);

/// One of [`Mirrors`]; `None` inside until a run has made the table ready.
type Mirror = Arc<RwLock<Option<Arc<Context>>>>;

impl fmt::Debug for Mirrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirrors").finish_non_exhaustive()
    }
}

impl Mirrors {
    /// The mirror of a type.
    fn of(&self, object_type: &'static ObjectType) -> Mirror {
        let mut mirrors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mirrors.entry(object_type.name).or_default().clone()
    }

    /// Waits until nobody works with the columns of the table, to change them.
    pub(super) async fn change(
        &self,
        object_type: &'static ObjectType,
    ) -> OwnedRwLockWriteGuard<Option<Arc<Context>>> {
        self.of(object_type).write_owned().await
    }

    /// Keeps the columns of the table as they are.
    pub(super) async fn hold(&self, object_type: &'static ObjectType) -> Held {
        Held(self.of(object_type).read_owned().await)
    }

    /// Whether a run of this process has made the table ready for edits.
    pub(super) async fn is_writable(&self, object_type: &'static ObjectType) -> bool {
        self.of(object_type).read().await.as_ref().is_some_and(|context| context.rules.is_some())
    }

    /// Whether a run of this process has made the table ready.
    pub(super) async fn is_ready(&self, object_type: &'static ObjectType) -> bool {
        self.of(object_type).read().await.is_some()
    }
}

/// A mirror whose columns stay as they are until this is dropped.
pub(super) struct Held(OwnedRwLockReadGuard<Option<Arc<Context>>>);

impl Held {
    /// What is known of it, for longer than its columns stay.
    pub(super) fn context(&self) -> Arc<Context> {
        self.0.as_ref().expect("upkeep begins by making sure of it").clone()
    }
}

impl Deref for Held {
    type Target = Context;

    fn deref(&self) -> &Context {
        self.0.as_ref().expect("upkeep begins by making sure of it")
    }
}

/// What a lane under way found to do after it.
enum Next {
    /// Nothing.
    Done,
    /// List everything.
    List(BackfillReason),
    /// The delayed pass, if it is due.
    DelayedPass,
}

impl Plan {
    /// The lane the plan begins with, and its window.
    fn lane(&self) -> (Lane, Option<Window>) {
        match self {
            Self::ResumeBackfill(_) | Self::StartBackfill(_) => (Lane::Backfill, None),
            Self::Search(window) => (Lane::Incremental, Some(*window)),
        }
    }
}

impl Engine {
    /// Runs the lanes of an object type.
    ///
    /// # Errors
    /// When HubSpot or the database fails for longer than the retries; what is stored stays.
    pub(super) async fn run_records(
        &self,
        object_type: &'static ObjectType,
        state_row: &StateRow,
        trigger: Trigger,
        requested: Option<RequestedMode>,
    ) -> Result<(), SyncError> {
        let subject = Subject::Records(object_type);
        let state = state_row.load().await?;
        // HubSpot's time is known: the account was asked before any run.
        let now = self.hubspot.server_now();
        let plan = plan::plan(&state, requested, now, &self.config);
        let (lane, window) = plan.lane();
        state_row.begin(if lane == Lane::Backfill { RunMode::Full } else { RunMode::Incremental }).await?;
        let mut run = Run::start(self, subject, lane, trigger, window).await?;
        let prepared = async {
            self.knock(&run, trigger).await?;
            self.prepare(object_type, state_row, &run.hubspot).await
        };
        let context = match prepared.await {
            Ok(context) => context,
            Err(error) => return run.finish(Err(error)).await,
        };
        let next = self.follow(plan, &mut run, &context, &state, now).await;
        let (result, next) = match next {
            Ok(next) => (Ok(()), next),
            Err(error) => (Err(error), Next::Done),
        };
        run.finish(result).await?;
        if lane == Lane::Backfill {
            self.listing_is_done(object_type).await?;
        }
        self.schedule_upkeep(&context).await?;
        if lane == Lane::Backfill && state.watermark.is_some() {
            self.sweep_associations_soon(object_type).await?;
        }
        match next {
            Next::Done => Ok(()),
            Next::List(reason) => {
                let mut run = Run::start(self, subject, Lane::Backfill, trigger, None).await?;
                let result = self.list_anew(&mut run, &context, reason, now).await;
                run.finish(result).await?;
                self.listing_is_done(object_type).await?;
                Ok(self.sweep_associations_soon(object_type).await?)
            }
            Next::DelayedPass => {
                let Some(window) = plan::delayed_pass(&state, now, &self.config) else { return Ok(()) };
                let mut run = Run::start(self, subject, Lane::Delayed, trigger, Some(window)).await?;
                let result = self.search(&mut run, &context, window, &state).await;
                run.finish(result.map(|_| ())).await
            }
        }
    }

    /// Carries the plan out and says what follows from it.
    async fn follow(
        &self,
        plan: Plan,
        run: &mut Run,
        context: &Context,
        state: &SyncState,
        now: DateTime<Utc>,
    ) -> Result<Next, SyncError> {
        match plan {
            Plan::ResumeBackfill(cursor) => {
                let (object_type, listed) = (context.object_type, state.records_synced);
                info!("Resuming the full listing of {object_type} at record {listed}");
                self.list_from(run, context, cursor, state).await?;
                Ok(Next::Done)
            }
            Plan::StartBackfill(reason) => {
                self.list_anew(run, context, reason, now).await?;
                Ok(Next::Done)
            }
            Plan::Search(window) => Ok(match self.search(run, context, window, state).await? {
                Found::All => Next::DelayedPass,
                Found::TooMany => Next::List(BackfillReason::ManyChanges),
            }),
        }
    }

    /// Begins a full listing at HubSpot's time `now` and carries it through.
    async fn list_anew(
        &self,
        run: &mut Run,
        context: &Context,
        reason: BackfillReason,
        now: DateTime<Utc>,
    ) -> Result<(), SyncError> {
        let object_type = context.object_type;
        // Only for the progress shown; a listing works without.
        let total = run.hubspot.count_records(object_type, Priority::Backfill).await.ok();
        info!("Listing all {object_type}: {reason}");
        self.listing_begins(object_type).await?;
        context.state.begin_backfill(now - self.config.search_lag, total).await?;
        let state = context.state.load().await?;
        self.list_from(run, context, None, &state).await
    }

    /// Carries a full listing through from `cursor`.
    async fn list_from(
        &self,
        run: &mut Run,
        context: &Context,
        cursor: Option<Cursor>,
        state: &SyncState,
    ) -> Result<(), SyncError> {
        let listing = Listing {
            cursor,
            listed: u64::try_from(state.records_synced).unwrap_or(0),
            total: state.records_total.and_then(|total| u64::try_from(total).ok()),
        };
        self.backfill(run, context, listing).await
    }
}
