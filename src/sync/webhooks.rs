//! Webhooks: records HubSpot tells of are read again.
//!
//! An event is a hint and never data: it may come twice, late, or before another that happened earlier, and tells one
//! property. So what is done is the same whatever it says: the record is read whole and stored as any other copy, once
//! for all events that wait for it. What it says only decides what HubSpot's answer must show to be believed
//! ([`plan`]), and whether links are read as well.
//!
//! Events are taken out of the inbox (`webhook_events`) in the transaction that stores what came of them. Polling goes on
//! beside it and finds what nobody told of; [`silence`] notices when that is everything.

mod plan;
mod records;
mod silence;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;
use tracing::{info, warn};

use self::plan::Told;
pub(super) use self::silence::Unannounced;
use super::Subject;
use super::engine::Engine;
use super::error::{NextTry, SyncError};
use crate::clock;
use crate::hubspot::RECORD_PAGE;
use crate::model::ObjectType;
use crate::storage::{
    PageOutcome, WebhookEvent, WebhookOutcome, due_webhook_events, next_waiting_type,
    postpone_webhook_events, settle_webhook_events,
};

/// How often the inbox is looked at where webhooks are expected: events may have been received by another process.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is looked at where none are.
const IDLE_LOOK: Duration = Duration::from_secs(5);
/// How long to wait after the first word of an event: a change of several properties is told in as many events.
const GATHERING: Duration = Duration::from_millis(20);
/// Pause after the database or HubSpot has failed.
const TROUBLE: Duration = Duration::from_secs(5);
/// Events of a type taken out of the inbox at once.
const MOST_EVENTS: u32 = 5_000;
/// Batches of a type that are read at the same time.
const BATCHES_AT_ONCE: usize = 3;
/// Batches stored at the same time, of all types: as many as leave the regular runs some connections of the pool.
const STORES_AT_ONCE: usize = 3;
/// How often the log sums up.
const SUM_UP: Duration = Duration::from_mins(1);
/// How often the inbox is purged and silence judged.
const TIDY: Duration = Duration::from_secs(10);
/// Deletes of a type that are believed within an hour, erasures aside. What goes beyond is left to the archive lane, which
/// gathers deletes and asks a person before it empties a table.
const BELIEVED_DELETES: usize = 100;
/// See [`BELIEVED_DELETES`].
const DELETES_WITHIN: Duration = Duration::from_hours(1);

/// What is shared by all who deal with webhooks.
#[derive(Debug)]
struct Desk {
    memory: Mutex<Memory>,
    /// A permit a batch that is being stored.
    stores: Semaphore,
}

/// What the processing of webhooks remembers between two looks.
#[derive(Debug, Default)]
struct Memory {
    /// HubSpot's ids of the types whose events somebody is dealing with. Others of them stay in the inbox meanwhile: a type
    /// whose reads take long keeps no other waiting.
    busy: BTreeSet<&'static str>,
    /// What last went wrong, by what was being done.
    troubles: HashMap<&'static str, String>,
    /// When deletes of a type were believed, oldest first.
    deletes: HashMap<&'static str, Vec<Instant>>,
    /// Records HubSpot told were erased and still shows, by type, when that was last said; `None`: not yet.
    unerased: Option<BTreeMap<String, u64>>,
    /// What was done since the log was told.
    tally: Tally,
}

/// Figures for the log.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    events: u64,
    echoes: u64,
    records: u64,
    outcome: PageOutcome,
}

/// Events of a type that are dealt with together.
#[derive(Debug)]
struct Share {
    object_type: &'static ObjectType,
    events: Vec<WebhookEvent>,
}

/// What is read of a share at once: up to [`RECORD_PAGE`] records.
struct Batch {
    object_type: &'static ObjectType,
    told: Vec<Told>,
}

impl Engine {
    /// Reads records again as HubSpot tells of them, until the process stops or loses the lease.
    pub async fn process_webhooks(&self) {
        let desk = &Desk::default();
        let (hand_out, shares) = mpsc::unbounded_channel();
        // Each of them ends by itself: a query that is dropped halfway breaks its connection.
        tokio::join!(self.watch_inbox(desk, hand_out), self.keep_tidy(desk), self.work(desk, shares));
    }

    /// Says that there is something in the inbox: it is looked at soon.
    pub fn webhooks_arrived(&self) {
        self.webhook_news.notify_one();
    }

    /// Hands out what is due, until the process stops.
    async fn watch_inbox(&self, desk: &Desk, hand_out: UnboundedSender<Share>) {
        let look = if self.config.expects_webhooks { LOOK } else { IDLE_LOOK };
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(look) => {}
                () = self.webhook_news.notified() => tokio::time::sleep(GATHERING).await,
            }
            let result = self.hand_out_due(desk, &hand_out).await;
            if !self.rest_after(desk, "inbox", result).await {
                return;
            }
        }
    }

    /// Lets go of what is old, looks for silence and sums up, until the process stops. On a timer of its own: reads may
    /// wait for hours for the day's limit.
    async fn keep_tidy(&self, desk: &Desk) {
        let mut summed_up = Instant::now();
        loop {
            let result = self.tidy_webhooks(desk).await;
            if !self.rest_after(desk, "tidying", result).await || self.pause(TIDY).await.is_err() {
                return;
            }
            if summed_up.elapsed() > SUM_UP {
                summed_up = Instant::now();
                std::mem::take(&mut desk.memory().tally).log();
            }
        }
    }

    /// Hands out the events that are due, a share to each type that is not busy. Those of busy types are not looked at,
    /// however many wait.
    async fn hand_out_due(&self, desk: &Desk, hand_out: &UnboundedSender<Share>) -> Result<(), SyncError> {
        let mut last = String::new();
        while let Some(type_id) = next_waiting_type(&self.database, &last).await? {
            if !desk.memory().busy.contains(type_id.as_str()) {
                match self.types().iter().find(|known| known.type_id == type_id) {
                    Some(object_type) => self.hand_out_share(object_type, desk, hand_out).await?,
                    None => self.settle_strange(&type_id).await?,
                }
            }
            last = type_id;
        }
        Ok(())
    }

    /// Hands out what is due of a type that is not busy; then it is.
    async fn hand_out_share(
        &self,
        object_type: &'static ObjectType,
        desk: &Desk,
        hand_out: &UnboundedSender<Share>,
    ) -> Result<(), SyncError> {
        let type_id = object_type.type_id;
        let events = due_webhook_events(&self.database, type_id, clock::now(), MOST_EVENTS).await?;
        if !events.is_empty() {
            desk.memory().busy.insert(type_id);
            hand_out.send(Share { object_type, events }).expect("shares are taken while there is a sender");
        }
        Ok(())
    }

    /// Closes the events of a type that is not mirrored.
    async fn settle_strange(&self, type_id: &str) -> Result<(), SyncError> {
        loop {
            let events = due_webhook_events(&self.database, type_id, clock::now(), MOST_EVENTS).await?;
            let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
            self.settle_events(&numbers, WebhookOutcome::NotMirrored).await?;
            if events.len() < MOST_EVENTS as usize {
                return Ok(());
            }
        }
    }

    /// Deals with shares side by side, until nobody hands out any more and all are done.
    async fn work(&self, desk: &Desk, mut shares: UnboundedReceiver<Share>) {
        let mut at_work = FuturesUnordered::new();
        loop {
            tokio::select! {
                share = shares.recv() => match share {
                    Some(share) => at_work.push(self.process_share(share, desk)),
                    None => break,
                },
                Some(()) = at_work.next() => {}
            }
        }
        while at_work.next().await.is_some() {}
    }

    /// Deals with a share; then its type may have another.
    async fn process_share(&self, share: Share, desk: &Desk) {
        let object_type = share.object_type;
        let result = self.process_events(share, desk).await;
        if self.rest_after(desk, object_type.name, result).await {
            desk.memory().busy.remove(object_type.type_id);
            self.webhooks_arrived();
        }
    }

    /// Says what went wrong, once and not every time, and rests. Returns whether to go on.
    async fn rest_after(&self, desk: &Desk, what: &'static str, result: Result<(), SyncError>) -> bool {
        match result {
            Ok(()) => {
                desk.memory().troubles.remove(what);
                true
            }
            Err(error) if error.ends_here() => false,
            Err(error) => {
                let report = error.report();
                if desk.memory().troubles.insert(what, report.clone()).as_ref() != Some(&report) {
                    warn!(error = report, "Webhooks wait");
                }
                self.pause(TROUBLE).await.is_ok()
            }
        }
    }

    /// Deals with events of a type.
    async fn process_events(&self, share: Share, desk: &Desk) -> Result<(), SyncError> {
        let Share { object_type, events } = share;
        let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
        let batches = match self.prepare_events(object_type, events, desk).await {
            Ok(batches) => batches,
            Err(error) => return self.put_off(object_type, &numbers, error).await,
        };
        let work = |batch: Batch| async move {
            let numbers: Vec<_> = batch.told.iter().flat_map(|told| told.numbers.iter().copied()).collect();
            match self.bring_up_to_date(&batch, desk).await {
                Ok(()) => Ok(()),
                Err(error) => self.put_off(batch.object_type, &numbers, error).await,
            }
        };
        // All of them, whatever becomes of one, as above.
        let results: Vec<_> =
            stream::iter(batches).map(work).buffer_unordered(BATCHES_AT_ONCE).collect().await;
        results.into_iter().collect()
    }

    /// What there is to read of a type, in batches. Changes of our own that the mirror holds already are done with.
    async fn prepare_events(
        &self,
        object_type: &'static ObjectType,
        events: Vec<WebhookEvent>,
        desk: &Desk,
    ) -> Result<Vec<Batch>, SyncError> {
        if !self.verify_account(Subject::Records(object_type)).await {
            return Err(SyncError::Unverified);
        }
        if !self.mirrors.is_ready(object_type).await {
            let state = self.state_row(Subject::Records(object_type));
            self.prepare(object_type, &state, &self.hubspot).await?;
        }
        desk.memory().tally.events += events.len() as u64;
        let told = self.without_echoes(object_type, plan::coalesce(&events), desk).await?;
        let mut told = told.into_iter().peekable();
        let mut batches = Vec::new();
        while told.peek().is_some() {
            batches.push(Batch { object_type, told: told.by_ref().take(RECORD_PAGE).collect() });
        }
        Ok(batches)
    }

    /// Lets events wait that could not be dealt with, and says why.
    ///
    /// # Errors
    /// `error` itself, when it concerns more than these.
    async fn put_off(
        &self,
        object_type: &ObjectType,
        numbers: &[i64],
        error: SyncError,
    ) -> Result<(), SyncError> {
        let wait = match error.next_try() {
            NextTry::Elsewhere => return Err(error),
            NextTry::Soon if matches!(error, SyncError::Storage(_)) => return Err(error),
            NextTry::Soon => TROUBLE,
            NextTry::NextInterval => self.config.schedule.interval,
        };
        warn!(
            error = error.report(),
            "{} webhook(s) of {object_type} wait {} s",
            numbers.len(),
            wait.as_secs()
        );
        let run_at = clock::now() + TimeDelta::from_std(wait).unwrap_or(TimeDelta::zero());
        let mut transaction = self.lease.begin(&self.database).await?;
        postpone_webhook_events(&mut transaction, numbers, run_at, false).await?;
        Ok(transaction.commit().await?)
    }

    /// Closes events that nothing is stored of.
    async fn settle_events(&self, numbers: &[i64], outcome: WebhookOutcome) -> Result<(), SyncError> {
        if numbers.is_empty() {
            return Ok(());
        }
        let mut transaction = self.lease.begin(&self.database).await?;
        settle_webhook_events(&mut transaction, numbers, outcome, clock::now()).await?;
        Ok(transaction.commit().await?)
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self { memory: Mutex::default(), stores: Semaphore::new(STORES_AT_ONCE) }
    }
}

impl Desk {
    /// What is remembered. A panicked holder cannot have left it half-changed.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Whether `count` more deletes of a type can be believed; counts them if so.
    fn believes(&mut self, object_type: &'static str, count: usize, now: Instant) -> bool {
        let recent = self.deletes.entry(object_type).or_default();
        recent.retain(|then| now - *then < DELETES_WITHIN);
        let is_few = recent.len() + count <= BELIEVED_DELETES;
        if is_few {
            recent.extend(std::iter::repeat_n(now, count));
        }
        is_few
    }
}

impl Tally {
    /// Adds a batch of so many records.
    fn stored(&mut self, records: usize, outcome: PageOutcome) {
        self.records += records as u64;
        self.outcome = self.outcome + outcome;
    }

    /// One line, if there is anything to tell.
    fn log(self) {
        if self.events == 0 {
            return;
        }
        let Self { events, echoes, records, outcome } = self;
        info!(
            "Webhooks of the last minute: {events} event(s), {echoes} of them echoes; {records} record(s) read, {} new, \
             {} changed, {} deleted",
            outcome.inserted, outcome.updated, outcome.deleted
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_deletes_than_are_believed_are_left_for_an_hour() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        assert!(memory.believes("contacts", 60, now));
        assert!(!memory.believes("contacts", 41, now), "101 within an hour");
        assert!(memory.believes("contacts", 40, now) && !memory.believes("contacts", 1, now));
        assert!(memory.believes("deals", 100, now), "each type for itself");
        assert!(memory.believes("contacts", 100, now + DELETES_WITHIN));
    }
}
