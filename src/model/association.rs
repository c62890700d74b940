//! Links between records.

use std::fmt;
use std::sync::Arc;

use super::{OBJECT_TYPES, ObjectId, ObjectType};

/// Number of HubSpot's own kinds of link that mark the primary company, for each pair and direction.
/// Source: HubSpot, "Associate records".
const PRIMARY: [i64; 6] = [1, 2, 5, 6, 25, 26];

/// What HubSpot calls the primary link, also for pairs whose number is not in [`PRIMARY`].
const PRIMARY_LABEL: &str = "Primary";

/// The category of the kinds of link HubSpot brings along.
const BUILT_IN: &str = "HUBSPOT_DEFINED";

/// A kind of link: plain, primary, or labelled by a person or an app.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssociationType {
    /// Who defined it: `HUBSPOT_DEFINED`, `USER_DEFINED`, `INTEGRATOR_DEFINED`, `WORK`, or what else HubSpot sends.
    pub category: String,
    /// Its number; unique within its category, pair and direction only.
    pub type_id: i64,
    /// What people see; `None` for the plain link.
    pub label: Option<String>,
}

impl AssociationType {
    /// Whether it marks the primary one among a record's links.
    pub fn is_primary(&self) -> bool {
        let says_so = || self.label.as_deref().is_some_and(|label| label.eq_ignore_ascii_case(PRIMARY_LABEL));
        self.category == BUILT_IN && (PRIMARY.contains(&self.type_id) || says_so())
    }
}

/// One kind of link between two records; two records can have several. The types of the records are those of the
/// [`TypePair`] it was read for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Association {
    /// The record it starts at.
    pub from: ObjectId,
    /// The record it leads to.
    pub to: ObjectId,
    /// What kind it is; shared, because an account has few kinds and millions of links.
    pub kind: Arc<AssociationType>,
}

/// Two object types in the direction in which links between them are read and stored.
///
/// HubSpot tells every link from both sides, with a number of its own for each. One side is enough: the type that
/// comes first in [`OBJECT_TYPES`], custom types behind them by type id. Types may be added anywhere, but two that
/// exist must never change places, or stored links would be looked for the wrong way round.
///
/// Between records of one type there is no first side, and each link is stored twice, once from each record.
#[derive(Debug, Clone, Copy)]
pub struct TypePair {
    /// The type whose records are asked for their links.
    pub from: &'static ObjectType,
    /// The type the links lead to.
    pub to: &'static ObjectType,
}

impl TypePair {
    /// The pair of two types, given in any order.
    pub fn of(one: &'static ObjectType, other: &'static ObjectType) -> Self {
        let (from, to) = if rank(one) <= rank(other) { (one, other) } else { (other, one) };
        Self { from, to }
    }

    /// Every pair of the given types, those within one type included; each once.
    pub fn all(objects: &[&'static ObjectType]) -> Vec<Self> {
        let mut sorted = objects.to_vec();
        sorted.sort_by_key(|object_type| rank(object_type));
        sorted.dedup_by_key(|object_type| object_type.type_id);
        let with_later = |(index, from): (usize, &&'static ObjectType)| -> Vec<Self> {
            sorted[index..].iter().map(|to| Self { from, to }).collect()
        };
        sorted.iter().enumerate().flat_map(with_later).collect()
    }

    /// Whether it links records of one type with each other.
    pub fn is_within_one_type(self) -> bool {
        self.from.type_id == self.to.type_id
    }
}

/// Two pairs are the same when their types have the same ids.
impl PartialEq for TypePair {
    fn eq(&self, other: &Self) -> bool {
        (self.from.type_id, self.to.type_id) == (other.from.type_id, other.to.type_id)
    }
}

impl Eq for TypePair {}

impl fmt::Display for TypePair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

/// Where a type stands among the others: standard types in the order of their descriptors, then the rest by type id.
fn rank(object_type: &ObjectType) -> (usize, &'static str) {
    let known = OBJECT_TYPES.iter().position(|known| known.type_id == object_type.type_id);
    (known.unwrap_or(OBJECT_TYPES.len()), object_type.type_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A custom type, as it is made at run time.
    fn custom(type_id: &'static str) -> &'static ObjectType {
        Box::leak(Box::new(ObjectType {
            name: type_id,
            singular: "thing",
            type_id,
            table: "hubspot_things",
            ..*named("deals")
        }))
    }

    fn named(name: &str) -> &'static ObjectType {
        ObjectType::named(name).unwrap()
    }

    fn text(pair: TypePair) -> String {
        pair.to_string()
    }

    #[test]
    fn a_pair_has_one_direction_however_it_is_named() {
        let (cars, boats) = (custom("2-7"), custom("2-8"));
        for (one, other, expected) in [
            (named("contacts"), named("deals"), "contacts to deals"),
            (named("companies"), named("deals"), "companies to deals"),
            (cars, named("deals"), "deals to 2-7"),
            (boats, cars, "2-7 to 2-8"),
            (cars, cars, "2-7 to 2-7"),
        ] {
            assert_eq!(text(TypePair::of(one, other)), expected);
            assert_eq!(TypePair::of(one, other), TypePair::of(other, one));
        }
        assert!(TypePair::of(cars, cars).is_within_one_type());
        assert!(!TypePair::of(cars, boats).is_within_one_type());
    }

    #[test]
    fn all_pairs_of_some_types_are_named_once() {
        let (companies, contacts) = (named("companies"), named("contacts"));
        let pairs: Vec<_> = TypePair::all(&[companies, contacts, companies]).into_iter().map(text).collect();
        assert_eq!(pairs, ["contacts to contacts", "contacts to companies", "companies to companies"]);
        assert!(TypePair::all(&[]).is_empty());
    }

    #[test]
    fn the_primary_link_is_told_by_number_and_by_name() {
        let kind = |category: &str, type_id, label: Option<&str>| AssociationType {
            category: category.to_owned(),
            type_id,
            label: label.map(str::to_owned),
        };
        for (kind, expected) in [
            (kind("HUBSPOT_DEFINED", 1, Some("Primary")), true),
            (kind("HUBSPOT_DEFINED", 26, None), true),
            (kind("HUBSPOT_DEFINED", 9_999, Some("Primary")), true),
            (kind("HUBSPOT_DEFINED", 279, None), false),
            (kind("USER_DEFINED", 1, Some("Primary")), false),
        ] {
            assert_eq!(kind.is_primary(), expected, "{kind:?}");
        }
    }
}
