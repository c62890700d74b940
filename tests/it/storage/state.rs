//! `sync_state` and `sync_runs`.

use chrono::{DateTime, Utc};
use hubspot_mariadb_connector::model::Cursor;
use hubspot_mariadb_connector::storage::{
    FailureKind, Lane, Lease, NewRun, Outcome, PageOutcome, RequestedMode, RunCounts, RunFailure, RunMode,
    StateRow, StorageError, SyncStatus, Trigger, count_page, finish_run, interrupt_open_runs, request_run,
    start_run,
};

use crate::support::database::TestDatabase;

/// The time the tests count from.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap()
}

/// Why a run may fail.
fn no_token() -> RunFailure {
    RunFailure { kind: FailureKind::TokenRejected, report: "no token".to_owned() }
}

/// A database, a row of its state, and the right to write.
async fn fixture() -> (TestDatabase, StateRow, Lease) {
    let test = TestDatabase::migrated().await;
    let lease = test.lease().await;
    let row = StateRow::new(test.database.clone(), lease.clone(), "contacts");
    row.load().await.unwrap();
    (test, row, lease)
}

#[tokio::test]
async fn the_end_of_a_listing_makes_its_start_the_watermark() {
    let (test, row, lease) = fixture().await;
    row.begin_backfill(at(100), Some(250)).await.unwrap();
    assert_eq!(row.load().await.unwrap().backfill_cursor.as_deref(), Some(""));

    let mut page = lease.begin(&test.database).await.unwrap();
    row.advance_backfill(&mut page, Some(&Cursor("77".into())), 100).await.unwrap();
    page.commit().await.unwrap();
    let state = row.load().await.unwrap();
    assert_eq!(
        (state.backfill_cursor.as_deref(), state.records_synced, state.watermark),
        (Some("77"), 100, None)
    );

    // Twice, as after a commit whose answer was lost.
    for _ in 0..2 {
        let mut page = lease.begin(&test.database).await.unwrap();
        row.advance_backfill(&mut page, None, 240).await.unwrap();
        page.commit().await.unwrap();
    }
    let state = row.load().await.unwrap();
    assert_eq!((state.backfill_cursor, state.watermark), (None, Some(at(100))));
    assert_eq!((state.records_synced, state.records_total), (240, Some(240)));
    assert_eq!(state.delayed_watermark, Some(at(100)));
}

#[tokio::test]
async fn a_watermark_never_moves_backward_and_moves_only_with_its_transaction() {
    let (test, row, lease) = fixture().await;
    for (to, expected) in [(50, 50), (40, 50), (60, 60)] {
        let mut transaction = lease.begin(&test.database).await.unwrap();
        row.advance_watermark(&mut transaction, at(to)).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(row.load().await.unwrap().watermark, Some(at(expected)));
    }
    let mut transaction = lease.begin(&test.database).await.unwrap();
    row.advance_watermark(&mut transaction, at(999)).await.unwrap();
    drop(transaction);
    assert_eq!(row.load().await.unwrap().watermark, Some(at(60)), "a rolled back page moves nothing");
}

#[tokio::test]
async fn failures_are_counted_explained_and_forgotten_after_a_success() {
    let (_test, row, _lease) = fixture().await;
    row.fail(&no_token(), at(1), at(60)).await.unwrap();
    row.fail(&no_token(), at(2), at(70)).await.unwrap();
    let state = row.load().await.unwrap();
    assert_eq!(
        (state.status, state.consecutive_failures, state.next_run_at),
        (SyncStatus::Error, 2, Some(at(70)))
    );
    assert_eq!(state.last_error.as_deref(), Some("no token"));
    assert_eq!(state.error_kind, Some(FailureKind::TokenRejected));

    row.succeed(at(70), at(970), None, None).await.unwrap();
    let state = row.load().await.unwrap();
    assert_eq!((state.status, state.consecutive_failures), (SyncStatus::Idle, 0));
    assert_eq!((state.last_error, state.error_kind), (None, None));
    assert_eq!((state.last_sync_date, state.next_run_at), (Some(at(70)), Some(at(970))));
}

#[tokio::test]
async fn a_request_stays_until_a_run_has_answered_it() {
    let (test, row, _lease) = fixture().await;
    let ask = |mode| request_run(&test.database, "contacts", mode);
    ask(RequestedMode::Full).await.unwrap();
    ask(RequestedMode::Incremental).await.unwrap();
    let asked = row.load().await.unwrap().request().unwrap();
    assert_eq!(asked.mode, RequestedMode::Full, "the larger of two requests counts");
    row.begin(RunMode::Full).await.unwrap();
    row.interrupt().await.unwrap();
    assert_eq!(row.load().await.unwrap().request(), Some(asked), "an interrupted run has answered nothing");

    ask(RequestedMode::Incremental).await.unwrap();
    row.succeed(at(1), at(2), None, Some(asked)).await.unwrap();
    let later = row.load().await.unwrap().request().unwrap();
    assert!(later.at > asked.at, "what was asked for meanwhile stays");
    row.succeed(at(1), at(2), None, Some(later)).await.unwrap();
    assert_eq!(row.load().await.unwrap().request(), None);
}

#[tokio::test]
async fn a_failed_run_fails_its_request() {
    let (test, row, _lease) = fixture().await;
    request_run(&test.database, "contacts", RequestedMode::Incremental).await.unwrap();
    row.fail(&no_token(), at(1), at(2)).await.unwrap();
    assert_eq!(row.load().await.unwrap().request(), None);
}

#[tokio::test]
async fn without_the_lease_no_step_is_taken() {
    let (test, row, _lease) = fixture().await;
    row.begin_backfill(at(1), None).await.unwrap();
    test.execute("UPDATE leases SET holder = 'somebody else'").await;
    assert!(matches!(row.interrupt().await, Err(StorageError::LeaseLost(_))));
    assert!(matches!(row.begin_backfill(at(9), None).await, Err(StorageError::LeaseLost(_))));
    assert!(matches!(row.fail(&no_token(), at(9), at(9)).await, Err(StorageError::LeaseLost(_))));
    let state = row.load().await.unwrap();
    assert_eq!((state.backfill_started_at, state.consecutive_failures), (Some(at(1)), 0));
}

#[tokio::test]
async fn a_run_whose_end_was_not_recorded_is_closed_by_the_next() {
    let (test, _row, _lease) = fixture().await;
    for object_type in ["contacts", "deals", "contacts"] {
        let run = NewRun {
            object_type,
            lane: Lane::Incremental,
            trigger: Trigger::Schedule,
            started_at: at(5),
            window: None,
        };
        start_run(&test.database, &run).await.unwrap();
    }
    let runs = test.rows("sync_runs", &["object_type", "outcome"], "ORDER BY run_id").await;
    assert_eq!(runs, ["contacts|interrupted", "deals|running", "contacts|running"]);
}

#[tokio::test]
async fn a_run_tells_its_figures_even_when_its_process_dies() {
    let (test, row, lease) = fixture().await;
    row.begin(RunMode::Incremental).await.unwrap();
    let new = |started_at| NewRun {
        object_type: "contacts",
        lane: Lane::Incremental,
        trigger: Trigger::Schedule,
        started_at,
        window: None,
    };
    let (done, died) = (
        start_run(&test.database, &new(at(0))).await.unwrap(),
        start_run(&test.database, &new(at(9))).await.unwrap(),
    );
    let mut counts = RunCounts { requests: 3, ..RunCounts::default() };
    counts.add(100, PageOutcome { inserted: 40, updated: 1, unchanged: 59, ..PageOutcome::default() });
    finish_run(&test.database, done, Outcome::Succeeded, &counts, None, at(3)).await.unwrap();
    let mut page = lease.begin(&test.database).await.unwrap();
    count_page(&mut page, died, &counts).await.unwrap();
    page.commit().await.unwrap();

    assert_eq!(interrupt_open_runs(&test.database, at(20)).await.unwrap(), 1);

    let columns = ["outcome", "fetched", "inserted", "updated", "unchanged", "requests"];
    let runs = test.rows("sync_runs", &columns, "ORDER BY run_id").await;
    assert_eq!(runs, ["succeeded|100|40|1|59|3", "interrupted|100|40|1|59|3"]);
    assert_eq!(row.load().await.unwrap().status, SyncStatus::Idle, "nothing is running any more");
}

#[tokio::test]
async fn runs_are_kept_for_ninety_days() {
    let (test, _row, _lease) = fixture().await;
    let now = at(0);
    for age_days in [91, 89] {
        let started_at = now - chrono::TimeDelta::days(age_days);
        let sql = format!(
            "INSERT INTO sync_runs (object_type, lane, triggered_by, started_at) VALUES ('contacts', 'incremental', 'schedule', '{}')",
            started_at.format("%F %T")
        );
        test.execute(&sql).await;
    }
    let run = NewRun {
        object_type: "contacts",
        lane: Lane::Delayed,
        trigger: Trigger::Schedule,
        started_at: now,
        window: None,
    };
    start_run(&test.database, &run).await.unwrap();
    assert_eq!(test.rows("sync_runs", &["lane"], "ORDER BY run_id").await, ["incremental", "delayed"]);
}
