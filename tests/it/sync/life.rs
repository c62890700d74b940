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
//! | a record was in the recycle bin while the first listing went by, and came back in its old version before the bin was read | it has no row, and no new version |
//!
//! The audit repairs just that, and then the mirror is exactly what HubSpot holds.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use rand::seq::{IndexedMutRandom, IndexedRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Setup, text};
use crate::support::database::TestDatabase;
use crate::support::lanes::{make_due, run_lane};
use crate::support::links;
use crate::support::simulator::Simulator;
use crate::support::soak_setting;
use crate::support::truth::{Difference, Place, everything_is_searchable, exact_differences};
use crate::support::{eventually, holds};

/// Rounds of life; `SOAK_ROUNDS` asks for more.
const ROUNDS: u32 = 10;
/// Things that happen in a round.
const EVENTS: u32 = 210;
/// The types that live.
const TYPES: [&str; 3] = ["contacts", "companies", "deals"];
/// Passes of the archive lane until the mirror is in step: what one marks, the next brings up to date.
const ARCHIVE_PASSES: u32 = 2;
/// What HubSpot changes in silence besides what its catalogue marks: the primary company and the parent follow the links.
const FOLLOWING_LINKS: &str = "'associatedcompanyid', 'hs_parent_company_id'";
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

    /// Something happens.
    async fn happen(&mut self) {
        let events: &[&'static str] = &[
            "create",
            "create",
            "edit",
            "edit",
            "edit",
            "recalculate",
            "touch",
            "delete",
            "delete",
            "restore",
            "purge",
            "purge",
            "merge",
            "merge",
            "habits",
            "property",
            "value",
            "value",
            "pipelines",
            "link",
            "link",
            "unlink",
        ];
        let event = events.choose(&mut self.random).unwrap();
        *self.events.entry(event).or_default() += 1;
        let herd = self.random.random_range(0..TYPES.len());
        match *event {
            "create" => {
                let created = self.simulator.create(TYPES[herd], 3).await;
                self.herds[herd].live.extend(created);
            }
            "edit" => {
                let some = self.some(herd, 8);
                self.simulator.mutate(some).await;
            }
            "recalculate" | "touch" => {
                let some = self.some(herd, 8);
                self.simulator.post(&format!("/{event}"), some).await;
            }
            "habits" => self.change_habits().await,
            "property" => self.change_property().await,
            "value" => self.set_value().await,
            "pipelines" => self.change_pipelines().await,
            "link" => self.link().await,
            "unlink" => self.unlink().await,
            fate => self.meet_fate(fate, herd).await,
        }
    }

    /// A few random records of a type.
    fn some(&mut self, herd: usize, most: u32) -> Value {
        let (count, seed) = (self.random.random_range(1..=most), self.random.random::<u32>());
        json!({"type": TYPES[herd], "count": count, "seed": seed})
    }

    /// A record is deleted, restored, erased or merged.
    async fn meet_fate(&mut self, fate: &str, herd: usize) {
        let Herd { object_type, live, bin } = &mut self.herds[herd];
        let mut take = |ids: &mut Vec<String>| {
            let count = ids.len();
            (count > 10 || (count > 0 && fate == "restore"))
                .then(|| ids.swap_remove(self.random.random_range(0..count)))
        };
        match fate {
            "delete" => {
                let Some(id) = take(live) else { return };
                self.simulator.delete(object_type, &id).await;
                bin.push(id);
            }
            "restore" => {
                let Some(id) = take(bin) else { return };
                self.simulator.post(&format!("/objects/{object_type}/{id}/restore"), json!({})).await;
                if self.restores_are_quiet {
                    self.quietly_restored.insert((herd, id.parse().unwrap()));
                }
                live.push(id);
            }
            "purge" => {
                let from_bin = !bin.is_empty() && live.len() % 2 == 0;
                let Some(id) = (if from_bin { bin.pop() } else { take(live) }) else { return };
                self.simulator.post(&format!("/objects/{object_type}/{id}/purge"), json!({})).await;
                let known = (herd, id.parse().unwrap());
                let earlier = self.taken_in.remove(&known).unwrap_or_default();
                self.vanished.extend(earlier.into_iter().map(|id| (herd, id)).chain([known]));
            }
            _ => {
                let (Some(primary), Some(other)) = (take(live), take(live)) else { return };
                let body = json!({"primaryObjectId": primary, "objectIdToMerge": other});
                let answer = self.simulator.post(&format!("/objects/{object_type}/merge"), body).await;
                let survivor = answer["id"].as_str().unwrap().to_owned();
                let known = (herd, survivor.parse().unwrap());
                let both = [primary, other].map(|id| (herd, id.parse::<i64>().unwrap()));
                let mut earlier = Vec::new();
                for one in both {
                    earlier.extend(self.taken_in.remove(&one).unwrap_or_default());
                    earlier.extend((one != known).then_some(one.1));
                }
                if self.merges_are_quiet {
                    // What the other had taken in need not have been seen either.
                    self.quietly_merged.extend(earlier.iter().map(|id| (herd, *id)).chain(both));
                }
                self.taken_in.insert(known, earlier);
                live.push(survivor);
            }
        }
    }

    /// Two records are linked, or get another kind of link.
    async fn link(&mut self) {
        let ends: [usize; 2] = *[[0, 1], [0, 2], [1, 2], [0, 0]].choose(&mut self.random).unwrap();
        let [from, to] =
            ends.map(|herd| (herd, self.herds[herd].live.choose(&mut self.random).unwrap().clone()));
        let primary = [("HUBSPOT_DEFINED", 1)];
        let labelled = [("USER_DEFINED", self.label)];
        let kinds = match ends {
            [0, 1] => *[&[][..], &primary, &labelled].choose(&mut self.random).unwrap(),
            _ => &[],
        };
        if from.1 == to.1 {
            return;
        }
        self.simulator.link((TYPES[from.0], &from.1), (TYPES[to.0], &to.1), kinds).await;
        self.links.push([from, to]);
    }

    /// Two records that were linked are so no more.
    async fn unlink(&mut self) {
        if self.links.is_empty() {
            return;
        }
        let link = self.links.swap_remove(self.random.random_range(0..self.links.len()));
        if link.iter().all(|(herd, id)| self.herds[*herd].live.contains(id)) {
            let [from, to] = link.each_ref().map(|(herd, id)| (TYPES[*herd], &**id));
            self.simulator.unlink(from, to).await;
        }
    }

    /// HubSpot behaves in another of the ways it may.
    async fn change_habits(&mut self) {
        let mut coin = || self.random.random::<bool>();
        let (keeps_id, touches, restores_anew) = (coin(), coin(), coin());
        let habits = json!({
            "associationTouches": coin(), "mergeKeepsPrimaryId": keeps_id, "mergeTouches": touches, "mergedAreArchived": coin(),
            "restoredLastModified": if restores_anew { "newer" } else { "same" }, "clearedAsEmpty": coin(), "shuffleBatches": coin(),
        });
        self.simulator.set(habits).await;
        self.merges_are_quiet = keeps_id && !touches;
        self.restores_are_quiet = !restores_anew;
    }

    /// A property of contacts is made, archived, brought back, or given another type.
    async fn change_property(&mut self) {
        let number = self.random.random_range(0..4);
        let name = format!("life_{number}");
        let Some((_, archived)) = self.properties.iter_mut().find(|(known, _)| *known == name) else {
            self.simulator.define("contacts", &name, json!({"type": "string", "fieldType": "text"})).await;
            self.properties.push((name, false));
            return;
        };
        if self.random.random::<bool>() {
            *archived = !*archived;
            self.simulator.define("contacts", &name, json!({"archived": *archived})).await;
        } else {
            let types = [("string", "text"), ("number", "number")];
            let (value_type, field_type) = types.choose(&mut self.random).unwrap();
            self.simulator
                .define("contacts", &name, json!({"type": value_type, "fieldType": field_type}))
                .await;
        }
    }

    /// Contacts get a value of such a property.
    async fn set_value(&mut self) {
        let known: Vec<_> = self.properties.iter().filter(|(_, archived)| !archived).collect();
        let Some((name, _)) = known.choose(&mut self.random) else { return };
        for _ in 0..5 {
            let id = self.herds[0].live.choose(&mut self.random).unwrap();
            let value = self.random.random_range(0..1_000).to_string();
            self.simulator.edit("contacts", id, json!({name.as_str(): value})).await;
        }
    }

    /// A stage of the deals is renamed, moved, added or removed.
    async fn change_pipelines(&mut self) {
        let mut pipelines = self.simulator.get("/pipelines/deals").await;
        let pipeline = pipelines["pipelines"].as_array_mut().unwrap().choose_mut(&mut self.random).unwrap();
        let stages = pipeline["stages"].as_array_mut().unwrap();
        let number = self.random.random_range(0..1_000);
        match self.random.random_range(0..4) {
            0 => stages[0]["label"] = json!(format!("Stage {number}")),
            1 => stages.reverse(),
            2 => stages.push(json!({"id": format!("life{number}"), "label": "New", "probability": "0.5"})),
            _ => stages.retain(|stage| !stage["id"].as_str().unwrap().starts_with("life")),
        }
        let definitions: Vec<_> = pipelines["pipelines"].as_array().unwrap().iter().map(definition).collect();
        self.simulator.put("/pipelines/deals", json!({"pipelines": definitions})).await;
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
        daemon.stop_well().await;
        self.simulator.set(json!({"latencyMs": 0, "faultRate": 0.0})).await;
        for (name, _) in self.properties.iter().filter(|(_, archived)| *archived) {
            self.simulator.define("contacts", name, json!({"archived": false})).await;
        }
        let begun = "UPDATE sync_lanes SET pass_cursor = NULL, pass_state = NULL WHERE lane = 'audit'";
        self.test.execute(begun).await;
        let daemon = self.setup.clone().set("AUDIT_INTERVAL_HOURS", "0").start(&["run"]);
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

    /// What differs when every lane but the audit has had its turn.
    async fn left(&self) -> Left {
        let mut left = Left::default();
        for (herd, object_type) in TYPES.into_iter().enumerate() {
            let silent = self.silent(object_type).await;
            let (mut alone, mut with_survivor) = (BTreeSet::new(), BTreeSet::new());
            for found in exact_differences(&self.simulator, &self.test, object_type).await {
                if !self.is_for_the_audit(herd, &found, &silent) {
                    left.unexplained.push(found.words);
                } else if found.place == Place::Nowhere && !self.vanished.contains(&(herd, found.id)) {
                    with_survivor.insert(found.id);
                } else if found.place != Place::Bin && !is_silent(&found, &silent) {
                    alone.insert(found.id);
                }
            }
            left.repairs.push((object_type, alone.len()..=alone.len() + with_survivor.len()));
        }
        let is_seen = |link: &links::Difference| !link.ends.iter().any(|end| self.is_unseen(*end));
        let links = links::exact_differences(&self.simulator, &self.test).await;
        left.unexplained.extend(links.into_iter().filter(is_seen).map(|link| link.text));
        left.unexplained.extend(self.other_stages().await);
        left
    }

    /// Whether only the audit can see what differs.
    fn is_for_the_audit(&self, herd: usize, found: &Difference, silent: &BTreeSet<String>) -> bool {
        let known = (herd, found.id);
        match found.place {
            Place::Live if found.is_missing => self.quietly_restored.contains(&known),
            Place::Live | Place::Bin => is_silent(found, silent) || self.quietly_merged.contains(&known),
            Place::Nowhere => self.vanished.contains(&known) || self.quietly_merged.contains(&known),
        }
    }

    /// Whether a record may be in the mirror as it is not in HubSpot, until the audit.
    fn is_unseen(&self, (object_type, id): (&str, i64)) -> bool {
        let herd = TYPES.iter().position(|known| *known == object_type).unwrap();
        [&self.vanished, &self.quietly_merged, &self.quietly_restored]
            .iter()
            .any(|known| known.contains(&(herd, id)))
    }

    /// The properties whose values HubSpot changes without a new version. What was merged is none of them.
    async fn silent(&self, object_type: &str) -> BTreeSet<String> {
        let condition = format!(
            "WHERE object_type = '{object_type}' AND name <> 'hs_merged_object_ids' AND \
             (calculated OR read_only OR field_type LIKE 'calculation%' OR name IN ({FOLLOWING_LINKS}))"
        );
        self.test.rows("hubspot_properties", &["name"], &condition).await.into_iter().collect()
    }

    /// Whatever differs when the audit has been here as well, in words. Rows of deleted records are not audited: their
    /// values stay as they were last read.
    async fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (herd, object_type) in TYPES.into_iter().enumerate() {
            let silent = self.silent(object_type).await;
            let differences = exact_differences(&self.simulator, &self.test, object_type).await;
            let counts = |found: &Difference| {
                found.place != Place::Bin || !self.is_for_the_audit(herd, found, &silent)
            };
            found.extend(differences.into_iter().filter(counts).map(|difference| difference.words));
        }
        found.extend(links::differences(&self.simulator, &self.test).await);
        found.extend(self.other_stages().await);
        let left = self.test.rows("hubspot_contacts", &["hubspot_id"], "WHERE properties_json <> '{}'").await;
        let left = left.iter().map(|id| id.parse::<i64>().unwrap());
        let left = left.filter(|id| self.vanished.contains(&(0, *id)));
        found.extend(left.map(|id| format!("contact {id} was erased and its content is there")));
        found
    }

    /// The stages of deals that differ.
    async fn other_stages(&self) -> Vec<String> {
        let columns = ["pipeline_id", "stage_id", "label", "display_order"];
        let stored = self.test.rows("hubspot_deal_stages", &columns, "WHERE NOT archived ORDER BY 1").await;
        let stored: BTreeSet<_> = stored.into_iter().collect();
        let pipelines = self.simulator.get("/pipelines/deals").await;
        let held: BTreeSet<_> =
            pipelines["pipelines"].as_array().unwrap().iter().flat_map(stages_of).collect();
        held.symmetric_difference(&stored).map(|stage| format!("stage {stage}")).collect()
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

/// What differs before the audit.
#[derive(Default)]
struct Left {
    /// What another lane should have brought in, in words.
    unexplained: Vec<String>,
    /// How many records of each type the audit has to repair: it may find one that was merged by itself, or see to it with
    /// its survivor.
    repairs: Vec<(&'static str, RangeInclusive<usize>)>,
}

/// Whether only values differ that HubSpot changes without a new version.
fn is_silent(found: &Difference, silent: &BTreeSet<String>) -> bool {
    !found.names.is_empty() && found.names.iter().all(|name| silent.contains(name))
}

/// The id in a line of truth.
fn id_of(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    line["id"].as_str().unwrap().to_owned()
}

/// A pipeline as it is sent.
fn definition(pipeline: &Value) -> Value {
    let stages = pipeline["stages"].as_array().unwrap().iter().map(
        |stage| json!({"id": stage["id"], "label": stage["label"], "probability": stage["probability"]}),
    );
    json!({"id": pipeline["id"], "label": pipeline["label"], "stages": stages.collect::<Vec<_>>()})
}

/// The stages of a pipeline, each as a row.
fn stages_of(pipeline: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let stages = pipeline["stages"].as_array().unwrap().iter();
    stages
        .map(|stage| {
            [&pipeline["id"], &stage["id"], &stage["label"], &stage["displayOrder"]].map(text).join("|")
        })
        .collect()
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
