//! The account: everything a HubSpot portal holds, and every way to change it.
//!
//! Reads go through [`Store`] views; changes go through the methods in `account/edit.rs`, `account/merge.rs` and
//! `account/mutate.rs`, those of the API first through `account/write.rs`. They all end in [`Account::commit`], the one
//! place that stamps, logs and indexes.

pub mod associations;
pub mod change;
mod edit;
mod merge;
pub mod mutate;
mod news;
pub mod owners;
pub mod pipelines;
mod rollups;
pub mod schemas;
pub mod source;
pub mod state_log;
pub mod store;
mod unique;
pub mod write;

use std::path::Path;

use anyhow::{Context, Result, ensure};

use serde::{Deserialize, Serialize};

use associations::Associations;
pub use associations::edit::{End, LinkEdit, LinkError};
pub use change::{Change, Found, Value, View};
pub use edit::{CreateError, EditError, GivenValues};
pub use mutate::MutateRequest;
pub use news::{News, What};
pub use owners::Owner;
pub use pipelines::Pipeline;
pub use schemas::{KeptSchema, Schema, SchemaError};
pub use source::Source;
pub use store::Store;

use crate::catalogue::{Catalogue, Property};
use crate::clock::Millis;
use crate::generate::World;
use crate::generate::world::FIRST_CREATED;
use crate::object_type::{Kind, ObjectType, Registry, STANDARD};
use crate::random::{below, mix};
use news::Gazette;
use state_log::{Line, StateLog};
use write::Created;

/// What last-modified a record has that comes out of the bin: HubSpot does not say, and either was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RestoredStamp {
    /// The moment it comes back.
    #[default]
    Newer,
    /// The one it went with.
    Same,
    /// An earlier one: the moment it was created.
    Older,
}

/// How changes reach search, and what merges do: the settings that matter to the account.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent switch of the control API")]
pub struct Habits {
    /// How long search does not see a change.
    pub index_lag_ms: u64,
    /// Up to this much longer, by record, so that changes arrive out of order.
    pub index_jitter_ms: u64,
    /// Cleared values show as the empty string instead of null.
    pub cleared_as_empty: bool,
    /// The merged record keeps the primary's id instead of getting a new one.
    pub merge_keeps_primary_id: bool,
    /// Merging moves last-modified.
    pub merge_touches: bool,
    /// What last-modified a record has that comes out of the bin.
    pub restored_last_modified: RestoredStamp,
    /// How long records stay in the bin, and definitions in the archive, before they are gone without trace.
    pub bin_days: u64,
    /// Linking records moves last-modified of both.
    pub association_touches: bool,
    /// Properties that count linked records follow the links.
    pub roll_ups_follow: bool,
}

/// The moment and the circumstances of a change.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Present time.
    pub now: Millis,
    /// How the account behaves.
    pub habits: Habits,
    /// Who makes it.
    pub source: Source,
}

/// Everything a portal holds.
#[derive(Debug)]
pub struct Account {
    /// What the seed made.
    pub world: World,
    /// Its object types.
    registry: Registry,
    /// Definitions of the types the portal defined.
    schemas: Vec<KeptSchema>,
    /// How many of these the seed made records of; they come first.
    generated_schemas: usize,
    /// Property definitions per type.
    catalogues: Vec<Catalogue>,
    /// Records per type.
    stores: Vec<Store>,
    /// Pipelines per type.
    pipelines: Vec<Vec<Pipeline>>,
    /// Everyone who owns or owned records.
    owners: Vec<Owner>,
    /// Links that are not as the seed made them.
    associations: Associations,
    /// Records made through the API since the start, in order.
    created: Vec<Created>,
    /// Where changes are kept over restarts.
    log: Option<StateLog>,
    /// Version of the latest change.
    version: u64,
    /// What webhooks are to tell of.
    gazette: Gazette,
}

impl Account {
    /// The account of a seed, with types of these names besides HubSpot's. Records are padded to about `record_bytes`
    /// bytes of JSON each, if given.
    pub fn new(world: World, custom: &[String], record_bytes: Option<usize>) -> Result<Self> {
        let owners = owners::of_a_fresh_portal(&world);
        let mut account = Self {
            world,
            registry: Registry::new(Vec::new()),
            schemas: Vec::new(),
            generated_schemas: custom.len(),
            catalogues: Vec::new(),
            stores: Vec::new(),
            pipelines: Vec::new(),
            owners,
            associations: Associations::default(),
            created: Vec::new(),
            log: None,
            version: 0,
            gazette: Gazette::default(),
        };
        for object_type in STANDARD.iter() {
            account.add_type(ObjectType::clone(object_type), Catalogue::load(object_type)?);
        }
        ensure!(
            custom.len() <= schemas::MOST_TYPES,
            "at most {} types besides HubSpot's",
            schemas::MOST_TYPES
        );
        for name in custom {
            let schema = Schema::named(name, FIRST_CREATED);
            let is_taken = account.registry.find(&schema.fully_qualified_name()).is_some();
            ensure!(!is_taken, "two types are called {name}");
            account.add_custom(schema)?;
            let catalogue = account.catalogues.last_mut().context("a type was just added")?;
            for property in schemas::usual_properties() {
                catalogue.put(property);
            }
            account.stores.last_mut().context("a type was just added")?.watch_unique(catalogue);
        }
        if let Some(bytes) = record_bytes {
            for (object_type, catalogue) in account.registry.iter().zip(&mut account.catalogues) {
                let natural = crate::render::mean_bytes(&account.world, object_type, catalogue);
                catalogue.pad(bytes.saturating_sub(natural));
            }
        }
        Ok(account)
    }

    /// Adds a type to everything that is kept by type; the world has it already.
    fn add_type(&mut self, object_type: ObjectType, catalogue: Catalogue) {
        let kind = object_type.kind;
        let mut store = Store::new(&self.world, kind);
        store.watch_unique(&catalogue);
        self.stores.push(store);
        self.pipelines.push(pipelines::of_a_fresh_portal(&object_type));
        self.catalogues.push(catalogue);
        self.registry.put(object_type);
    }

    /// Brings back the changes kept in a file and keeps later ones there.
    ///
    /// # Errors
    /// The file belongs to another seed or size, or cannot be read or written.
    pub fn keep_state_in(&mut self, path: &Path) -> Result<()> {
        for line in state_log::read(path, self)? {
            self.apply(line);
        }
        let lines = self.state_lines();
        self.log = Some(StateLog::rewrite(path, self, lines)?);
        Ok(())
    }

    /// The account's object types.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Definitions of a type.
    pub fn catalogue(&self, kind: Kind) -> &Catalogue {
        &self.catalogues[kind.index()]
    }

    /// Records of a type.
    pub fn store(&self, kind: Kind) -> &Store {
        &self.stores[kind.index()]
    }

    /// Records of a type, for what is not logged.
    pub fn store_mut(&mut self, kind: Kind) -> &mut Store {
        &mut self.stores[kind.index()]
    }

    /// Pipelines of a type, in no particular order.
    pub fn pipelines(&self, kind: Kind) -> &[Pipeline] {
        &self.pipelines[kind.index()]
    }

    /// Everyone who owns or owned records.
    pub fn owners(&self) -> &[Owner] {
        &self.owners
    }

    /// A record that is neither in the bin nor merged away.
    pub fn live(&self, kind: Kind, id: u64) -> Option<View<'_>> {
        let view = self.store(kind).get(&self.world, id)?;
        view.change.is_none_or(Change::is_live).then_some(view)
    }

    /// Stores the new state of a record: gives it a version, logs it, and lets search see it when it is due.
    fn commit(&mut self, kind: Kind, id: u64, mut change: Change, moment: Moment) {
        self.version += 1;
        change.version = self.version;
        self.tell_change(kind, id, &change, moment);
        let Habits { index_lag_ms, index_jitter_ms, .. } = moment.habits;
        let indexed_at = (index_lag_ms + index_jitter_ms > 0).then(|| {
            let jitter = below(mix(self.version, id), index_jitter_ms + 1);
            moment.now + (index_lag_ms + jitter) as Millis
        });
        if self.log.is_some() {
            let line = state_log::record_line(self.registry.of(kind), self.catalogue(kind), id, &change);
            self.append(&line);
        }
        self.stores[kind.index()].put(&self.world, id, change, indexed_at);
    }

    /// Puts a definition in place.
    pub fn put_property(&mut self, kind: Kind, property: Property) {
        self.append(&state_log::property_line(self.registry.of(kind), &property, false));
        self.keep_property(kind, property);
    }

    /// Puts a definition in place without writing it down.
    fn keep_property(&mut self, kind: Kind, property: Property) {
        let catalogue = &mut self.catalogues[kind.index()];
        let is_new_unique = property.flags.has_unique_value
            && catalogue
                .index_of(&property.name)
                .is_none_or(|known| !catalogue.get(known).flags.has_unique_value);
        catalogue.put(property);
        if is_new_unique {
            self.stores[kind.index()].watch_unique(catalogue);
        }
    }

    /// Removes a definition for good.
    pub fn purge_property(&mut self, kind: Kind, property: &Property) {
        self.append(&state_log::property_line(self.registry.of(kind), property, true));
        self.catalogues[kind.index()].purge(&property.name);
    }

    /// Replaces the pipelines of a type.
    pub fn put_pipelines(&mut self, kind: Kind, pipelines: Vec<Pipeline>) {
        self.append(&Line::Pipelines {
            object_type: self.registry.of(kind).plural.clone(),
            pipelines: pipelines.clone(),
        });
        self.pipelines[kind.index()] = pipelines;
    }

    /// Adds an owner, or replaces the one with the same id.
    pub fn put_owner(&mut self, owner: Owner) {
        self.append(&Line::Owner { owner: owner.clone() });
        match self.owners.iter_mut().find(|known| known.id == owner.id) {
            Some(known) => *known = owner,
            None => self.owners.push(owner),
        }
    }

    /// Lets search see what has arrived by now.
    pub fn settle(&mut self, now: Millis) {
        for store in &mut self.stores {
            store.settle(now);
        }
    }

    /// Whether search waits for anything.
    pub fn is_settled(&self) -> bool {
        self.stores.iter().all(Store::is_settled)
    }

    /// Writes a line to the state file, if there is one.
    fn append(&mut self, line: &Line) {
        if let Some(log) = &mut self.log {
            log.append(line);
        }
    }
}
