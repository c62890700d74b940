//! What happens to the account.

use rand::Rng;
use rand::seq::{IndexedMutRandom, IndexedRandom};
use serde_json::{Value, json};

use super::{Herd, Life, TYPES};

impl Life {
    /// Something happens.
    pub(super) async fn happen(&mut self) {
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
        let is_noticed = self.is_known_as_archived(&name).await;
        let Some((_, archived)) = self.properties.iter_mut().find(|(known, _)| *known == name) else {
            self.simulator.define("contacts", &name, json!({"type": "string", "fieldType": "text"})).await;
            self.properties.push((name, false));
            return;
        };
        if self.random.random::<bool>() {
            if *archived && !is_noticed {
                return;
            }
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

    /// Whether the mirror knows that a property is archived. One that comes back before leaves no trace: records that were
    /// read meanwhile lack its value, and nothing tells but a comparison of all values.
    async fn is_known_as_archived(&self, name: &str) -> bool {
        let sql = "SELECT COUNT(*) FROM hubspot_properties WHERE object_type = 'contacts' AND name = ? AND archived";
        let known = sqlx::query_scalar::<_, i64>(sql).bind(name).fetch_one(&self.test.sql).await;
        // Before the daemon's first start there is no such table.
        known.is_ok_and(|known| known > 0)
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
}

/// A pipeline as it is sent.
fn definition(pipeline: &Value) -> Value {
    let stages = pipeline["stages"].as_array().unwrap().iter().map(
        |stage| json!({"id": stage["id"], "label": stage["label"], "probability": stage["probability"]}),
    );
    json!({"id": pipeline["id"], "label": pipeline["label"], "stages": stages.collect::<Vec<_>>()})
}
