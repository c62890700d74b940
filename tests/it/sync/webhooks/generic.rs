//! Generic events, `object.*`: all there are, of a standard type and of a custom one. Of privacy deletions there are none:
//! HubSpot tells of those of contacts alone, in their own words.

use serde_json::json;

use crate::support::database::TestDatabase;
use crate::support::simulator::Simulator;
use crate::support::truth::{differences_of, in_step};
use crate::support::webhooks::{Receiving, all_is_processed, without_polling};
use crate::support::{eventually, holds};

/// What is mirrored here.
const OBJECTS: &str = "contacts,deals,p62515_boats";
/// The types, as HubSpot calls them and as the mirror does.
const TYPES: [(&str, &str); 2] = [("deals", "deals"), ("p62515_boats", "boats")];

/// Waits until a query yields so many.
async fn yields(test: &TestDatabase, what: &str, query: &str, expected: i64) {
    eventually(what, async || {
        let found = test.number(query).await;
        holds(found == expected, found)
    })
    .await;
}

/// The ids of the first records of a type, by its name here.
async fn ids(test: &TestDatabase, name_here: &str) -> Vec<String> {
    test.rows(&format!("hubspot_{name_here}"), &["hubspot_id"], "ORDER BY hubspot_id LIMIT 10").await
}

/// Makes every kind of change to records of a type, links aside.
async fn change(simulator: &Simulator, test: &TestDatabase, object_type: &str, name_here: &str) {
    let ids = ids(test, name_here).await;
    let table = format!("hubspot_{name_here}");
    simulator.mutate(json!({"type": object_type, "count": 5, "seed": 3})).await;
    simulator.create(object_type, 2).await;
    simulator.delete(object_type, &ids[1]).await;
    simulator.delete(object_type, &ids[2]).await;
    let archived =
        format!("SELECT COUNT(*) FROM {table} WHERE archived AND hubspot_id IN ({}, {})", ids[1], ids[2]);
    yields(test, "the deletes are here", &archived, 2).await;
    assert!(simulator.try_restore(object_type, &ids[2]).await);
    yields(test, "it was restored", &archived, 1).await;
    let survivor = simulator.try_merge(object_type, &ids[3], &ids[4]).await.unwrap();
    let merged = format!("SELECT COUNT(*) FROM hubspot_merges WHERE survivor_id = {survivor}");
    yields(test, "the merge is here", &merged, 2).await;
}

#[tokio::test]
async fn every_kind_of_change_is_told_of_generically() {
    let test = TestDatabase::migrated().await;
    let arguments = "--contacts 20 --companies 0 --deals 20 --custom boats=20 --no-limits";
    let simulator = Simulator::with(&arguments.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let setup = without_polling(&simulator, &test).set("SYNC_OBJECTS", OBJECTS);
    let daemon = setup.set("ASSOCIATION_MAX_AGE_HOURS", "720").start(&["run"]);
    in_step(&simulator, &test).await;
    yields(&test, "the boats are listed", "SELECT COUNT(*) FROM hubspot_boats", 20).await;
    let unread = "SELECT COUNT(*) FROM sync_state WHERE watermark IS NULL AND object_type IN ('contacts', 'deals', 'boats')";
    yields(&test, "everything is listed", unread, 0).await;
    let receiving = Receiving::start(&test, OBJECTS).await;
    let subscriptions = json!(["object.*", "contact.privacyDeletion"]);
    receiving.told_by(&simulator, json!({"subscriptions": subscriptions})).await;

    for (object_type, name_here) in TYPES {
        change(&simulator, &test, object_type, name_here).await;
    }
    let (deals, boats) = (ids(&test, "deals").await, ids(&test, "boats").await);
    let ends = (("deals", deals[5].as_str()), ("p62515_boats", boats[5].as_str()));
    simulator.link(ends.0, ends.1, &[]).await;
    let linked = format!(
        "SELECT COUNT(*) FROM hubspot_associations WHERE from_type = 'deals' AND to_type = 'boats' \
         AND from_id = {} AND to_id = {} AND removed_at IS NULL",
        deals[5], boats[5]
    );
    yields(&test, "the link is here", &linked, 1).await;
    simulator.unlink(ends.0, ends.1).await;
    yields(&test, "the link is gone", &linked, 0).await;
    let contact = ids(&test, "contacts").await.remove(0);
    simulator.post(&format!("/objects/contacts/{contact}/purge"), json!({})).await;
    let erased = format!(
        "SELECT COUNT(*) FROM hubspot_contacts WHERE hubspot_id = {contact} AND archived AND properties_json = '{{}}'"
    );
    yields(&test, "the contact is erased", &erased, 1).await;

    all_is_processed(&simulator, &test).await;
    for (object_type, name_here) in TYPES {
        let differences = differences_of(&simulator, &test, object_type, name_here).await;
        assert!(differences.is_empty(), "{differences:?}");
    }
    let kinds = "SELECT GROUP_CONCAT(DISTINCT kind ORDER BY kind) FROM webhook_events WHERE object_type_id";
    for of_type in ["= '0-3'", "LIKE '2-%'"] {
        let all = "association_change,creation,deletion,merge,property_change,restore";
        assert_eq!(test.value(&format!("{kinds} {of_type}")).await, all);
    }
    let of_contacts = test.value(&format!("{kinds} = '0-1'")).await;
    assert!(of_contacts.contains("deletion,privacy_deletion"), "{of_contacts}");
    daemon.stop_well().await;
}
