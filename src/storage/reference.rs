//! What the small reference tables have in common: compare all that is stored with all that HubSpot lists, and
//! write the difference.

use std::collections::BTreeMap;
use std::ops::Add;

use super::{PageOutcome, StorageError};

/// Rows a statement writes.
pub(super) const BATCH: usize = 100;

/// So many rows may disappear at once without arousing suspicion.
const UNSUSPICIOUS: usize = 10;

/// The difference between a stored table and HubSpot's list.
pub(super) struct Difference<'a, T> {
    /// Not stored yet, or stored differently.
    pub(super) changed: Vec<&'a T>,
    /// Keys that are stored and no longer listed. Empty when HubSpot listed nothing at all: absence of everything is
    /// more likely a fault than a fact.
    pub(super) gone: Vec<String>,
    /// The same in numbers, for `sync_runs`.
    pub(super) outcome: PageOutcome,
}

impl<'a, T: PartialEq> Difference<'a, T> {
    /// Compares by `key`; `is_archived` tells rows that already count as gone. `what` names the items in the plural.
    ///
    /// # Errors
    /// [`StorageError::ShortList`] when more than half of what is stored, and more than ten, are no longer listed: an
    /// answer cut short is more likely.
    pub(super) fn between(
        what: impl Into<String>,
        stored: &BTreeMap<String, T>,
        listed: &'a [T],
        key: impl Fn(&T) -> &str,
        is_archived: impl Fn(&T) -> bool,
    ) -> Result<Self, StorageError> {
        let mut outcome = PageOutcome::default();
        let mut changed = Vec::new();
        for item in listed {
            match stored.get(key(item)) {
                Some(same) if same == item => outcome.unchanged += 1,
                Some(_) => outcome.updated += 1,
                None => outcome.inserted += 1,
            }
            if stored.get(key(item)) != Some(item) {
                changed.push(item);
            }
        }
        let missing = |name: &String| !listed.iter().any(|item| key(item) == name);
        let gone: Vec<_> = stored
            .iter()
            .filter(|(name, item)| !listed.is_empty() && !is_archived(item) && missing(name))
            .map(|(name, _)| name.clone())
            .collect();
        let (missing, stored) = (gone.len(), stored.values().filter(|item| !is_archived(item)).count());
        if missing > UNSUSPICIOUS && missing * 2 > stored {
            return Err(StorageError::ShortList { what: what.into(), missing, stored });
        }
        outcome.deleted = missing as u64;
        Ok(Self { changed, gone, outcome })
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty()
    }
}

impl Add for PageOutcome {
    type Output = Self;

    /// The outcome of both together.
    fn add(self, other: Self) -> Self {
        Self {
            inserted: self.inserted + other.inserted,
            updated: self.updated + other.updated,
            unchanged: self.unchanged + other.unchanged,
            deleted: self.deleted + other.deleted,
            quarantined: self.quarantined + other.quarantined,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key, content, archived.
    type Item = (&'static str, u8, bool);

    fn difference<'a>(stored: &[Item], listed: &'a [Item]) -> Difference<'a, Item> {
        let stored = stored.iter().map(|item| (item.0.to_owned(), *item)).collect();
        Difference::between("items", &stored, listed, |item| item.0, |item| item.2).unwrap()
    }

    /// Whether a list that lacks `missing` of `stored` items is believed.
    fn is_believed(stored: usize, missing: usize) -> bool {
        let items: Vec<_> = (0..stored).map(|number| number.to_string()).collect();
        let stored = items.iter().map(|item| (item.clone(), item.clone())).collect();
        Difference::between("items", &stored, &items[missing..], |item| item.as_str(), |_| false).is_ok()
    }

    #[test]
    fn only_what_differs_is_written() {
        let stored = [("same", 1, false), ("changed", 1, false), ("gone", 1, false), ("long gone", 1, true)];
        let listed = [("same", 1, false), ("changed", 2, false), ("new", 1, false)];
        let difference = difference(&stored, &listed);
        assert_eq!(difference.changed, [&("changed", 2, false), &("new", 1, false)]);
        assert_eq!(difference.gone, ["gone"]);
        let expected = PageOutcome { inserted: 1, updated: 1, unchanged: 1, deleted: 1, quarantined: 0 };
        assert_eq!(difference.outcome, expected);
    }

    #[test]
    fn a_list_that_lacks_most_of_what_is_stored_is_not_believed() {
        let believed = [(12, 10), (22, 11), (500, 250), (10_000, 5_000), (5, 4)];
        let not_believed = [(12, 11), (21, 11), (500, 251), (500, 499)];
        for (stored, missing) in believed {
            assert!(is_believed(stored, missing), "{missing} of {stored}");
        }
        for (stored, missing) in not_believed {
            assert!(!is_believed(stored, missing), "{missing} of {stored}");
        }
    }

    #[test]
    fn what_counts_as_gone_already_does_not_count_again() {
        let names: Vec<_> = (0..30).map(|number| number.to_string()).collect();
        let stored = |archived| names.iter().map(|name| (name.clone(), (name.clone(), archived))).collect();
        let listed = [("29".to_owned(), false)];
        let between = |stored| {
            Difference::between("items", &stored, &listed, |item: &(String, bool)| &item.0, |item| item.1)
                .is_ok()
        };
        assert!(between(stored(true)) && !between(stored(false)));
    }

    #[test]
    fn an_empty_list_proves_nothing() {
        assert!(difference(&[("a", 1, false)], &[]).is_empty());
    }
}
