//! Each lane switched off or made blind in turn: the audit finds and repairs what that lane would have caught, which
//! proves that the audit sees.

use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Setup};
use crate::support::database::TestDatabase;
use crate::support::exact::exact_differences;
use crate::support::lanes::{lane_is_done, run_lane};
use crate::support::links::{self, assert_linked};
use crate::support::simulator::Simulator;
use crate::support::truth::{assert_equal, everything_is_searched, in_step};
use crate::support::{eventually, holds};

/// An account, and a daemon whose audit runs when a test says so and whose archive lane is off.
struct Account {
    simulator: Simulator,
    test: TestDatabase,
    setup: Setup,
}

impl Account {
    async fn new() -> Self {
        let (simulator, test) = (Simulator::start(150, 20, 20), TestDatabase::migrated().await);
        let setup = Setup::new(&simulator, &test.url).at("* * * * * *").set("AUDIT_INTERVAL_HOURS", "24");
        Self { simulator, test, setup }
    }

    /// A daemon that has mirrored everything.
    async fn in_step(&self) -> Daemon {
        let daemon = self.setup.start(&["run"]);
        in_step(&self.simulator, &self.test).await;
        daemon
    }

    /// Asserts that what was done to contacts is not in the mirror yet: no other lane has seen it.
    async fn nobody_saw_it(&self) {
        let differences = exact_differences(&self.simulator, &self.test, "contacts").await;
        assert!(!differences.is_empty(), "there is nothing left for the audit");
    }

    /// Runs the audit and answers what it found among contacts; the mirror is equal to HubSpot then.
    async fn audit(&self) -> Value {
        run_lane(&self.test, "audit").await;
        assert_equal(&self.simulator, &self.test).await;
        let sql = "SELECT report FROM sync_runs WHERE lane = 'audit' AND object_type = 'contacts' ORDER BY run_id DESC LIMIT 1";
        serde_json::from_str(&self.test.value(sql).await).unwrap()
    }

    /// Runs a deep audit that repairs, and answers its reports.
    async fn verify(&self) -> Value {
        let output = self.setup.run(&["verify", "--deep", "--repair", "--json"]).await;
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Records the last audit repaired of all types.
    async fn repairs(&self) -> i64 {
        self.test.number("SELECT SUM(audit_repairs) FROM sync_state").await
    }
}

/// How many records of a kind a report counts.
fn count(report: &Value, kind: &str) -> u64 {
    report[kind]["count"].as_u64().unwrap_or_else(|| panic!("{kind} in {report:#}"))
}

#[tokio::test]
async fn without_regular_runs_the_audit_brings_every_change_in() {
    let mut account = Account::new().await;
    // The next regular run is months away, so nothing is due but what the audit is told to do.
    account.setup = account.setup.at("0 0 1 1 *");
    account.setup.sync(&[]).await;
    let daemon = account.in_step().await;
    let simulator = &account.simulator;
    let created = simulator.create("contacts", 3).await;
    let edited = simulator.mutate(json!({"type": "contacts", "count": 40, "seed": 5})).await;
    account.nobody_saw_it().await;
    let report = account.audit().await;
    let changed: std::collections::BTreeSet<_> = created.iter().chain(&edited).collect();
    assert_eq!(count(&report, "recent"), changed.len() as u64, "{report:#}");
    assert_eq!(account.repairs().await, 0, "no run was due that should have caught it");
    assert_eq!(count(&account.audit().await, "recent"), 0, "it is mended");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn what_the_search_index_never_shows_is_found_and_blamed() {
    let account = Account::new().await;
    let daemon = account.in_step().await;
    let simulator = &account.simulator;
    simulator.set(json!({"indexLagMs": 1_000_000_000})).await;
    let created = simulator.create("contacts", 3).await;
    let edited = simulator.mutate(json!({"type": "contacts", "count": 40, "seed": 5})).await;
    let edited = edited.iter().filter(|id| !created.contains(id)).count() as u64;
    everything_is_searched(&account.simulator, &account.test).await;
    account.nobody_saw_it().await;
    let report = account.audit().await;
    assert_eq!((count(&report, "missing"), count(&report, "stale")), (3, edited), "{report:#}");
    assert_eq!(account.repairs().await as u64, 3 + edited);
    daemon.says("; the incremental or delayed lane should have caught it").await;
    account.audit().await;
    assert_eq!(account.repairs().await, 0, "it is mended");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn what_only_the_delayed_pass_would_see_is_found() {
    let account = Account::new().await;
    let daemon = account.in_step().await;
    let simulator = &account.simulator;
    let past = simulator.now().await - 600_000;
    let late = json!({"type": "contacts", "count": 20, "seed": 5, "lastModified": past});
    let edited = simulator.mutate(late).await;
    everything_is_searched(simulator, &account.test).await;
    account.nobody_saw_it().await;
    let report = account.audit().await;
    assert_eq!(count(&report, "stale") as usize, edited.len(), "{report:#}");
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn without_the_archive_lane_the_audit_follows_deletes() {
    let account = Account::new().await;
    let simulator = &account.simulator;
    let ids = simulator.create("contacts", 4).await;
    let daemon = account.in_step().await;
    simulator.delete("contacts", &ids[0]).await;
    simulator.delete("contacts", &ids[1]).await;
    simulator.post(&format!("/objects/contacts/{}/purge", ids[2]), json!({})).await;
    everything_is_searched(&account.simulator, &account.test).await;
    account.nobody_saw_it().await;
    let report = account.audit().await;
    assert_eq!((count(&report, "gone"), count(&report, "extra")), (2, 1), "{report:#}");
    daemon.says("Of contacts, gone: 2; the archive lane should have caught it").await;

    simulator.set(json!({"restoredLastModified": "same"})).await;
    simulator.post(&format!("/objects/contacts/{}/restore", ids[0]), json!({})).await;
    account.nobody_saw_it().await;
    let report = account.audit().await;
    assert_eq!(count(&report, "missing"), 1, "{report:#}");
    assert_eq!(account.repairs().await, 1);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn what_could_not_be_filled_is_found_by_a_deep_audit() {
    let account = Account::new().await;
    let simulator = &account.simulator;
    let ids = simulator.mutate(json!({"type": "contacts", "count": 15, "seed": 5})).await;
    simulator.define("contacts", "shoe_size", json!({"type": "string", "fieldType": "text"})).await;
    for id in &ids {
        let value = json!({"type": "contacts", "id": id, "properties": {"shoe_size": "42"}});
        simulator.post("/silent", value).await;
    }
    simulator.define("contacts", "shoe_size", json!({"archived": true})).await;
    let daemon = account.in_step().await;
    // Or the search would read the records again, for they lack a property that is new.
    everything_is_searched(&account.simulator, &account.test).await;
    let listing = json!({"method": "GET", "pathContains": "&properties=shoe_size"});
    let refused = json!({"kind": "status", "status": 403});
    simulator.fault(json!({"match": listing, "times": 1_000, "action": refused})).await;
    simulator.define("contacts", "shoe_size", json!({"archived": false})).await;
    eventually("the fill lane has failed", async || {
        let failed = "SELECT COUNT(*) FROM sync_lanes WHERE lane = 'fill' AND status = 'error'";
        holds(account.test.value(failed).await == "1", "not yet")
    })
    .await;
    account.nobody_saw_it().await;
    let reports = account.verify().await;
    assert_eq!(count(&reports["contacts"], "different"), 15, "{reports:#}");
    assert_equal(simulator, &account.test).await;
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn without_any_reading_of_links_a_deep_audit_finds_each_change_of_them() {
    let mut account = Account::new().await;
    let blind = account.setup.clone();
    account.setup = account.setup.set("ASSOCIATION_MAX_AGE_HOURS", "24");
    let simulator = &account.simulator;
    let contacts = simulator.create("contacts", 5).await;
    let company = &*simulator.create("companies", 1).await[0];
    let deal = &*simulator.create("deals", 1).await[0];
    let label = simulator.define_label("contacts", "companies", "Billing").await;
    for contact in &contacts[..3] {
        simulator.link(("contacts", contact), ("companies", company), &[]).await;
    }
    let daemon = account.in_step().await;
    lane_is_done(&account.test, "associations").await;
    assert_linked(simulator, &account.test).await;
    assert!(daemon.stop().await.success());

    let daemon = blind.start(&["run"]);
    simulator.unlink(("contacts", &contacts[0]), ("companies", company)).await;
    simulator.link(("contacts", &contacts[1]), ("companies", company), &[("USER_DEFINED", label)]).await;
    simulator.link(("contacts", &contacts[3]), ("companies", company), &[]).await;
    simulator.link(("companies", company), ("deals", deal), &[]).await;
    // A search that reads links would read these.
    for (object_type, id) in contacts.iter().map(|id| ("contacts", &**id)).chain([("companies", company)]) {
        simulator.edit(object_type, id, json!({"city": "Bonn"})).await;
    }
    in_step(simulator, &account.test).await;
    assert!(daemon.stop().await.success());
    assert!(!links::differences(simulator, &account.test).await.is_empty(), "nobody has read them");

    let reports = account.verify().await;
    assert_eq!(count(&reports["contacts"], "links"), 3, "{reports:#}");
    assert_eq!(count(&reports["companies"], "links"), 1, "{reports:#}");
    assert_linked(simulator, &account.test).await;
    let reports = account.verify().await;
    for object_type in ["contacts", "companies", "deals"] {
        assert_eq!(count(&reports[object_type], "links"), 0, "it is mended: {reports:#}");
    }
}
