//! The HTTP server end to end: a daemon, a simulator, a real database, and a client that holds every answer to the
//! OpenAPI document.

mod access;
mod client;
mod conflicts;
mod creates;
mod dashboard;
mod edits;
mod entity;
mod figures;
mod health;
mod limits;
mod lists;
mod openapi;
mod schemathesis;
mod socket;
mod sync;
mod webhooks;

use serde_json::Value;

use crate::support::daemon::{Daemon, Setup};
use crate::support::database::TestDatabase;
use crate::support::edits::writable_account;
use crate::support::simulator::Simulator;
use client::Api;
pub(crate) use dashboard::{PASSWORD, hash_of};

/// A daemon with a server, and both of its ends.
struct Served {
    simulator: Simulator,
    test: TestDatabase,
    setup: Setup,
    daemon: Daemon,
    api: Api,
}

impl Served {
    /// With so many contacts and companies, whose rows may be written.
    async fn start(contacts: u32, companies: u32) -> Self {
        Self::start_with(contacts, companies, |setup| setup).await
    }

    /// The same with other settings.
    async fn start_with(contacts: u32, companies: u32, adjust: impl FnOnce(Setup) -> Setup) -> Self {
        let (simulator, test, setup) = writable_account(contacts, companies).await;
        let setup = adjust(setup.serving());
        let daemon = setup.start(&["run"]);
        let api = Api::at(&daemon.address().await).await;
        api.is_ready().await;
        Self { simulator, test, setup, daemon, api }
    }

    /// The first contact as the API shows it.
    async fn contact(&self) -> Value {
        self.api.get("/api/contacts?limit=1").await.ok()["data"][0].clone()
    }
}
