//! Pipelines and their stages.

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::query::{Parameters, type_called};
use crate::model::{ObjectType, Pipeline, Stage};
use crate::storage::load_pipelines;
use crate::web::App;
use crate::web::access::Access;
use crate::web::endpoint::Endpoint;
use crate::web::error::ApiError;

/// Parameters of a list of pipelines.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct PipelineParameters {
    /// Those of this type only.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    object_type: Option<String>,
}

/// A pipeline with its stages, in HubSpot's order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PipelineView {
    /// The type whose records move through it.
    object_type: &'static str,
    /// Id in HubSpot.
    id: String,
    /// What people see.
    label: String,
    /// Place among the pipelines.
    display_order: i32,
    /// Whether it is gone from HubSpot; records may name it still.
    archived: bool,
    /// Its stages.
    stages: Vec<StageView>,
}

/// A stage.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StageView {
    /// Id in HubSpot.
    id: String,
    /// What people see.
    label: String,
    /// Place in the pipeline.
    display_order: i32,
    /// Chance of winning from `0.0` to `1.0`; deals only.
    probability: Option<String>,
    /// Whether a record here is over, where HubSpot says so.
    is_closed: Option<bool>,
    /// Whether it is gone from HubSpot.
    archived: bool,
}

/// The pipelines.
#[derive(Debug, Serialize, ToSchema)]
struct Pipelines {
    data: Vec<PipelineView>,
}

/// The route.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let list = Endpoint::new((Method::GET, "/api/pipelines"), Access::Read, get(list), "List pipelines");
    vec![list.with_query::<PipelineParameters>().answering::<Pipelines>(200, "Those of every mirrored type")]
}

/// The pipelines of one type or of all.
async fn list(
    State(app): State<App>,
    Parameters(parameters): Parameters<PipelineParameters>,
) -> Result<Response, ApiError> {
    let types = match parameters.object_type {
        Some(name) => vec![type_called(&app, &name).await?],
        None => app.types().await?,
    };
    let mut data = Vec::new();
    for object_type in types {
        let pipelines = load_pipelines(&app.database, object_type).await?;
        data.extend(pipelines.into_iter().map(|pipeline| view(object_type, pipeline)));
    }
    Ok(Json(Pipelines { data }).into_response())
}

/// A pipeline as it is shown.
fn view(object_type: &'static ObjectType, pipeline: Pipeline) -> PipelineView {
    let Pipeline { id, label, display_order, stages, archived, .. } = pipeline;
    let stages = stages.into_iter().map(|stage| {
        let Stage { id, label, display_order, probability, is_closed, archived, .. } = stage;
        StageView { id, label, display_order, probability, is_closed, archived }
    });
    PipelineView {
        object_type: object_type.name,
        id,
        label,
        display_order,
        archived,
        stages: stages.collect(),
    }
}
