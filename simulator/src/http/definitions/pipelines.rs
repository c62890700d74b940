//! Changing pipelines and stages. Source: HubSpot, "Pipelines"; the lengths of ids and what deleting does to what is in
//! use were seen live.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::pipelines::{Stage, canonical_probability};
use crate::account::{Account, Pipeline};
use crate::clock::Millis;
use crate::http::body;
use crate::http::reply::{ApiError, Reply};
use crate::object_type::Kind;
use crate::simulator::Simulator;

/// Longest id of a pipeline that is taken verbatim, in characters; a longer one is answered 500.
const LONGEST_PIPELINE_ID: usize = 36;

/// Longest id of a stage that is taken verbatim, in characters; a longer one is answered 500.
const LONGEST_STAGE_ID: usize = 100;

/// The first id made up for a pipeline or stage.
const FIRST_NUMBER: usize = 145_900_001;

/// Most stages a pipeline takes. Source: HubSpot, "Pipelines".
const MOST_STAGES: usize = 100;

/// A pipeline as sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentPipeline {
    /// Internal id; made up when absent.
    pipeline_id: Option<String>,
    /// What people see.
    label: String,
    /// Where people see it, from 0.
    #[serde(default)]
    display_order: i64,
    /// Its stages.
    #[serde(default)]
    stages: Vec<SentStage>,
}

/// A stage as sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentStage {
    /// Internal id; made up when absent.
    stage_id: Option<String>,
    /// What people see.
    label: String,
    /// Where people see it, from 0.
    #[serde(default)]
    display_order: i64,
    /// Facts about it, all as text.
    #[serde(default)]
    metadata: Value,
}

/// An id as sent, or one made up; two ids of one type are never the same.
fn id_of(sent: Option<String>, longest: usize, taken: &[String]) -> Result<String, ApiError> {
    let Some(id) = sent else {
        // One number more than there are ids: one of them is free.
        let mut numbers = (FIRST_NUMBER..=FIRST_NUMBER + taken.len()).map(|number| number.to_string());
        return Ok(numbers.find(|id| !taken.contains(id)).expect("more numbers than ids"));
    };
    if id.chars().count() > longest {
        return Err(ApiError::new(500, "internal error"));
    }
    if taken.contains(&id) {
        return Err(ApiError::new(409, format!("The id {id} is in use")).category("CONFLICT"));
    }
    Ok(id)
}

/// Ids of all stages of a type.
fn stage_ids(pipelines: &[Pipeline]) -> Vec<String> {
    pipelines.iter().flat_map(|pipeline| &pipeline.stages).map(|stage| stage.id.clone()).collect()
}

/// The new stage a request describes. Deals need a probability.
fn new_stage(kind: Kind, sent: SentStage, taken: &[String], now: Millis) -> Result<Stage, ApiError> {
    let mut stage = Stage {
        id: id_of(sent.stage_id, LONGEST_STAGE_ID, taken)?,
        label: sent.label,
        display_order: sent.display_order,
        probability: None,
        ticket_state: (kind == Kind::TICKET).then(|| "OPEN".to_owned()),
        state: None,
        created_at: now,
        updated_at: now,
    };
    set_facts(&mut stage, &sent.metadata)?;
    if kind == Kind::DEAL && stage.probability.is_none() {
        return Err(ApiError::validation("probability is required for a deal stage"));
    }
    Ok(stage)
}

/// The stages a request describes; those whose ids a pipeline has already keep the time they were made.
fn new_stages(
    kind: Kind,
    sent: Vec<SentStage>,
    known: &[Stage],
    taken: &[String],
    now: Millis,
) -> Result<Vec<Stage>, ApiError> {
    if sent.len() > MOST_STAGES {
        return Err(ApiError::validation(format!("A pipeline has at most {MOST_STAGES} stages")));
    }
    let mut taken = taken.to_vec();
    let mut stages: Vec<Stage> = Vec::with_capacity(sent.len());
    for stage in sent {
        let before = known.iter().find(|known| stage.stage_id.as_ref() == Some(&known.id));
        let mut made = new_stage(kind, stage, &taken, now)?;
        made.created_at = before.map_or(now, |before| before.created_at);
        taken.push(made.id.clone());
        stages.push(made);
    }
    renumber(stages.iter_mut().map(|stage| &mut stage.display_order).collect());
    Ok(stages)
}

/// Numbers places anew when two are the same.
fn renumber(mut orders: Vec<&mut i64>) {
    let mut places: Vec<usize> = (0..orders.len()).collect();
    places.sort_by_key(|&place| *orders[place]);
    if places.windows(2).any(|pair| *orders[pair[0]] == *orders[pair[1]]) {
        for (number, place) in places.into_iter().enumerate() {
            *orders[place] = number as i64;
        }
    }
}

/// `POST /crm/pipelines/{version}/{type}`.
pub fn create(simulator: &Simulator, kind: Kind, body: &[u8]) -> Result<Reply, ApiError> {
    let sent: SentPipeline = body::parse(body)?;
    let now = simulator.clock.now();
    let mut account = simulator.account_mut();
    let mut pipelines = account.pipelines(kind).to_vec();
    let taken: Vec<String> = pipelines.iter().map(|pipeline| pipeline.id.clone()).collect();
    let pipeline = Pipeline {
        id: id_of(sent.pipeline_id, LONGEST_PIPELINE_ID, &taken)?,
        label: sent.label,
        display_order: sent.display_order,
        stages: new_stages(kind, sent.stages, &[], &stage_ids(&pipelines), now)?,
        created_at: now,
        updated_at: now,
    };
    let document = pipeline.to_json();
    pipelines.push(pipeline);
    renumber(pipelines.iter_mut().map(|pipeline| &mut pipeline.display_order).collect());
    account.put_pipelines(kind, pipelines);
    Ok(Reply::json(201, &document))
}

/// `PUT /crm/pipelines/{version}/{type}/{id}`: what is left out is gone, stages too, unless records are in them.
pub fn replace(simulator: &Simulator, kind: Kind, id: &str, body: &[u8]) -> Result<Reply, ApiError> {
    let sent: SentPipeline = body::parse(body)?;
    let now = simulator.clock.now();
    let mut account = simulator.account_mut();
    let mut pipelines = account.pipelines(kind).to_vec();
    let position = pipelines.iter().position(|pipeline| pipeline.id == id).ok_or_else(ApiError::not_found)?;
    let before = std::mem::take(&mut pipelines[position].stages);
    let stages = new_stages(kind, sent.stages, &before, &stage_ids(&pipelines), now)?;
    let is_kept = |stage: &&Stage| stages.iter().any(|kept| kept.id == stage.id);
    let gone: Vec<String> =
        before.iter().filter(|stage| !is_kept(stage)).map(|stage| stage.id.clone()).collect();
    refuse_if_used(&account, kind, &gone)?;
    let pipeline = &mut pipelines[position];
    (pipeline.label, pipeline.display_order, pipeline.stages) = (sent.label, sent.display_order, stages);
    stamp(pipeline, now);
    let document = pipeline.to_json();
    renumber(pipelines.iter_mut().map(|pipeline| &mut pipeline.display_order).collect());
    account.put_pipelines(kind, pipelines);
    Ok(Reply::json(200, &document))
}

/// `POST /crm/pipelines/{version}/{type}/{id}/stages`.
pub fn create_stage(simulator: &Simulator, kind: Kind, id: &str, body: &[u8]) -> Result<Reply, ApiError> {
    let sent: SentStage = body::parse(body)?;
    let now = simulator.clock.now();
    let mut account = simulator.account_mut();
    let mut pipelines = account.pipelines(kind).to_vec();
    let stage = new_stage(kind, sent, &stage_ids(&pipelines), now)?;
    let pipeline = pipelines.iter_mut().find(|pipeline| pipeline.id == id).ok_or_else(ApiError::not_found)?;
    if pipeline.stages.len() >= MOST_STAGES {
        return Err(ApiError::validation(format!("A pipeline has at most {MOST_STAGES} stages")));
    }
    let document = stage.to_json();
    pipeline.stages.push(stage);
    renumber(pipeline.stages.iter_mut().map(|stage| &mut stage.display_order).collect());
    stamp(pipeline, now);
    account.put_pipelines(kind, pipelines);
    Ok(Reply::json(201, &document))
}

/// `PATCH /crm/pipelines/{version}/{type}/{id}`: a new label or place.
pub fn patch(simulator: &Simulator, kind: Kind, id: &str, body: &[u8]) -> Result<Reply, ApiError> {
    change_pipeline(simulator, kind, id, |pipelines, position| {
        let patch: Patch = body::parse(body)?;
        if let Some(label) = patch.label {
            pipelines[position].label = label;
        }
        let orders = pipelines.iter_mut().map(|pipeline| &mut pipeline.display_order).collect();
        reorder(orders, position, patch.display_order);
        Ok(())
    })
}

/// `PATCH /crm/pipelines/{version}/{type}/{id}/stages/{stage}`.
pub fn patch_stage(
    simulator: &Simulator,
    kind: Kind,
    [id, stage]: [&str; 2],
    body: &[u8],
) -> Result<Reply, ApiError> {
    change_pipeline(simulator, kind, id, |pipelines, position| {
        change_stage(&mut pipelines[position], stage, body)
    })
}

/// `DELETE /crm/pipelines/{version}/{type}/{id}`.
pub fn remove(simulator: &Simulator, kind: Kind, id: &str) -> Result<Reply, ApiError> {
    delete(simulator, kind, |pipeline, _| pipeline.id == id)
}

/// `DELETE /crm/pipelines/{version}/{type}/{id}/stages/{stage}`.
pub fn remove_stage(simulator: &Simulator, kind: Kind, [id, stage]: [&str; 2]) -> Result<Reply, ApiError> {
    delete(simulator, kind, |pipeline, of_pipeline| {
        pipeline.id == id && of_pipeline.is_some_and(|known| known.id == stage)
    })
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
fn change_stage(pipeline: &mut Pipeline, id: &str, body: &[u8]) -> Result<(), ApiError> {
    let patch: Patch = body::parse(body)?;
    let position = pipeline.stages.iter().position(|stage| stage.id == id).ok_or_else(ApiError::not_found)?;
    let stage: &mut Stage = &mut pipeline.stages[position];
    if let Some(label) = patch.label {
        stage.label = label;
    }
    set_facts(stage, &patch.metadata)?;
    let orders = pipeline.stages.iter_mut().map(|stage| &mut stage.display_order).collect();
    reorder(orders, position, patch.display_order);
    Ok(())
}

/// Puts the facts a request tells into a stage; unknown ones are dropped.
fn set_facts(stage: &mut Stage, metadata: &Value) -> Result<(), ApiError> {
    if let Some(text) = body::scalar_text(&metadata["probability"]) {
        let canonical = canonical_probability(&text);
        let invalid = || ApiError::validation(format!("{text} is not a valid probability"));
        stage.probability = Some(canonical.ok_or_else(invalid)?);
    }
    if let Some(state) = metadata["ticketState"].as_str() {
        stage.ticket_state = Some(state.to_owned());
    }
    if let Some(state) = metadata["state"].as_str() {
        stage.state = Some(state.to_owned());
    }
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
