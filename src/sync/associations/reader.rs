//! Reading all links of some records, however many they have, in bounded memory.

use std::collections::{HashMap, HashSet, VecDeque};

use tracing::warn;

use crate::hubspot::{ASSOCIATION_INPUTS, AssociationPage, ErrorKind, HubSpotClient, HubSpotError, Priority};
use crate::model::{Association, Cursor, ObjectId, TypePair};

/// Records with further pages that are read at the same time: their links are in memory until the last page.
const LARGE_AT_ONCE: usize = 10;

/// Everything HubSpot says of the links of some records.
#[derive(Debug, Default)]
pub(in crate::sync) struct Told {
    /// The records; all of their links are here.
    pub(in crate::sync) records: Vec<ObjectId>,
    /// Their links.
    pub(in crate::sync) associations: Vec<Association>,
}

impl Told {
    /// Puts both lists in order and takes out what is there twice.
    pub(in crate::sync) fn sort(&mut self) {
        self.records.sort_unstable();
        self.records.dedup();
        self.associations.sort_unstable();
        self.associations.dedup();
    }
}

/// How many records are asked for at a time.
#[derive(Debug, Clone, Copy)]
pub(in crate::sync) struct Appetite(usize);

impl Default for Appetite {
    fn default() -> Self {
        Self(ASSOCIATION_INPUTS)
    }
}

impl Appetite {
    /// As many records of `waiting` as to ask for now; at least 1 of any.
    pub(super) fn least(self, waiting: usize) -> usize {
        self.0.min(waiting)
    }

    /// An answer about so many records was too large.
    pub(super) fn shrink(&mut self, asked: usize) {
        self.0 = (asked / 2).max(1);
    }

    /// An answer was not too large.
    pub(super) fn grow(&mut self) {
        self.0 = (self.0 + self.0 / 8 + 1).min(ASSOCIATION_INPUTS);
    }
}

/// A record whose links take several pages.
#[derive(Debug)]
struct Large {
    id: ObjectId,
    next: Cursor,
    links: Vec<Association>,
}

/// Reads the links of records in the direction of their pair.
pub(in crate::sync) struct Reader<'a> {
    hubspot: &'a HubSpotClient,
    pair: TypePair,
    priority: Priority,
    appetite: &'a mut Appetite,
    /// Who was not asked for yet.
    waiting: VecDeque<ObjectId>,
    /// Who has further pages.
    large: VecDeque<Large>,
    /// Who was asked for and not told of.
    unread: Vec<ObjectId>,
    /// Why the first of them was not.
    reason: String,
    /// Whether those who were not told of have been asked for again.
    is_second_time: bool,
}

impl<'a> Reader<'a> {
    /// A reader of the links of `records`.
    pub(in crate::sync) fn new(
        hubspot: &'a HubSpotClient,
        pair: TypePair,
        records: &[ObjectId],
        priority: Priority,
        appetite: &'a mut Appetite,
    ) -> Self {
        let (waiting, large) = (records.iter().copied().collect(), VecDeque::new());
        let (unread, reason) = (Vec::new(), String::new());
        Self { hubspot, pair, priority, appetite, waiting, large, unread, reason, is_second_time: false }
    }

    /// The next records with all their links, `None` when nothing is left to ask. Records HubSpot does not tell of are
    /// asked for twice and then left out, with a warning.
    pub(in crate::sync) async fn next(&mut self) -> Result<Option<Told>, HubSpotError> {
        loop {
            if !self.large.is_empty() {
                return self.finish_large().await.map(Some);
            }
            if self.waiting.is_empty() {
                if self.unread.is_empty() || self.is_second_time {
                    self.report_unread();
                    return Ok(None);
                }
                self.is_second_time = true;
                self.waiting.extend(self.unread.drain(..));
            }
            let most = self.appetite.least(self.waiting.len());
            let asked: Vec<_> = self.waiting.drain(..most).map(|id| (id, None)).collect();
            match self.ask(&asked).await {
                Ok(page) => {
                    self.appetite.grow();
                    return Ok(Some(self.take(page)));
                }
                Err(error) if error.kind() == ErrorKind::TooLarge && asked.len() > 1 => {
                    self.appetite.shrink(asked.len());
                    asked.into_iter().rev().for_each(|(id, _)| self.waiting.push_front(id));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One request.
    async fn ask(&self, asked: &[(ObjectId, Option<Cursor>)]) -> Result<AssociationPage, HubSpotError> {
        let TypePair { from, to } = self.pair;
        self.hubspot.read_associations(from, to, asked, self.priority).await
    }

    /// Takes the first pages of some records and sets those aside that have more.
    fn take(&mut self, page: AssociationPage) -> Told {
        self.miss(page.unread, page.reason);
        let unfinished: HashSet<_> = page.unfinished.iter().map(|(id, _)| *id).collect();
        let (partial, associations) =
            page.associations.into_iter().partition(|link: &Association| unfinished.contains(&link.from));
        let mut partial = by_record(partial);
        self.large.extend(page.unfinished.into_iter().map(|(id, next)| Large {
            id,
            next,
            links: partial.remove(&id).unwrap_or_default(),
        }));
        Told { records: page.finished, associations }
    }

    /// Reads the further pages of a few large records to the last.
    async fn finish_large(&mut self) -> Result<Told, HubSpotError> {
        let mut open: Vec<_> = self.large.drain(..LARGE_AT_ONCE.min(self.large.len())).collect();
        let mut told = Told::default();
        while !open.is_empty() {
            let asked: Vec<_> = open.iter().map(|large| (large.id, Some(large.next.clone()))).collect();
            let page = self.ask(&asked).await?;
            let finished: HashSet<_> = page.finished.into_iter().collect();
            let mut nexts: HashMap<_, _> = page.unfinished.into_iter().collect();
            let mut links = by_record(page.associations);
            self.miss(page.unread, page.reason);
            let mut still_open = Vec::new();
            for mut large in open {
                large.links.append(&mut links.remove(&large.id).unwrap_or_default());
                if finished.contains(&large.id) {
                    told.records.push(large.id);
                    told.associations.append(&mut large.links);
                } else if let Some(next) = nexts.remove(&large.id) {
                    still_open.push(Large { next, ..large });
                }
            }
            open = still_open;
        }
        Ok(told)
    }

    /// Notes who was not told of.
    fn miss(&mut self, mut unread: Vec<ObjectId>, reason: String) {
        if self.reason.is_empty() {
            self.reason = reason;
        }
        self.unread.append(&mut unread);
    }

    /// Says who was left out.
    fn report_unread(&mut self) {
        if let Some(first) = self.unread.first() {
            let (count, pair, reason) = (self.unread.len(), self.pair, &self.reason);
            warn!(
                "The links of {count} record(s) ({pair}) were not read, the first one is {first}: {reason}"
            );
        }
        self.unread.clear();
    }
}

/// Links by the record they start at.
fn by_record(links: Vec<Association>) -> HashMap<ObjectId, Vec<Association>> {
    let mut sorted: HashMap<_, Vec<_>> = HashMap::new();
    for link in links {
        sorted.entry(link.from).or_default().push(link);
    }
    sorted
}

#[cfg(test)]
mod tests;
