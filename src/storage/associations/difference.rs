//! What differs between links HubSpot told and links that are stored: two sorted lists, walked side by side.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use super::{PageOutcome, bare_kind, key, stored_label};
use crate::model::{Association, AssociationType, ObjectId};

/// A link as its row tells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredLink<'r> {
    /// Where it starts.
    pub(super) from: ObjectId,
    /// Where it leads.
    pub(super) to: ObjectId,
    /// Who defined its kind.
    pub(super) category: &'r str,
    /// The number of its kind.
    pub(super) type_id: i64,
    /// What people see.
    pub(super) label: Option<&'r str>,
    /// Whether it counts as gone.
    pub(super) is_removed: bool,
}

/// The difference, as it is being found.
#[derive(Debug)]
pub(super) struct Difference<'a> {
    /// Told links that no stored one was compared with yet, in key order, each key once.
    told: &'a [&'a Association],
    /// Links to store: new, back, or with another label. In key order.
    pub(super) to_write: Vec<Cow<'a, Association>>,
    /// Links to mark as removed, in key order; their label is not filled in.
    pub(super) to_remove: Vec<Cow<'a, Association>>,
    /// The kinds in `to_remove`, shared.
    removed_kinds: HashSet<Arc<AssociationType>>,
    inserted: u64,
    unchanged: u64,
}

impl<'a> Difference<'a> {
    /// Begins a comparison with `told`, which is in key order and names each key once.
    pub(super) fn new(told: &'a [&'a Association]) -> Self {
        let (to_write, to_remove) = (Vec::new(), Vec::new());
        Self { told, to_write, to_remove, removed_kinds: HashSet::new(), inserted: 0, unchanged: 0 }
    }

    /// Takes the next stored link in key order.
    pub(super) fn take(&mut self, stored: StoredLink<'_>) {
        let stored_key = (stored.from, stored.to, stored.category, stored.type_id);
        while let Some((told, rest)) = self.told.split_first() {
            match key(told).cmp(&stored_key) {
                Ordering::Less => self.insert(told),
                Ordering::Equal => {
                    let is_same = told.kind.label.as_deref().map(stored_label) == stored.label;
                    if is_same && !stored.is_removed {
                        self.unchanged += 1;
                    } else {
                        self.to_write.push(Cow::Borrowed(told));
                    }
                    self.told = rest;
                    return;
                }
                Ordering::Greater => break,
            }
            self.told = rest;
        }
        if !stored.is_removed {
            self.remove(stored);
        }
    }

    /// The end of the stored links: what is left of the told ones is new.
    pub(super) fn finish(mut self) -> Self {
        for told in std::mem::take(&mut self.told) {
            self.insert(told);
        }
        self
    }

    /// A link that is not stored.
    fn insert(&mut self, told: &'a Association) {
        self.inserted += 1;
        self.to_write.push(Cow::Borrowed(told));
    }

    /// A stored link that was not told.
    fn remove(&mut self, stored: StoredLink<'_>) {
        let kind = bare_kind(stored.category, stored.type_id);
        let kind = self.removed_kinds.get(&kind).cloned().unwrap_or_else(|| {
            let kind = Arc::new(kind);
            self.removed_kinds.insert(Arc::clone(&kind));
            kind
        });
        self.to_remove.push(Cow::Owned(Association { from: stored.from, to: stored.to, kind }));
    }

    /// The same in numbers.
    pub(super) fn outcome(&self) -> PageOutcome {
        PageOutcome {
            inserted: self.inserted,
            updated: self.to_write.len() as u64 - self.inserted,
            unchanged: self.unchanged,
            deleted: self.to_remove.len() as u64,
            quarantined: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Key of a test link: from, to, number.
    type Key = (i64, i64, i64);

    /// A link with a label made of one letter, empty for none.
    fn link((from, to, type_id): Key, label: &str) -> Association {
        let label = (!label.is_empty()).then(|| label.to_owned());
        let kind = Arc::new(AssociationType { category: "USER_DEFINED".to_owned(), type_id, label });
        Association { from: ObjectId(from), to: ObjectId(to), kind }
    }

    /// The key of a link.
    fn key_of(link: &Association) -> Key {
        (link.from.0, link.to.0, link.kind.type_id)
    }

    proptest! {
        #[test]
        fn carrying_the_difference_out_leaves_exactly_what_was_told(
            told in prop::collection::btree_map((1..4_i64, 1..5_i64, 1..3_i64), "[ab]?", 0..30),
            stored in prop::collection::btree_map((1..4_i64, 1..5_i64, 1..3_i64), ("[ab]?", any::<bool>()), 0..30),
        ) {
            let links: Vec<_> = told.iter().map(|(key, label)| link(*key, label)).collect();
            let sorted: Vec<_> = links.iter().collect();
            let mut difference = Difference::new(&sorted);
            for ((from, to, type_id), (label, is_removed)) in &stored {
                let label = Some(label.as_str()).filter(|label| !label.is_empty());
                let (from, to) = (ObjectId(*from), ObjectId(*to));
                difference.take(StoredLink {
                    from, to, category: "USER_DEFINED", type_id: *type_id, label, is_removed: *is_removed,
                });
            }
            let difference = difference.finish();
            let mut table = stored.clone();
            for link in &difference.to_write {
                let label = link.kind.label.clone().unwrap_or_default();
                let before = table.insert(key_of(link), (label.clone(), false));
                prop_assert_ne!(before, Some((label, false)), "only what differs is written");
            }
            for link in &difference.to_remove {
                let row = table.get_mut(&key_of(link)).expect("only what is stored is removed");
                prop_assert!(!row.1, "what is removed is not removed again");
                row.1 = true;
            }
            let live: BTreeMap<_, _> =
                table.into_iter().filter(|(_, row)| !row.1).map(|(key, row)| (key, row.0)).collect();
            prop_assert_eq!(&live, &told);
            let outcome = difference.outcome();
            let inserted = told.keys().filter(|key| !stored.contains_key(*key)).count() as u64;
            prop_assert_eq!(outcome.inserted, inserted);
            prop_assert_eq!(outcome.inserted + outcome.updated + outcome.unchanged, told.len() as u64);
        }
    }
}
