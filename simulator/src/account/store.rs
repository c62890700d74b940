//! The records of one type: generated ones nobody touched, and an overlay for the rest.
//!
//! The overlay is an ordered map, so reading in id order is a merge of two ascending sequences. Search does not look
//! at the overlay but at its own copy of it, which changes reach later and in any order; the copies share memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::iter::Peekable;
use std::sync::Arc;

use crate::account::change::{Change, View};
use crate::account::unique::Holders;
use crate::catalogue::Catalogue;
use crate::clock::Millis;
use crate::generate::World;
use crate::object_type::Kind;

/// States of changed records by id.
type Overlay = BTreeMap<u64, Arc<Change>>;

/// A change on its way to the search index; ordered by when it arrives.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    /// When search sees it.
    at: Millis,
    /// Tells two changes of one moment apart.
    version: u64,
    /// The record.
    id: u64,
}

/// The records of one type.
#[derive(Debug)]
pub struct Store {
    /// What the records are.
    kind: Kind,
    /// States of changed records, as reads see them.
    changes: Overlay,
    /// States of changed records, as search sees them.
    indexed: Overlay,
    /// Changes search does not see yet.
    arrivals: BinaryHeap<Reverse<Arrival>>,
    /// The states that are on their way, by version.
    travelling: HashMap<u64, Arc<Change>>,
    /// Ids in the bin.
    bin: BTreeSet<u64>,
    /// Ids merged away, until their time in the bin would be over.
    merged: BTreeSet<u64>,
    /// How many records are live.
    live: u64,
    /// Index the next created record gets.
    next_index: u64,
    /// Who has which unique value.
    holders: Holders,
    /// Literal JSON served instead of a record.
    raw: BTreeMap<u64, Box<str>>,
}

impl Store {
    /// The untouched records of a kind.
    pub fn new(world: &World, kind: Kind) -> Self {
        Self {
            kind,
            changes: Overlay::new(),
            indexed: Overlay::new(),
            arrivals: BinaryHeap::new(),
            travelling: HashMap::new(),
            bin: BTreeSet::new(),
            merged: BTreeSet::new(),
            live: world.count(kind),
            next_index: world.count(kind),
            holders: Holders::default(),
            raw: BTreeMap::new(),
        }
    }

    /// How many records are live.
    pub const fn live(&self) -> u64 {
        self.live
    }

    /// Ids in the bin, ascending.
    pub const fn bin(&self) -> &BTreeSet<u64> {
        &self.bin
    }

    /// Ids merged away, until their time in the bin would be over, ascending.
    pub const fn merged(&self) -> &BTreeSet<u64> {
        &self.merged
    }

    /// Leaves a merged-away id out of [`Store::merged`]; it keeps answering for the record that remains.
    pub fn forget_merged(&mut self, id: u64) {
        self.merged.remove(&id);
    }

    /// Ids in the bin from `from` on, ascending, with those merged away if asked for.
    pub fn archived_from(&self, from: u64, with_merged: bool) -> impl Iterator<Item = u64> {
        let mut bin = self.bin.range(from..).copied().peekable();
        let mut merged = self.merged.range(from..).copied().take_while(move |_| with_merged).peekable();
        std::iter::from_fn(move || match (bin.peek(), merged.peek()) {
            (Some(in_bin), Some(gone)) if gone < in_bin => merged.next(),
            (None, _) => merged.next(),
            (Some(_), _) => bin.next(),
        })
    }

    /// Every index in use is below this.
    pub const fn next_index(&self) -> u64 {
        self.next_index
    }

    /// The state of a changed record.
    pub fn change(&self, id: u64) -> Option<&Arc<Change>> {
        self.changes.get(&id)
    }

    /// States of all changed records, by id.
    pub fn changes(&self) -> impl Iterator<Item = (u64, &Arc<Change>)> {
        self.changes.iter().map(|(&id, change)| (id, change))
    }

    /// Literal JSON served instead of a record.
    pub fn raw(&self, id: u64) -> Option<&str> {
        self.raw.get(&id).map(AsRef::as_ref)
    }

    /// Whether any record is replaced by literal JSON.
    pub fn has_raw(&self) -> bool {
        !self.raw.is_empty()
    }

    /// Serves literal JSON instead of a record, or the record again.
    pub fn set_raw(&mut self, id: u64, json: Option<Box<str>>) {
        match json {
            Some(json) => self.raw.insert(id, json),
            None => self.raw.remove(&id),
        };
    }

    /// The record with an id, live, in the bin or merged away; `None` for an id never given out or purged.
    pub fn get<'a>(&'a self, world: &'a World, id: u64) -> Option<View<'a>> {
        let view = view(world, self.kind, &self.changes, id)?;
        view.change.is_none_or(|change| !change.purged).then_some(view)
    }

    /// The record as search knows it.
    pub fn get_indexed<'a>(&'a self, world: &'a World, id: u64) -> Option<View<'a>> {
        view(world, self.kind, &self.indexed, id)
    }

    /// Follows merges from an id to the record that answers for it.
    pub fn survivor(&self, id: u64) -> u64 {
        let mut id = id;
        while let Some(next) = self.changes.get(&id).and_then(|change| change.merged_into) {
            id = next;
        }
        id
    }

    /// Live records with ids from `from` on, ascending.
    pub fn live_from<'a>(&'a self, world: &'a World, from: u64) -> Live<'a> {
        Live::new(world, self.kind, &self.changes, from)
    }

    /// Live records as search knows them, with ids from `from` on, ascending; generated ones only below an index.
    pub fn indexed_from<'a>(&'a self, world: &'a World, from: u64, end_index: u64) -> Live<'a> {
        let mut live = Live::new(world, self.kind, &self.indexed, from);
        live.end_index = live.end_index.min(end_index);
        live
    }

    /// Gives out the index and id of a new record.
    pub fn allocate(&mut self, world: &World) -> (u64, u64) {
        let index = self.next_index;
        self.next_index += 1;
        (index, world.id_of(self.kind, index))
    }

    /// Stores the new state of a record; search sees it at `indexed_at`, or at once with `None`.
    pub fn put(&mut self, world: &World, id: u64, change: Change, indexed_at: Option<Millis>) {
        let was_live = match self.changes.get(&id) {
            Some(before) => before.is_live(),
            None => world.index_of(self.kind, id).is_some_and(|index| index < world.count(self.kind)),
        };
        self.live = self.live + u64::from(change.is_live()) - u64::from(was_live);
        if change.is_in_bin() {
            self.bin.insert(id);
        } else {
            self.bin.remove(&id);
        }
        if change.merged_into.is_some() {
            self.merged.insert(id);
        }
        if let Some(index) = world.index_of(self.kind, id) {
            self.next_index = self.next_index.max(index + 1);
        }
        self.holders.note(id, &change);
        let change = Arc::new(change);
        match indexed_at {
            Some(at) => {
                self.travelling.insert(change.version, Arc::clone(&change));
                self.arrivals.push(Reverse(Arrival { at, version: change.version, id }));
            }
            None => drop(self.indexed.insert(id, Arc::clone(&change))),
        }
        self.changes.insert(id, change);
    }

    /// Who has which unique value.
    pub const fn holders(&self) -> &Holders {
        &self.holders
    }

    /// Notes the values of the unique properties of a catalogue, also those records have already.
    pub fn watch_unique(&mut self, catalogue: &Catalogue) {
        self.holders.watch(catalogue);
        for (&id, change) in &self.changes {
            self.holders.note(id, change);
        }
    }

    /// Lets search see what has arrived by now. A late arrival never replaces a newer state.
    pub fn settle(&mut self, now: Millis) {
        while let Some(Reverse(arrival)) = self.arrivals.peek()
            && arrival.at <= now
        {
            let (id, version) = (arrival.id, arrival.version);
            self.arrivals.pop();
            let Some(change) = self.travelling.remove(&version) else { continue };
            if self.indexed.get(&id).is_none_or(|known| known.version < version) {
                self.indexed.insert(id, change);
            }
        }
    }

    /// Whether search waits for anything.
    pub fn is_settled(&self) -> bool {
        self.arrivals.is_empty()
    }
}

/// One record, from the overlay or from the seed.
fn view<'a>(world: &'a World, kind: Kind, overlay: &'a Overlay, id: u64) -> Option<View<'a>> {
    let index = world.index_of(kind, id)?;
    if let Some(change) = overlay.get(&id) {
        return Some(changed_view(world, kind, id, change));
    }
    (index < world.count(kind)).then(|| View {
        record: world.generated(kind, index),
        is_generated: true,
        change: None,
    })
}

/// One record of the overlay.
fn changed_view<'a>(world: &'a World, kind: Kind, id: u64, change: &'a Change) -> View<'a> {
    let content = change.content_index.unwrap_or_default();
    View {
        record: world.record(kind, content, id, change.created_at, change.updated_at),
        is_generated: change.content_index.is_some(),
        change: Some(change),
    }
}

/// Live records in ascending order of id.
pub struct Live<'a> {
    /// Where generated records come from.
    world: &'a World,
    /// What the records are.
    kind: Kind,
    /// Index of the next generated record.
    next_index: u64,
    /// End of the generated records.
    end_index: u64,
    /// Changed records still to come.
    changes: Peekable<std::collections::btree_map::Range<'a, u64, Arc<Change>>>,
}

impl<'a> Live<'a> {
    /// Starts at the first live record whose id is at least `from`.
    fn new(world: &'a World, kind: Kind, overlay: &'a Overlay, from: u64) -> Self {
        Self {
            world,
            kind,
            next_index: world.first_index_from(kind, from),
            end_index: world.count(kind),
            changes: overlay.range(from..).peekable(),
        }
    }
}

impl<'a> Iterator for Live<'a> {
    type Item = View<'a>;

    fn next(&mut self) -> Option<View<'a>> {
        loop {
            let generated_id =
                (self.next_index < self.end_index).then(|| self.world.id_of(self.kind, self.next_index));
            let changed_id = self.changes.peek().map(|(id, _)| **id);
            match (generated_id, changed_id) {
                (None, None) => return None,
                (Some(generated), changed) if changed.is_none_or(|changed| generated < changed) => {
                    let index = self.next_index;
                    self.next_index += 1;
                    let record = self.world.generated(self.kind, index);
                    return Some(View { record, is_generated: true, change: None });
                }
                (generated, _) => {
                    let (&id, change) = self.changes.next()?;
                    if generated == Some(id) {
                        self.next_index += 1;
                    }
                    if change.is_live() {
                        return Some(changed_view(self.world, self.kind, id, change));
                    }
                }
            }
        }
    }
}
