//! Comparing a part of a listing with the rows of the same ids: pure, so that every case can be tried.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::model::{ObjectId, Properties, Record};
use crate::storage::{ComparedRow, MERGED_IDS};

/// What is compared besides ids and versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope<'s> {
    /// The properties whose values are compared.
    pub(super) names: &'s [String],
    /// Those of them that HubSpot changes without a new version.
    pub(super) silent: &'s [String],
    /// When they are all there are: what else may be stored, in name order. Values stay in a row when HubSpot archives
    /// their property, until the row is written again.
    pub(super) retired: Option<&'s [String]>,
    /// Up to when what differs should have been seen.
    pub(super) horizon: Horizon,
}

/// What other lanes had the chance to see; whatever came later is theirs still.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Horizon {
    /// Every change up to here should be in the mirror.
    pub(super) changes: DateTime<Utc>,
    /// When the recycle bin was last read: what counted as deleted before and was restored by then should be live in the
    /// mirror. `None`: no other lane looks for it.
    pub(super) bin: Option<DateTime<Utc>>,
}

/// The differences of one part, by kind. Ids ascend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// HubSpot has it and the mirror has not, or counts it as deleted.
    pub(super) missing: Vec<ObjectId>,
    /// The mirror has an older version.
    pub(super) stale: Vec<ObjectId>,
    /// The mirror has the same version with other content, or a version HubSpot has not reached.
    pub(super) different: Vec<ObjectId>,
    /// The same version, and only values that change silently differ.
    pub(super) recalculated: Vec<ObjectId>,
    /// The mirror has it and the listing has not: deleted, merged, erased, or just restored.
    pub(super) absent: Vec<ObjectId>,
    /// Missing or stale, but changed or restored so lately that no other lane need have seen it.
    pub(super) recent: Vec<ObjectId>,
}

/// A part of a listing: every live record whose id lies in a range.
pub(super) struct Comparison<'c> {
    scope: Scope<'c>,
    /// When the first page of the part was asked for.
    read_at: DateTime<Utc>,
    /// Records no row was met for yet.
    unmet: BTreeMap<ObjectId, &'c Record>,
    differences: Differences,
}

impl<'c> Comparison<'c> {
    /// A comparison of what was listed, at `read_at` or later.
    pub(super) fn new(scope: Scope<'c>, listed: &'c [Record], read_at: DateTime<Utc>) -> Self {
        let unmet = listed.iter().map(|record| (record.id, record)).collect();
        Self { scope, read_at, unmet, differences: Differences::default() }
    }

    /// Compares rows of the range, each once.
    pub(super) fn meet(&mut self, rows: &[ComparedRow]) {
        for row in rows {
            let listed = self.unmet.remove(&row.id);
            let read_at = listed.map_or(self.read_at, |record| record.read_at);
            if row.synced_at.is_some_and(|synced_at| synced_at >= read_at) {
                // Written since HubSpot was asked: what differs may be what has changed meanwhile.
                continue;
            }
            match listed {
                Some(record) => self.meet_one(row, record),
                None if !row.archived => self.differences.absent.push(row.id),
                None => {}
            }
        }
    }

    /// Compares a row with the record it mirrors.
    fn meet_one(&mut self, row: &ComparedRow, record: &Record) {
        let found = &mut self.differences;
        let is_recent = record.updated_at > self.scope.horizon.changes;
        // Restored in its old version: only the recycle bin tells, and nobody has looked since it was marked.
        let bin = self.scope.horizon.bin;
        let is_unlooked = row.archived && bin.is_some_and(|read| row.synced_at > Some(read));
        let kind = match row.updated_at {
            version if is_recent && (row.archived || version != Some(record.updated_at)) => {
                Some(&mut found.recent)
            }
            _ if is_unlooked => Some(&mut found.recent),
            _ if row.archived => Some(&mut found.missing),
            None => Some(&mut found.stale),
            Some(version) if version < record.updated_at => Some(&mut found.stale),
            Some(version) if version > record.updated_at => Some(&mut found.different),
            Some(_) if row.has_other_columns => Some(&mut found.different),
            Some(_) => match self.scope.compare(row.properties.as_ref(), &record.properties) {
                Content::Same => None,
                Content::Recalculated => Some(&mut found.recalculated),
                Content::Different => Some(&mut found.different),
            },
        };
        if let Some(kind) = kind {
            kind.push(row.id);
        }
    }

    /// The differences, when all rows of the range were met.
    pub(super) fn finish(mut self) -> Differences {
        for record in self.unmet.values() {
            let is_recent = record.updated_at > self.scope.horizon.changes;
            let kind = if is_recent { &mut self.differences.recent } else { &mut self.differences.missing };
            kind.push(record.id);
        }
        self.differences.missing.sort_unstable();
        self.differences.recent.sort_unstable();
        self.differences
    }
}

/// How the content of two copies of one version compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Same,
    /// Only silent properties differ.
    Recalculated,
    Different,
}

impl Scope<'_> {
    /// Compares as far as the scope goes.
    fn compare(&self, stored: Option<&Properties>, listed: &Properties) -> Content {
        if self.names.is_empty() {
            return Content::Same;
        }
        let Some(stored) = stored else { return Content::Different };
        if self.retired.is_some() && stored == listed {
            return Content::Same;
        }
        let differ: Vec<_> = self.names.iter().filter(|name| stored.get(name) != listed.get(name)).collect();
        // A merge brings values of any kind along.
        let is_silent = |name: &&String| self.silent.binary_search(name).is_ok() && *name != MERGED_IDS;
        let has_more = || {
            self.retired.is_some_and(|retired| {
                let is_retired =
                    |name: &str| retired.binary_search_by(|other| other.as_str().cmp(name)).is_ok();
                stored.iter().any(|(name, _)| !self.has(&name) && !is_retired(&name))
            })
        };
        match differ.as_slice() {
            [] if has_more() => Content::Different,
            [] => Content::Same,
            differ if differ.iter().copied().all(|name| is_silent(&name)) && !has_more() => {
                Content::Recalculated
            }
            _ => Content::Different,
        }
    }

    /// Whether a property is compared.
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|compared| compared == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AS_OF: i64 = 100;
    const READ_AT: i64 = 1_000;
    const BIN_READ_AT: i64 = 500;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(millis).unwrap()
    }

    fn record(id: i64, version: i64, city: &str) -> Record {
        Record {
            id: ObjectId(id),
            properties: [("city", city), ("score", "1")].into_iter().collect(),
            created_at: at(0),
            updated_at: at(version),
            archived: false,
            archived_at: None,
            read_at: at(READ_AT),
        }
    }

    fn row(id: i64, version: i64, pairs: &[(&str, &str)]) -> ComparedRow {
        ComparedRow {
            id: ObjectId(id),
            updated_at: Some(at(version)),
            synced_at: Some(at(READ_AT - 1)),
            archived: false,
            properties: Some(pairs.iter().copied().collect()),
            has_other_columns: false,
        }
    }

    /// What comparing one record, if any, with one row, if any, finds.
    fn found(listed: Option<Record>, row: Option<ComparedRow>) -> Differences {
        let names = ["city", "score"].map(str::to_owned);
        let silent = ["score".to_owned()];
        let retired = ["fax".to_owned()];
        let horizon = Horizon { changes: at(AS_OF), bin: Some(at(BIN_READ_AT)) };
        let scope = Scope { names: &names, silent: &silent, retired: Some(&retired), horizon };
        let listed: Vec<_> = listed.into_iter().collect();
        let mut comparison = Comparison::new(scope, &listed, at(READ_AT));
        comparison.meet(&row.into_iter().collect::<Vec<_>>());
        comparison.finish()
    }

    const SAME: &[(&str, &str)] = &[("city", "Bonn"), ("score", "1")];

    #[test]
    fn each_kind_of_difference_is_told_from_the_others() {
        let one = vec![ObjectId(1)];
        let bonn = || Some(record(1, 50, "Bonn"));
        let marked = Some(at(BIN_READ_AT));
        let archived = |version| ComparedRow { archived: true, synced_at: marked, ..row(1, version, SAME) };
        let cases = [
            (bonn(), Some(row(1, 50, SAME)), Differences::default()),
            (bonn(), None, Differences { missing: one.clone(), ..Differences::default() }),
            (bonn(), Some(archived(50)), Differences { missing: one.clone(), ..Differences::default() }),
            (bonn(), Some(row(1, 49, SAME)), Differences { stale: one.clone(), ..Differences::default() }),
            (
                bonn(),
                Some(row(1, 51, SAME)),
                Differences { different: one.clone(), ..Differences::default() },
            ),
            (
                bonn(),
                Some(row(1, 50, &[("city", "Bonn"), ("score", "2")])),
                Differences { recalculated: one.clone(), ..Differences::default() },
            ),
            (
                bonn(),
                Some(row(1, 50, &[("city", "Wien"), ("score", "2")])),
                Differences { different: one.clone(), ..Differences::default() },
            ),
            (
                bonn(),
                Some(row(1, 50, &[("city", "Bonn"), ("score", "1"), ("zip", "1")])),
                Differences { different: one.clone(), ..Differences::default() },
            ),
            (
                bonn(),
                Some(row(1, 50, &[("city", "Bonn"), ("score", "1"), ("fax", "1")])),
                Differences::default(),
            ),
            (
                bonn(),
                Some(ComparedRow { has_other_columns: true, ..row(1, 50, SAME) }),
                Differences { different: one.clone(), ..Differences::default() },
            ),
            (None, Some(row(1, 50, SAME)), Differences { absent: one.clone(), ..Differences::default() }),
            (None, Some(archived(50)), Differences::default()),
        ];
        for (listed, row, expected) in cases {
            assert_eq!(found(listed.clone(), row.clone()), expected, "{listed:?} beside {row:?}");
        }
    }

    #[test]
    fn what_has_changed_meanwhile_is_no_difference() {
        let fresh = Some(record(1, AS_OF + 1, "Bonn"));
        let recent = Differences { recent: vec![ObjectId(1)], ..Differences::default() };
        assert_eq!(found(fresh.clone(), None), recent, "created after the watermark");
        assert_eq!(found(fresh.clone(), Some(row(1, 50, SAME))), recent, "changed after it");
        assert_eq!(found(fresh, Some(row(1, AS_OF + 1, SAME))), Differences::default(), "stored already");
        let marked = Some(at(BIN_READ_AT + 1));
        let archived = ComparedRow { archived: true, synced_at: marked, ..row(1, 50, SAME) };
        assert_eq!(found(Some(record(1, 50, "Bonn")), Some(archived)), recent, "the bin was not read since");
        let written = ComparedRow { synced_at: Some(at(READ_AT)), ..row(1, 49, SAME) };
        assert_eq!(found(Some(record(1, 50, "Bonn")), Some(written.clone())), Differences::default());
        assert_eq!(found(None, Some(written)), Differences::default(), "written after it was listed");
    }

    #[test]
    fn content_that_is_not_what_this_program_writes_is_different() {
        let broken = ComparedRow { properties: None, ..row(1, 50, SAME) };
        let expected = Differences { different: vec![ObjectId(1)], ..Differences::default() };
        assert_eq!(found(Some(record(1, 50, "Bonn")), Some(broken)), expected);
    }
}
