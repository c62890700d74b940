//! What HubSpot tells of arrives at once, without polling.

mod doors;
mod echoes;
mod generic;
mod silence;

use hubspot_mariadb_connector::web::webhooks::PATH;
use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::database::TestDatabase;
use crate::support::exact::exact_differences;
use crate::support::links::links_in_step;
use crate::support::simulator::Simulator;
use crate::support::truth::in_step;
use crate::support::webhooks::{
    PUBLIC_URL, Receiving, SECRET, all_is_processed, counts, event, without_polling,
};
use crate::support::{eventually, holds};

/// The types mirrored by default.
const DEFAULT: &str = "contacts,companies,deals";

/// A daemon that has listed everything and polls no more, and a receiver HubSpot tells of everything.
async fn running(simulator: &Simulator, test: &TestDatabase) -> (Daemon, Receiving) {
    let daemon = without_polling(simulator, test).start(&["run"]);
    in_step(simulator, test).await;
    let receiving = Receiving::start(test, DEFAULT).await;
    receiving.told_by(simulator, json!({})).await;
    (daemon, receiving)
}

/// Waits until every row of the three default types is what HubSpot holds, live, in the bin or nowhere.
async fn exactly_in_step(simulator: &Simulator, test: &TestDatabase) {
    eventually("every row is what HubSpot holds", async || {
        let mut found = Vec::new();
        for object_type in ["contacts", "companies", "deals"] {
            found.extend(exact_differences(simulator, test, object_type).await);
        }
        holds(found.is_empty(), found)
    })
    .await;
}

/// The ids of the first contacts.
async fn contacts(test: &TestDatabase, count: usize) -> Vec<String> {
    test.rows("hubspot_contacts", &["hubspot_id"], &format!("ORDER BY hubspot_id LIMIT {count}")).await
}

#[tokio::test]
async fn every_kind_of_change_arrives_without_a_search() {
    let (simulator, test) = (Simulator::start(150, 40, 40), TestDatabase::migrated().await);
    let daemon = without_polling(&simulator, &test).set("ASSOCIATION_MAX_AGE_HOURS", "720").start(&["run"]);
    in_step(&simulator, &test).await;
    links_in_step(&simulator, &test).await;
    let receiving = Receiving::start(&test, DEFAULT).await;
    receiving.told_by(&simulator, json!({})).await;
    let searches = "SELECT COUNT(*) FROM sync_runs WHERE lane IN ('incremental', 'delayed', 'archive')";
    let before = test.number(searches).await;
    let ids = contacts(&test, 8).await;
    let companies = test.rows("hubspot_companies", &["hubspot_id"], "ORDER BY hubspot_id LIMIT 1").await;
    for object_type in ["contacts", "companies", "deals"] {
        simulator.mutate(json!({"type": object_type, "count": 30, "seed": 7})).await;
        simulator.create(object_type, 3).await;
    }
    simulator.delete("contacts", &ids[0]).await;
    simulator.delete("contacts", &ids[1]).await;
    exactly_in_step(&simulator, &test).await;
    assert!(simulator.try_restore("contacts", &ids[1]).await);
    let survivor = simulator.try_merge("contacts", &ids[2], &ids[3]).await.unwrap();
    simulator.link(("contacts", &ids[4]), ("companies", &companies[0]), &[]).await;
    simulator.post(&format!("/objects/contacts/{}/purge", ids[5]), json!({})).await;
    simulator.delete("contacts", &ids[6]).await;
    simulator.post(&format!("/objects/contacts/{}/purge", ids[6]), json!({})).await;
    exactly_in_step(&simulator, &test).await;
    links_in_step(&simulator, &test).await;
    let counted = "SELECT COUNT(DISTINCT object_type) FROM webhook_hours WHERE changes > 0";
    assert_eq!(test.number(counted).await, 3, "changes of each type are counted");
    let erased = format!("SELECT properties_json FROM hubspot_contacts WHERE hubspot_id = {}", ids[5]);
    eventually("the content of an erased contact is gone", async || {
        let content = test.value(&erased).await;
        holds(content == "{}", content)
    })
    .await;
    let leads = format!("SELECT COUNT(*) FROM hubspot_merges WHERE survivor_id = {survivor}");
    assert_eq!(test.number(&leads).await, 2);
    all_is_processed(&simulator, &test).await;
    assert_eq!(test.number(searches).await, before, "no search, no recycle bin");
    daemon.stop_well().await;
}

#[tokio::test]
async fn the_daemon_serves_the_address_itself_without_a_token_of_the_api() {
    let (simulator, test) = (Simulator::start(30, 0, 0), TestDatabase::migrated().await);
    let setup = without_polling(&simulator, &test).serving().set("PUBLIC_URL", PUBLIC_URL);
    let daemon = setup.set("API_TOKEN", "a-token-nobody-tells-hubspot").start(&["run"]);
    in_step(&simulator, &test).await;
    let target = format!("http://{}{PATH}", daemon.address().await);
    let signed = format!("{PUBLIC_URL}{PATH}");
    simulator.put("/webhooks", json!({"targetUrl": target, "signedUrl": signed, "secret": SECRET})).await;
    simulator.mutate(json!({"type": "contacts", "count": 20, "seed": 1})).await;
    all_is_processed(&simulator, &test).await;
    in_step(&simulator, &test).await;
    let answer = reqwest::get(&target).await.unwrap().text().await.unwrap();
    assert!(answer.contains("ready"), "{answer}");
    daemon.stop_well().await;
}

#[tokio::test]
async fn copies_disorder_and_lost_answers_change_nothing() {
    let (simulator, test) = (Simulator::start(200, 20, 20), TestDatabase::migrated().await);
    let (daemon, receiving) = running(&simulator, &test).await;
    let rough = json!({
        "batchSize": 7, "jitterMs": 700, "duplicateRate": 0.3, "lostAnswerRate": 0.3, "retryMs": 50, "seed": 5
    });
    receiving.told_by(&simulator, rough).await;
    let ids = contacts(&test, 20).await;
    for (round, id) in ids.iter().enumerate() {
        simulator.mutate(json!({"type": "contacts", "count": 20, "seed": round})).await;
        simulator.mutate(json!({"type": "deals", "count": 5, "seed": round})).await;
        simulator.try_delete("contacts", id).await;
        if round % 2 == 0 {
            simulator.try_restore("contacts", id).await;
        }
    }
    all_is_processed(&simulator, &test).await;
    exactly_in_step(&simulator, &test).await;
    let counts = counts(&test).await;
    assert!(counts["duplicate"] > 50, "{counts:?}");
    assert_eq!(counts["received"], counts["stored"] + counts["duplicate"], "{counts:?}");
    daemon.stop_well().await;
}

#[tokio::test]
async fn ten_thousand_events_of_fifty_records_are_two_reads() {
    let (simulator, test) = (Simulator::start(200, 0, 0), TestDatabase::migrated().await);
    let (daemon, receiving) = running(&simulator, &test).await;
    daemon.stop_well().await;
    simulator.post("/webhooks/storm", json!({"type": "contacts", "count": 10_000, "records": 50})).await;
    eventually("the storm is stored, without anybody who leads", async || {
        let stored = test.number("SELECT COUNT(*) FROM webhook_events").await;
        holds(stored == 10_000, stored)
    })
    .await;
    let figures = simulator.get("/webhooks").await;
    assert_eq!((&figures["failures"], &figures["givenUp"]), (&json!(0), &json!(0)), "{figures}");
    simulator.reset_stats().await;
    let daemon = without_polling(&simulator, &test).start(&["run"]);
    all_is_processed(&simulator, &test).await;
    let reads = simulator.stats().await["byFamily"]["batchRead"].clone();
    // Events are taken out of the inbox 5,000 at a time.
    assert_eq!(reads, 2, "records, not events, are read");
    assert_eq!(counts(&test).await["read"], 10_000);
    drop((daemon, receiving));
}

#[tokio::test]
async fn a_storm_while_the_daemon_runs_is_taken_within_a_minute() {
    let (simulator, test) = (Simulator::start(1_000, 0, 0), TestDatabase::migrated().await);
    let (daemon, _receiving) = running(&simulator, &test).await;
    let started = std::time::Instant::now();
    simulator.post("/webhooks/storm", json!({"type": "contacts", "count": 10_000, "records": 1_000})).await;
    all_is_processed(&simulator, &test).await;
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    assert_eq!(counts(&test).await["stored"], 10_000);
    daemon.stop_well().await;
}

#[tokio::test]
async fn more_deletes_than_are_believed_wait_for_the_recycle_bin_and_its_brake() {
    let (simulator, test) = (Simulator::start(400, 0, 0), TestDatabase::migrated().await);
    let (daemon, _receiving) = running(&simulator, &test).await;
    for id in contacts(&test, 250).await {
        simulator.delete("contacts", &id).await;
    }
    all_is_processed(&simulator, &test).await;
    eventually("the archive lane refuses", async || {
        let error = test.value("SELECT MAX(last_error) FROM sync_lanes WHERE lane = 'archive'").await;
        holds(error.contains("MAX_DELETE_SHARE"), error)
    })
    .await;
    let archived = test.number("SELECT COUNT(*) FROM hubspot_contacts WHERE archived").await;
    assert!(archived <= 100, "{archived} rows were marked on the word of webhooks");
    daemon.says("So many contacts are deleted").await;
    drop(daemon);
}

#[tokio::test]
async fn erasures_are_applied_however_many_there_are() {
    let (simulator, test) = (Simulator::start(150, 0, 0), TestDatabase::migrated().await);
    let (daemon, _receiving) = running(&simulator, &test).await;
    let ids = contacts(&test, 120).await;
    // Half of them lie in the bin first, so that the brake on deletes is on as well.
    for id in &ids[..110] {
        simulator.delete("contacts", id).await;
    }
    for id in &ids[5..] {
        simulator.post(&format!("/objects/contacts/{id}/purge"), json!({})).await;
    }
    all_is_processed(&simulator, &test).await;
    let listed = ids[5..].join(", ");
    let left = format!(
        "SELECT COUNT(*) FROM hubspot_contacts WHERE hubspot_id IN ({listed}) AND (properties_json <> '{{}}' OR NOT archived)"
    );
    assert_eq!(test.number(&left).await, 0, "personal data of erased contacts is still there");
    drop(daemon);
}

#[tokio::test]
async fn events_wait_while_hubspot_does_not_answer() {
    let (simulator, test) = (Simulator::start(50, 0, 0), TestDatabase::migrated().await);
    let (daemon, _receiving) = running(&simulator, &test).await;
    let broken =
        json!({"match": {"family": "batchRead"}, "times": 8, "action": {"kind": "status", "status": 503}});
    simulator.fault(broken).await;
    simulator.mutate(json!({"type": "contacts", "count": 10, "seed": 1})).await;
    all_is_processed(&simulator, &test).await;
    in_step(&simulator, &test).await;
    drop(daemon);
}

#[tokio::test]
async fn a_type_whose_reads_take_long_keeps_no_other_waiting() {
    let (simulator, test) = (Simulator::start(50, 20, 0), TestDatabase::migrated().await);
    let (daemon, _receiving) = running(&simulator, &test).await;
    let matching = json!({"family": "batchRead", "pathContains": "contacts"});
    let slow = json!({"match": matching, "times": 1_000, "action": {"kind": "status", "status": 503}});
    simulator.fault(slow).await;
    simulator.mutate(json!({"type": "contacts", "count": 10, "seed": 1})).await;
    eventually("contacts are asked for in vain", async || {
        let asked = simulator.stats().await["byFamily"]["batchRead"].as_u64();
        holds(asked.is_some_and(|asked| asked > 0), asked)
    })
    .await;
    simulator.mutate(json!({"type": "companies", "count": 10, "seed": 1})).await;
    let of_companies =
        "SELECT COUNT(*) FROM webhook_events WHERE object_type_id = '0-2' AND outcome = 'read'";
    eventually("the changes of companies are here", async || {
        let read = test.number(of_companies).await;
        holds(read > 0, read)
    })
    .await;
    let contacts = "SELECT COUNT(*) FROM webhook_events WHERE object_type_id = '0-1'";
    let put_off = test.number(&format!("{contacts} AND run_at > received_at")).await;
    assert_eq!(put_off, 0, "the tries of the contacts are not over yet");
    simulator.clear_faults().await;
    all_is_processed(&simulator, &test).await;
    in_step(&simulator, &test).await;
    daemon.stop_well().await;
}

#[tokio::test]
async fn what_hubspot_does_not_show_yet_is_read_again() {
    let (simulator, test) = (Simulator::start(20, 0, 0), TestDatabase::migrated().await);
    let (daemon, receiving) = running(&simulator, &test).await;
    let id = contacts(&test, 1).await.remove(0);
    simulator.reset_stats().await;
    // The change is told before it is made, as by a read that trails behind.
    let mut told = event("contact.propertyChange", &id);
    let at = simulator.now().await + 1_500;
    told["occurredAt"] = json!(at);
    receiving.deliver(&[told]).await;
    eventually("it was read in vain", async || {
        let tries = test.number("SELECT MAX(tries) FROM webhook_events").await;
        holds(tries >= 1, tries)
    })
    .await;
    eventually("its time has come", async || {
        let now = simulator.now().await;
        holds(now >= at, at - now)
    })
    .await;
    simulator.edit("contacts", &id, json!({"city": "Jena"})).await;
    in_step(&simulator, &test).await;
    drop(daemon);
}

#[tokio::test]
async fn a_merge_hubspot_does_not_show_yet_is_read_again() {
    let (simulator, test) = (Simulator::start(20, 0, 0), TestDatabase::migrated().await);
    let (daemon, receiving) = running(&simulator, &test).await;
    receiving.told_by(&simulator, json!({"subscriptions": []})).await;
    let ids = contacts(&test, 2).await;
    // A simulator of the same seed gives out the same id.
    let next = Simulator::start(20, 0, 0).try_merge("contacts", &ids[0], &ids[1]).await.unwrap();
    let mut told = event("contact.merge", &ids[0]);
    told["primaryObjectId"] = told["objectId"].clone();
    told["mergedObjectIds"] = json!([ids[1].parse::<u64>().unwrap()]);
    told["newObjectId"] = json!(next.parse::<u64>().unwrap());
    receiving.deliver(&[told]).await;
    eventually("it was read in vain", async || {
        let tries = test.number("SELECT MAX(tries) FROM webhook_events").await;
        holds(tries >= 1, tries)
    })
    .await;
    let survivor = simulator.try_merge("contacts", &ids[0], &ids[1]).await;
    assert_eq!(survivor.as_ref(), Some(&next));
    let merged = format!("SELECT COUNT(*) FROM hubspot_merges WHERE survivor_id = {next}");
    eventually("the merge is here", async || {
        let merged = test.number(&merged).await;
        holds(merged == 2, merged)
    })
    .await;
    drop(daemon);
}
