//! Pipelines and their stages.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Millis;
use crate::generate::funnel::{self, LIFECYCLE};
use crate::generate::text::moment_text;
use crate::generate::world::FIRST_CREATED;
use crate::object_type::{Kind, ObjectType};

/// One pipeline. Source: HubSpot, "Pipelines".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pipeline {
    /// Internal id.
    pub id: String,
    /// What people see.
    pub label: String,
    /// Where people see it, from 0.
    pub display_order: i64,
    /// Its stages.
    pub stages: Vec<Stage>,
    /// When it was made; the epoch for the one every portal starts with.
    pub created_at: Millis,
    /// When it or one of its stages last changed.
    pub updated_at: Millis,
}

/// One stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Internal id, unique within the object type.
    pub id: String,
    /// What people see.
    pub label: String,
    /// Where people see it, from 0.
    pub display_order: i64,
    /// Chance of winning, canonical text such as `0.2`; `None` for stages of other types.
    pub probability: Option<String>,
    /// `OPEN` or `CLOSED`, of tickets; `None` for stages of other types.
    pub ticket_state: Option<String>,
    /// `OPEN` or `CLOSED`, of types other than deals and tickets; `None` for those.
    #[serde(default)]
    pub state: Option<String>,
    /// When it was made.
    pub created_at: Millis,
    /// When its pipeline last changed.
    pub updated_at: Millis,
}

/// The pipelines a fresh portal has. Source: HubSpot, "Pipelines".
pub fn of_a_fresh_portal(object_type: &ObjectType) -> Vec<Pipeline> {
    match object_type.kind {
        Kind::CONTACT => vec![lifecycle("contacts-lifecycle-pipeline")],
        Kind::COMPANY => vec![lifecycle("companies-lifecycle-pipeline")],
        Kind::DEAL | Kind::TICKET => pipelines_of(object_type.kind),
        kind if object_type.has_pipelines => pipelines_of(kind),
        _ => Vec::new(),
    }
}

/// The lifecycle as a pipeline.
fn lifecycle(id: &str) -> Pipeline {
    let stage = |(position, &(id, label, _)): (usize, &(&str, &str, u64))| Stage {
        id: id.to_owned(),
        label: label.to_owned(),
        display_order: position as i64,
        probability: None,
        ticket_state: None,
        state: None,
        created_at: 0,
        updated_at: FIRST_CREATED,
    };
    Pipeline {
        id: id.to_owned(),
        label: "Lifecycle Stage Pipeline".to_owned(),
        display_order: 0,
        stages: LIFECYCLE.iter().enumerate().map(stage).collect(),
        created_at: 0,
        updated_at: FIRST_CREATED,
    }
}

/// The sales or support pipelines.
fn pipelines_of(kind: Kind) -> Vec<Pipeline> {
    let pipelines = funnel::pipelines(kind).iter().enumerate().map(|(order, pipeline)| {
        let created_at = if order == 0 { 0 } else { FIRST_CREATED + order as Millis * 7_777_777_777 };
        let stages = pipeline.stages.iter().enumerate().map(|(order, stage)| Stage {
            id: stage.id.to_owned(),
            label: stage.label.to_owned(),
            display_order: order as i64,
            probability: (kind == Kind::DEAL).then(|| stage.state.to_owned()),
            ticket_state: (kind == Kind::TICKET).then(|| stage.state.to_owned()),
            state: (kind != Kind::DEAL && kind != Kind::TICKET).then(|| stage.state.to_owned()),
            created_at,
            updated_at: created_at.max(FIRST_CREATED),
        });
        Pipeline {
            id: pipeline.id.to_owned(),
            label: pipeline.label.to_owned(),
            display_order: order as i64,
            stages: stages.collect(),
            created_at,
            updated_at: created_at.max(FIRST_CREATED),
        }
    });
    pipelines.collect()
}

/// The canonical text of a probability: `0.50` becomes `0.5`, `1` becomes `1.0`; `None` when it is none.
pub fn canonical_probability(text: &str) -> Option<String> {
    let number: f64 = text.parse().ok()?;
    (0.0..=1.0).contains(&number).then(|| format!("{number:?}"))
}

impl Pipeline {
    /// The body HubSpot answers with. Stages come in reverse display order, because nothing promises an order.
    pub fn to_json(&self) -> Value {
        let stages: Vec<Value> = self.stages.iter().rev().map(Stage::to_json).collect();
        json!({
            "label": self.label,
            "displayOrder": self.display_order,
            "id": self.id,
            "stages": stages,
            "createdAt": moment_text(self.created_at),
            "updatedAt": moment_text(self.updated_at),
            "archived": false,
        })
    }
}

impl Stage {
    /// The body HubSpot answers with; every metadata value is text and `isClosed` is derived.
    pub fn to_json(&self) -> Value {
        let metadata = match (&self.probability, &self.ticket_state) {
            (Some(probability), _) => {
                let is_closed = matches!(probability.as_str(), "0.0" | "1.0");
                json!({ "isClosed": is_closed.to_string(), "probability": probability })
            }
            (None, Some(state)) => {
                json!({ "isClosed": (state == "CLOSED").to_string(), "ticketState": state })
            }
            (None, None) => match &self.state {
                Some(state) => json!({ "isClosed": (state == "CLOSED").to_string(), "state": state }),
                None => json!({}),
            },
        };
        json!({
            "label": self.label,
            "displayOrder": self.display_order,
            "metadata": metadata,
            "id": self.id,
            "createdAt": moment_text(self.created_at),
            "updatedAt": moment_text(self.updated_at),
            "archived": false,
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        })
    }
}
