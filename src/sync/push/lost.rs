//! Looking for records that HubSpot was asked to make without an answer.
//!
//! A contact is found by its e-mail address, of which there is only one. Anything else, and a contact whose address was
//! changed since, is found by when it was made, and by everything that was sent, which the row keeps beside its edits. It
//! may have been edited since, by people and by workflows, so the values it was made with count, which its history has.
//! The search index has to catch up for that, and the row waits so long.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::verdict::Verdict;
use super::{Current, Item, PRIORITY, Push};
use crate::clock;
use crate::hubspot::{HISTORY_PAGE, HistoryRead};
use crate::model::{ObjectId, Properties, Window};
use crate::storage::{made_here, open_creates, postpone_jobs, rows_of_records};
use crate::sync::engine::Engine;
use crate::sync::error::SyncError;

/// How much our clock and HubSpot's may differ.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(1);
/// How long after the last that is noted of a call HubSpot may have done it: one that was answered with an error may
/// still be under way there, and one that nobody noted anything of, because the process was killed, had yet to be sent.
const UNDER_WAY: TimeDelta = TimeDelta::minutes(5);
/// HubSpot's search shows no record sooner, whatever is configured.
const LEAST_LAG: TimeDelta = TimeDelta::seconds(10);

/// What a look for a record that may have been made has shown.
pub(super) enum Looked {
    /// It is there, and both sides agree on so much of it.
    Found(ObjectId, Properties),
    /// It is not.
    NotMade,
    /// It could not be seen yet; the job is put off.
    TooEarly,
    /// It may be one that HubSpot did not let be read.
    Unclear,
}

/// A row whose record may have been made.
struct Lost<'i> {
    item: &'i Item,
    /// What HubSpot was asked to make of it, which may have been edited since.
    sent: Vec<(String, String)>,
    /// When HubSpot was asked: from the first time to the last that is noted of it.
    asked: Window,
}

/// A record as it was made.
struct Made {
    id: ObjectId,
    at: DateTime<Utc>,
    properties: Properties,
}

/// Name and value as properties.
pub(super) fn document(properties: &[(String, String)]) -> Properties {
    properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

impl<'i> Lost<'i> {
    /// The row of `item`, of which HubSpot was `asked` to make a record.
    fn new(item: &'i Item, asked: Window) -> Self {
        let sent = item.row.remote.iter().flat_map(Properties::iter);
        let sent = sent.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Self { item, sent, asked }
    }

    /// The e-mail address that was sent, where no two records share one.
    fn unique_email(&self, push: &Push) -> Option<&str> {
        let email = self.sent.iter().find(|(name, _)| name == "email").map(|(_, value)| value.as_str());
        email.filter(|email| push.context.object_type.has_unique_email() && !email.is_empty())
    }

    /// When its record may have been made, by HubSpot's clock.
    fn made_in(&self) -> Window {
        Window { start: self.asked.start - CLOCK_SKEW, end: self.asked.end + UNDER_WAY }
    }

    /// Whether a record was made with everything that was sent.
    fn is(&self, push: &Push, made: &Made) -> bool {
        let has = |(name, sent): &(String, String)| {
            push.rules.of(name).kind.same(made.properties.get(name).as_deref(), Some(sent))
        };
        self.sent.iter().all(has)
    }
}

impl Engine {
    /// Looks for the records of those rows that HubSpot was asked to make one of without an answer. The others are not in
    /// what is returned, by their keys.
    pub(super) async fn look_for_lost(
        &self,
        push: &Push,
        items: &[Item],
    ) -> Result<HashMap<i64, Looked>, SyncError> {
        let keys: Vec<_> = items.iter().map(|item| item.row.key).collect();
        let asked = open_creates(&self.database, push.context.object_type.name, &keys).await?;
        let lost = items.iter().filter_map(|item| Some(Lost::new(item, *asked.get(&item.row.key)?)));
        let (mut looked, mut by_time) = (HashMap::new(), BTreeMap::<_, Vec<_>>::new());
        for lost in lost.filter(|lost| !lost.sent.is_empty()) {
            let found = match self.look_by_email(push, &lost).await? {
                Some(found) => found,
                None if self.is_too_early(&lost).await? => Looked::TooEarly,
                None => {
                    let Window { start, end } = lost.made_in();
                    by_time.entry((start, end)).or_default().push(lost);
                    continue;
                }
            };
            looked.insert(lost.item.row.key, found);
        }
        // Rows that were sent together are looked for together.
        for ((start, end), lost) in by_time {
            self.look_by_time(push, Window { start, end }, lost, &mut looked).await?;
        }
        Ok(looked)
    }

    /// The contact with the address that was sent, whoever made it; `None` when there is none.
    async fn look_by_email(&self, push: &Push, lost: &Lost<'_>) -> Result<Option<Looked>, SyncError> {
        let Some(email) = lost.unique_email(push) else { return Ok(None) };
        let Some(id) = push.hubspot.find_by_email(email, PRIORITY).await? else { return Ok(None) };
        let names: Vec<_> = lost.sent.iter().map(|(name, _)| name.clone()).collect();
        let (made, is_all) = self.as_made(push, &names, &[id]).await?;
        let is_ours = made.iter().any(|made| made.at >= lost.made_in().start && lost.is(push, made));
        Ok(Some(match lost.item.row.archived_at {
            _ if is_ours => Looked::Found(id, document(&lost.sent)),
            _ if !is_all => Looked::Unclear,
            // A value that was sent and is not there would be an edit.
            None => Looked::Found(id, Properties::default()),
            // Nobody wanted the contact of somebody else deleted.
            Some(_) => Looked::NotMade,
        }))
    }

    /// Whether the search index may not show the record yet. The job is put off then.
    async fn is_too_early(&self, lost: &Lost<'_>) -> Result<bool, SyncError> {
        let lag = TimeDelta::from_std(self.config.search_lag * 2).unwrap_or(CLOCK_SKEW);
        let shown = lost.asked.end + lag.max(LEAST_LAG);
        if clock::now() >= shown {
            return Ok(false);
        }
        let reason = "HubSpot's answer was lost; looked for once its search would show the record";
        postpone_jobs(&self.database, std::slice::from_ref(&lost.item.job), shown, reason).await?;
        Ok(true)
    }

    /// Looks for the records of some rows among all that were made in `window`. Each record is that of the first row that
    /// it fits, and of no other.
    async fn look_by_time(
        &self,
        push: &Push,
        window: Window,
        mut rows: Vec<Lost<'_>>,
        looked: &mut HashMap<i64, Looked>,
    ) -> Result<(), SyncError> {
        let names: BTreeSet<_> = rows.iter().flat_map(|lost| &lost.sent).map(|(name, _)| name).collect();
        let names: Vec<_> = names.into_iter().cloned().collect();
        let (mut after, mut is_sure) = (ObjectId::START, true);
        while !rows.is_empty() {
            let ids = push.hubspot.find_created(push.context.object_type, window, after, PRIORITY).await?;
            let Some(newest) = ids.last() else { break };
            after = *newest;
            let (ids, owners) = self.without_row(push, ids, looked).await?;
            for page in ids.chunks(HISTORY_PAGE) {
                let (read, is_all) = self.as_made(push, &names, page).await?;
                is_sure &= is_all;
                for made in read {
                    // A row that was there before has a record of its own.
                    let is_free = |key| owners.get(&made.id).is_none_or(|owner| *owner > key);
                    let fits = |lost: &Lost<'_>| is_free(lost.item.row.key) && lost.is(push, &made);
                    if let Some(place) = rows.iter().position(fits) {
                        let lost = rows.remove(place);
                        looked.insert(lost.item.row.key, Looked::Found(made.id, document(&lost.sent)));
                    }
                }
            }
        }
        if !is_sure {
            looked.extend(rows.iter().map(|lost| (lost.item.row.key, Looked::Unclear)));
        }
        Ok(())
    }

    /// Those of the records that are not known to belong to a row that was made here, and which row each has.
    async fn without_row(
        &self,
        push: &Push,
        mut ids: Vec<ObjectId>,
        looked: &HashMap<i64, Looked>,
    ) -> Result<(Vec<ObjectId>, HashMap<ObjectId, i64>), SyncError> {
        let mut taken = made_here(&self.database, push.context.object_type.name, &ids).await?;
        taken.extend(looked.values().filter_map(|looked| match looked {
            Looked::Found(id, _) => Some(*id),
            Looked::NotMade | Looked::TooEarly | Looked::Unclear => None,
        }));
        ids.retain(|id| !taken.contains(id));
        let rows = rows_of_records(&self.database, &push.context.table, &ids).await?;
        Ok((ids, rows))
    }

    /// Records as they were made, in id order, with the named properties, and whether every one of them that is there could
    /// be read: at most [`HISTORY_PAGE`]. Where HubSpot has no history of a value it is the one of today.
    async fn as_made(
        &self,
        push: &Push,
        names: &[String],
        ids: &[ObjectId],
    ) -> Result<(Vec<Made>, bool), SyncError> {
        let object_type = push.context.object_type;
        let read = async |ids: &[ObjectId]| {
            push.hubspot.read_with_history(object_type, names, names, ids, PRIORITY).await
        };
        let HistoryRead { mut records, mut histories, rejected, missing } = read(ids).await?;
        // One answer may be short by mistake.
        let again = read(&missing).await?;
        records.extend(again.records);
        histories.extend(again.histories);
        records.sort_unstable_by_key(|record| record.id);
        let made = records.into_iter().map(|record| {
            let first = |name: &String| {
                let entry = histories.get(&record.id)?.get(name)?.last()?;
                Some(entry.value.clone().unwrap_or_default())
            };
            let value = |name: &String| {
                let now = || record.properties.get(name).map(Cow::into_owned);
                Some((name.clone(), first(name).or_else(now)?))
            };
            let properties = names.iter().filter_map(value).collect();
            Made { id: record.id, at: record.created_at, properties }
        });
        Ok((made.collect(), rejected.is_empty() && again.rejected.is_empty()))
    }

    /// A row was deleted here while the answer to its creation was lost. The record that was made of it goes the way of any
    /// other: an edit of what was `sent` says that somebody wants it.
    pub(super) async fn deleted_before_known(
        &self,
        push: &Push,
        item: Item,
        id: ObjectId,
        sent: &Properties,
    ) -> Result<Verdict, SyncError> {
        Ok(match self.read_current(push, &[id]).await?.remove(&id) {
            Some(Current::Live(record)) => {
                let kept = record.properties.iter().filter(|(name, _)| sent.get(name).is_none());
                Verdict::linked(item, id, kept.chain(sent.iter()).collect())
            }
            _ => Verdict::in_step(item),
        })
    }
}
