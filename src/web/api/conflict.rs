//! A conflict as the API shows it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::storage::{Conflict, ConflictStep, FieldSource, FieldValues};

/// A conflict. Every property in question stands in `base`, `local` and `hubspot`; null: not set.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConflictView {
    id: i64,
    /// The type of the record.
    object_type: String,
    /// `id` of the row; null when it was deleted by SQL.
    row_id: Option<i64>,
    /// Id in HubSpot.
    hubspot_id: Option<String>,
    /// `fields`, `deleted_here`, `deleted_in_hubspot` or `merged_in_hubspot`.
    kind: String,
    /// Names of the properties in question.
    fields: Vec<String>,
    /// What both sides last agreed on.
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    base: FieldValues,
    /// What MariaDB has.
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    local: FieldValues,
    /// What HubSpot has.
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    hubspot: FieldValues,
    /// Who set the values in HubSpot, where it is known.
    sources: BTreeMap<String, SourceView>,
    /// `pending`, `keep_local`, `keep_hubspot`, `merged` or `superseded`.
    status: String,
    /// What was decided, by property.
    #[schema(value_type = Option<Object>)]
    resolution: Option<Value>,
    /// Who decided.
    resolved_by: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    resolved_at: Option<DateTime<Utc>>,
    /// What happened to it, in order; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    steps: Option<Vec<StepView>>,
}

/// Who set a value in HubSpot.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SourceView {
    /// When.
    at: Option<DateTime<Utc>>,
    /// Through what: `CRM_UI`, `INTEGRATION`, `FORM`, …
    source_type: Option<String>,
    /// Which of them.
    source_id: Option<String>,
    /// Its name.
    source_label: Option<String>,
}

/// A step of a conflict.
#[derive(Debug, Serialize, ToSchema)]
struct StepView {
    /// When.
    at: DateTime<Utc>,
    /// Who.
    actor: String,
    /// `opened`, `updated`, or the status it was closed with.
    step: String,
    /// What it was about from then on, or what was decided.
    #[schema(value_type = Option<Object>)]
    detail: Option<Value>,
}

/// A page of conflicts, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conflicts {
    data: Vec<ConflictView>,
    /// `before` of the next page; null when this one is not full.
    next_before: Option<i64>,
}

impl Conflicts {
    /// A page of at most `limit`.
    pub(super) fn new(found: Vec<Conflict>, limit: u32) -> Self {
        let next_before = found.last().filter(|_| found.len() == limit as usize).map(|last| last.id);
        Self { data: found.into_iter().map(ConflictView::from).collect(), next_before }
    }
}

impl ConflictView {
    /// With what happened to it.
    pub(super) fn with_steps(self, steps: Vec<ConflictStep>) -> Self {
        Self { steps: Some(steps.into_iter().map(StepView::from).collect()), ..self }
    }
}

impl From<Conflict> for ConflictView {
    fn from(conflict: Conflict) -> Self {
        let (record, about) = (conflict.record, conflict.disagreement);
        let sources = about.sources.into_iter().map(|(name, source)| (name, SourceView::from(source)));
        Self {
            id: conflict.id,
            object_type: record.object_type,
            row_id: record.row_id,
            hubspot_id: record.hubspot_id.map(|id| id.to_string()),
            kind: about.kind.to_string(),
            fields: about.fields,
            base: about.base,
            local: about.local,
            hubspot: about.hubspot,
            sources: sources.collect(),
            status: conflict.status.to_string(),
            resolution: conflict.resolution,
            resolved_by: conflict.resolved_by,
            created_at: conflict.created_at,
            updated_at: conflict.updated_at,
            resolved_at: conflict.resolved_at,
            steps: None,
        }
    }
}

impl From<FieldSource> for SourceView {
    fn from(source: FieldSource) -> Self {
        let FieldSource { at, source_type, source_id, source_label } = source;
        Self { at, source_type, source_id, source_label }
    }
}

impl From<ConflictStep> for StepView {
    fn from(step: ConflictStep) -> Self {
        let ConflictStep { at, actor, step, detail } = step;
        Self { at, actor, step, detail }
    }
}
