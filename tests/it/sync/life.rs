//! A random life: everything that can happen to records, links, properties and pipelines happens in random order while the
//! daemon syncs, is hit by faults and is killed. When it is quiet again the mirror is exactly what HubSpot holds.

use std::collections::BTreeSet;
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
use crate::support::truth::{everything_is_searchable, exact_differences};

/// Rounds of life; `SOAK_ROUNDS` asks for more.
const ROUNDS: u32 = 14;
/// Things that happen in a round.
const EVENTS: u32 = 30;
/// The types that live.
const TYPES: [&str; 3] = ["contacts", "companies", "deals"];
/// Rounds of upkeep the mirror gets when it is quiet again: what the audit brings in, the archive lane may complete.
const QUIET_ROUNDS: u32 = 3;

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
    /// Contacts that were erased.
    erased: BTreeSet<String>,
    /// Links that were made, contacts first; an end may be gone by now.
    links: Vec<Link>,
    /// The number of a label of links from contacts to companies.
    label: u64,
    /// Properties that were made, and whether each is archived.
    properties: Vec<(String, bool)>,
    /// How often each kind of event happened.
    events: std::collections::BTreeMap<&'static str, u32>,
}

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
            erased: BTreeSet::new(),
            links: Vec::new(),
            label,
            properties: Vec::new(),
            events: std::collections::BTreeMap::new(),
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
                live.push(id);
            }
            "purge" => {
                let from_bin = !bin.is_empty() && live.len() % 2 == 0;
                let Some(id) = (if from_bin { bin.pop() } else { take(live) }) else { return };
                self.simulator.post(&format!("/objects/{object_type}/{id}/purge"), json!({})).await;
                if *object_type == "contacts" {
                    self.erased.insert(id);
                }
            }
            _ => {
                let (Some(primary), Some(other)) = (take(live), take(live)) else { return };
                let body = json!({"primaryObjectId": primary, "objectIdToMerge": other});
                let answer = self.simulator.post(&format!("/objects/{object_type}/merge"), body).await;
                live.push(answer["id"].as_str().unwrap().to_owned());
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
        let habits = json!({
            "associationTouches": coin(), "mergeKeepsPrimaryId": coin(), "mergeTouches": coin(), "mergedAreArchived": coin(),
            "restoredLastModified": if coin() { "newer" } else { "same" }, "clearedAsEmpty": coin(), "shuffleBatches": coin(),
        });
        self.simulator.set(habits).await;
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

    /// Lives a round: events, then the daemon works for a moment and may die.
    async fn live(&mut self, daemon: Daemon) -> Daemon {
        for _ in 0..EVENTS {
            self.happen().await;
        }
        // Before the daemon's first start there is no such table.
        if !daemon.log().contains("Listing all") || self.random.random::<bool>() {
            let lane = ["archive", "audit", "associations"].choose(&mut self.random).unwrap();
            if daemon.log().contains("is up after") {
                make_due(&self.test, lane).await;
            }
        }
        // Not a wait for anything: the moment is the point.
        tokio::time::sleep(Duration::from_millis(self.random.random_range(50..1_500))).await;
        if self.random.random_range(0..3) == 0 {
            return daemon;
        }
        *self.events.entry("kill").or_default() += 1;
        daemon.kill();
        self.setup.start(&["run"])
    }

    /// Everything becomes quiet, and each lane has its turn.
    async fn quiet(&mut self) {
        self.simulator.set(json!({"latencyMs": 0, "faultRate": 0.0})).await;
        for (name, _) in self.properties.iter().filter(|(_, archived)| *archived) {
            self.simulator.define("contacts", name, json!({"archived": false})).await;
        }
        everything_is_searchable(&self.simulator).await;
        self.setup.sync(&[]).await;
        for _ in 0..QUIET_ROUNDS {
            run_lane(&self.test, "fill").await;
            // Nothing that was deleted just now is taken for erased.
            for object_type in TYPES {
                let sql = format!(
                    "UPDATE hubspot_{object_type} SET archived_at = archived_at - INTERVAL 3 HOUR WHERE archived"
                );
                self.test.execute(&sql).await;
            }
            for lane in ["archive", "audit", "associations"] {
                run_lane(&self.test, lane).await;
            }
            self.setup.sync(&[]).await;
            if self.differences().await.is_empty() {
                return;
            }
        }
    }

    /// Whatever differs, in words.
    async fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        for object_type in TYPES {
            found.extend(exact_differences(&self.simulator, &self.test, object_type).await);
        }
        found.extend(links::differences(&self.simulator, &self.test).await);
        let left = self.test.rows("hubspot_contacts", &["hubspot_id"], "WHERE properties_json <> '{}'").await;
        let left = left.iter().filter(|id| self.erased.contains(*id));
        found.extend(left.map(|id| format!("contact {id} was erased and its content is there")));
        let columns = ["pipeline_id", "stage_id", "label", "display_order"];
        let stored = self.test.rows("hubspot_deal_stages", &columns, "WHERE NOT archived ORDER BY 1").await;
        let stored: BTreeSet<_> = stored.into_iter().collect();
        let pipelines = self.simulator.get("/pipelines/deals").await;
        let stages = pipelines["pipelines"].as_array().unwrap().iter().flat_map(stages_of);
        let held: BTreeSet<_> = stages.collect();
        found.extend(held.symmetric_difference(&stored).map(|stage| format!("stage {stage}")));
        found
    }
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
    for _ in 0..rounds {
        daemon = life.live(daemon).await;
    }
    println!("{:?}", life.events);
    life.quiet().await;
    let differences = life.differences().await;
    assert!(differences.is_empty(), "seed {seed}: {differences:#?}");
    let verified = life.setup.run(&["verify", "--deep"]).await;
    assert!(verified.status.success(), "seed {seed}: {}{}", text(&verified.stdout), text(&verified.stderr));
    assert!(daemon.stop().await.success());
}
