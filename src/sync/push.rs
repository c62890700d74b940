//! The push: rows that were edited here are brought in step with HubSpot.
//!
//! A job stands for a row, whatever edits came since. Jobs of a type are done a batch at a time:
//!
//! 1. Read what HubSpot has now, and merge field by field ([`Documents`](crate::model::Documents)).
//! 2. Write what is ours to send, each record by itself in one call, so that a bad one fails alone.
//! 3. Read back, with the history of what was written: a foreign value in it that nobody had seen was overwritten
//!    in the moment between, and is put back.
//! 4. Store what has become of the rows, of their jobs, of the log and of conflicts in one transaction.
//!
//! A batch that is interrupted anywhere is simply done again: what has arrived is found equal then, because every
//! decision is made from the three documents and from nothing else. Only making a record twice would do harm;
//! [`create`] says how that is avoided.

mod brake;
mod claim;
mod create;
mod delete;
mod edit;
mod locked;
mod lost;
mod settle;
mod take_back;
mod update;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use tokio::time::Instant;
use tracing::{error, info, warn};

pub(super) use self::brake::Brakes;
use self::claim::Claim;
pub(super) use self::locked::LockedRows;
use self::settle::{ACTOR, all_closed};
use self::verdict::Verdict;
use super::Subject;
use super::engine::Engine;
use super::error::{Chain, NextTry, SyncError};
use super::records::Context;
use crate::clock;
use crate::hubspot::{HubSpotClient, Priority};
use crate::model::{ObjectId, ObjectType, Record, Rules};
use crate::storage::{
    EditedRow, Job, JobKind, RowStatus, StorageError, claim_jobs, close_conflicts_without_row,
    conflict_policies, edited_rows, give_back_jobs, merged_ids, next_due, note_error, postpone_jobs,
    purge_sync_log, requeue_pending, rescue_jobs, wake_deleted_in_hubspot,
};

/// How often the queue is looked at: half of it is what an edit waits on average.
const LOOK: Duration = Duration::from_millis(200);
/// A mass edit must not be in the way of people, nor take the part of the day's requests that is kept for them.
const PRIORITY: Priority = Priority::Push;
/// Pause after the database or HubSpot has failed.
const TROUBLE: Duration = Duration::from_secs(5);
/// Jobs of a batch. Source: HubSpot, "Using object APIs": most inputs of a batch.
const BATCH: u32 = 100;
/// How long claimed jobs are a worker's.
const LEASE: Duration = Duration::from_mins(2);
/// How often jobs of workers that are gone are looked for.
const RESCUE: Duration = Duration::from_secs(30);
/// How often old lines of the log are removed, and what waits in vain is looked for.
const TIDY: Duration = Duration::from_hours(1);

/// A job and its row.
#[derive(Debug, Clone)]
struct Item {
    job: Job,
    row: EditedRow,
}

/// What pushing a type needs.
struct Push {
    context: Arc<Context>,
    rules: Rules,
    hubspot: HubSpotClient,
}

impl Push {
    /// Whether the property is written as a link: the primary company.
    fn is_link(&self, name: &str) -> bool {
        self.context.object_type.primary_company_property() == Some(name)
    }
}

/// What came of a look at the queue.
struct Round {
    /// Whether something was done, and more may be due at once.
    was_due: bool,
    /// The first failure.
    failed: Option<SyncError>,
}

/// What HubSpot says of a record.
#[derive(Debug, Clone)]
enum Current {
    /// There it is.
    Live(Record),
    /// It was merged into this one.
    Moved(Record),
    /// It lies in the recycle bin.
    Archived(Record),
    /// It is nowhere.
    Nowhere,
    /// It cannot be understood.
    Unreadable,
}

impl Engine {
    /// Pushes edits as they come, until the process stops or loses the lease.
    pub async fn push_edits(&self) {
        let (mut rescued, mut tidied): (Option<Instant>, Option<Instant>) = (None, None);
        // Said once and not five times a second.
        let mut trouble = None;
        let mut delay = LOOK;
        while self.pause(delay).await.is_ok() {
            // The schemas of custom objects come later than the process.
            let types = self.pushed_types();
            if tidied.is_none_or(|tidied| tidied.elapsed() > TIDY) {
                tidied = Some(Instant::now());
                self.tidy(&types).await;
            }
            if types.is_empty() {
                continue;
            }
            let round = async {
                if rescued.is_none_or(|rescued| rescued.elapsed() > RESCUE) {
                    self.rescue().await?;
                    rescued = Some(Instant::now());
                }
                self.put_off_locked().await?;
                self.push_due(&types).await
            };
            let Round { was_due, failed } =
                round.await.unwrap_or_else(|error| Round { was_due: false, failed: Some(error) });
            if failed.as_ref().is_some_and(SyncError::ends_here) {
                return;
            }
            let report = failed.map(|error| error.report());
            if let Some(error) = report.as_ref().filter(|report| trouble.as_ref() != Some(*report)) {
                warn!(error, "Edits wait");
            }
            delay = match (was_due, &report) {
                (true, _) => Duration::ZERO,
                (false, Some(_)) => TROUBLE,
                (false, None) => LOOK,
            };
            trouble = report;
        }
    }

    /// The types whose edits are sent.
    fn pushed_types(&self) -> Vec<&'static ObjectType> {
        let mut types = self.types();
        types.retain(|object_type| self.config.push.enabled && self.config.push.is_writable(object_type));
        types
    }

    /// Waits as after a failure.
    pub async fn rest(&self) {
        self.pause(TROUBLE).await.ok();
    }

    /// Takes over the jobs of workers that are gone. One that they died of too often is given up, as its row says.
    async fn rescue(&self) -> Result<(), SyncError> {
        let rescued =
            rescue_jobs(&self.database, Some(self.lease.holder()), self.config.push.retry.tries).await?;
        if rescued.returned > 0 {
            info!("{} job(s) of a process that is gone are done again", rescued.returned);
        }
        for job in rescued.parked {
            error!("Job {} of {} is given up: every process that tried it ended", job.id, job.object_type);
            let object_type = self.types().into_iter().find(|known| known.name == job.object_type);
            if let (Some(object_type), JobKind::Push) = (object_type, job.kind) {
                let reason = "given up: every process that tried it ended";
                note_error(&self.database, object_type, job.record_id, reason).await?;
            }
        }
        Ok(())
    }

    /// Removes what nobody needs any more, and finds what would never be sent. Nothing waits for it, so what fails is left
    /// for the next time.
    async fn tidy(&self, types: &[&'static ObjectType]) {
        if let Err(error) = purge_sync_log(&self.database, clock::now()).await {
            warn!(error = %Chain(&error), "Could not remove old rows of sync_log");
        }
        for object_type in types {
            if let Err(error) = self.tidy_type(object_type).await {
                warn!(error = %Chain(&error), "Could not look for edits of {object_type} that wait in vain");
            }
        }
    }

    /// Finds edits of a type that wait in vain.
    async fn tidy_type(&self, object_type: &'static ObjectType) -> Result<(), StorageError> {
        let lost = requeue_pending(&self.database, object_type).await?;
        if lost > 0 {
            warn!("{lost} edited row(s) of {} had no job; they are sent now", object_type.table);
        }
        let mut transaction = self.lease.begin(&self.database).await?;
        let closed = close_conflicts_without_row(&mut transaction, object_type, ACTOR, clock::now()).await?;
        // A record that is restored keeps its version, so no lane tells of it.
        wake_deleted_in_hubspot(&mut transaction, object_type).await?;
        transaction.commit().await?;
        self.tell_steps(object_type, all_closed(closed));
        Ok(())
    }

    /// Does some of what is due now, of each type. One that fails does not keep the others from being done.
    ///
    /// # Errors
    /// When the database does not answer. What becomes of the jobs of a batch is recorded with them.
    async fn push_due(&self, types: &[&'static ObjectType]) -> Result<Round, SyncError> {
        let mut round = Round { was_due: false, failed: None };
        if next_due(&self.database).await?.is_none_or(|due| due > clock::now()) {
            return Ok(round);
        }
        for object_type in types {
            match self.push_some(object_type).await {
                Ok(was_due) => round.was_due |= was_due,
                Err(error) if error.ends_here() => return Err(error),
                Err(error) => round.failed = round.failed.or(Some(error)),
            }
        }
        Ok(round)
    }

    /// Does some of what is due of a type. Returns whether there was anything.
    async fn push_some(&self, object_type: &'static ObjectType) -> Result<bool, SyncError> {
        if !self.verify_account(Subject::Records(object_type)).await {
            return Err(SyncError::Unverified);
        }
        // The catalogue says what can be written.
        if !self.mirrors.is_ready(object_type).await {
            let state = self.state_row(Subject::Records(object_type));
            self.prepare(object_type, &state, &self.hubspot).await?;
        }
        if !self.mirrors.is_writable(object_type).await {
            return Ok(false);
        }
        self.push_type(object_type).await
    }

    /// Does jobs of a type that are due, several batches at once. Returns whether there were any.
    async fn push_type(&self, object_type: &'static ObjectType) -> Result<bool, SyncError> {
        let push = self.prepare_push(object_type).await?;
        let mut is_idle = true;
        // A row may be deleted and made anew.
        for kind in [JobKind::Deleted, JobKind::Push] {
            let (mut batches, mut claimed) = (Vec::new(), Ok(()));
            while batches.len() < self.config.push.concurrency {
                let worker = self.lease.holder();
                match claim_jobs(&self.database, worker, object_type.name, kind, BATCH, LEASE).await {
                    Ok(jobs) if jobs.is_empty() => break,
                    Ok(jobs) => batches.push(self.push_batch(&push, kind, jobs)),
                    Err(error) => {
                        claimed = Err(error);
                        break;
                    }
                }
            }
            is_idle &= batches.is_empty();
            // All of them, whatever becomes of one, and of those that were to be claimed: a query that is dropped halfway
            // breaks its connection, and jobs nobody works on wait until their lease is over.
            join_all(batches).await.into_iter().collect::<Result<(), _>>()?;
            claimed?;
        }
        Ok(!is_idle)
    }

    /// What pushing the type needs now: policies are people's to change at any time.
    async fn prepare_push(&self, object_type: &'static ObjectType) -> Result<Push, SyncError> {
        let context = self.mirrors.hold(object_type).await.context();
        let mut rules = context.rules.clone().unwrap_or_default();
        rules.set_policies(&conflict_policies(&self.database, object_type.name).await?);
        Ok(Push { context, rules, hubspot: self.hubspot.clone() })
    }

    /// Does a batch of jobs and keeps them claimed meanwhile.
    async fn push_batch(&self, push: &Push, kind: JobKind, jobs: Vec<Job>) -> Result<(), SyncError> {
        let work = async |claim: &Claim| match kind {
            JobKind::Push => self.push_rows(push, claim, &jobs).await,
            JobKind::Deleted => self.push_sql_deletes(push, &jobs).await,
        };
        let result = self.keep_claimed(&jobs, work).await;
        let Err(error) = result else { return Ok(()) };
        // What was settled before is not theirs any more and stays as it is.
        match error.next_try() {
            NextTry::Elsewhere => {
                give_back_jobs(&self.database, &jobs).await.ok();
                Err(error)
            }
            NextTry::NextInterval => {
                let until = clock::now() + self.config.schedule.interval;
                postpone_jobs(&self.database, &jobs, until, &error.report()).await?;
                Err(error)
            }
            NextTry::Soon if kind == JobKind::Deleted => self.delete_again(&jobs, &error.report()).await,
            NextTry::Soon => {
                let items = self.load_items(push, &jobs).await?;
                let verdicts = items.into_iter().map(|item| self.again(item, &error.report())).collect();
                self.settle(push, verdicts).await
            }
        }
    }

    /// Brings the rows of some jobs in step.
    async fn push_rows(&self, push: &Push, claim: &Claim, jobs: &[Job]) -> Result<(), SyncError> {
        let items = self.load_items(push, jobs).await?;
        let gone: Vec<_> =
            jobs.iter().filter(|job| items.iter().all(|item| item.job.id != job.id)).cloned().collect();
        self.finish_all(&gone).await?;
        let (mut new, mut deleted, mut edited, mut verdicts) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for item in items {
            match &item.row {
                EditedRow { status: RowStatus::Synced, .. } => verdicts.push(Verdict::nothing(item)),
                EditedRow { local: None, .. } => {
                    let reason = "properties_json holds something else than plain values".to_owned();
                    verdicts.push(Verdict::refused(item, reason));
                }
                EditedRow { hubspot_id: None, .. } => new.push(item),
                EditedRow { archived_at: Some(_), .. } => deleted.push(item),
                EditedRow { .. } => edited.push(item),
            }
        }
        self.settle(push, verdicts).await?;
        self.push_edited(push, edited).await?;
        self.push_deleted(push, deleted).await?;
        self.push_new(push, claim, new).await
    }

    /// The jobs whose rows are there, with them.
    async fn load_items(&self, push: &Push, jobs: &[Job]) -> Result<Vec<Item>, SyncError> {
        let keys: Vec<_> = jobs.iter().map(|job| job.record_id).collect();
        let rows = edited_rows(&self.database, &push.context.table, &keys).await?;
        let of_row = |row: EditedRow| {
            let job = jobs.iter().find(|job| job.record_id == row.key)?;
            Some(Item { job: job.clone(), row })
        };
        Ok(rows.into_iter().filter_map(of_row).collect())
    }

    /// The verdict on a row whose push failed for a cause that may pass: later again, or never once it was tried often
    /// enough.
    fn again(&self, item: Item, reason: &str) -> Verdict {
        if let Some(at) = self.next_try(&item.job) {
            return Verdict::again(item, reason.to_owned(), at);
        }
        let reason = format!("given up after {} tries: {reason}", item.job.attempts);
        Verdict::given_up(item, reason)
    }

    /// When a job that failed is tried again; `None` once it was tried often enough.
    fn next_try(&self, job: &Job) -> Option<DateTime<Utc>> {
        let retry = &self.config.push.retry;
        let delay = || retry.delays().nth(job.attempts.saturating_sub(1) as usize).unwrap_or(retry.cap);
        (job.attempts < retry.tries).then(|| clock::now() + delay())
    }

    /// What HubSpot says of each record now.
    async fn read_current(
        &self,
        push: &Push,
        ids: &[ObjectId],
    ) -> Result<HashMap<ObjectId, Current>, SyncError> {
        let mut current = self.look_at(push, ids).await?;
        let missing: Vec<_> = ids.iter().copied().filter(|id| !current.contains_key(id)).collect();
        // One answer may be short by mistake, and what follows from it is not undone.
        current.extend(self.look_at(push, &missing).await?);
        for id in missing {
            current.entry(id).or_insert(Current::Nowhere);
        }
        Ok(current)
    }

    /// What HubSpot says of each record that it shows, live or in the recycle bin.
    async fn look_at(&self, push: &Push, ids: &[ObjectId]) -> Result<HashMap<ObjectId, Current>, SyncError> {
        let Context { object_type, properties, .. } = &*push.context;
        let live = push.hubspot.read_records(object_type, properties, ids, PRIORITY).await?;
        let mut current = HashMap::with_capacity(ids.len());
        for record in live.records {
            for old in merged_ids(&record).into_iter().filter(|old| ids.contains(old)) {
                current.insert(old, Current::Moved(record.clone()));
            }
            if ids.contains(&record.id) {
                current.insert(record.id, Current::Live(record));
            }
        }
        let rest: Vec<_> = ids.iter().copied().filter(|id| !current.contains_key(id)).collect();
        let bin = push.hubspot.read_archived(object_type, properties, &rest, PRIORITY).await?;
        current.extend(bin.records.into_iter().map(|record| (record.id, Current::Archived(record))));
        for rejected in live.rejected.iter().chain(&bin.rejected) {
            if let Ok(id) = rejected.id.parse() {
                current.insert(id, Current::Unreadable);
            }
        }
        Ok(current)
    }
}
