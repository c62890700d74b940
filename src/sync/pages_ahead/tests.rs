//! Groups, failures, room and the end of a listing.

use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::DateTime;

use super::*;
use crate::model::{ObjectId, Record};

/// A listing of `pages` pages, the n-th behind cursor `n`.
fn page(number: usize, pages: usize, records: usize, bytes: usize) -> RecordPage {
    let record = |index: usize| Record {
        id: ObjectId((number * records + index) as i64),
        properties: [("note", "x".repeat(bytes))].into_iter().collect(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
        archived: false,
        archived_at: None,
        read_at: DateTime::UNIX_EPOCH,
    };
    let next = (number + 1 < pages).then(|| Cursor((number + 1).to_string()));
    RecordPage { records: (0..records).map(record).collect(), rejected: Vec::new(), next }
}

/// The number of the page behind a cursor.
fn number(cursor: &Cursor) -> usize {
    cursor.0.parse().expect("cursors here are numbers")
}

/// The first page's cursor.
fn first() -> Cursor {
    Cursor("0".to_owned())
}

/// The ids of a group.
fn ids(group: &Group) -> Vec<i64> {
    group.page.records.iter().map(|record| record.id.0).collect()
}

/// Lets the fetching task run until it waits for something only the test can give.
async fn let_it_fetch() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn pages_that_wait_are_grouped_and_every_record_comes_once_and_in_order() {
    let mut ahead = PagesAhead::start(Some(first()), async |cursor| Ok(page(number(&cursor), 7, 100, 10)));
    let_it_fetch().await;
    let mut met = Vec::new();
    let mut sizes = Vec::new();
    while let Some(group) = ahead.next().await {
        let group = group.expect("no page fails");
        sizes.push(group.page.records.len());
        met.extend(ids(&group));
    }
    assert_eq!(met, (0..700).collect::<Vec<_>>());
    assert_eq!(sizes, [200, 200, 200, 100]);
}

#[tokio::test]
async fn without_a_cursor_there_is_nothing() {
    let mut ahead = PagesAhead::start(None, async |cursor| Ok(page(number(&cursor), 1, 1, 1)));
    assert!(ahead.next().await.is_none());
}

#[tokio::test]
async fn what_came_before_a_failure_is_handed_out_first() {
    let mut ahead = PagesAhead::start(Some(first()), async |cursor| match number(&cursor) {
        1 => Err(HubSpotError::configuration("the second page fails", None)),
        number => Ok(page(number, 3, 1, 1)),
    });
    let_it_fetch().await;
    let group = ahead.next().await.expect("there is a page").expect("it is whole");
    assert_eq!((ids(&group), group.page.next.clone()), (vec![0], Some(Cursor("1".to_owned()))));
    drop(group);
    assert!(ahead.next().await.expect("there is an end").is_err());
    assert!(ahead.next().await.is_none());
}

#[tokio::test]
async fn nothing_is_fetched_for_which_there_is_no_room() {
    let fetched = Arc::new(AtomicUsize::new(0));
    let counter = fetched.clone();
    let mut ahead = PagesAhead::start(Some(first()), move |cursor| {
        counter.fetch_add(1, Ordering::Relaxed);
        // Each page is larger than all of the room.
        let page = page(number(&cursor), 4, 1, ROOM as usize + 1);
        async { Ok(page) }
    });
    let_it_fetch().await;
    assert_eq!(fetched.load(Ordering::Relaxed), 2, "one waits with all of the room, one without any");
    for expected in 0..4 {
        let group = ahead.next().await.expect("there is a page").expect("it is whole");
        let_it_fetch().await;
        assert_eq!(ids(&group), [expected], "large pages are not grouped");
        assert_eq!(
            fetched.load(Ordering::Relaxed),
            (expected as usize + 2).min(4),
            "the one being stored counts"
        );
    }
    assert!(ahead.next().await.is_none());
}

#[tokio::test]
async fn dropping_it_ends_the_fetching() {
    let alive = Arc::new(());
    let held = alive.clone();
    let ahead = PagesAhead::start(Some(first()), move |_| {
        let held = held.clone();
        async move {
            std::future::pending::<()>().await;
            drop(held);
            unreachable!("nothing wakes it")
        }
    });
    let_it_fetch().await;
    assert!(Arc::strong_count(&alive) > 1);
    drop(ahead);
    let_it_fetch().await;
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[tokio::test]
#[should_panic(expected = "a bug in parsing")]
async fn a_panic_while_fetching_is_not_the_end_of_the_listing() {
    let mut ahead = PagesAhead::start(Some(first()), async |_| panic!("a bug in parsing"));
    ahead.next().await;
}
