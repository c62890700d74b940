//! Edits made here, and what became of them in HubSpot.

use serde_json::Value;

use super::daemon::Setup;
use super::database::TestDatabase;
use super::simulator::Simulator;
use super::{eventually, holds};

/// An account that was synced once, of which contacts and companies may be edited here.
pub async fn writable_account(contacts: u32, companies: u32) -> (Simulator, TestDatabase, Setup) {
    let (simulator, test) = (Simulator::start(contacts, companies, 0), TestDatabase::empty().await);
    let setup = Setup::new(&simulator, &test.url).writable();
    setup.sync(&[]).await;
    (simulator, test, setup)
}

/// What HubSpot has of a contact; null when it is not live there.
pub async fn hubspot_contact(simulator: &Simulator, id: &str) -> Value {
    let truth = simulator.truth("contacts", false).await;
    let mut records = truth.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.find(|record| record["id"] == *id).unwrap_or(Value::Null)
}

/// Waits until no row of the table waits for anything but a person.
pub async fn all_is_sent(test: &TestDatabase, table: &str) {
    let pending = format!("SELECT COUNT(*) FROM {table} WHERE sync_status = 'pending'");
    let queued = "SELECT COUNT(*) FROM jobs WHERE state <> 'dead'";
    eventually("every edit is sent", async || {
        let left = test.number(&pending).await + test.number(queued).await;
        holds(left == 0, left)
    })
    .await;
}
