//! `sync_log`: one row a push, however many tries it takes.

use chrono::{DateTime, TimeDelta, Utc};
use hubspot_mariadb_connector::model::ObjectId;
use hubspot_mariadb_connector::storage::{
    Counted, LogAction, LogDirection, LogEntry, LogFilter, LogStatus, change_hours, close_open_log,
    count_changes, hour_of, purge_sync_log, pushed_since, recent_log, write_log,
};

use crate::support::database::TestDatabase;

/// The time the tests count from.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap()
}

/// A push of a row that is in HubSpot under the tenfold number.
fn push(row_id: i64, status: LogStatus) -> LogEntry {
    LogEntry {
        row_id: Some(row_id),
        hubspot_id: Some(ObjectId(row_id * 10)),
        job_id: Some(row_id + 100),
        action: LogAction::Update,
        direction: LogDirection::Push,
        status,
        message: None,
        changed_fields: vec!["email".to_owned()],
    }
}

/// Writes entries of contacts in a transaction of their own, and counts what has arrived.
async fn write(test: &TestDatabase, entries: &[LogEntry], now: DateTime<Utc>) {
    let mut transaction = test.sql.begin().await.unwrap();
    let sent = write_log(&mut transaction, "contacts", entries, now).await.unwrap();
    count_changes(&mut transaction, Counted::Pushes, ("contacts", sent), now).await.unwrap();
    transaction.commit().await.unwrap();
}

/// The rows, oldest first.
async fn rows(test: &TestDatabase) -> Vec<String> {
    let columns = ["row_id", "hubspot_id", "action", "direction", "status", "retry_count", "message"];
    test.rows("sync_log", &columns, "ORDER BY id").await
}

#[tokio::test]
async fn tries_of_a_push_are_one_row_until_it_is_done() {
    let test = TestDatabase::migrated().await;
    let mut create = push(1, LogStatus::Retrying);
    create.hubspot_id = None;
    create.action = LogAction::Create;
    create.message = Some("HubSpot answered 503".to_owned());
    write(&test, &[create.clone(), push(2, LogStatus::Success)], at(0)).await;
    write(&test, &[push(2, LogStatus::Success), create], at(1)).await;
    let created = LogEntry { action: LogAction::Create, ..push(1, LogStatus::Success) };
    write(&test, &[created], at(2)).await;
    write(&test, &[push(1, LogStatus::Failed)], at(3)).await;

    let expected = [
        "1|10|create|push|success|2|-",
        "2|20|update|push|success|0|-",
        "2|20|update|push|success|0|-",
        "1|10|update|push|failed|0|-",
    ];
    assert_eq!(rows(&test).await, expected);
    let first = recent_log(&test.database, &LogFilter::default(), None, 10).await.unwrap().pop().unwrap();
    assert_eq!((first.created_at, first.updated_at), (at(0), at(2)));
    assert_eq!(
        (first.entry.job_id, first.entry.changed_fields.as_slice()),
        (Some(101), &["email".to_owned()][..])
    );
}

#[tokio::test]
async fn what_waits_is_no_retry_and_the_directions_of_a_record_are_apart() {
    let test = TestDatabase::migrated().await;
    let pull = |status| LogEntry { direction: LogDirection::Pull, ..push(1, status) };
    write(&test, &[push(1, LogStatus::Pending), pull(LogStatus::Success)], at(0)).await;
    // A decision is carried out by another job of the same row.
    let decided = LogEntry { job_id: Some(999), ..push(1, LogStatus::Success) };
    write(&test, &[pull(LogStatus::Success), decided], at(1)).await;
    let expected =
        ["1|10|update|push|success|0|-", "1|10|update|pull|success|0|-", "1|10|update|pull|success|0|-"];
    assert_eq!(rows(&test).await, expected);
}

#[tokio::test]
async fn what_has_arrived_is_counted_in_its_hour() {
    let test = TestDatabase::migrated().await;
    let pull = LogEntry { direction: LogDirection::Pull, ..push(9, LogStatus::Success) };
    let tries = [push(1, LogStatus::Success), push(2, LogStatus::Retrying), push(3, LogStatus::Failed), pull];
    write(&test, &tries, at(0)).await;
    write(&test, &[push(3, LogStatus::Success)], at(3_600)).await;
    let mut transaction = test.sql.begin().await.unwrap();
    let closed = close_open_log(&mut transaction, "contacts", &[2, 3], at(3_601)).await.unwrap();
    count_changes(&mut transaction, Counted::Pushes, ("contacts", closed), at(3_601)).await.unwrap();
    let sent =
        write_log(&mut transaction, "companies", &[push(1, LogStatus::Success)], at(3_602)).await.unwrap();
    count_changes(&mut transaction, Counted::Pushes, ("companies", sent), at(3_602)).await.unwrap();
    transaction.commit().await.unwrap();
    let counts = change_hours(&test.database, Counted::Pushes, at(0)).await.unwrap();
    assert_eq!(Vec::from_iter(counts), [(hour_of(at(0)), 1), (hour_of(at(3_600)), 3)]);
    let later = change_hours(&test.database, Counted::Pushes, at(3_600)).await.unwrap();
    assert_eq!(Vec::from_iter(later), [(hour_of(at(3_600)), 3)]);
    let since = async |action, seconds| pushed_since(&test.database, action, at(seconds)).await.unwrap();
    assert_eq!((since(None, 0).await, since(None, 1).await), (4, 3));
    assert_eq!((since(Some(LogAction::Update), 0).await, since(Some(LogAction::Delete), 0).await), (4, 0));
}

#[tokio::test]
async fn a_record_whose_row_is_gone_has_an_open_row_by_its_id_in_hubspot() {
    let test = TestDatabase::migrated().await;
    let deleted = |id, status| LogEntry {
        row_id: None,
        hubspot_id: Some(ObjectId(id)),
        action: LogAction::Delete,
        ..push(1, status)
    };
    // 70 is also the id in HubSpot of row 7, and 7 that of a deleted record: neither is mistaken for the other.
    write(
        &test,
        &[push(7, LogStatus::Retrying), deleted(70, LogStatus::Retrying), deleted(7, LogStatus::Pending)],
        at(0),
    )
    .await;
    write(&test, &[deleted(70, LogStatus::Success)], at(1)).await;
    let expected =
        ["7|70|update|push|retrying|0|-", "-|70|delete|push|success|1|-", "-|7|delete|push|pending|0|-"];
    assert_eq!(rows(&test).await, expected);
}

#[tokio::test]
async fn the_log_is_read_newest_first_by_pages_and_filters() {
    let test = TestDatabase::migrated().await;
    for row in 1..=5 {
        let status = if row % 2 == 0 { LogStatus::Failed } else { LogStatus::Success };
        write(&test, &[push(row, status)], at(row)).await;
    }
    let mut transaction = test.sql.begin().await.unwrap();
    write_log(&mut transaction, "companies", &[push(1, LogStatus::Success)], at(9)).await.unwrap();
    transaction.commit().await.unwrap();
    let read = async |filter: LogFilter, before, limit| {
        let rows = recent_log(&test.database, &filter, before, limit).await.unwrap();
        rows.iter()
            .map(|row| (row.id, row.object_type.clone(), row.entry.row_id.unwrap()))
            .collect::<Vec<_>>()
    };
    let all = read(LogFilter::default(), None, 10).await;
    assert_eq!(all.iter().map(|row| row.2).collect::<Vec<_>>(), [1, 5, 4, 3, 2, 1]);
    assert_eq!(read(LogFilter::default(), Some(all[1].0), 2).await, all[2..4]);
    let contacts = || Some("contacts".to_owned());
    for (filter, expected) in [
        (LogFilter { object_type: Some("companies".to_owned()), ..LogFilter::default() }, vec![1]),
        (LogFilter { object_type: contacts(), row_id: Some(1), ..LogFilter::default() }, vec![1]),
        (LogFilter { hubspot_id: Some(ObjectId(30)), ..LogFilter::default() }, vec![3]),
        (LogFilter { status: Some(LogStatus::Failed), ..LogFilter::default() }, vec![4, 2]),
        (LogFilter { direction: Some(LogDirection::Pull), ..LogFilter::default() }, vec![]),
    ] {
        let found = read(filter.clone(), None, 10).await;
        assert_eq!(found.iter().map(|row| row.2).collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

#[tokio::test]
async fn successes_are_purged_after_thirty_days_and_nothing_else_is() {
    let test = TestDatabase::migrated().await;
    let now = at(0);
    // Enough for several steps, with rows in between that stay.
    let old: Vec<_> = (1..=1200)
        .map(|row| {
            let open = [LogStatus::Failed, LogStatus::Pending, LogStatus::Retrying];
            let status = open.get(row as usize % 400).copied().unwrap_or(LogStatus::Success);
            push(row, status)
        })
        .collect();
    write(&test, &old, now - TimeDelta::days(31)).await;
    // Begun long ago, done the other day.
    write(&test, &[push(401, LogStatus::Success)], now - TimeDelta::days(2)).await;
    write(&test, &[push(5000, LogStatus::Success)], now - TimeDelta::days(29)).await;

    assert_eq!(purge_sync_log(&test.database, now).await.unwrap(), 1191);

    let kept = test.rows("sync_log", &["status", "COUNT(*)"], "GROUP BY status ORDER BY status").await;
    assert_eq!(kept, ["failed|3", "pending|2", "retrying|3", "success|2"]);
    assert_eq!(purge_sync_log(&test.database, now).await.unwrap(), 0);
}
