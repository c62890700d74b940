//! What both sides have done.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

/// A record, as whoever wrote it knew it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// By its id in HubSpot.
    Record(i64),
    /// By the mark of a row that had none yet.
    Made(String),
}

/// A field of a record that was given another value here.
#[derive(Debug, Clone)]
pub(super) struct LocalEdit {
    /// Rises with every change made here.
    pub(super) number: u32,
    /// Where its type is in [`super::KINDS`].
    pub(super) kind: usize,
    pub(super) who: Who,
    pub(super) field: &'static str,
    /// Empty when it was cleared; no two texts are the same.
    pub(super) value: String,
    /// What the row held before.
    pub(super) known: String,
    /// Not earlier than this.
    pub(super) at: DateTime<Utc>,
}

/// How a row was deleted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deletion {
    /// `archived` was set.
    Soft,
    /// With `DELETE`.
    Sql,
}

/// A row that was deleted here.
#[derive(Debug, Clone)]
pub(super) struct LocalDelete {
    pub(super) number: u32,
    pub(super) kind: usize,
    pub(super) who: Who,
    pub(super) how: Deletion,
}

/// A field that was given another value in HubSpot; no two texts are the same.
#[derive(Debug, Clone)]
pub(super) struct HubSpotEdit {
    pub(super) kind: usize,
    pub(super) field: &'static str,
    pub(super) value: String,
}

/// Everything, in order.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The last number.
    pub(super) number: u32,
    pub(super) edits: Vec<LocalEdit>,
    pub(super) deletes: Vec<LocalDelete>,
    /// The marks of rows that were made here, with the kind of each.
    pub(super) made: Vec<(usize, String)>,
    pub(super) there: Vec<HubSpotEdit>,
    /// Which record each became that was merged away, by kind, and when.
    pub(super) merged: BTreeMap<(usize, i64), (i64, DateTime<Utc>)>,
    /// Records that came out of the recycle bin, by kind.
    pub(super) restored: BTreeSet<(usize, i64)>,
}

impl Ledger {
    /// The next number.
    pub(super) fn next(&mut self) -> u32 {
        self.number += 1;
        self.number
    }

    /// The record that is left of one.
    pub(super) fn survivor(&self, kind: usize, id: i64) -> i64 {
        let mut id = id;
        while let Some((into, _)) = self.merged.get(&(kind, id)) {
            id = *into;
        }
        id
    }
}
