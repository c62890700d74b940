//! What has become of rows that were pushed: one transaction for the rows, their jobs, the log and their conflicts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tracing::{error, info, warn};

use super::Push;
use super::verdict::{Identity, Outcome, Verdict};
use crate::clock;
use crate::model::ObjectType;
use crate::storage::{
    Collision, ConflictChange, ConflictKind, ConflictRecord, Counted, Disagreement, EditedRow, Job, JobKind,
    LeasedTransaction, LogDirection, MirrorTable, RowStatus, Settled, StorageError, StorageErrorKind,
    close_conflict_by_itself, close_conflicts_without_row, close_open_log, count_changes, enqueue_jobs,
    finish_job, follow_merge, is_row_locked, is_there, link_row, lock_edited, lock_free_edited,
    open_or_update_conflict, park_job, remove_associations_of_archived, repeat_job, retry_job, write_log,
    write_row,
};
use crate::sync::engine::Engine;
use crate::sync::error::{Chain, SyncError};
use crate::sync::patience::Patience;
use crate::sync::{ConflictNews, Event, RecordName};

/// Who opens and closes conflicts in the audit trail.
pub(super) const ACTOR: &str = "hubspot-connector";

impl Engine {
    /// Records the verdicts, each with its job.
    ///
    /// # Errors
    /// When the database stays away, or another process has the lease. Nothing is recorded then.
    pub(super) async fn settle(&self, push: &Push, mut verdicts: Vec<Verdict>) -> Result<(), SyncError> {
        if verdicts.is_empty() {
            return Ok(());
        }
        verdicts.sort_by_key(|verdict| verdict.item.row.key);
        let what = format!("Recording what became of edited {}", push.context.object_type);
        let mut patience = Patience::new(&self.stop, what);
        loop {
            match self.try_settle(push, &verdicts).await {
                Ok(Settlement { locked, steps }) => {
                    self.leave(&mut verdicts, &locked);
                    self.tell_steps(push.context.object_type, steps);
                    break;
                }
                // Somebody's value is to blame: find whose.
                Err(error) if error.kind() == StorageErrorKind::Data => {
                    return self.settle_each(push, verdicts).await;
                }
                Err(error) => patience.wait(error).await?,
            }
        }
        self.tell(push, &verdicts);
        Ok(())
    }

    /// Records the verdicts one by one. MariaDB's refusal of a row, for an index somebody has made, becomes its error.
    async fn settle_each(&self, push: &Push, verdicts: Vec<Verdict>) -> Result<(), SyncError> {
        for verdict in verdicts {
            let what = format!("Recording what became of a row of {}", push.context.object_type.table);
            let mut patience = Patience::new(&self.stop, what);
            let mut one = vec![verdict];
            loop {
                match self.try_settle(push, &one).await {
                    Ok(Settlement { locked, steps }) => {
                        self.leave(&mut one, &locked);
                        self.tell_steps(push.context.object_type, steps);
                        break;
                    }
                    Err(error) if error.kind() == StorageErrorKind::Data => {
                        let verdict = Verdict::refused(
                            one[0].item.clone(),
                            format!("MariaDB refuses what HubSpot has: {}", Chain(&error)),
                        );
                        // Even as it was: an index that came since. The others must not wait for this one.
                        if one[0].outcome == verdict.outcome && one[0].copy.is_none() {
                            error!(
                                "A row of {} can not be written: {}",
                                push.context.object_type.table,
                                Chain(&error)
                            );
                            break;
                        }
                        one = vec![verdict];
                    }
                    Err(error) => patience.wait(error).await?,
                }
            }
            self.tell(push, &one);
        }
        Ok(())
    }

    /// Tells whoever is watching what has become of conflicts.
    pub(super) fn tell_steps(&self, object_type: &ObjectType, steps: Vec<(i64, ConflictNews)>) {
        for (id, step) in steps {
            let object_type = object_type.name.to_owned();
            self.events.send(Event::Conflict { object_type, id, step });
        }
    }

    /// Tells whoever is watching, and the log, what has become of edits.
    fn tell(&self, push: &Push, verdicts: &[Verdict]) {
        let tally = Tally::of(verdicts);
        let object_type = push.context.object_type;
        let settled = verdicts.iter().filter(|verdict| !matches!(verdict.outcome, Outcome::Nothing));
        let rows: Vec<_> = settled.map(|verdict| RecordName::Row(verdict.item.row.key)).collect();
        if !rows.is_empty() {
            self.events.send(Event::changed(object_type, rows.len() as u64, rows));
        }
        let (sent, failed) = (tally.sent as u64, (tally.refused + tally.given_up) as u64);
        if sent + failed > 0 {
            self.events.send(Event::Pushed { object_type, sent, failed });
        }
        tally.log(object_type);
    }

    /// Forgets the verdicts on rows that somebody else has locked.
    fn leave(&self, verdicts: &mut Vec<Verdict>, locked: &[i64]) {
        let is_locked = |verdict: &mut Verdict| locked.contains(&verdict.item.row.key);
        self.leave_locked(verdicts.extract_if(.., is_locked).map(|verdict| verdict.item.job));
    }

    /// Ends jobs that have nothing to do any more.
    pub(super) async fn finish_all(&self, jobs: &[Job]) -> Result<(), SyncError> {
        if jobs.is_empty() {
            return Ok(());
        }
        let mut transaction = self.lease.begin(&self.database).await?;
        for job in jobs {
            finish_job(&mut transaction, job).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// One attempt of [`Engine::settle`].
    async fn try_settle(&self, push: &Push, verdicts: &[Verdict]) -> Result<Settlement, StorageError> {
        // The columns may have changed since the batch began.
        let mirror = self.mirrors.hold(push.context.object_type).await;
        let (table, now) = (&mirror.table, clock::now());
        let keys: Vec<_> = verdicts.iter().map(|verdict| verdict.item.row.key).collect();
        let mut transaction = self.lease.begin(&self.database).await?;
        let rows = lock_free_edited(&mut transaction, table, &keys).await?;
        let mut free: BTreeMap<_, _> = rows.into_iter().map(|row| (row.key, row)).collect();
        // Those that write another row as well come last: it may be one of these.
        let (alone, pairs): (Vec<_>, Vec<_>) =
            verdicts.iter().partition(|verdict| verdict.other_record().is_none());
        let (mut entries, mut arrived) = (Vec::new(), Vec::new());
        let (mut locked, mut steps) = (Vec::new(), Vec::new());
        for verdict in alone.into_iter().chain(pairs) {
            let key = verdict.item.row.key;
            if is_locked(&mut transaction, table, verdict, &free).await? {
                locked.push(key);
                continue;
            }
            let settled = settle_job(&mut transaction, verdict).await?;
            // Somebody else's by now, who will come to a verdict of their own.
            if settled == Settled::Lost {
                continue;
            }
            entries.append(&mut verdict.log_entries());
            // What was sent and not answered has arrived after all.
            arrived.extend(verdict.has_arrived().then_some(key));
            let row = match verdict.other_record() {
                None => free.remove(&key),
                Some(_) => lock_edited(&mut transaction, table, &[key]).await?.pop(),
            };
            let Some(row) = row else {
                settle_without_row(&mut transaction, verdict).await?;
                continue;
            };
            if !matches!(verdict.outcome, Outcome::Nothing | Outcome::Again(..)) {
                let is_due_again = settled == Settled::EditedSince;
                steps.extend(settle_row(&mut transaction, table, (verdict, is_due_again), &row, now).await?);
            }
        }
        let object_type = push.context.object_type.name;
        let sent = write_log(&mut transaction, object_type, &entries, now).await?;
        let sent = sent + close_open_log(&mut transaction, object_type, &arrived, now).await?;
        count_changes(&mut transaction, Counted::Pushes, (object_type, sent), now).await?;
        transaction.commit().await?;
        Ok(Settlement { locked, steps })
    }
}

/// What came of an attempt to record verdicts.
struct Settlement {
    /// The keys of rows that are locked, or would have to be written together with one that is, of which nothing is
    /// recorded.
    locked: Vec<i64>,
    /// What has become of conflicts, by number.
    steps: Vec<(i64, ConflictNews)>,
}

/// Whether somebody else has locked the row of a verdict, which is not among the `free` ones, or the row of the record it
/// turned out to belong to.
async fn is_locked(
    transaction: &mut LeasedTransaction,
    table: &MirrorTable,
    verdict: &Verdict,
    free: &BTreeMap<i64, EditedRow>,
) -> Result<bool, StorageError> {
    let key = verdict.item.row.key;
    if !free.contains_key(&key) && is_there(transaction, table, key).await? {
        return Ok(true);
    }
    match verdict.other_record() {
        Some(id) => is_row_locked(transaction, table, id).await,
        None => Ok(false),
    }
}

/// How many edits became what.
struct Tally {
    sent: usize,
    conflicts: usize,
    refused: usize,
    given_up: usize,
    again: usize,
}

impl Tally {
    /// Counts.
    fn of(verdicts: &[Verdict]) -> Self {
        let count = |is: fn(&Outcome) -> bool| verdicts.iter().filter(|verdict| is(&verdict.outcome)).count();
        let sent = verdicts.iter().filter(|verdict| {
            let is_done = matches!(verdict.outcome, Outcome::InStep | Outcome::Conflict | Outcome::MoreToDo);
            is_done && verdict.entries.iter().any(|entry| entry.direction == LogDirection::Push)
        });
        Self {
            sent: sent.count(),
            conflicts: count(|outcome| matches!(outcome, Outcome::Conflict)),
            refused: count(|outcome| matches!(outcome, Outcome::Refused(_))),
            given_up: count(|outcome| matches!(outcome, Outcome::GivenUp(_))),
            again: count(|outcome| matches!(outcome, Outcome::Again(..))),
        }
    }

    /// One line a kind. Reasons may quote values, so they stand in the rows and not here.
    fn log(&self, object_type: &ObjectType) {
        let Self { sent, conflicts, refused, given_up, again } = self;
        if *sent > 0 {
            info!("Sent edits of {sent} {object_type} to HubSpot");
        }
        if *conflicts > 0 {
            info!("{conflicts} {object_type} were changed on both sides; settle them with `conflicts`");
        }
        if *refused > 0 {
            warn!("HubSpot refused edits of {refused} {object_type}; sync_error of the rows says why");
        }
        if *given_up > 0 {
            warn!(
                "Edits of {given_up} {object_type} are given up after all tries; see `jobs`, and `jobs retry`"
            );
        }
        if *again > 0 {
            warn!("Edits of {again} {object_type} are sent again later; see jobs");
        }
    }
}

/// Settles the job of a verdict.
async fn settle_job(transaction: &mut LeasedTransaction, verdict: &Verdict) -> Result<Settled, StorageError> {
    let job = &verdict.item.job;
    match &verdict.outcome {
        Outcome::Nothing | Outcome::InStep | Outcome::Conflict => finish_job(transaction, job).await,
        Outcome::Refused(reason) | Outcome::GivenUp(reason) => park_job(transaction, job, reason).await,
        Outcome::Again(reason, at) => retry_job(transaction, job, reason, *at).await,
        Outcome::MoreToDo => repeat_job(transaction, job).await,
    }
}

/// The row of a verdict was deleted by SQL meanwhile. A record that was made of it by then is deleted as well, or has a
/// row again, as of any other row that is deleted.
async fn settle_without_row(
    transaction: &mut LeasedTransaction,
    verdict: &Verdict,
) -> Result<(), StorageError> {
    let Identity::Linked(id, _) = verdict.identity else { return Ok(()) };
    enqueue_jobs(transaction, &verdict.item.job.object_type, JobKind::Deleted, &[id.0]).await
}

/// Writes the row of a verdict, and its conflict. Returns what has become of conflicts.
async fn settle_row(
    transaction: &mut LeasedTransaction,
    table: &MirrorTable,
    (verdict, is_due_again): (&Verdict, bool),
    row: &EditedRow,
    now: DateTime<Utc>,
) -> Result<Vec<(i64, ConflictNews)>, StorageError> {
    let record = verdict.record();
    match &verdict.identity {
        Identity::Same => {}
        Identity::Linked(id, agreed) => {
            link_row(transaction, table, row, (*id, agreed), now).await?;
            let closed = close_conflicts_without_row(transaction, table.object_type(), ACTOR, now).await?;
            return Ok(all_closed(closed));
        }
        Identity::MergedInto(survivor) => {
            let collisions = follow_merge(transaction, table, row, survivor, now).await?;
            // What was in question goes on as a question about the record that remains.
            return settle_collisions(transaction, &record, &collisions, now).await;
        }
    }
    let ours = verdict.ours(row);
    let update = verdict.update(row, &ours, is_due_again);
    write_row(transaction, table, &update, now).await?;
    let object_type = table.object_type();
    if let (Some(_), Some(id), RowStatus::Synced) = (update.archived_at, row.hubspot_id, update.status) {
        remove_associations_of_archived(transaction, object_type, &[id], now).await?;
    }
    match &verdict.conflict {
        Some(disagreement) => {
            let opened = open_or_update_conflict(transaction, &record, disagreement, ACTOR, now).await?;
            Ok(Vec::from_iter(step(opened)))
        }
        // To be looked at again, it may still be one.
        None if update.status == RowStatus::Pending => Ok(Vec::new()),
        None => Ok(all_closed(close_conflict_by_itself(transaction, &record, ACTOR, now).await?)),
    }
}

/// What was done to an open conflict, if anything was.
fn step((id, change): (i64, ConflictChange)) -> Option<(i64, ConflictNews)> {
    match change {
        ConflictChange::Opened => Some((id, ConflictNews::Opened)),
        ConflictChange::Updated => Some((id, ConflictNews::Updated)),
        ConflictChange::Unchanged => None,
    }
}

/// The end of these conflicts.
pub(super) fn all_closed(ids: impl IntoIterator<Item = i64>) -> Vec<(i64, ConflictNews)> {
    ids.into_iter().map(|id| (id, ConflictNews::Closed)).collect()
}

/// Opens a conflict over what was edited in the row of a merged record and in that of its survivor, or closes it.
async fn settle_collisions(
    transaction: &mut LeasedTransaction,
    record: &ConflictRecord,
    collisions: &[Collision],
    now: DateTime<Utc>,
) -> Result<Vec<(i64, ConflictNews)>, StorageError> {
    if collisions.is_empty() {
        return Ok(all_closed(close_conflict_by_itself(transaction, record, ACTOR, now).await?));
    }
    let side = |value: fn(&Collision) -> &Option<String>| {
        collisions.iter().map(|collision| (collision.name.clone(), value(collision).clone())).collect()
    };
    let disagreement = Disagreement {
        kind: ConflictKind::Merged,
        fields: collisions.iter().map(|collision| collision.name.clone()).collect(),
        base: side(|collision| &collision.base),
        local: side(|collision| &collision.local),
        hubspot: side(|collision| &collision.survivor),
        sources: BTreeMap::new(),
    };
    Ok(Vec::from_iter(step(open_or_update_conflict(transaction, record, &disagreement, ACTOR, now).await?)))
}
