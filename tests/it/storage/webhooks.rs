//! The inbox of webhooks, and who is silent.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hubspot_mariadb_connector::model::ObjectId;
use hubspot_mariadb_connector::storage::{
    Lease, NewWebhookEvent, WebhookKind, due_webhook_events, judge_silence, purge_webhook_events,
    retire_webhook_sources, silent_webhooks, store_webhook_events, webhook_counts,
};

use crate::support::database::TestDatabase;

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
    let due = due_webhook_events(&test.database, now(), &[], 1_000).await.unwrap();
    assert_eq!(due.len(), 55);
    let earlier = now() - TimeDelta::seconds(1);
    assert!(due_webhook_events(&test.database, earlier, &[], 9).await.unwrap().is_empty());
    let of_others = due_webhook_events(&test.database, now(), &["0-2", "0-1"], 9).await.unwrap();
    assert!(of_others.is_empty());
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
