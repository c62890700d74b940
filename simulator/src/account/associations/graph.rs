//! Links as the seed made them.
//!
//! Records of one type are dealt out to the records of another in turn, some rounds left out, so that both ends of a
//! link can be computed from either: the record at index `i` goes to the one at `i + shift`, modulo how many there
//! are, if its slot says so. `associatedcompanyid` and its kin are drawn from the first slot of their pair.

use std::collections::BTreeMap;

use crate::account::Account;
use crate::account::associations::{Labels, Pair, primary_key};
use crate::generate::World;
use crate::object_type::Kind;

/// One way in which records of a type are dealt out.
struct Slot {
    /// What is dealt.
    from: Kind,
    /// To what.
    to: Kind,
    /// How far from its own index a record goes.
    shift: fn(&World) -> u64,
    /// Whether the record at an index, one of which is dealt to this many, takes part.
    takes_part: fn(index: u64, targets: u64) -> bool,
    /// Whether the link is primary.
    is_primary: bool,
}

/// No shift.
const fn straight(_: &World) -> u64 {
    0
}

/// To the next one.
const fn next(_: &World) -> u64 {
    1
}

/// As many as there are companies, which leads to another contact of the same one.
fn colleague(world: &World) -> u64 {
    world.count(Kind::COMPANY)
}

/// The same again.
fn second_colleague(world: &World) -> u64 {
    2 * world.count(Kind::COMPANY)
}

/// Seven of eight rounds, the same as [`World::company_of`].
const fn most_rounds(index: u64, targets: u64) -> bool {
    (index / targets) % 8 != 7
}

/// Every ordinary way; all pairs the seed links.
static SLOTS: [Slot; 16] = [
    slot(Kind::CONTACT, Kind::COMPANY, straight, most_rounds, true),
    slot(
        Kind::CONTACT,
        Kind::COMPANY,
        next,
        |index, targets| targets > 1 && (index / targets) % 5 == 3,
        false,
    ),
    slot(Kind::DEAL, Kind::COMPANY, straight, most_rounds, true),
    slot(Kind::TICKET, Kind::COMPANY, straight, most_rounds, true),
    slot(Kind::DEAL, Kind::CONTACT, straight, |index, _| index % 4 > 0, false),
    slot(Kind::DEAL, Kind::CONTACT, colleague, |index, _| index % 4 > 1, false),
    slot(Kind::DEAL, Kind::CONTACT, second_colleague, |index, _| index % 4 > 2, false),
    slot(Kind::TICKET, Kind::CONTACT, straight, |index, _| index % 3 > 0, false),
    slot(Kind::TICKET, Kind::DEAL, straight, |index, _| index % 5 == 0, false),
    slot(Kind::LINE_ITEM, Kind::DEAL, straight, |_, _| true, false),
    slot(Kind::TASK, Kind::CONTACT, straight, |_, _| true, false),
    slot(Kind::NOTE, Kind::CONTACT, straight, |_, _| true, false),
    slot(Kind::MEETING, Kind::CONTACT, straight, |_, _| true, false),
    slot(Kind::CALL, Kind::CONTACT, straight, |_, _| true, false),
    slot(Kind::EMAIL, Kind::CONTACT, straight, |_, _| true, false),
    slot(Kind::QUOTE, Kind::DEAL, straight, |_, _| true, false),
];

/// Shortens the table above.
const fn slot(
    from: Kind,
    to: Kind,
    shift: fn(&World) -> u64,
    takes_part: fn(u64, u64) -> bool,
    is_primary: bool,
) -> Slot {
    Slot { from, to, shift, takes_part, is_primary }
}

impl Slot {
    /// Index of the record that the one at `index` goes to.
    fn target(&self, world: &World, index: u64) -> Option<u64> {
        let targets = world.count(self.to);
        let goes = targets > 0 && (self.takes_part)(index, targets);
        goes.then(|| (index + (self.shift)(world)) % targets)
    }

    /// Indexes below `end` of the records that go to the one at `target`.
    fn sources(&self, world: &World, target: u64, end: u64) -> impl Iterator<Item = u64> {
        let targets = world.count(self.to);
        let (takes_part, step) = (self.takes_part, targets.max(1));
        let start =
            if target < targets { (target + targets - (self.shift)(world) % targets) % targets } else { end };
        (start..end).step_by(step as usize).filter(move |&index| takes_part(index, step))
    }
}

impl Account {
    /// The id of the record at an index whose links are as the seed made them: one with its own content. What merging
    /// made has the content of another and its links in writing.
    fn dealt(&self, kind: Kind, index: u64) -> Option<u64> {
        let id = self.world.id_of(kind, index);
        let is_own = match self.store(kind).change(id) {
            None => index < self.world.count(kind),
            Some(change) => change.content_index == Some(index),
        };
        is_own.then_some(id)
    }

    /// Links from a record to those of another type as the seed made them, whether or not the others are live.
    pub(super) fn dealt_links(&self, from: Kind, id: u64, to: Kind) -> BTreeMap<u64, Labels> {
        let mut links: BTreeMap<u64, Labels> = BTreeMap::new();
        let own = self.world.index_of(from, id).filter(|&index| self.dealt(from, index).is_some());
        let Some(index) = own else { return links };
        let mut add = |other: u64, slot: &Slot| {
            let Some(other) = self.dealt(to, other) else { return };
            let primary = primary_key(Pair::of(from, to)).filter(|_| slot.is_primary);
            links.entry(other).or_default().extend(primary);
        };
        for slot in &SLOTS {
            if (slot.from, slot.to) == (from, to) {
                slot.target(&self.world, index).into_iter().for_each(|other| add(other, slot));
            } else if (slot.to, slot.from) == (from, to) {
                let end = self.store(to).next_index();
                slot.sources(&self.world, index, end).for_each(|other| add(other, slot));
            }
        }
        links
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_is_found_from_both_ends() {
        for counts in [[200, 12, 90, 40], [7, 3, 50, 9], [0, 3, 5, 5], [5, 0, 5, 5]] {
            let world = World::new(7, &counts);
            for slot in &SLOTS {
                let end = world.count(slot.from) + 10;
                let forward: Vec<(u64, u64)> =
                    (0..end).filter_map(|index| Some((slot.target(&world, index)?, index))).collect();
                let backward: Vec<(u64, u64)> = (0..world.count(slot.to))
                    .flat_map(|target| slot.sources(&world, target, end).map(move |index| (target, index)))
                    .collect();
                let mut sorted = forward;
                sorted.sort_unstable();
                assert_eq!(sorted, backward);
            }
        }
    }
}
