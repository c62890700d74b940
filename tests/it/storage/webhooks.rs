//! The inbox of webhooks, and who is silent.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hubspot_mariadb_connector::model::ObjectId;
use hubspot_mariadb_connector::storage::{
    Database, Lease, NewWebhookEvent, WebhookKind, WebhookOutcome, count_webhook_outcomes,
    due_webhook_events, judge_silence, next_waiting_type, purge_webhook_events, retire_webhook_sources,
    settle_webhook_events, show_notices, silent_webhooks, store_webhook_events, webhook_counts,
};

use crate::scripts::PrivateServer;
use crate::support::database::{TestDatabase, config};

/// An event that is told from others by its number alone.
fn event(number: u8) -> NewWebhookEvent {
    NewWebhookEvent {
        key: [number; 32],
        object_type_id: "0-1".to_owned(),
        id: ObjectId(i64::from(number)),
        kind: WebhookKind::PropertyChange,
        property: Some("city".to_owned()),
        event_id: 1,
        attempt: 0,
        change_source: Some("CRM_UI".to_owned()),
        is_own: false,
        occurred_at: DateTime::UNIX_EPOCH,
    }
}

/// The time, as it is stored.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_780_000_000_000).unwrap()
}

#[tokio::test]
async fn an_event_is_stored_once_however_many_deliver_it_at_the_same_time() {
    let test = TestDatabase::migrated().await;
    let deliver = |number: u8| {
        // Overlapping, and each in another order.
        let mut events: Vec<_> = (number..number + 50).map(event).collect();
        if number.is_multiple_of(2) {
            events.reverse();
        }
        store_webhook_events(&test.database, events, BTreeMap::from([("received", 50)]), now())
    };
    let delivered = futures_util::future::join_all((0..6).map(deliver)).await;
    assert!(delivered.iter().all(Result::is_ok), "{delivered:?}");
    let counts = webhook_counts(&test.database).await.unwrap();
    assert_eq!((counts["received"], counts["stored"], counts["duplicate"]), (300, 55, 245));
    let due = async |type_id: &str, at| due_webhook_events(&test.database, type_id, at, 1_000).await.unwrap();
    assert_eq!(due("0-1", now()).await.len(), 55);
    assert!(due("0-1", now() - TimeDelta::seconds(1)).await.is_empty());
    assert!(due("0-2", now()).await.is_empty());
}

#[tokio::test]
async fn what_waits_for_a_busy_type_is_not_looked_at() {
    let server = PrivateServer::start();
    let test = TestDatabase::migrated_on(&server.url()).await;
    test.execute(
        "INSERT INTO webhook_events (event_key, object_type_id, hubspot_id, kind, event_id, attempt, is_own, \
         occurred_at, received_at, run_at) SELECT UNHEX(SHA2(seq, 256)), IF(seq > 5000, '0-2', '0-1'), seq, \
         'property_change', 1, 0, FALSE, '2026-05-01', '2026-05-01', '2026-05-01' FROM seq_1_to_5003",
    )
    .await;
    test.execute("ANALYZE TABLE webhook_events").await;
    server.ask(
        "SET GLOBAL log_output = 'TABLE'; SET GLOBAL long_query_time = 0; SET GLOBAL slow_query_log = ON",
    );
    // On connections that heard of it.
    let database = Database::new(&config(&test.url)).unwrap();
    let (mut types, mut last) = (Vec::new(), String::new());
    while let Some(type_id) = next_waiting_type(&database, &last).await.unwrap() {
        types.push(type_id.clone());
        last = type_id;
    }
    assert_eq!(types, ["0-1", "0-2"]);
    let due = due_webhook_events(&database, "0-2", now(), 5_000).await.unwrap();
    assert_eq!(due.iter().map(|event| event.id.0).collect::<Vec<_>>(), [5_001, 5_002, 5_003]);
    let read = server.ask(
        "SELECT CONCAT(COUNT(*), ' ', MAX(rows_examined)) FROM mysql.slow_log \
         WHERE sql_text LIKE 'SELECT%FROM webhook_events%'",
    );
    let (statements, most) = read.split_once(' ').unwrap();
    assert_eq!(statements, "4", "three steps from type to type, and one list");
    assert!(most.parse::<u32>().unwrap() <= 4, "{most} rows were read");
}

#[tokio::test]
async fn after_two_days_events_go_and_it_is_known_how_many_nobody_has_dealt_with() {
    let test = TestDatabase::migrated().await;
    let (old, new) = (now() - TimeDelta::hours(49), now() - TimeDelta::hours(47));
    store_webhook_events(&test.database, vec![event(1), event(2)], BTreeMap::new(), old).await.unwrap();
    store_webhook_events(&test.database, vec![event(3)], BTreeMap::new(), new).await.unwrap();
    test.execute("UPDATE webhook_events SET outcome = 'read' WHERE hubspot_id = 1").await;
    assert_eq!(purge_webhook_events(&test.database, now()).await.unwrap(), (2, 1));
    assert_eq!(test.number("SELECT COUNT(*) FROM webhook_events").await, 1);
}

/// How long the silence of these tests takes.
const PATIENCE: Duration = Duration::from_hours(1);

/// Notes a type: the last event so many minutes ago, changes nobody told of since so many, found by so many searches.
async fn note(test: &TestDatabase, object_type: &str, heard: &str, minutes: u32, runs: u32) {
    let ago = |minutes: &str| format!("'2026-05-28 20:26:40' - INTERVAL {minutes} MINUTE");
    let heard = if heard == "never" { "NULL".to_owned() } else { ago(heard) };
    test.execute(&format!(
        "REPLACE INTO webhook_sources (object_type, last_event_at, unannounced, unannounced_runs, unannounced_since) \
         VALUES ('{object_type}', {heard}, 7, {runs}, {})",
        ago(&minutes.to_string())
    ))
    .await;
}

/// The types that are silent now.
async fn silent(test: &TestDatabase, lease: &Lease, patience: Option<Duration>) -> Vec<String> {
    judge_silence(&test.database, lease, patience, now()).await.unwrap();
    let silent = silent_webhooks(&test.database).await.unwrap();
    silent.into_iter().map(|silent| silent.object_type).collect()
}

#[tokio::test]
async fn silent_is_who_was_heard_before_and_is_not_for_long_enough() {
    let test = TestDatabase::migrated().await;
    let lease = test.lease().await;
    note(&test, "contacts", "90", 61, 3).await;
    note(&test, "companies", "90", 59, 9).await;
    note(&test, "deals", "90", 600, 2).await;
    // It was never subscribed to, or nobody would have heard of the others.
    note(&test, "tickets", "never", 600, 9).await;
    assert_eq!(silent(&test, &lease, Some(PATIENCE)).await, ["contacts"]);
    let judged = judge_silence(&test.database, &lease, Some(PATIENCE), now()).await.unwrap();
    assert_eq!(judged, (vec![], vec![]), "said once");
    assert!(silent(&test, &lease, None).await.is_empty(), "where none are expected nobody is silent");
}

#[tokio::test]
async fn where_nothing_was_ever_heard_of_everything_is_silent() {
    let test = TestDatabase::migrated().await;
    let lease = test.lease().await;
    note(&test, "contacts", "never", 61, 3).await;
    note(&test, "deals", "never", 61, 3).await;
    assert_eq!(silent(&test, &lease, Some(PATIENCE)).await, ["contacts", "deals"]);
    retire_webhook_sources(&test.database, &lease, &["deals".to_owned()]).await.unwrap();
    assert_eq!(silent(&test, &lease, Some(PATIENCE)).await, ["deals"]);
}

#[tokio::test]
async fn who_was_erased_and_is_still_there_is_named_until_the_events_are_old() {
    let test = TestDatabase::migrated().await;
    let lease = test.lease().await;
    test.execute("INSERT IGNORE INTO sync_state (object_type) VALUES ('contacts'), ('deals')").await;
    let erased = NewWebhookEvent { kind: WebhookKind::PrivacyDeletion, ..event(7) };
    store_webhook_events(&test.database, vec![erased, event(8)], BTreeMap::new(), now()).await.unwrap();
    let notice = async |object_type: &str| {
        show_notices(&test.database, &lease, object_type, true).await.unwrap();
        test.value(&format!("SELECT notice FROM sync_state WHERE object_type = '{object_type}'")).await
    };
    assert_eq!(notice("contacts").await, "-");
    let number = test.number("SELECT id FROM webhook_events WHERE hubspot_id = 7").await;
    let mut transaction = lease.begin(&test.database).await.unwrap();
    settle_webhook_events(&mut transaction, &[number], WebhookOutcome::StillThere, now()).await.unwrap();
    transaction.commit().await.unwrap();
    let counted = count_webhook_outcomes(&test.database, WebhookOutcome::StillThere).await.unwrap();
    assert_eq!(counted, BTreeMap::from([("0-1".to_owned(), 1)]));
    let told = notice("contacts").await;
    assert!(told.contains("1 record(s) were erased") && told.contains("a day later: 7. Erase"), "{told}");
    assert_eq!(notice("deals").await, "-");
    purge_webhook_events(&test.database, now() + TimeDelta::days(3)).await.unwrap();
    assert_eq!(notice("contacts").await, "-");
}
