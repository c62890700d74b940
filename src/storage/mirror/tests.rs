//! Classification: what is done with an incoming copy, and which of several copies counts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;
use crate::model::ObjectId;

/// A copy of a record; `city` is its content.
fn copy(id: i64, version: i64, city: &str) -> Record {
    Record {
        id: ObjectId(id),
        properties: [("city", city)].into_iter().collect(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: at(version),
        archived: false,
        archived_at: None,
        read_at: at(1_000),
    }
}

/// The time of a version.
fn at(version: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(version).expect("in range")
}

/// A row as the table would hold it.
fn row(local_key: i64, version: Option<i64>, hash: Option<&ContentHash>) -> Stored {
    Stored {
        local_key,
        updated_at: version.map(at),
        synced_at: None,
        hash: hash.map(|hash| hash.0.to_vec()),
        archived: false,
        archived_at: None,
        edited: false,
        quarantine_used: false,
        deletes_wait: false,
        merges_used: false,
    }
}

/// The one copy there is, ready to be decided on.
fn incoming(record: &Record) -> Incoming<'_> {
    newest_by_id(std::slice::from_ref(record)).remove(0)
}

#[test]
fn each_case_of_the_table_is_decided_as_it_says() {
    let record = copy(1, 20, "Bonn");
    let candidate = incoming(&record);
    let (same, other) = (Some(record.content_hash()), Some(copy(1, 20, "Wien").content_hash()));
    assert_eq!(decide(&candidate, None), Decision::Insert);
    let cases = [
        // Stored version, stored content, what is done.
        (Some(19), &same, Decision::Rewrite(7)),
        (Some(19), &other, Decision::Rewrite(7)),
        (Some(20), &same, Decision::Keep),
        (Some(20), &other, Decision::Rewrite(7)),
        (Some(21), &same, Decision::Keep),
        (Some(21), &other, Decision::Keep),
        // Content of an older release, or emptied by hand so that it is read anew.
        (Some(20), &None, Decision::Rewrite(7)),
        (Some(21), &None, Decision::Keep),
        // A row that never came from HubSpot.
        (None, &None, Decision::Rewrite(7)),
        (None, &same, Decision::Rewrite(7)),
    ];
    for (version, hash, expected) in cases {
        let decision = decide(&candidate, Some(&row(7, version, hash.as_ref())));
        assert_eq!(decision, expected, "stored version {version:?}, content {hash:?}");
    }
}

#[test]
fn whether_it_is_archived_is_what_was_read_last_whatever_the_version() {
    let mut record = copy(1, 20, "Bonn");
    let mut stored = row(7, Some(30), Some(&record.content_hash()));
    stored.archived = true;
    for (read_at, synced_at, expected) in [
        (50, Some(40), Decision::Rewrite(7)),
        (50, Some(50), Decision::Keep),
        (50, Some(60), Decision::Keep),
        (50, None, Decision::Rewrite(7)),
    ] {
        (record.read_at, stored.synced_at) = (at(read_at), synced_at.map(at));
        for (archived, held) in [(false, true), (true, false)] {
            (record.archived, stored.archived) = (archived, held);
            let decision = decide(&incoming(&record), Some(&stored));
            assert_eq!(
                decision, expected,
                "read at {read_at}, stored at {synced_at:?}, archived: {archived}"
            );
        }
    }
}

#[test]
fn what_would_replace_a_row_that_was_edited_here_is_set_aside() {
    let mut record = copy(1, 20, "Bonn");
    let same = record.content_hash();
    for (version, hash, expected) in [
        (Some(19), Some(&same), Decision::SetAside(7)),
        (Some(20), None, Decision::SetAside(7)),
        (Some(20), Some(&same), Decision::Keep),
        (Some(21), None, Decision::Keep),
    ] {
        let stored = Stored { edited: true, ..row(7, version, hash) };
        assert_eq!(decide(&incoming(&record), Some(&stored)), expected, "stored version {version:?}");
    }
    record.archived = true;
    let stored = Stored { edited: true, ..row(7, Some(30), Some(&same)) };
    assert_eq!(decide(&incoming(&record), Some(&stored)), Decision::SetAside(7));
}

#[test]
fn no_page_is_no_copy() {
    assert!(newest_by_id(&[]).is_empty());
}

/// Pages of few ids, versions and contents, so that copies of one record meet.
fn pages() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec((1..8_i64, 0..5_i64, "[ab]"), 0..40)
        .prop_map(|copies| copies.into_iter().map(|(id, version, city)| copy(id, version, &city)).collect())
}

proptest! {
    #[test]
    fn each_record_is_met_once_in_id_order_and_in_its_newest_version(page in pages()) {
        let mut newest = BTreeMap::new();
        for record in &page {
            let version = newest.entry(record.id).or_insert(record.updated_at);
            *version = (*version).max(record.updated_at);
        }
        let met: Vec<_> =
            newest_by_id(&page).iter().map(|copy| (copy.record.id, copy.record.updated_at)).collect();
        prop_assert_eq!(met, newest.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn each_copy_carries_the_hash_of_its_own_content(page in pages()) {
        for copy in newest_by_id(&page) {
            prop_assert_eq!(copy.hash.0, copy.record.content_hash().0);
        }
    }

    #[test]
    fn a_decision_depends_on_versions_and_content_alone(
        version in 0..5_i64, city in "[ab]", held in prop::option::of(0..5_i64), held_city in "[ab]", key in 1..100_i64,
    ) {
        let record = copy(1, version, &city);
        let stored = row(key, held, Some(&copy(1, version, &held_city).content_hash()));
        let keeps = held.is_some_and(|held| version < held || (version == held && city == held_city));
        let expected = if keeps { Decision::Keep } else { Decision::Rewrite(key) };
        prop_assert_eq!(decide(&incoming(&record), Some(&stored)), expected);
    }

    #[test]
    fn what_was_just_written_is_kept(version in 0..5_i64, city in "[ab]") {
        let record = copy(1, version, &city);
        let stored = row(1, Some(version), Some(&record.content_hash()));
        prop_assert_eq!(decide(&incoming(&record), Some(&stored)), Decision::Keep);
    }

    #[test]
    fn whatever_the_order_of_arrival_the_newest_version_is_what_remains(page in pages()) {
        let mut table: BTreeMap<ObjectId, Stored> = BTreeMap::new();
        for record in &page {
            let candidate = incoming(record);
            let held = table.get(&record.id);
            if decide(&candidate, held) != Decision::Keep {
                table.insert(record.id, row(1, Some(record.updated_at.timestamp_millis()), Some(&candidate.hash)));
            }
        }
        for newest in newest_by_id(&page) {
            prop_assert_eq!(table[&newest.record.id].updated_at, Some(newest.record.updated_at));
        }
    }
}
