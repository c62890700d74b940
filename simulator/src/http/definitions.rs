//! Changing definitions: properties, pipelines and stages.
//!
//! Source: HubSpot, "Properties", "Pipelines"; what deleting does to what is in use was seen live.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::pipelines::{Stage, canonical_probability};
use crate::account::{Account, Pipeline};
use crate::catalogue::{Flags, Property, PropertyOption, ValueType};
use crate::http::reply::{ApiError, Reply};
use crate::http::{body, properties};
use crate::object_type::{Kind, ObjectType};
use crate::simulator::Simulator;

/// A change to a definition; names and ids as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Makes a property, or revives an archived one.
    CreateProperty,
    /// Changes a property.
    PatchProperty(String),
    /// Archives a property.
    ArchiveProperty(String),
    /// Changes a pipeline.
    PatchPipeline(String),
    /// Removes a pipeline for good.
    DeletePipeline(String),
    /// Changes a stage of a pipeline.
    PatchStage(String, String),
    /// Removes a stage of a pipeline for good.
    DeleteStage(String, String),
}

impl Change {
    /// The change a method and a path without version and type name.
    pub fn find(method: &str, family: &str, rest: &[&str]) -> Option<Self> {
        let text = |part: &str| part.to_owned();
        Some(match (method, family, rest) {
            ("POST", "properties", []) => Self::CreateProperty,
            ("PATCH", "properties", [name]) => Self::PatchProperty(text(name)),
            ("DELETE", "properties", [name]) => Self::ArchiveProperty(text(name)),
            ("PATCH", "pipelines", [id]) => Self::PatchPipeline(text(id)),
            ("DELETE", "pipelines", [id]) => Self::DeletePipeline(text(id)),
            ("PATCH", "pipelines", [id, "stages", stage]) => Self::PatchStage(text(id), text(stage)),
            ("DELETE", "pipelines", [id, "stages", stage]) => Self::DeleteStage(text(id), text(stage)),
            _ => return None,
        })
    }
}

/// Makes a change.
pub fn answer(
    simulator: &Simulator,
    object_type: &ObjectType,
    change: &Change,
    body: &[u8],
) -> Result<Reply, ApiError> {
    let kind = object_type.kind;
    match change {
        Change::CreateProperty => create_property(simulator, kind, body),
        Change::PatchProperty(name) => patch_property(simulator, kind, name, body),
        Change::ArchiveProperty(name) => archive_property(simulator, kind, name),
        Change::PatchPipeline(id) => change_pipeline(simulator, kind, id, |pipelines, position| {
            let patch: Patch = body::parse(body)?;
            if let Some(label) = patch.label {
                pipelines[position].label = label;
            }
            let orders = pipelines.iter_mut().map(|pipeline| &mut pipeline.display_order).collect();
            reorder(orders, position, patch.display_order);
            Ok(())
        }),
        Change::PatchStage(id, stage) => change_pipeline(simulator, kind, id, |pipelines, position| {
            patch_stage(&mut pipelines[position], stage, body)
        }),
        Change::DeletePipeline(id) => delete(simulator, kind, |pipeline, _| pipeline.id == *id),
        Change::DeleteStage(id, stage) => delete(simulator, kind, |pipeline, of_pipeline| {
            pipeline.id == *id && of_pipeline.is_some_and(|known| known.id == *stage)
        }),
    }
}

/// What a request says about a property; what is absent stays, or takes the usual value in a new definition.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentProperty {
    /// Internal name; only when it is created.
    name: Option<String>,
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
    /// Allowed values; replaces all.
    options: Option<Vec<PropertyOption>>,
    /// Not shown to people.
    hidden: Option<bool>,
    /// No two records share a value; only when it is created. Source: HubSpot, "Properties".
    has_unique_value: Option<bool>,
}

impl SentProperty {
    /// The definition a request describes that makes it.
    pub fn new_definition(&self) -> Result<Property, ApiError> {
        let name = self.name.clone().ok_or_else(|| body::missing("name"))?;
        let has_unique_value = self.has_unique_value.unwrap_or_default();
        let mut property = Property {
            label: name.clone(),
            name,
            description: String::new(),
            value_type: ValueType::String,
            field_type: "text".to_owned(),
            group: String::new(),
            options: Vec::new(),
            referenced_type: None,
            flags: Flags { custom: true, has_unique_value, ..Flags::default() },
            archived_at: None,
            fill: None,
        };
        self.apply_to(&mut property);
        Ok(property)
    }

    /// Puts what the request says into a definition.
    fn apply_to(&self, property: &mut Property) {
        property.flags.hidden = self.hidden.unwrap_or(property.flags.hidden);
        property.value_type = self.value_type.unwrap_or(property.value_type);
        if let Some(options) = &self.options {
            property.options.clone_from(options);
        }
        for (given, text) in [
            (&self.label, &mut property.label),
            (&self.field_type, &mut property.field_type),
            (&self.group_name, &mut property.group),
            (&self.description, &mut property.description),
        ] {
            if let Some(given) = given {
                text.clone_from(given);
            }
        }
    }
}

/// `POST /crm/properties/{version}/{type}`. A name in the archive comes back with its values and the type sent.
fn create_property(simulator: &Simulator, kind: Kind, body: &[u8]) -> Result<Reply, ApiError> {
    let request: SentProperty = body::parse(body)?;
    let name = request.name.clone().ok_or_else(|| body::missing("name"))?;
    let mut account = simulator.account_mut();
    let catalogue = account.catalogue(kind);
    if catalogue.active(&name).is_some() {
        return Err(ApiError::new(409, format!("A property named '{name}' already exists."))
            .category("OBJECT_ALREADY_EXISTS")
            .field("subCategory", json!("Properties.PROPERTY_WITH_NAME_EXISTS")));
    }
    let archived = catalogue.index_of(&name).map(|index| catalogue.get(index).clone());
    let property = match archived {
        None => request.new_definition()?,
        Some(mut property) => {
            property.archived_at = None;
            request.apply_to(&mut property);
            property
        }
    };
    let document = properties::to_json(&property);
    account.put_property(kind, property);
    Ok(Reply::json(201, &document))
}

/// The definition in use with a name.
fn property_in_use(account: &Account, kind: Kind, name: &str) -> Result<Property, ApiError> {
    let catalogue = account.catalogue(kind);
    let index = catalogue.active(name).ok_or_else(|| {
        ApiError::new(404, format!("Property {name} does not exist")).category("OBJECT_NOT_FOUND")
    })?;
    Ok(catalogue.get(index).clone())
}

/// `PATCH /crm/properties/{version}/{type}/{name}`: also its type may change.
fn patch_property(simulator: &Simulator, kind: Kind, name: &str, body: &[u8]) -> Result<Reply, ApiError> {
    let request: SentProperty = body::parse(body)?;
    let mut account = simulator.account_mut();
    let mut property = property_in_use(&account, kind, name)?;
    request.apply_to(&mut property);
    let document = properties::to_json(&property);
    account.put_property(kind, property);
    Ok(Reply::json(200, &document))
}

/// `DELETE /crm/properties/{version}/{type}/{name}`: into the archive; its values stay until it is gone for good.
fn archive_property(simulator: &Simulator, kind: Kind, name: &str) -> Result<Reply, ApiError> {
    let now = simulator.clock.now();
    let mut account = simulator.account_mut();
    let property = property_in_use(&account, kind, name)?;
    if property.flags.permanent {
        return Err(ApiError::validation(format!("{name} cannot be archived")));
    }
    account.put_property(kind, Property { archived_at: Some(now), ..property });
    Ok(Reply::empty(204))
}

/// What a request says about a pipeline or stage; what is absent stays.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Patch {
    /// What people see.
    label: Option<String>,
    /// Where people see it, from 0.
    display_order: Option<i64>,
    /// Facts about a stage, all as text.
    #[serde(default)]
    metadata: Value,
}

/// Changes one pipeline and moves its times and those of its stages.
fn change_pipeline(
    simulator: &Simulator,
    kind: Kind,
    id: &str,
    change: impl Fn(&mut Vec<Pipeline>, usize) -> Result<(), ApiError>,
) -> Result<Reply, ApiError> {
    let now = simulator.clock.now();
    let mut account = simulator.account_mut();
    let mut pipelines = account.pipelines(kind).to_vec();
    let position = pipelines.iter().position(|pipeline| pipeline.id == id).ok_or_else(ApiError::not_found)?;
    change(&mut pipelines, position)?;
    stamp(&mut pipelines[position], now);
    let document = pipelines[position].to_json();
    account.put_pipelines(kind, pipelines);
    Ok(Reply::json(200, &document))
}

/// Notes that a pipeline changed; its stages' times move along.
fn stamp(pipeline: &mut Pipeline, now: i64) {
    pipeline.updated_at = now;
    pipeline.stages.iter_mut().for_each(|stage| stage.updated_at = now);
}

/// Gives one of several a new place; when another has it, all are numbered anew.
fn reorder(mut orders: Vec<&mut i64>, position: usize, wanted: Option<i64>) {
    let Some(wanted) = wanted else { return };
    let is_taken = orders.iter().enumerate().any(|(other, order)| other != position && **order == wanted);
    *orders[position] = wanted;
    if is_taken {
        let mut places: Vec<usize> = (0..orders.len()).collect();
        places.sort_by_key(|&place| (*orders[place], place != position));
        for (number, place) in places.into_iter().enumerate() {
            *orders[place] = number as i64;
        }
    }
}

/// Changes a stage.
fn patch_stage(pipeline: &mut Pipeline, id: &str, body: &[u8]) -> Result<(), ApiError> {
    let patch: Patch = body::parse(body)?;
    let position = pipeline.stages.iter().position(|stage| stage.id == id).ok_or_else(ApiError::not_found)?;
    let stage: &mut Stage = &mut pipeline.stages[position];
    if let Some(label) = patch.label {
        stage.label = label;
    }
    if let Some(text) = body::scalar_text(&patch.metadata["probability"]) {
        let canonical = canonical_probability(&text);
        let invalid = || ApiError::validation(format!("{text} is not a valid probability"));
        stage.probability = Some(canonical.ok_or_else(invalid)?);
    }
    if let Some(state) = patch.metadata["ticketState"].as_str() {
        stage.ticket_state = Some(state.to_owned());
    }
    if let Some(state) = patch.metadata["state"].as_str() {
        stage.state = Some(state.to_owned());
    }
    let orders = pipeline.stages.iter_mut().map(|stage| &mut stage.display_order).collect();
    reorder(orders, position, patch.display_order);
    Ok(())
}

/// Removes what a rule names: a pipeline (the rule is asked without stage) or stages; refused while records are in it.
/// What does not exist is removed already.
fn delete(
    simulator: &Simulator,
    kind: Kind,
    is_named: impl Fn(&Pipeline, Option<&Stage>) -> bool,
) -> Result<Reply, ApiError> {
    let now = simulator.clock.now();
    let mut account = simulator.account_mut();
    let mut pipelines = account.pipelines(kind).to_vec();
    let mut gone: Vec<String> = Vec::new();
    pipelines.retain_mut(|pipeline| {
        if is_named(pipeline, None) {
            gone.extend(pipeline.stages.iter().map(|stage| stage.id.clone()));
            return false;
        }
        let (removed, kept) =
            pipeline.stages.iter().cloned().partition::<Vec<_>, _>(|stage| is_named(pipeline, Some(stage)));
        if !removed.is_empty() {
            gone.extend(removed.into_iter().map(|stage| stage.id));
            pipeline.stages = kept;
            stamp(pipeline, now);
        }
        true
    });
    refuse_if_used(&account, kind, &gone)?;
    account.put_pipelines(kind, pipelines);
    Ok(Reply::empty(204))
}

/// Refuses to remove stages that live records are in.
fn refuse_if_used(account: &Account, kind: Kind, stages: &[String]) -> Result<(), ApiError> {
    let catalogue = account.catalogue(kind);
    let names = ["dealstage", "hs_pipeline_stage", "lifecyclestage"];
    let Some(index) = names.iter().find_map(|name| catalogue.index_of(name)) else { return Ok(()) };
    let users: Vec<String> = account
        .store(kind)
        .live_from(&account.world, 0)
        .filter(|view| view.text(catalogue, index).is_some_and(|stage| stages.contains(&stage)))
        .map(|view| view.record.id.to_string())
        .collect();
    if users.is_empty() {
        return Ok(());
    }
    Err(ApiError::validation("The stage is in use by records and cannot be deleted")
        .category("STAGE_ID_IN_USE")
        .field("subCategory", json!("PipelineError.STAGE_ID_IN_USE"))
        .field("context", json!({ "stageIds": stages, "objectIds": users })))
}
