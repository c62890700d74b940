//! Links between records, and the labels they carry.
//!
//! A link joins two records whatever the direction it is read in; what differs by direction are the numbers and names
//! of its labels. It is kept once, from the type that comes first in [`Kind`] to the other, and between two records of
//! one type from the lower id to the higher. As with records, what the seed made is computed (`graph`) and what
//! somebody changed lies over it. A link is only visible while both its records are live: that is how a record in the
//! bin has none, and has its old ones again when it comes back.

pub mod edit;
mod family;
mod graph;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::object_type::Kind;

/// Most labels people may define per pair. Source: HubSpot, "Associations"; the answer to one more was seen live.
pub const MOST_LABELS: usize = 50;

/// Who defined a label. Source: HubSpot, "Associations".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Category {
    /// HubSpot itself: the plain link and the primary one.
    HubspotDefined,
    /// People of the portal.
    UserDefined,
    /// An integration.
    IntegratorDefined,
}

/// Two types in the order their links are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The type that comes first.
    pub first: Kind,
    /// The other type.
    pub second: Kind,
}

impl Pair {
    /// The pair of two types, in whatever order they are named.
    pub fn of(one: Kind, other: Kind) -> Self {
        Self { first: one.min(other), second: one.max(other) }
    }
}

/// A direction in which a link is read; the position of what belongs to it in arrays of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the first type of the pair to the second.
    Forward = 0,
    /// From the second to the first.
    Backward = 1,
}

impl Direction {
    /// The direction from one type to another; between equal types the ids decide.
    pub fn between(from: (Kind, u64), to: (Kind, u64)) -> Self {
        if from <= to { Self::Forward } else { Self::Backward }
    }
}

/// What a link is called, in each direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Label {
    /// Who defined it.
    pub category: Category,
    /// Its number in each [`Direction`].
    pub type_ids: [u64; 2],
    /// What people see in each direction; `None` for the plain link.
    pub names: [Option<String>; 2],
}

impl Label {
    /// The label read in the other direction; `None` when that is the same.
    fn mirrored(&self) -> Option<Self> {
        let ([there, back], [one, other]) = (self.type_ids, self.names.clone());
        (there != back).then_some(Self {
            category: self.category,
            type_ids: [back, there],
            names: [other, one],
        })
    }

    /// What identifies the label within its pair.
    pub const fn key(&self) -> LabelKey {
        LabelKey { category: self.category, type_id: self.type_ids[0] }
    }
}

/// A label within its pair: numbers are only unique per category and direction, so it takes both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelKey {
    /// Who defined it.
    pub category: Category,
    /// Its number in the forward direction.
    pub type_id: u64,
}

/// The labels of a link besides the plain one, which every link has.
pub type Labels = BTreeSet<LabelKey>;

/// Plain and primary numbers of a pair, forward and backward.
struct Builtin {
    /// The pair.
    pair: Pair,
    /// Numbers of the plain link.
    plain: [u64; 2],
    /// Numbers of the primary link, where there is one.
    primary: Option<[u64; 2]>,
}

/// Shortens the table below.
const fn builtin(first: Kind, second: Kind, plain: [u64; 2], primary: Option<[u64; 2]>) -> Builtin {
    Builtin { pair: Pair { first, second }, plain, primary }
}

/// Labels every portal has. Source: HubSpot, "Associate records".
static BUILTIN: [Builtin; 11] = [
    builtin(Kind::CONTACT, Kind::CONTACT, [449, 449], None),
    builtin(Kind::CONTACT, Kind::COMPANY, [279, 280], Some([1, 2])),
    builtin(Kind::CONTACT, Kind::DEAL, [4, 3], None),
    builtin(Kind::CONTACT, Kind::TICKET, [15, 16], None),
    builtin(Kind::COMPANY, Kind::COMPANY, [450, 450], None),
    builtin(Kind::COMPANY, Kind::DEAL, [342, 341], Some([6, 5])),
    builtin(Kind::COMPANY, Kind::TICKET, [340, 339], Some([25, 26])),
    builtin(Kind::DEAL, Kind::DEAL, [451, 451], None),
    builtin(Kind::DEAL, Kind::TICKET, [27, 28], None),
    builtin(Kind::DEAL, Kind::LINE_ITEM, [19, 20], None),
    builtin(Kind::CONTACT, Kind::NOTE, [201, 202], None),
];

/// The labels HubSpot gives a pair, the plain one first. Pairs without published numbers get invented ones.
pub fn builtin_labels(pair: Pair) -> Vec<Label> {
    const INVENTED: u64 = 100_000;
    let known = BUILTIN.iter().find(|known| known.pair == pair);
    let number = |one: Kind, other: Kind| INVENTED + (one.index() * 1_000 + other.index()) as u64;
    let plain =
        known.map_or([number(pair.first, pair.second), number(pair.second, pair.first)], |known| known.plain);
    // Links of a type the portal defined count as defined by the portal, the plain one too. Source: answers quoted in
    // HubSpot's community.
    let is_custom = pair.second.custom_position().is_some();
    let category = if is_custom { Category::UserDefined } else { Category::HubspotDefined };
    let label = |type_ids, name: Option<&str>| Label {
        category,
        type_ids,
        names: [name.map(str::to_owned), name.map(str::to_owned)],
    };
    let primary = known.and_then(|known| known.primary);
    let mut labels = vec![label(plain, None)];
    labels.extend(primary.map(|type_ids| label(type_ids, Some("Primary"))));
    if (pair.first, pair.second) == (Kind::COMPANY, Kind::COMPANY) {
        labels.push(Label {
            category,
            type_ids: PARENT_TO_CHILD,
            names: ["Child Company", "Parent Company"].map(|name| Some(name.to_owned())),
        });
    }
    labels
}

/// Numbers from a parent company to its child and back.
const PARENT_TO_CHILD: [u64; 2] = [13, 14];

/// The label of the link between a company and its parent.
pub const fn parent_key(child: u64, parent: u64) -> LabelKey {
    // The key is the number from the lower id to the higher.
    let [to_child, to_parent] = PARENT_TO_CHILD;
    let type_id = if parent < child { to_child } else { to_parent };
    LabelKey { category: Category::HubspotDefined, type_id }
}

/// The number of the plain link from one type to another.
pub fn plain_number(from: Kind, to: Kind) -> u64 {
    builtin_labels(Pair::of(from, to))[0].type_ids[usize::from(from > to)]
}

/// The primary label of a pair, where there is one: a record has at most one company with it.
pub fn primary_key(pair: Pair) -> Option<LabelKey> {
    let known = BUILTIN.iter().find(|known| known.pair == pair)?;
    Some(LabelKey { category: Category::HubspotDefined, type_id: known.primary?[0] })
}

/// The links of one pair that are not as the seed made them.
#[derive(Debug, Default)]
pub struct Links {
    /// Labels people defined.
    pub labels: Vec<Label>,
    /// State by first and second id; `None` for a link that was removed.
    changed: BTreeMap<(u64, u64), Option<Labels>>,
    /// The same keys the other way round, to read backward.
    backward: BTreeSet<(u64, u64)>,
}

impl Links {
    /// Stores the state of a link.
    pub fn put(&mut self, first: u64, second: u64, state: Option<Labels>) {
        self.backward.insert((second, first));
        self.changed.insert((first, second), state);
    }

    /// Every changed link.
    pub fn changed(&self) -> impl Iterator<Item = (u64, u64, Option<&Labels>)> {
        self.changed.iter().map(|(&(first, second), state)| (first, second, state.as_ref()))
    }

    /// Changed links of the record that comes first in them.
    fn of_first(&self, id: u64) -> impl Iterator<Item = (u64, Option<&Labels>)> {
        self.changed.range((id, 0)..=(id, u64::MAX)).map(|(&(_, second), state)| (second, state.as_ref()))
    }

    /// Changed links of the record that comes second in them.
    fn of_second(&self, id: u64) -> impl Iterator<Item = (u64, Option<&Labels>)> {
        let keys = self.backward.range((id, 0)..=(id, u64::MAX));
        keys.filter_map(|&(second, first)| Some((first, self.changed.get(&(first, second))?.as_ref())))
    }
}

/// All links and labels that are not as the seed made them.
#[derive(Debug, Default)]
pub struct Associations {
    /// By pair.
    pairs: BTreeMap<Pair, Links>,
}

impl Associations {
    /// What was changed about a pair.
    pub fn pair(&self, pair: Pair) -> Option<&Links> {
        self.pairs.get(&pair)
    }

    /// What was changed about a pair, to change more.
    pub fn pair_mut(&mut self, pair: Pair) -> &mut Links {
        self.pairs.entry(pair).or_default()
    }

    /// Every pair of which something was changed.
    pub fn iter(&self) -> impl Iterator<Item = (Pair, &Links)> {
        self.pairs.iter().map(|(&pair, links)| (pair, links))
    }

    /// The labels a pair has, the plain one first.
    pub fn labels(&self, pair: Pair) -> Vec<Label> {
        let mut labels = builtin_labels(pair);
        labels.extend(self.pair(pair).into_iter().flat_map(|links| links.labels.iter().cloned()));
        if pair.first == pair.second {
            // Which record has the lower id says nothing about which is the parent: such labels go either way.
            let mirrors: Vec<Label> = labels.iter().filter_map(Label::mirrored).collect();
            labels.extend(mirrors);
        }
        labels
    }

    /// The same labels for the same two records in the other order.
    pub fn flipped(&self, pair: Pair, labels: &Labels) -> Labels {
        let known = self.labels(pair);
        let flip = |key: &LabelKey| {
            let label = known.iter().find(|label| label.key() == *key);
            label.and_then(Label::mirrored).map_or(*key, |mirror| mirror.key())
        };
        labels.iter().map(flip).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_kept_in_the_order_of_their_types() {
        assert!(BUILTIN.iter().all(|known| known.pair.first <= known.pair.second));
        assert_eq!(Pair::of(Kind::DEAL, Kind::CONTACT), Pair::of(Kind::CONTACT, Kind::DEAL));
    }

    #[test]
    fn a_changed_link_is_found_from_both_ends() {
        let mut links = Links::default();
        links.put(1, 9, Some(Labels::new()));
        links.put(1, 8, None);
        assert_eq!(
            links.of_first(1).map(|(id, state)| (id, state.is_some())).collect::<Vec<_>>(),
            [(8, false), (9, true)]
        );
        assert_eq!(links.of_second(9).count(), 1);
        assert_eq!(links.of_second(1).count(), 0);
    }
}
