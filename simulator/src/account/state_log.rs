//! Changes kept over restarts: one JSON line each, the new state of whatever changed.
//!
//! A state line replaces all earlier lines about the same thing, so replaying is idempotent and a torn last line
//! (the process was killed while writing it) loses at most the change it was about. At start the file is rewritten
//! with one line per changed thing.

mod record;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::account::associations::{Label, LabelKey, Labels, Pair};
use crate::account::{Account, Change, Owner, Pipeline, Schema};
use crate::catalogue::{Catalogue, Flags, Property, PropertyOption, ValueType};
use crate::clock::Millis;
use crate::generate::rule::Fill;
use crate::object_type::{Kind, ObjectType, Registry, TYPE_COUNT};
use record::RecordState;

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Line {
    /// First line: which world the changes belong to.
    #[serde(rename_all = "camelCase")]
    World {
        /// The seed.
        seed: u64,
        /// Records per type of HubSpot's.
        counts: Vec<u64>,
        /// Names of the types the portal had from the start, with their numbers of records.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        custom: Vec<(String, u64)>,
    },
    /// A type the portal defined.
    Schema {
        /// Its definition.
        schema: Schema,
    },
    /// The state of a record.
    #[serde(rename_all = "camelCase")]
    Record {
        /// Plural name of its type.
        object_type: String,
        /// Its id.
        id: u64,
        /// Its state.
        state: RecordState,
    },
    /// A property definition.
    #[serde(rename_all = "camelCase")]
    Property {
        /// Plural name of the type it belongs to.
        object_type: String,
        /// The definition.
        definition: Definition,
    },
    /// All pipelines of a type.
    #[serde(rename_all = "camelCase")]
    Pipelines {
        /// Plural name of the type.
        object_type: String,
        /// The pipelines.
        pipelines: Vec<Pipeline>,
    },
    /// The state of a link.
    #[serde(rename_all = "camelCase")]
    Link {
        /// Plural names of the types, in the order links of the pair are kept.
        pair: [String; 2],
        /// Ids in the same order.
        ids: [u64; 2],
        /// Its labels; `None` when it was removed.
        labels: Option<Vec<LabelKey>>,
    },
    /// A label people defined.
    #[serde(rename_all = "camelCase")]
    Label {
        /// Plural names of the types, in the order links of the pair are kept.
        pair: [String; 2],
        /// The label.
        label: Label,
    },
    /// An owner.
    Owner {
        /// The owner.
        owner: Owner,
    },
}

/// A [`Property`] without how it is generated.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// See [`Property::name`].
    name: String,
    /// See [`Property::label`].
    label: String,
    /// See [`Property::description`].
    description: String,
    /// See [`Property::value_type`].
    value_type: ValueType,
    /// See [`Property::field_type`].
    field_type: String,
    /// See [`Property::group`].
    group: String,
    /// See [`Property::options`].
    options: Vec<PropertyOption>,
    /// See [`Property::flags`].
    flags: Flags,
    /// See [`Property::archived_at`].
    archived_at: Option<Millis>,
    /// Gone for good.
    #[serde(default)]
    purged: bool,
    /// Whether records the simulator makes have values.
    #[serde(default)]
    is_filled: bool,
}

/// The line about a record.
pub fn record_line(object_type: &ObjectType, catalogue: &Catalogue, id: u64, change: &Change) -> Line {
    Line::Record { object_type: object_type.plural.clone(), id, state: RecordState::new(catalogue, change) }
}

/// The line about a definition, or about one that is gone for good.
pub fn property_line(object_type: &ObjectType, property: &Property, purged: bool) -> Line {
    let definition = Definition {
        name: property.name.clone(),
        label: property.label.clone(),
        description: property.description.clone(),
        value_type: property.value_type,
        field_type: property.field_type.clone(),
        group: property.group.clone(),
        options: property.options.clone(),
        flags: property.flags,
        archived_at: property.archived_at,
        purged,
        is_filled: property.fill.is_some(),
    };
    Line::Property { object_type: object_type.plural.clone(), definition }
}

/// The line about a link.
pub fn link_line(registry: &Registry, pair: Pair, [first, second]: [u64; 2], state: Option<&Labels>) -> Line {
    let labels = state.map(|labels| labels.iter().copied().collect());
    Line::Link { pair: names_of(registry, pair), ids: [first, second], labels }
}

/// The line about a label.
pub fn label_line(registry: &Registry, pair: Pair, label: &Label) -> Line {
    Line::Label { pair: names_of(registry, pair), label: label.clone() }
}

/// A pair as the file names it.
fn names_of(registry: &Registry, pair: Pair) -> [String; 2] {
    [pair.first, pair.second].map(|kind| registry.of(kind).plural.clone())
}

/// The first line of a world's file.
fn world_line(account: &Account) -> Line {
    let world = &account.world;
    let mut counts: Vec<u64> = (0..TYPE_COUNT).map(|position| world.count(Kind::at(position))).collect();
    // A type added to the simulator does not make older files those of another world.
    while counts.len() > 4 && counts.last() == Some(&0) {
        counts.pop();
    }
    let generated = account.schemas().take(account.generated_schemas);
    let custom = generated.map(|(kind, kept)| (kept.schema.name.clone(), world.count(kind))).collect();
    Line::World { seed: world.seed(), counts, custom }
}

/// Reads the changes kept in a file; none when it does not exist.
///
/// # Errors
/// The file belongs to another world or a line other than the last cannot be read.
pub fn read(path: &Path, account: &Account) -> Result<Vec<Line>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let texts = BufReader::new(file)
        .lines()
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let mut lines = Vec::with_capacity(texts.len());
    for (position, text) in texts.iter().enumerate() {
        match serde_json::from_str(text) {
            Ok(line) => lines.push(line),
            Err(_) if position + 1 == texts.len() => {
                tracing::warn!(line = position + 1, "State file ends in a torn line, which is left out");
            }
            Err(error) => {
                return Err(error).with_context(|| format!("line {} of {}", position + 1, path.display()));
            }
        }
    }
    let expected = serde_json::to_value(world_line(account))?;
    match lines.first() {
        None => {}
        Some(first) if serde_json::to_value(first)? == expected => {}
        Some(_) => bail!("{} was written with another seed or other record counts", path.display()),
    }
    Ok(lines)
}

/// The open file.
#[derive(Debug)]
pub struct StateLog {
    /// Where lines go; each is passed to the operating system before the change is answered.
    file: File,
}

impl StateLog {
    /// Replaces the file by these lines and keeps it open for more.
    pub fn rewrite(path: &Path, account: &Account, lines: Vec<Line>) -> Result<Self> {
        let draft = path.with_extension("new");
        let context = || format!("cannot write {}", draft.display());
        let mut out = BufWriter::new(File::create(&draft).with_context(context)?);
        for line in std::iter::once(world_line(account)).chain(lines) {
            serde_json::to_writer(&mut out, &line)?;
            out.write_all(b"\n")?;
        }
        let file = out.into_inner().with_context(context)?;
        fs::rename(&draft, path).with_context(|| format!("cannot replace {}", path.display()))?;
        Ok(Self { file })
    }

    /// Adds a line. A full disk must not change what the simulator answers, so a failure is only logged.
    pub fn append(&mut self, line: &Line) {
        let written = serde_json::to_vec(line).map_err(std::io::Error::from).and_then(|mut text| {
            text.push(b'\n');
            self.file.write_all(&text)
        });
        if let Err(error) = written {
            tracing::error!(%error, "Cannot write the state file");
        }
    }
}

impl Account {
    /// Puts the state of a line in place.
    pub(super) fn apply(&mut self, line: Line) {
        match line {
            Line::World { .. } => {}
            Line::Schema { schema } => self.apply_schema(schema),
            Line::Record { object_type, id, state } => self.apply_record(&object_type, id, state),
            Line::Property { object_type, definition } => self.apply_definition(&object_type, definition),
            Line::Pipelines { object_type, pipelines } => {
                if let Some(kind) = self.kind_called(&object_type) {
                    self.put_pipelines(kind, pipelines);
                }
            }
            Line::Owner { owner } => self.put_owner(owner),
            Line::Link { pair, ids: [first, second], labels } => {
                if let Some(pair) = self.pair_called(&pair) {
                    let state = labels.map(|labels| labels.into_iter().collect());
                    self.associations.pair_mut(pair).put(first, second, state);
                }
            }
            Line::Label { pair, label } => {
                if let Some(pair) = self.pair_called(&pair) {
                    self.associations.pair_mut(pair).labels.push(label);
                }
            }
        }
    }

    /// The kind the file names; `None` for a type this account does not have.
    fn kind_called(&self, name: &str) -> Option<Kind> {
        self.registry.find_any(name).map(|object_type| object_type.kind)
    }

    /// The pair the file names; `None` for a type this account does not have.
    fn pair_called(&self, [first, second]: &[String; 2]) -> Option<Pair> {
        Some(Pair::of(self.kind_called(first)?, self.kind_called(second)?))
    }

    /// Puts the state of a record in place. Values of unknown properties are left out.
    fn apply_record(&mut self, object_type: &str, id: u64, state: RecordState) {
        let Some(kind) = self.kind_called(object_type) else { return };
        self.version += 1;
        let change = state.into_change(self.catalogue(kind), self.version);
        self.stores[kind.index()].put(&self.world, id, change, None);
    }

    /// Puts a definition in place; one that HubSpot made keeps how it is generated.
    fn apply_definition(&mut self, object_type: &str, definition: Definition) {
        let Some(kind) = self.kind_called(object_type) else { return };
        let catalogue = &mut self.catalogues[kind.index()];
        let known = catalogue.index_of(&definition.name).map(|index| catalogue.get(index).clone());
        if definition.purged {
            catalogue.purge(&definition.name);
            return;
        }
        let mut property = Property {
            name: definition.name,
            label: definition.label,
            description: definition.description,
            value_type: definition.value_type,
            field_type: definition.field_type,
            group: definition.group,
            options: definition.options,
            referenced_type: known.as_ref().and_then(|known| known.referenced_type.clone()),
            flags: definition.flags,
            archived_at: definition.archived_at,
            fill: None,
        };
        property.fill = match known {
            Some(known) => known.fill,
            None => definition.is_filled.then(|| Fill::invented(&property)),
        };
        self.keep_property(kind, property);
    }

    /// One line per thing that is not as the seed made it.
    pub(super) fn state_lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let custom: Vec<String> =
            self.schemas().take(self.generated_schemas).map(|(_, kept)| kept.schema.name.clone()).collect();
        let fresh = Self::new(self.world.clone(), &custom, None).ok();
        lines.extend(self.schemas().map(|(_, kept)| Line::Schema { schema: kept.schema.clone() }));
        for object_type in self.registry.iter() {
            let kind = object_type.kind;
            let catalogue = self.catalogue(kind);
            let original = fresh.as_ref().and_then(|fresh| fresh.catalogues.get(kind.index()));
            lines.extend(catalogue.purged().map(|property| property_line(object_type, property, true)));
            let changed = catalogue.iter().filter(|(_, property)| {
                let before =
                    original.and_then(|original| Some(original.get(original.index_of(&property.name)?)));
                let is_new = catalogue.purged().any(|gone| gone.name == property.name);
                is_new || before.is_none_or(|before| !before.defines_the_same_as(property))
            });
            lines.extend(changed.map(|(_, property)| property_line(object_type, property, false)));
            let pipelines = self.pipelines(kind).to_vec();
            lines.push(Line::Pipelines { object_type: object_type.plural.clone(), pipelines });
            let records = self.store(kind).changes();
            lines.extend(records.map(|(id, change)| record_line(object_type, catalogue, id, change)));
        }
        lines.extend(self.owners.iter().map(|owner| Line::Owner { owner: owner.clone() }));
        for (pair, links) in self.associations.iter() {
            lines.extend(links.labels.iter().map(|label| label_line(&self.registry, pair, label)));
            let changed = links.changed();
            lines.extend(
                changed.map(|(first, second, state)| link_line(&self.registry, pair, [first, second], state)),
            );
        }
        lines
    }
}
