//! The dashboard in a real browser, against a daemon, a simulator and a database of each test's own.

#![expect(clippy::unwrap_used, reason = "a step that fails ends its test, in helpers too")]

mod access;
mod keyboard;
mod live;
mod pages;
mod screens;

#[expect(dead_code, reason = "the daemon's own tests need more of it")]
mod support;

use hubspot_connector_browser::Browser;

use support::daemon::{Daemon, Setup};
use support::database::TestDatabase;
use support::edits::writable_account;
use support::simulator::Simulator;
use support::{eventually, holds};

/// A dashboard and the browser in front of it.
struct Stage {
    simulator: Simulator,
    test: TestDatabase,
    setup: Setup,
    daemon: Daemon,
    browser: Browser,
}

impl Stage {
    /// With so many contacts and companies, which were synced once and are synced again every other second.
    async fn start(contacts: u32, companies: u32) -> Self {
        Self::start_with(contacts, companies, |setup| setup).await
    }

    /// The same with other settings.
    async fn start_with(contacts: u32, companies: u32, adjust: impl FnOnce(Setup) -> Setup) -> Self {
        let (simulator, test, setup) = writable_account(contacts, companies).await;
        Self::of(simulator, test, adjust(setup.at("*/2 * * * * *"))).await
    }

    /// Of that account, with a daemon of that setup.
    async fn of(simulator: Simulator, test: TestDatabase, setup: Setup) -> Self {
        let setup = setup.serving();
        let daemon = setup.start(&["run"]);
        let address = daemon.address().await;
        let ready = format!("http://{address}/health/ready");
        eventually("the server is ready", async || {
            let status = reqwest::get(&ready).await.unwrap().status();
            holds(status.is_success(), status)
        })
        .await;
        let browser = Browser::start(&address).await;
        // Where it listens from now on, so that it can be started anew.
        let port = address.rsplit(':').next().unwrap().to_owned();
        Self { simulator, test, setup: setup.set("PORT", &port), daemon, browser }
    }

    /// Ends the test: nothing may be wrong in the browser, and the daemon ends well.
    async fn end(self) {
        self.browser.close().await;
        self.daemon.stop_well().await;
    }
}
