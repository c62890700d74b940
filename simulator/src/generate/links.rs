//! Which records the seed links.
//!
//! Records of one type are dealt out to the records of another in turn, some rounds left out, so that both ends of a
//! link can be computed from either: the record at index `i` goes to the one at `i + shift`, modulo how many there
//! are, if its slot says so. `associatedcompanyid` and its kin are drawn from the first slot of their pair.

use std::collections::BTreeSet;

use crate::generate::World;
use crate::object_type::Kind;

/// What a link of the seed is besides a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bond {
    /// Nothing.
    Plain,
    /// The company is the primary one of the record dealt to it.
    Primary,
    /// The company is the parent of the one dealt to it.
    Parent,
}

/// A record the seed links to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dealt {
    /// Its index.
    pub index: u64,
    /// What the link is besides.
    pub bond: Bond,
    /// The other was dealt to it, not it to the other.
    pub is_target: bool,
}

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
    /// What the link is besides.
    bond: Bond,
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

/// Every record.
const fn all(_: u64, _: u64) -> bool {
    true
}

/// Every ordinary way; all pairs the seed links.
static SLOTS: [Slot; 19] = [
    slot(Kind::CONTACT, Kind::COMPANY, straight, most_rounds, Bond::Primary),
    slot(
        Kind::CONTACT,
        Kind::COMPANY,
        next,
        |index, targets| targets > 1 && (index / targets) % 5 == 3,
        Bond::Plain,
    ),
    slot(Kind::DEAL, Kind::COMPANY, straight, most_rounds, Bond::Primary),
    slot(Kind::TICKET, Kind::COMPANY, straight, most_rounds, Bond::Primary),
    slot(Kind::DEAL, Kind::CONTACT, straight, |index, _| index % 4 > 0, Bond::Plain),
    slot(Kind::DEAL, Kind::CONTACT, colleague, |index, _| index % 4 > 1, Bond::Plain),
    slot(Kind::DEAL, Kind::CONTACT, second_colleague, |index, _| index % 4 > 2, Bond::Plain),
    slot(Kind::TICKET, Kind::CONTACT, straight, |index, _| index % 3 > 0, Bond::Plain),
    slot(Kind::TICKET, Kind::DEAL, straight, |index, _| index % 5 == 0, Bond::Plain),
    slot(Kind::LINE_ITEM, Kind::DEAL, straight, all, Bond::Plain),
    slot(Kind::TASK, Kind::CONTACT, straight, all, Bond::Plain),
    slot(Kind::NOTE, Kind::CONTACT, straight, all, Bond::Plain),
    slot(Kind::MEETING, Kind::CONTACT, straight, all, Bond::Plain),
    slot(Kind::CALL, Kind::CONTACT, straight, all, Bond::Plain),
    slot(Kind::EMAIL, Kind::CONTACT, straight, all, Bond::Plain),
    slot(Kind::QUOTE, Kind::DEAL, straight, all, Bond::Plain),
    slot(Kind::CONTACT, Kind::CONTACT, next, |index, targets| targets > 1 && index % 10 == 4, Bond::Plain),
    slot(Kind::COMPANY, Kind::COMPANY, next, |index, targets| targets > 1 && index % 6 == 2, Bond::Parent),
    slot(Kind::DEAL, Kind::DEAL, next, |index, targets| targets > 1 && index % 12 == 5, Bond::Plain),
];

/// Shortens the table above.
const fn slot(
    from: Kind,
    to: Kind,
    shift: fn(&World) -> u64,
    takes_part: fn(u64, u64) -> bool,
    bond: Bond,
) -> Slot {
    Slot { from, to, shift, takes_part, bond }
}

impl Slot {
    /// Index of the record that the one at `index` goes to.
    fn target(&self, world: &World, index: u64) -> Option<u64> {
        let targets = world.count(self.to);
        let goes = targets > 0 && (self.takes_part)(index, targets);
        goes.then(|| (index + (self.shift)(world)) % targets)
    }

    /// Indexes below `end` of the records that go to the one at `target`.
    fn sources(&self, world: &World, target: u64, end: u64) -> impl Iterator<Item = u64> + use<> {
        let targets = world.count(self.to);
        let (takes_part, step) = (self.takes_part, targets.max(1));
        let start =
            if target < targets { (target + targets - (self.shift)(world) % targets) % targets } else { end };
        (start..end).step_by(step as usize).filter(move |&index| takes_part(index, step))
    }
}

/// The records of a type the seed links to the one at `index` of another; of those dealt to it, the ones below `end`.
pub fn dealt(world: &World, from: Kind, index: u64, to: Kind, end: u64) -> impl Iterator<Item = Dealt> {
    let targets =
        SLOTS.iter().filter(move |slot| (slot.from, slot.to) == (from, to)).filter_map(move |slot| {
            Some(Dealt { index: slot.target(world, index)?, bond: slot.bond, is_target: true })
        });
    let sources = SLOTS.iter().filter(move |slot| (slot.to, slot.from) == (from, to)).flat_map(move |slot| {
        let dealt = move |index| Dealt { index, bond: slot.bond, is_target: false };
        slot.sources(world, index, end).map(dealt)
    });
    targets.chain(sources)
}

/// How many generated records of a type the seed links to the one at `index` of another.
pub fn count(world: &World, from: Kind, index: u64, to: Kind) -> u64 {
    let linked: BTreeSet<u64> =
        dealt(world, from, index, to, world.count(to)).map(|dealt| dealt.index).collect();
    linked.len() as u64
}

/// Index of the parent the seed gives the company at an index.
pub fn parent(world: &World, company: u64) -> Option<u64> {
    let mut dealt = dealt(world, Kind::COMPANY, company, Kind::COMPANY, 0);
    dealt.find(|dealt| dealt.is_target && dealt.bond == Bond::Parent).map(|dealt| dealt.index)
}

/// How many generated companies the seed makes children of the one at an index.
pub fn child_count(world: &World, company: u64) -> u64 {
    let dealt = dealt(world, Kind::COMPANY, company, Kind::COMPANY, world.count(Kind::COMPANY));
    dealt.filter(|dealt| !dealt.is_target && dealt.bond == Bond::Parent).count() as u64
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

    #[test]
    fn the_first_company_a_contact_is_dealt_to_is_the_one_its_values_name() {
        let world = World::new(7, &[900, 12]);
        for index in 0..900 {
            let primary = dealt(&world, Kind::CONTACT, index, Kind::COMPANY, 0)
                .find(|dealt| dealt.bond == Bond::Primary)
                .map(|dealt| dealt.index);
            assert_eq!(primary, world.company_of(index), "contact {index}");
        }
    }

    #[test]
    fn children_and_parents_agree() {
        let world = World::new(7, &[0, 50]);
        let children: u64 = (0..50).map(|company| child_count(&world, company)).sum();
        let parents = (0..50).filter(|&company| parent(&world, company).is_some()).count();
        assert_eq!((children, parents), (8, 8));
    }
}
