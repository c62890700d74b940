//! Changing definitions: properties, pipelines and stages.
//!
//! Source: HubSpot, "Properties", "Pipelines"; what deleting does to what is in use was seen live.

mod pipelines;
mod properties;

pub use properties::SentProperty;

use crate::http::reply::{ApiError, Reply};
use crate::object_type::ObjectType;
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
    /// Makes a pipeline.
    CreatePipeline,
    /// Replaces a pipeline and its stages.
    ReplacePipeline(String),
    /// Changes a pipeline.
    PatchPipeline(String),
    /// Removes a pipeline for good.
    DeletePipeline(String),
    /// Makes a stage of a pipeline.
    CreateStage(String),
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
            ("POST", "pipelines", []) => Self::CreatePipeline,
            ("PUT", "pipelines", [id]) => Self::ReplacePipeline(text(id)),
            ("POST", "pipelines", [id, "stages"]) => Self::CreateStage(text(id)),
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
        Change::CreateProperty => properties::create(simulator, kind, body),
        Change::PatchProperty(name) => properties::patch(simulator, kind, name, body),
        Change::ArchiveProperty(name) => properties::archive(simulator, kind, name),
        Change::CreatePipeline => pipelines::create(simulator, kind, body),
        Change::ReplacePipeline(id) => pipelines::replace(simulator, kind, id, body),
        Change::PatchPipeline(id) => pipelines::patch(simulator, kind, id, body),
        Change::DeletePipeline(id) => pipelines::remove(simulator, kind, id),
        Change::CreateStage(id) => pipelines::create_stage(simulator, kind, id, body),
        Change::PatchStage(id, stage) => pipelines::patch_stage(simulator, kind, [id, stage], body),
        Change::DeleteStage(id, stage) => pipelines::remove_stage(simulator, kind, [id, stage]),
    }
}
