//! Pipelines and stages. Source: HubSpot, "Pipelines".

use serde_json::{Value, json};

use crate::account::Pipeline;
use crate::http::reply::Reply;
use crate::object_type::ObjectType;
use crate::simulator::Simulator;

/// `GET /crm/pipelines/{version}/{type}`: all of them with all their stages, unsorted and unpaged.
pub fn list(simulator: &Simulator, object_type: &ObjectType) -> Reply {
    let account = simulator.account();
    let results: Vec<Value> =
        account.pipelines(object_type.kind).iter().rev().map(Pipeline::to_json).collect();
    Reply::json(200, &json!({ "results": results }))
}

/// `GET /crm/pipelines/{version}/{type}/{id}`: one.
pub fn get(simulator: &Simulator, object_type: &ObjectType, id: &str, accepts_json: bool) -> Reply {
    let found = with_pipeline(simulator, object_type, id, Pipeline::to_json);
    found.map_or_else(|| not_found(accepts_json), |document| Reply::json(200, &document))
}

/// `GET .../{id}/stages`: the stages of one.
pub fn stages(simulator: &Simulator, object_type: &ObjectType, id: &str, accepts_json: bool) -> Reply {
    let found = with_pipeline(simulator, object_type, id, |pipeline| pipeline.to_json()["stages"].take());
    found.map_or_else(|| not_found(accepts_json), |stages| Reply::json(200, &json!({ "results": stages })))
}

/// `GET .../{id}/stages/{stage}`: one stage.
pub fn stage(
    simulator: &Simulator,
    object_type: &ObjectType,
    id: &str,
    stage: &str,
    accepts_json: bool,
) -> Reply {
    let find = |pipeline: &Pipeline| {
        pipeline
            .stages
            .iter()
            .find(|known| known.id == stage)
            .map(super::super::account::pipelines::Stage::to_json)
    };
    let found = with_pipeline(simulator, object_type, id, find).flatten();
    found.map_or_else(|| not_found(accepts_json), |document| Reply::json(200, &document))
}

/// Reads something of one pipeline.
fn with_pipeline<T>(
    simulator: &Simulator,
    object_type: &ObjectType,
    id: &str,
    read: impl Fn(&Pipeline) -> T,
) -> Option<T> {
    simulator.account().pipelines(object_type.kind).iter().find(|pipeline| pipeline.id == id).map(read)
}

/// An empty body for clients that accept JSON, else HTML; seen live in 2026.
fn not_found(accepts_json: bool) -> Reply {
    if accepts_json { Reply::empty(404) } else { Reply::html(404, "Not Found") }
}
