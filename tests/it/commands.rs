//! What people are shown of edits on their way to HubSpot, and what they can do.

use std::collections::BTreeMap;
use std::process::Output;
use std::time::Duration;

use chrono::DateTime;
use hubspot_mariadb_connector::model::ObjectId;
use hubspot_mariadb_connector::storage::{
    ConflictKind, ConflictRecord, Disagreement, FieldSource, JobKind, claim_jobs, close_conflict_by_itself,
    enqueue_jobs, open_or_update_conflict, park_job, postpone_jobs,
};
use serde_json::{Value, json};

use crate::support::daemon::{Setup, text};
use crate::support::database::TestDatabase;

/// A database with a failed job, one that is put off, one that is due, and a state of contacts.
async fn with_jobs() -> (TestDatabase, Setup) {
    let test = TestDatabase::migrated().await;
    let mut connection = test.sql.acquire().await.unwrap();
    enqueue_jobs(&mut connection, "contacts", JobKind::Push, &[1, 2]).await.unwrap();
    let lease = Duration::from_mins(1);
    let jobs = claim_jobs(&test.database, "worker", "contacts", JobKind::Push, 2, lease).await.unwrap();
    park_job(&mut connection, &jobs[0], "a\u{1b}[2Jname is \"taken\"").await.unwrap();
    let until = DateTime::from_timestamp(2_100_000_000, 0).unwrap();
    postpone_jobs(&test.database, &jobs[1..], until, "pushing is off").await.unwrap();
    enqueue_jobs(&mut connection, "contacts", JobKind::Push, &[3]).await.unwrap();
    test.execute("INSERT INTO sync_state (object_type) VALUES ('contacts'), ('deals')").await;
    let setup = Setup::empty().set("DATABASE_URL", &test.url);
    (test, setup)
}

/// The standard output of a command that succeeds.
async fn said(setup: &Setup, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = setup.run(arguments).await;
    assert!(status.success(), "{arguments:?}: {}", text(&stderr));
    text(&stdout)
}

/// The standard output of a command that succeeds, as JSON.
async fn said_json(setup: &Setup, arguments: &[&str]) -> Value {
    serde_json::from_str(&said(setup, arguments).await).unwrap()
}

#[tokio::test]
async fn jobs_that_are_stuck_are_listed_and_tried_again() {
    let (test, setup) = with_jobs().await;
    let list = said(&setup, &["jobs"]).await;
    for words in ["send row 1", "failed", "a [2Jname is \"taken\"", "send row 2", "put off", "pushing is off"]
    {
        assert!(list.contains(words), "{words} is not in:\n{list}");
    }
    assert!(!list.contains("send row 3"), "it is merely due:\n{list}");
    assert_eq!(setup.run(&["jobs", "--limit", "0"]).await.status.code(), Some(2));
    test.execute("UPDATE jobs SET state = 'dead' WHERE record_id = 2").await;
    let list = said(&setup, &["jobs", "--limit", "1"]).await;
    assert!(list.contains("There are more") && !list.contains("send row 2"), "{list}");
    test.execute("UPDATE jobs SET state = 'ready' WHERE record_id = 2").await;
    let json = said_json(&setup, &["jobs", "--json"]).await;
    let told: Vec<_> =
        json.as_array().unwrap().iter().map(|job| (&job["record_id"], &job["state"])).collect();
    assert_eq!(told, [(&json!(1), &json!("dead")), (&json!(2), &json!("ready"))]);

    assert_eq!(setup.run(&["jobs", "retry"]).await.status.code(), Some(2), "it has to be said which");
    assert_eq!(setup.run(&["jobs", "retry", "4711"]).await.status.code(), Some(1));
    let id = json[0]["id"].to_string();
    assert!(said(&setup, &["jobs", "retry", &id, "4711"]).await.starts_with("1 of 2 job(s)"));
    assert!(said(&setup, &["jobs", "retry", "--all"]).await.starts_with("1 job(s)"));
    assert!(said(&setup, &["jobs"]).await.starts_with("No job has failed"));
    let jobs =
        test.rows("jobs", &["record_id", "state", "attempts"], "WHERE run_at <= UTC_TIMESTAMP(3) ORDER BY 1");
    assert_eq!(jobs.await, ["1|ready|0", "2|ready|0", "3|ready|0"]);
}

#[tokio::test]
async fn status_tells_of_edits_on_their_way_and_of_conflicts_where_there_are_any() {
    let (test, setup) = with_jobs().await;
    open_conflict(&test, 1, "Bonn").await;
    let status = said(&setup, &["status"]).await;
    assert!(status.contains("contacts: edits made here: 1 to be sent, 1 put off, 1 failed"), "{status}");
    assert!(status.contains("contacts: 1 conflict(s) wait for a person"), "{status}");
    let json = said_json(&setup, &["status", "--json"]).await;
    let of = |name| json.as_array().unwrap().iter().find(|row| row["object_type"] == name).unwrap();
    let queue = &of("contacts")["queue"];
    assert_eq!((&queue["ready"], &queue["waiting"], &queue["dead"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(of("contacts")["open_conflicts"], 1);
    assert_eq!((of("deals").get("queue"), of("deals").get("open_conflicts")), (None, None));
}

/// Opens a conflict of a contact about its city, or brings it up to date.
async fn open_conflict(test: &TestDatabase, row_id: i64, hubspot: &str) -> i64 {
    let city = |value: Option<&str>| BTreeMap::from([("city".to_owned(), value.map(str::to_owned))]);
    let at = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
    let source = FieldSource {
        at: Some(at),
        source_type: Some("CRM_UI".to_owned()),
        source_id: Some("userId:7".to_owned()),
        source_label: None,
    };
    let about = Disagreement {
        kind: ConflictKind::Fields,
        fields: vec!["city".to_owned()],
        base: city(None),
        local: city(Some("Köln")),
        hubspot: city(Some(hubspot)),
        sources: BTreeMap::from([("city".to_owned(), source)]),
    };
    let mut connection = test.sql.acquire().await.unwrap();
    open_or_update_conflict(&mut connection, &record(row_id), &about, "daemon", at).await.unwrap().0
}

/// A contact that is in HubSpot under the tenfold number of its row.
fn record(row_id: i64) -> ConflictRecord {
    let object_type = "contacts".to_owned();
    ConflictRecord { object_type, row_id: Some(row_id), hubspot_id: Some(ObjectId(row_id * 10)) }
}

#[tokio::test]
async fn conflicts_are_listed_and_shown_with_both_sides_and_every_step() {
    let test = TestDatabase::migrated().await;
    let setup = Setup::empty().set("DATABASE_URL", &test.url);
    assert_eq!(said(&setup, &["conflicts"]).await, "No conflict waits for a person.\n");
    let id = open_conflict(&test, 1, "Bonn").await;
    open_conflict(&test, 1, "Aachen").await;
    let closed = open_conflict(&test, 2, "Bonn").await;
    let mut connection = test.sql.acquire().await.unwrap();
    let at = DateTime::from_timestamp(1_780_000_100, 0).unwrap();
    close_conflict_by_itself(&mut connection, &record(2), "daemon", at).await.unwrap();

    let numbers = async |arguments: &[&str]| {
        let list = said_json(&setup, arguments).await;
        list.as_array().unwrap().iter().map(|conflict| conflict["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&["conflicts", "list", "--json"]).await, [id]);
    assert_eq!(numbers(&["conflicts", "list", "--all", "--json"]).await, [closed, id]);
    let before = closed.to_string();
    assert_eq!(numbers(&["conflicts", "list", "--all", "--before", &before, "--json"]).await, [id]);
    assert_eq!(numbers(&["conflicts", "list", "--type", "deals", "--json"]).await, [0; 0]);
    let list = said(&setup, &["conflicts"]).await;
    assert!(list.contains("city") && !list.contains("superseded"), "{list}");

    let shown = said(&setup, &["conflicts", "show", &id.to_string()]).await;
    for words in
        ["(not set)", "Köln", "Aachen", "2026-05-28 20:26:40 UTC, CRM_UI, userId:7", "opened", "updated"]
    {
        assert!(shown.contains(words), "{words} is not in:\n{shown}");
    }
    let whole = said_json(&setup, &["conflicts", "show", &id.to_string(), "--json"]).await;
    assert_eq!((&whole["local"]["city"], &whole["base"]["city"]), (&json!("Köln"), &Value::Null));
    assert_eq!(whole["steps"].as_array().map(Vec::len), Some(2));
    assert_eq!(whole["steps"][0]["detail"]["hubspot"]["city"], "Bonn");
    assert_eq!(setup.run(&["conflicts", "show", "4711"]).await.status.code(), Some(1));
}
