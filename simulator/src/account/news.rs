//! What webhooks tell of: each change of the account in the words of an event.
//!
//! News are taken down where changes are made, and only while somebody listens. What HubSpot calculates makes none.
//! Source: HubSpot, "Webhooks".

use crate::account::{Account, Change, End, Moment, Source};
use crate::clock::Millis;
use crate::object_type::Kind;

/// Something that happened to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The record it is told of.
    pub record: End,
    /// When it happened.
    pub at: Millis,
    /// Who did it.
    pub source: Source,
    /// What happened.
    pub what: What,
}

/// What happened to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It was made.
    Created,
    /// It went into the bin.
    Deleted,
    /// It was erased.
    Erased,
    /// It came out of the bin.
    Restored,
    /// A property has another value.
    Changed {
        /// The property.
        name: String,
        /// The value; empty when it was cleared.
        value: String,
    },
    /// Others were merged into it.
    Merged {
        /// The record whose values won.
        primary: u64,
        /// The other one.
        other: u64,
    },
    /// It was linked with another, or is not any more, or in another way.
    Linked {
        /// The other record.
        to: End,
        /// Whether the link was taken away.
        removed: bool,
        /// Whether it is the link to the primary company.
        primary: bool,
    },
}

/// News, while somebody listens.
#[derive(Debug, Default)]
pub struct Gazette {
    /// What was told and not fetched yet; `None` while nobody listens.
    sheet: Option<Vec<News>>,
}

impl Gazette {
    /// Adds news, if anybody listens.
    fn add(&mut self, news: News) {
        if let Some(sheet) = &mut self.sheet {
            sheet.push(news);
        }
    }

    /// Whether anybody listens.
    const fn is_read(&self) -> bool {
        self.sheet.is_some()
    }
}

impl Account {
    /// Begins to take down news, or stops.
    pub fn listen(&mut self, on: bool) {
        self.gazette.sheet = on.then(Vec::new);
    }

    /// Whether there are any news.
    pub fn has_news(&self) -> bool {
        self.gazette.sheet.as_ref().is_some_and(|sheet| !sheet.is_empty())
    }

    /// The news since the last call, in the order they happened.
    pub fn take_news(&mut self) -> Vec<News> {
        self.gazette.sheet.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Does something of which nobody is told.
    pub(super) fn in_silence<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let sheet = self.gazette.sheet.take();
        let done = work(self);
        self.gazette.sheet = sheet;
        done
    }

    /// Takes down what a new state of a record means.
    pub(super) fn tell_change(&mut self, kind: Kind, id: u64, after: &Change, moment: Moment) {
        if !self.gazette.is_read() || after.merged_into.is_some() {
            return;
        }
        let is_new = self.store(kind).get(&self.world, id).is_none();
        let before = self.store(kind).change(id).cloned();
        let was_archived = before.as_ref().is_some_and(|before| before.archived_at.is_some());
        let mut told = Vec::new();
        if after.purged {
            if kind == Kind::CONTACT {
                told.push(What::Erased);
            }
            if !was_archived {
                told.push(What::Deleted);
            }
        } else if is_new {
            told.push(What::Created);
        } else if was_archived != after.archived_at.is_some() {
            told.push(if was_archived { What::Restored } else { What::Deleted });
        }
        for (index, value) in after.values.iter().filter(|_| !after.purged) {
            let known = before.as_ref().and_then(|before| before.values.get(index));
            if value.source != Source::Calculated && known.is_none_or(|known| known.text != value.text) {
                let name = self.catalogue(kind).get(*index).name.clone();
                told.push(What::Changed {
                    name,
                    value: value.text.as_deref().unwrap_or_default().to_owned(),
                });
            }
        }
        let Moment { now: at, source, .. } = moment;
        for what in told {
            self.gazette.add(News { record: (kind, id), at, source, what });
        }
    }

    /// Takes down a merge.
    pub(super) fn tell_merge(&mut self, record: End, [primary, other]: [u64; 2], moment: Moment) {
        let Moment { now: at, source, .. } = moment;
        self.gazette.add(News { record, at, source, what: What::Merged { primary, other } });
    }

    /// Takes down a change of a link, once from each side.
    pub(super) fn tell_link(&mut self, ends: [End; 2], removed: bool, primary: bool, moment: Moment) {
        let Moment { now: at, source, .. } = moment;
        for (record, to) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            self.gazette.add(News { record, at, source, what: What::Linked { to, removed, primary } });
        }
    }
}
