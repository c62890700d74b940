//! Changes to definitions, pipelines and owners.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Done, Refusal, done, kind_of, read};
use crate::account::pipelines::{Stage, canonical_probability};
use crate::account::{Owner, Pipeline};
use crate::catalogue::{Flags, Property, PropertyOption, ValueType};
use crate::clock::Millis;
use crate::generate::people;
use crate::http::reply::Reply;
use crate::simulator::Simulator;

/// Finds what a request about definitions asks for.
pub fn dispatch(simulator: &Simulator, method: &str, path: &[&str], body: &[u8]) -> Done {
    match (method, path) {
        ("PATCH" | "PUT", ["properties", name, property]) => put_property(simulator, name, property, body),
        ("DELETE", ["properties", name, property]) => purge_property(simulator, name, property),
        ("GET", ["pipelines", name]) => {
            let kind = kind_of(simulator, name)?;
            Ok(Reply::json(200, &json!({ "pipelines": simulator.account().pipelines(kind) })))
        }
        ("PUT", ["pipelines", name]) => put_pipelines(simulator, name, body),
        ("GET", ["owners"]) => Ok(Reply::json(200, &json!({ "owners": simulator.account().owners() }))),
        ("POST", ["owners"]) => add_owner(simulator, body),
        ("PATCH", ["owners", id]) => change_owner(simulator, id, body),
        _ => Err(Refusal::unknown(format!("no control call {method} {}", path.join("/")))),
    }
}

/// The body of `PATCH properties/{type}/{name}`; what is absent stays, or takes the usual value in a new definition.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PutProperty {
    /// Name people see.
    label: Option<String>,
    /// What values are.
    #[serde(rename = "type")]
    value_type: Option<ValueType>,
    /// How values are edited.
    field_type: Option<String>,
    /// Group it is listed under.
    group_name: Option<String>,
    /// Explanation.
    description: Option<String>,
    /// Allowed values.
    options: Option<Vec<PropertyOption>>,
    /// Values cannot be written.
    read_only_value: Option<bool>,
    /// No two records share a value.
    has_unique_value: Option<bool>,
    /// Not shown to people.
    hidden: Option<bool>,
    /// Out of use.
    archived: Option<bool>,
}

/// `PATCH properties/{type}/{name}`: creates, changes, archives or revives a definition.
fn put_property(simulator: &Simulator, name: &str, property: &str, body: &[u8]) -> Done {
    let request: PutProperty = read(body)?;
    let kind = kind_of(simulator, name)?;
    let mut account = simulator.account_mut();
    let catalogue = account.catalogue(kind);
    let known = catalogue.index_of(property).map(|index| catalogue.get(index).clone());
    let mut definition = known.unwrap_or_else(|| new_property(property));
    request.apply_to(&mut definition, simulator.clock.now());
    account.put_property(kind, definition);
    Ok(done())
}

/// `DELETE properties/{type}/{name}`: gone for good at once, with its values.
fn purge_property(simulator: &Simulator, name: &str, property: &str) -> Done {
    let kind = kind_of(simulator, name)?;
    let mut account = simulator.account_mut();
    let catalogue = account.catalogue(kind);
    let known = catalogue.index_of(property).map(|index| catalogue.get(index).clone());
    let known = known.ok_or_else(|| Refusal::unknown(format!("no property {property} of {name}")))?;
    account.purge_property(kind, &known);
    Ok(done())
}

/// A definition as the portal makes it when it is told nothing but a name.
fn new_property(name: &str) -> Property {
    Property {
        name: name.to_owned(),
        label: name.to_owned(),
        description: String::new(),
        value_type: ValueType::String,
        field_type: "text".to_owned(),
        group: "contactinformation".to_owned(),
        options: Vec::new(),
        referenced_type: None,
        flags: Flags { custom: true, ..Flags::default() },
        archived_at: None,
        fill: None,
    }
}

impl PutProperty {
    /// Puts what the request says into a definition.
    fn apply_to(self, property: &mut Property, now: Millis) {
        let flags = &mut property.flags;
        flags.read_only_value = self.read_only_value.unwrap_or(flags.read_only_value);
        flags.has_unique_value = self.has_unique_value.unwrap_or(flags.has_unique_value);
        flags.hidden = self.hidden.unwrap_or(flags.hidden);
        property.archived_at = match self.archived {
            Some(true) => property.archived_at.or(Some(now)),
            Some(false) => None,
            None => property.archived_at,
        };
        property.value_type = self.value_type.unwrap_or(property.value_type);
        let texts = [
            (self.label, &mut property.label),
            (self.field_type, &mut property.field_type),
            (self.group_name, &mut property.group),
            (self.description, &mut property.description),
        ];
        for (given, text) in texts {
            if let Some(given) = given {
                *text = given;
            }
        }
        if let Some(options) = self.options {
            property.options = options;
        }
    }
}

/// The body of `PUT pipelines/{type}`: what the type has from now on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PutPipelines {
    /// All pipelines.
    pipelines: Vec<SentPipeline>,
}

/// A pipeline as sent; ids that exist keep their creation time.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentPipeline {
    /// Internal id.
    id: String,
    /// What people see.
    label: String,
    /// Its stages in order.
    stages: Vec<SentStage>,
}

/// A stage as sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentStage {
    /// Internal id.
    id: String,
    /// What people see.
    label: String,
    /// Chance of winning, as text or number.
    #[serde(default)]
    probability: Value,
    /// `OPEN` or `CLOSED`, for tickets.
    #[serde(default)]
    ticket_state: Option<String>,
    /// `OPEN` or `CLOSED`, for types other than deals and tickets.
    #[serde(default)]
    state: Option<String>,
}

/// `PUT pipelines/{type}`: adds, renames and removes pipelines and stages, in the order given.
fn put_pipelines(simulator: &Simulator, name: &str, body: &[u8]) -> Done {
    let request: PutPipelines = read(body)?;
    let kind = kind_of(simulator, name)?;
    let now = simulator.clock.now();
    let mut account = simulator.account_mut();
    let before = account.pipelines(kind).to_vec();
    let pipelines: Result<Vec<Pipeline>, Refusal> = request
        .pipelines
        .into_iter()
        .enumerate()
        .map(|(order, sent)| {
            let known = before.iter().find(|pipeline| pipeline.id == sent.id);
            pipeline_from(sent, order, known, now)
        })
        .collect();
    account.put_pipelines(kind, pipelines?);
    Ok(done())
}

/// The pipeline a request describes. Its own and its stages' `updatedAt` move only when something differs.
fn pipeline_from(
    sent: SentPipeline,
    order: usize,
    known: Option<&Pipeline>,
    now: Millis,
) -> Result<Pipeline, Refusal> {
    let stages: Result<Vec<Stage>, Refusal> = sent
        .stages
        .into_iter()
        .enumerate()
        .map(|(order, stage)| {
            let before = known.and_then(|known| known.stages.iter().find(|before| before.id == stage.id));
            stage_from(stage, order, before, now)
        })
        .collect();
    let mut pipeline = Pipeline {
        id: sent.id,
        label: sent.label,
        display_order: order as i64,
        stages: stages?,
        created_at: known.map_or(now, |known| known.created_at),
        updated_at: known.map_or(now, |known| known.updated_at),
    };
    if known != Some(&pipeline) {
        pipeline.updated_at = now;
        // A changed pipeline moves every stage's time, as HubSpot does.
        pipeline.stages.iter_mut().for_each(|stage| stage.updated_at = now);
    }
    Ok(pipeline)
}

/// The stage a request describes.
fn stage_from(sent: SentStage, order: usize, known: Option<&Stage>, now: Millis) -> Result<Stage, Refusal> {
    let probability = match crate::http::body::scalar_text(&sent.probability) {
        None => None,
        Some(text) => {
            let canonical = canonical_probability(&text);
            Some(canonical.ok_or_else(|| Refusal::bad(format!("{text} is not a probability")))?)
        }
    };
    Ok(Stage {
        id: sent.id,
        label: sent.label,
        display_order: order as i64,
        probability,
        ticket_state: sent.ticket_state,
        state: sent.state,
        created_at: known.map_or(now, |known| known.created_at),
        updated_at: known.map_or(now, |known| known.updated_at),
    })
}

/// The body of `POST owners` and `PATCH owners/{id}`; what is absent stays, or is made up.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct SentOwner {
    /// Address of the user.
    email: Option<String>,
    /// Given name.
    first_name: Option<String>,
    /// Family name.
    last_name: Option<String>,
    /// The user has left.
    archived: Option<bool>,
}

impl SentOwner {
    /// Puts what the request says into an owner.
    fn apply_to(self, owner: &mut Owner) {
        owner.email = self.email.unwrap_or_else(|| owner.email.clone());
        owner.first_name = self.first_name.unwrap_or_else(|| owner.first_name.clone());
        owner.last_name = self.last_name.unwrap_or_else(|| owner.last_name.clone());
        owner.archived = self.archived.unwrap_or(owner.archived);
    }
}

/// `POST owners`.
fn add_owner(simulator: &Simulator, body: &[u8]) -> Done {
    let request: SentOwner = read(body)?;
    let now = simulator.clock.now();
    let mut account = simulator.account_mut();
    let position = account.owners().len() as u64;
    let mut owner = Owner {
        id: people::owner_id(position),
        user_id: people::owner_user_id(position),
        email: format!("owner{position}@our-company.example"),
        first_name: "New".to_owned(),
        last_name: format!("Owner {position}"),
        created_at: now,
        updated_at: now,
        archived: false,
        teams: Vec::new(),
    };
    request.apply_to(&mut owner);
    let id = owner.id;
    account.put_owner(owner);
    Ok(Reply::json(200, &json!({ "id": id.to_string() })))
}

/// `PATCH owners/{id}`. As at HubSpot, a new name alone does not move `updatedAt`.
fn change_owner(simulator: &Simulator, id: &str, body: &[u8]) -> Done {
    let request: SentOwner = read(body)?;
    let now = simulator.clock.now();
    let mut account = simulator.account_mut();
    let known = account.owners().iter().find(|owner| owner.id.to_string() == id).cloned();
    let mut owner = known.ok_or_else(|| Refusal::unknown(format!("no owner {id}")))?;
    if request.archived.is_some() || request.email.is_some() {
        owner.updated_at = now;
    }
    request.apply_to(&mut owner);
    account.put_owner(owner);
    Ok(done())
}
