//! What pages cost: none reads a table whole that grows with time.

use std::process::Command;

use super::super::Served;
use super::Visitor;
use crate::support::database::TestDatabase;

/// Rows of each table.
const ROWS: i64 = 30_000;
/// Most rows a page may read of one of them, with what the daemon itself reads meanwhile.
const READ: i64 = 2_000;

/// Lets the server count what is read of each table.
fn count_reads() {
    let directory = std::env::vars().find(|(name, _)| name == "TEST_MARIADB_DIR").map(|(_, path)| path);
    let directory = directory.expect("TEST_MARIADB_DIR is not set; run the tests through scripts/test");
    let script = format!("{}/scripts/mariadb", env!("CARGO_MANIFEST_DIR"));
    let told = Command::new(script).args(["sql", &directory, "--execute=SET GLOBAL userstat = 1"]).output();
    let told = told.unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}

/// Rows read so far of a table.
async fn reads(test: &TestDatabase, table: &str) -> i64 {
    let sql = format!(
        "SELECT COALESCE(SUM(ROWS_READ), 0) FROM information_schema.TABLE_STATISTICS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{table}'"
    );
    test.number(&format!("SELECT CAST(({sql}) AS SIGNED)")).await
}

#[tokio::test]
async fn no_page_reads_the_whole_log_nor_all_runs_nor_all_conflicts() {
    let served = Served::start(2, 1).await;
    for sql in [
        format!(
            "INSERT INTO sync_log (object_type, row_id, hubspot_id, job_id, action, direction, status, created_at, \
             updated_at) SELECT 'contacts', seq % 1000, seq % 1000, seq, 'update', 'push', 'success', \
             UTC_TIMESTAMP(3) - INTERVAL {ROWS} - seq SECOND, UTC_TIMESTAMP(3) - INTERVAL {ROWS} - seq SECOND \
             FROM seq_1_to_{ROWS}"
        ),
        format!(
            "INSERT INTO sync_runs (object_type, lane, triggered_by, started_at, finished_at, outcome) \
             SELECT 'contacts', 'incremental', 'schedule', UTC_TIMESTAMP(3) - INTERVAL 1 DAY - INTERVAL seq MINUTE, \
             UTC_TIMESTAMP(3) - INTERVAL 1 DAY, 'succeeded' FROM seq_1_to_{ROWS}"
        ),
        format!(
            "INSERT INTO conflicts (object_type, row_id, hubspot_id, kind, fields, base_json, local_json, \
             hubspot_json, sources, status, created_at, updated_at) SELECT 'contacts', seq, seq, 'fields', '[]', '{{}}', \
             '{{}}', '{{}}', '{{}}', 'keep_local', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) \
             FROM seq_1_to_{ROWS}"
        ),
        "ANALYZE TABLE sync_log, sync_runs, conflicts".to_owned(),
    ] {
        served.test.execute(&sql).await;
    }
    count_reads();
    // Written while reads were counted: so it is known that they are.
    let visitor = Visitor::at(served.api.address());
    let before = reads(&served.test, "sync_log").await;
    visitor.get("/activity").await.ok();
    assert!(reads(&served.test, "sync_log").await > before, "reads are counted");
    let contact = format!("/contacts/{}", served.contact().await["id"]);
    let pages = [
        "/",
        &contact,
        "/contacts",
        "/deals",
        "/objects",
        "/conflicts",
        "/conflicts?type=deals",
        "/conflicts/history",
        "/activity",
        "/activity?status=failed",
        "/activity?status=success",
        "/activity?direction=pull",
        "/activity?direction=push",
        "/activity?direction=push&status=retrying",
        "/activity?type=deals",
        "/activity?type=contacts&record=5",
        "/activity/runs",
        "/activity/runs?outcome=failed",
        "/health",
        "/health/quarantine",
    ];
    for page in pages {
        for table in ["sync_log", "sync_runs", "conflicts"] {
            let before = reads(&served.test, table).await;
            visitor.get(page).await.ok();
            let read = reads(&served.test, table).await - before;
            assert!(read < READ, "{page} reads {read} rows of {table}");
        }
    }
}
