//! A random life: everything that can happen to records, links, properties and pipelines happens in random order while the
//! daemon syncs, is hit by faults, loses the database and is killed.
//!
//! When it is quiet again, the lanes that run all day bring the mirror in step without the audit. What may be left then is
//! what shows nowhere but in a listing of everything:
//!
//! | What happened | Why no other lane sees it |
//! | --- | --- |
//! | a value was recalculated, or follows a link | the version stays |
//! | a record vanished, without a stay in the recycle bin or with one between two looks into it | it is nowhere any more |
//! | a merge kept the id and the version of the primary | nothing has a new version, and the other answers under the primary's id |
//! | a record was in the recycle bin when the listing or the search went by that would have shown it, and came back in its old version before the bin was read | it has no new version; the delayed pass sees it an hour later |
//!
//! The audit repairs just that, and then the mirror is exactly what HubSpot holds.

mod events;
mod left;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use self::left::Left;
use crate::support::daemon::{Daemon, Setup, text};
use crate::support::database::TestDatabase;
use crate::support::lanes::{make_due, run_lane};
use crate::support::simulator::Simulator;
use crate::support::soak_setting;
use crate::support::truth::everything_is_searchable;
use crate::support::{eventually, holds};

/// Rounds of life; `SOAK_ROUNDS` asks for more.
const ROUNDS: u32 = 8;
/// Things that happen in a round.
const EVENTS: u32 = 260;
/// The types that live.
const TYPES: [&str; 3] = ["contacts", "companies", "deals"];
/// Passes of the archive lane until the mirror is in step: what one marks, the next brings up to date.
const ARCHIVE_PASSES: u32 = 2;
/// Rounds after which the daemon may end its first listing in peace.
const LISTED_AFTER: u32 = 2;

/// The records of a type, as the test has made them.
struct Herd {
    object_type: &'static str,
    live: Vec<String>,
    bin: Vec<String>,
}

/// Two records of a link: where each herd is in [`TYPES`], and its id.
type Link = [(usize, String); 2];

/// An account, its mirror, and what has happened to it.
struct Life {
    simulator: Simulator,
    test: TestDatabase,
    setup: Setup,
    random: ChaCha8Rng,
    herds: Vec<Herd>,
    /// Records that are gone without trace, and all that had been merged into them.
    vanished: BTreeSet<Known>,
    /// The records of merges that left no trace but in the primary's content.
    quietly_merged: BTreeSet<Known>,
    /// Whether merges are such now.
    merges_are_quiet: bool,
    /// Records that came out of the recycle bin in the version they went with.
    quietly_restored: BTreeSet<Known>,
    /// Whether records come back so now.
    restores_are_quiet: bool,
    /// Who was merged into each record, at any time.
    taken_in: BTreeMap<Known, Vec<i64>>,
    /// Links that were made, contacts first; an end may be gone by now.
    links: Vec<Link>,
    /// The number of a label of links from contacts to companies.
    label: u64,
    /// Properties that were made, and whether each is archived.
    properties: Vec<(String, bool)>,
    /// How often each kind of event happened.
    events: BTreeMap<&'static str, u32>,
}

/// A record: where its herd is in [`TYPES`], and its id.
type Known = (usize, i64);

impl Life {
    async fn new(seed: u64) -> Self {
        let (simulator, test) = (Simulator::start(700, 150, 250), TestDatabase::empty().await);
        let setup = Setup::new(&simulator, &test.url)
            .at("* * * * * *")
            .set("ARCHIVE_INTERVAL_MINUTES", "60")
            .set("AUDIT_INTERVAL_HOURS", "24")
            .set("ASSOCIATION_MAX_AGE_HOURS", "24")
            .set("MAX_DELETE_SHARE", "1")
            .set("SYNC_DELAYED_PASS_MINUTES", "1")
            .set("COLUMNS_CONTACTS", "life_0,life_1");
        simulator
            .set(json!({"indexLagMs": 300, "indexJitterMs": 700, "latencyMs": 10, "faultRate": 0.02}))
            .await;
        let label = simulator.define_label("contacts", "companies", "Billing").await;
        let mut herds = Vec::new();
        for object_type in TYPES {
            let truth = simulator.truth(object_type, false).await;
            let live = truth.lines().map(id_of).collect();
            herds.push(Herd { object_type, live, bin: Vec::new() });
        }
        Self {
            simulator,
            test,
            setup,
            random: ChaCha8Rng::seed_from_u64(seed),
            herds,
            vanished: BTreeSet::new(),
            quietly_merged: BTreeSet::new(),
            merges_are_quiet: false,
            quietly_restored: BTreeSet::new(),
            restores_are_quiet: false,
            taken_in: BTreeMap::new(),
            links: Vec::new(),
            label,
            properties: Vec::new(),
            events: BTreeMap::new(),
        }
    }

    /// Lives a round: events, then the daemon works for a moment, may lose the database and may die.
    async fn live(&mut self, daemon: Daemon) -> Daemon {
        for _ in 0..EVENTS {
            self.happen().await;
        }
        // Before, the table may not be there.
        if daemon.log().contains("is up after") {
            let lane = ["archive", "audit", "associations"].choose(&mut self.random).unwrap();
            make_due(&self.test, lane).await;
        }
        // Not a wait for anything: the moment is the point.
        tokio::time::sleep(Duration::from_millis(self.random.random_range(50..1_500))).await;
        match self.random.random_range(0..6) {
            0..3 => daemon,
            3 => {
                *self.events.entry("outage").or_default() += 1;
                self.test.disconnect_everybody().await;
                daemon
            }
            _ => {
                *self.events.entry("kill").or_default() += 1;
                daemon.kill();
                self.setup.start(&["run"])
            }
        }
    }

    /// Waits until everything was listed once.
    async fn is_listed(&self) {
        let sql = "SELECT COUNT(*) FROM sync_state WHERE watermark IS NOT NULL AND object_type IN ('contacts', 'companies', 'deals')";
        eventually("everything was listed", async || {
            let listed = self.test.number(sql).await;
            holds(listed == 3, listed)
        })
        .await;
    }

    /// Everything becomes quiet, and the lanes that run all day have their turn; the audit is off, and what a pass of it
    /// had in hand is dropped. Answers the daemon that does it.
    async fn quiet(&mut self, daemon: Daemon) -> Daemon {
        // A signal before it listens for signals would end it at once.
        daemon.says("is up after").await;
        daemon.stop_well().await;
        self.simulator.set(json!({"latencyMs": 0, "faultRate": 0.0})).await;
        let begun = "UPDATE sync_lanes SET pass_cursor = NULL, pass_state = NULL WHERE lane = 'audit'";
        self.test.execute(begun).await;
        let daemon = self.setup.clone().set("AUDIT_INTERVAL_HOURS", "0").start(&["run"]);
        // The daemon has to know what is archived before it comes back.
        self.setup.sync(&[]).await;
        for (name, _) in self.properties.iter().filter(|(_, archived)| *archived) {
            self.simulator.define("contacts", name, json!({"archived": false})).await;
        }
        everything_is_searchable(&self.simulator).await;
        self.setup.sync(&[]).await;
        self.let_lanes_run().await;
        daemon
    }

    /// The lanes beside the regular runs have their turn, all but the audit. Whatever was deleted was so hours ago: a record
    /// that has just left the recycle bin may come back.
    async fn let_lanes_run(&self) {
        run_lane(&self.test, "fill").await;
        for _ in 0..ARCHIVE_PASSES {
            for object_type in TYPES {
                let table = format!("hubspot_{object_type}");
                let sql = format!(
                    "UPDATE {table} SET archived_at = archived_at - INTERVAL 3 HOUR WHERE archived AND purged_at IS NULL"
                );
                self.test.execute(&sql).await;
            }
            run_lane(&self.test, "archive").await;
        }
        run_lane(&self.test, "associations").await;
        self.setup.sync(&[]).await;
    }

    /// Lets the audit run as by schedule, and asserts how many records of each type it repairs.
    async fn audit(&self, expected: &[(&str, RangeInclusive<usize>)]) {
        run_lane(&self.test, "audit").await;
        for (object_type, expected) in expected {
            let sql = format!("SELECT audit_repairs FROM sync_state WHERE object_type = '{object_type}'");
            let repairs = self.test.number(&sql).await as usize;
            assert!(
                expected.contains(&repairs),
                "{repairs} repairs of {object_type} instead of {expected:?}"
            );
        }
    }
}

/// The id in a line of truth.
fn id_of(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    line["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn after_a_random_life_the_mirror_is_what_hubspot_holds() {
    let seed = soak_setting("SOAK_SEED", 20_261_123);
    let rounds = soak_setting("SOAK_ROUNDS", ROUNDS);
    println!("seed {seed}, {rounds} rounds of {EVENTS} events");
    let mut life = Life::new(seed.into()).await;
    let mut daemon = life.setup.start(&["run"]);
    for round in 0..rounds {
        daemon = life.live(daemon).await;
        if round == LISTED_AFTER {
            life.is_listed().await;
        }
    }
    println!("{:?}", life.events);
    let daemon = life.quiet(daemon).await;
    let Left { unexplained, repairs } = life.left().await;
    assert!(unexplained.is_empty(), "seed {seed}, without the audit: {unexplained:#?}");
    assert!(daemon.stop().await.success());

    println!("left for the audit: {repairs:?}");
    let daemon = life.setup.start(&["run"]);
    life.audit(&repairs).await;
    life.let_lanes_run().await;
    life.audit(&TYPES.map(|object_type| (object_type, 0..=0))).await;
    let differences = life.differences().await;
    assert!(differences.is_empty(), "seed {seed}: {differences:#?}");
    let verified = life.setup.run(&["verify", "--deep"]).await;
    assert!(verified.status.success(), "seed {seed}: {}{}", text(&verified.stdout), text(&verified.stderr));
    assert!(daemon.stop().await.success());
}
