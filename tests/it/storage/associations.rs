//! Links between records in their table.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use hubspot_mariadb_connector::model::{Association, AssociationType, ObjectId, ObjectType, TypePair};
use hubspot_mariadb_connector::storage::{
    KnownPair, Links, PageOutcome, PairState, linked_from, live_or_linked_ids, load_pairs,
    remove_associations_of, store_associations, store_pair,
};
use sqlx::Connection;

use crate::support::database::TestDatabase;

/// Contacts to companies.
fn pair() -> TypePair {
    TypePair::of(named("companies"), named("contacts"))
}

fn named(name: &str) -> &'static ObjectType {
    ObjectType::named(name).unwrap()
}

/// A link of a kind: the plain one, the primary one, or one labelled by a person.
fn link(from: i64, to: i64, label: Option<&str>) -> Association {
    let (category, type_id) = match label {
        None => ("HUBSPOT_DEFINED", 279),
        Some("Primary") => ("HUBSPOT_DEFINED", 1),
        Some(_) => ("USER_DEFINED", 36),
    };
    let label = label.map(str::to_owned);
    let kind = Arc::new(AssociationType { category: category.to_owned(), type_id, label });
    Association { from: ObjectId(from), to: ObjectId(to), kind }
}

/// Ids.
fn ids(ids: &[i64]) -> Vec<ObjectId> {
    ids.iter().copied().map(ObjectId).collect()
}

/// Stores all links of the records, in a transaction of its own.
async fn store(test: &TestDatabase, records: &[i64], links: &[Association]) -> PageOutcome {
    let records = ids(records);
    let all =
        Links { pair: pair(), records: &records, associations: links, after: ObjectId::START, until: None };
    store_part(test, &all).await
}

/// Stores links, in a transaction of its own.
async fn store_part(test: &TestDatabase, links: &Links<'_>) -> PageOutcome {
    let mut connection = test.sql.acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let outcome = store_associations(&mut transaction, links).await.unwrap();
    transaction.commit().await.unwrap();
    outcome
}

/// The table, removed links with a cross.
async fn table(test: &TestDatabase) -> Vec<String> {
    let columns = [
        "from_id",
        "to_id",
        "type_id",
        "COALESCE(label, '')",
        "is_primary",
        "IF(removed_at IS NULL, '', 'x')",
    ];
    test.rows("hubspot_associations", &columns, "ORDER BY 1").await
}

/// Counts of an outcome: inserted, updated, unchanged, deleted.
fn counts(outcome: PageOutcome) -> [u64; 4] {
    assert_eq!(outcome.quarantined, 0);
    [outcome.inserted, outcome.updated, outcome.unchanged, outcome.deleted]
}

#[tokio::test]
async fn links_are_stored_once_and_only_differences_are_written() {
    let test = TestDatabase::migrated().await;
    let first = [link(1, 9, None), link(1, 9, Some("Primary")), link(2, 8, None), link(2, 8, None)];
    assert_eq!(counts(store(&test, &[1, 2, 3], &first).await), [3, 0, 0, 0]);
    assert_eq!(counts(store(&test, &[3, 2, 1, 1], &first).await), [0, 0, 3, 0]);
    assert_eq!(table(&test).await, ["1|9|1|Primary|1|", "1|9|279||0|", "2|8|279||0|"]);
    let types = test.rows("hubspot_associations", &["from_type", "to_type", "category"], "LIMIT 1").await;
    assert_eq!(types, ["contacts|companies|HUBSPOT_DEFINED"]);

    // The primary company is another one now, and somebody has renamed and added a label.
    let second =
        [link(1, 9, None), link(1, 7, None), link(1, 7, Some("Primary")), link(2, 8, Some("Billing"))];
    assert_eq!(counts(store(&test, &[1, 2], &second).await), [3, 0, 1, 2]);
    let third = [link(2, 8, Some("Invoices"))];
    assert_eq!(counts(store(&test, &[2], &third).await), [0, 1, 0, 0]);
    let expected = [
        "1|7|1|Primary|1|",
        "1|7|279||0|",
        "1|9|1|Primary|1|x",
        "1|9|279||0|",
        "2|8|279||0|x",
        "2|8|36|Invoices|0|",
    ];
    assert_eq!(table(&test).await, expected);
}

#[tokio::test]
async fn a_link_that_comes_back_keeps_the_time_it_was_first_seen() {
    let test = TestDatabase::migrated().await;
    store(&test, &[1], &[link(1, 9, None)]).await;
    test.execute("UPDATE hubspot_associations SET first_seen_at = '2026-01-01'").await;
    let times = || test.rows("hubspot_associations", &["first_seen_at", "removed_at IS NULL"], "");
    assert_eq!(counts(store(&test, &[1], &[]).await), [0, 0, 0, 1]);
    assert_eq!(times().await, ["2026-01-01 00:00:00.000|0"]);
    test.execute("UPDATE hubspot_associations SET removed_at = '2026-02-01'").await;
    assert_eq!(counts(store(&test, &[1], &[]).await), [0, 0, 0, 0], "it is not removed again");
    assert_eq!(test.value("SELECT removed_at FROM hubspot_associations").await, "2026-02-01 00:00:00.000");
    assert_eq!(counts(store(&test, &[1], &[link(1, 9, None)]).await), [0, 1, 0, 0]);
    assert_eq!(times().await, ["2026-01-01 00:00:00.000|1"]);
}

#[tokio::test]
async fn what_was_not_read_is_left_alone() {
    let test = TestDatabase::migrated().await;
    store(&test, &[1, 2], &[link(1, 9, None), link(2, 9, None)]).await;
    test.execute(
        "INSERT INTO hubspot_associations (from_type, from_id, to_type, to_id, category, type_id, first_seen_at) \
         VALUES ('contacts', 1, 'deals', 9, 'HUBSPOT_DEFINED', 4, NOW(3)), \
                ('companies', 1, 'companies', 9, 'HUBSPOT_DEFINED', 450, NOW(3))",
    )
    .await;
    assert_eq!(counts(store(&test, &[1], &[]).await), [0, 0, 0, 1]);
    let live = test.rows(
        "hubspot_associations",
        &["from_type", "from_id", "to_type"],
        "WHERE removed_at IS NULL ORDER BY 1",
    );
    assert_eq!(live.await, ["companies|1|companies", "contacts|1|deals", "contacts|2|companies"]);
    assert_eq!(counts(store(&test, &[], &[]).await), [0, 0, 0, 0]);
}

#[tokio::test]
async fn a_part_of_a_records_links_says_nothing_of_the_others() {
    let test = TestDatabase::migrated().await;
    let all: Vec<_> = (1..=30).map(|to| link(1, to, None)).collect();
    store(&test, &[1], &all).await;
    let middle: Vec<_> = all[10..15].to_vec();
    let records = ids(&[1]);
    let part = Links {
        pair: pair(),
        records: &records,
        associations: &middle,
        after: ObjectId(10),
        until: Some(ObjectId(20)),
    };
    assert_eq!(counts(store_part(&test, &part).await), [0, 0, 5, 5]);
    let last = Links { associations: &[], after: ObjectId(28), until: None, ..part };
    assert_eq!(counts(store_part(&test, &last).await), [0, 0, 0, 2]);
    let gone =
        test.rows("hubspot_associations", &["to_id"], "WHERE removed_at IS NOT NULL ORDER BY to_id").await;
    assert_eq!(gone, ["16", "17", "18", "19", "20", "29", "30"]);
}

#[tokio::test]
async fn many_links_of_many_records_take_many_statements_and_none_is_lost() {
    let test = TestDatabase::migrated().await;
    let records: Vec<i64> = (1..=1_300).collect();
    let links: Vec<_> =
        records.iter().flat_map(|from| [link(*from, 7, None), link(*from, *from, Some("Billing"))]).collect();
    assert_eq!(counts(store(&test, &records, &links).await), [2_600, 0, 0, 0]);
    assert_eq!(counts(store(&test, &records, &links).await), [0, 0, 2_600, 0]);
    assert_eq!(counts(store(&test, &records, &links[..600]).await), [0, 0, 600, 2_000]);
    assert_eq!(test.number("SELECT COUNT(*) FROM hubspot_associations WHERE removed_at IS NULL").await, 600);
}

#[tokio::test]
async fn the_links_of_a_deleted_record_go_from_both_sides() {
    let test = TestDatabase::migrated().await;
    store(&test, &[1, 2], &[link(1, 9, None), link(1, 8, None), link(2, 9, Some("Billing"))]).await;
    let now: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
    let mut connection = test.sql.acquire().await.unwrap();
    let removed =
        remove_associations_of(&mut connection, named("companies"), &ids(&[9, 1]), now).await.unwrap();
    assert_eq!(removed, 2, "company 9 has two; the contact 1 is another record than the company 1");
    assert_eq!(table(&test).await, ["1|8|279||0|", "1|9|279||0|x", "2|9|36|Billing|0|x"]);
    let removed = remove_associations_of(&mut connection, named("contacts"), &ids(&[1]), now).await.unwrap();
    assert_eq!(removed, 1);
    let again = remove_associations_of(&mut connection, named("contacts"), &ids(&[1, 2]), now).await.unwrap();
    assert_eq!(again, 0);
}

#[tokio::test]
async fn the_other_side_is_found_while_it_is_linked() {
    let test = TestDatabase::migrated().await;
    let links = [link(3, 9, None), link(1, 9, None), link(1, 9, Some("Billing")), link(2, 8, None)];
    store(&test, &[1, 2, 3], &links).await;
    let found = async |to: &[i64]| {
        let found = linked_from(&test.database, pair(), &ids(to)).await.unwrap();
        found.iter().map(|(to, from)| (to.0, from.0)).collect::<Vec<_>>()
    };
    assert_eq!(found(&[9, 7]).await, [(9, 1), (9, 3)]);
    store(&test, &[3], &[]).await;
    assert_eq!(found(&[9, 8]).await, [(8, 2), (9, 1)]);
    assert!(found(&[]).await.is_empty());
}

#[tokio::test]
async fn live_records_and_those_with_links_are_paged_by_id() {
    let test = TestDatabase::migrated().await;
    test.execute(
        "INSERT INTO hubspot_contacts (hubspot_id, properties_json, archived) \
         VALUES (30, '{}', 0), (10, '{}', 0), (20, '{}', 1), (40, '{}', 0), (NULL, '{}', 0)",
    )
    .await;
    // A link that was told by its far side, before its record was stored.
    store(&test, &[25, 26], &[link(25, 9, None), link(26, 9, None)]).await;
    store(&test, &[26], &[]).await;
    let page = async |after| live_or_linked_ids(&test.database, pair(), ObjectId(after), 2).await.unwrap();
    assert_eq!(page(0).await, ids(&[10, 25]));
    assert_eq!(page(25).await, ids(&[30, 40]));
    assert!(page(40).await.is_empty());
}

#[tokio::test]
async fn what_is_known_of_a_pair_is_kept() {
    let test = TestDatabase::migrated().await;
    let lease = test.lease().await;
    let now: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
    let stored = "SELECT CONCAT_WS('|', is_read, reason) FROM association_pairs";
    for (state, reason, row) in [
        (PairState::Unlinked, None, "0|HubSpot knows of no links between the two types"),
        (PairState::Refused, Some("a scope is missing"), "0|a scope is missing"),
        (PairState::Read, None, "1"),
    ] {
        store_pair(&test.database, &lease, pair(), (state, reason), now).await.unwrap();
        assert_eq!(test.value(stored).await, row);
        let known = KnownPair { from: "contacts".into(), to: "companies".into(), state, checked_at: now };
        assert_eq!(load_pairs(&test.database).await.unwrap(), [known]);
    }
}
