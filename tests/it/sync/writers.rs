//! Two writers: people edit, make and delete the same records on both sides while daemons sync them, two at a time for a
//! while, are hit by faults and lost answers, and are killed.
//!
//! When it is quiet again no edit may be lost: whatever was written on either side has arrived on the other, or was
//! written over by somebody who had seen it, or is named in a conflict. [`ledger`] holds what was done, [`events`] does it
//! and [`verdict`] looks at what came of it.

mod events;
mod ledger;
mod traces;
mod verdict;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use self::ledger::Ledger;
use crate::support::daemon::{Daemon, Setup};
use crate::support::database::TestDatabase;
use crate::support::lanes::{make_due, run_lane};
use crate::support::simulator::Simulator;
use crate::support::truth::everything_is_searchable;
use crate::support::{eventually, holds, soak_setting};

/// Rounds of writing; `SOAK_ROUNDS` asks for more.
const ROUNDS: u32 = 8;
/// Things that happen in a round.
const EVENTS: u32 = 30;
/// Most milliseconds between two of them.
const PAUSE: u64 = 90;

/// A type both sides write, and what of it.
#[derive(Clone, Copy)]
struct Kind {
    /// Its plural name.
    name: &'static str,
    /// Its mirror table.
    table: &'static str,
    /// The texts that are edited.
    fields: [&'static str; 4],
    /// The text a record that was made here is told by; nobody edits it.
    mark: &'static str,
}

/// The types that are written.
const KINDS: [Kind; 2] = [
    Kind {
        name: "contacts",
        table: "hubspot_contacts",
        fields: ["firstname", "city", "jobtitle", "address"],
        mark: "lastname",
    },
    Kind {
        name: "companies",
        table: "hubspot_companies",
        fields: ["description", "city", "phone", "address"],
        mark: "name",
    },
];

/// An account, its mirror, the daemons between them, and what both sides have done.
struct Writers {
    simulator: Simulator,
    test: TestDatabase,
    setup: Setup,
    daemons: Vec<Daemon>,
    random: ChaCha8Rng,
    ledger: Ledger,
    /// The fields that have a column, by table.
    columns: BTreeMap<&'static str, Vec<String>>,
    /// How often each kind of event happened.
    events: BTreeMap<&'static str, u32>,
}

impl Writers {
    async fn new(seed: u64) -> Self {
        let (simulator, test) = (Simulator::start(30, 15, 5), TestDatabase::empty().await);
        let setup = Setup::new(&simulator, &test.url)
            .writable()
            .at("* * * * * *")
            .set("ARCHIVE_INTERVAL_MINUTES", "60")
            .set("MAX_DELETE_SHARE", "1")
            .set("MAX_PUSH_DELETES_PER_HOUR", "100000")
            .set("PUSH_RETRY_CAP_SECONDS", "2");
        setup.sync(&[]).await;
        let mut columns = BTreeMap::new();
        for kind in &KINDS {
            let of_table = format!("WHERE table_schema = DATABASE() AND table_name = '{}'", kind.table);
            let names = test.rows("information_schema.columns", &["column_name"], &of_table).await;
            columns.insert(kind.table, names);
        }
        let random = ChaCha8Rng::seed_from_u64(seed);
        let (ledger, events) = (Ledger::default(), BTreeMap::new());
        Self { simulator, test, setup, daemons: Vec::new(), random, ledger, columns, events }
    }

    /// A round of writing, at whose end the daemons may change.
    async fn live(&mut self) {
        for _ in 0..EVENTS {
            self.happen().await;
            // Not a wait for anything: what the daemon does meanwhile is the point.
            tokio::time::sleep(Duration::from_millis(self.random.random_range(0..PAUSE))).await;
        }
        if self.random.random_bool(0.3) {
            make_due(&self.test, "archive").await;
        }
        match self.random.random_range(0..5) {
            0 if self.daemons.len() < 2 => {
                *self.events.entry("second daemon").or_default() += 1;
                self.start();
            }
            0 => {
                let daemon = self.daemons.remove(0);
                // A signal before it listens for signals would end it at once.
                daemon.says("Connected to").await;
                daemon.stop_well().await;
            }
            1..3 => self.kill(),
            _ => {}
        }
    }

    /// Starts a daemon.
    fn start(&mut self) {
        self.daemons.push(self.setup.start(&["run"]));
    }

    /// Kills a daemon.
    fn kill(&mut self) {
        *self.events.entry("kill").or_default() += 1;
        let one = self.random.random_range(0..self.daemons.len());
        self.daemons.remove(one).kill();
        if self.daemons.is_empty() {
            self.start();
        }
    }

    /// Everything becomes quiet, and what is under way gets there.
    async fn quiet(&mut self) {
        let calm = json!({"latencyMs": 0, "faultRate": 0.0, "lostAnswerRate": 0.0});
        self.simulator.set(calm).await;
        self.simulator.clear_faults().await;
        self.settled().await;
        everything_is_searchable(&self.simulator).await;
        self.setup.sync(&[]).await;
        // What one pass shows as merged, the next brings up to date.
        for _ in 0..2 {
            run_lane(&self.test, "archive").await;
            self.setup.sync(&[]).await;
            self.settled().await;
        }
    }

    /// Waits until no row and no job waits for anything but a person.
    async fn settled(&self) {
        eventually("every edit is sent", async || {
            self.try_again().await;
            let left = self.waiting().await;
            holds(left.is_empty(), left)
        })
        .await;
    }

    /// A person tries again what was given up while HubSpot was in trouble.
    async fn try_again(&self) {
        for Kind { table, .. } in KINDS {
            let given_up = "WHERE sync_status = 'error' AND sync_error LIKE 'given up%'";
            for key in self.test.rows(table, &["id"], given_up).await {
                let sql = format!("UPDATE {table} SET sync_status = 'pending' WHERE id = {key}");
                // It may be synced by now, or come at a bad moment.
                sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&self.test.sql).await.ok();
            }
        }
    }

    /// What waits, in words.
    async fn waiting(&self) -> Vec<String> {
        let of_job = ["object_type", "kind", "record_id", "state", "attempts", "last_error", "waiting"];
        let mut left = self.test.rows("jobs", &of_job, "WHERE state <> 'dead'").await;
        for kind in &KINDS {
            let of_row = ["'row'", "id", "hubspot_id", "version", "archived"];
            left.extend(self.test.rows(kind.table, &of_row, "WHERE sync_status = 'pending'").await);
        }
        left
    }
}

#[tokio::test]
async fn of_two_writers_neither_loses_an_edit() {
    let seed = soak_setting("SOAK_SEED", 20_261_124);
    let rounds = soak_setting("SOAK_ROUNDS", ROUNDS);
    println!("seed {seed}, {rounds} rounds of {EVENTS} events");
    let mut writers = Writers::new(seed.into()).await;
    let trouble = json!({"indexLagMs": 300, "indexJitterMs": 700, "latencyMs": 15, "faultRate": 0.02, "lostAnswerRate": 0.06});
    writers.simulator.set(trouble).await;
    writers.start();
    for _ in 0..rounds {
        writers.live().await;
    }
    println!("{:?}", writers.events);
    writers.quiet().await;
    let wrong = writers.wrong().await;
    assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
    for daemon in std::mem::take(&mut writers.daemons) {
        daemon.stop_well().await;
    }
}
