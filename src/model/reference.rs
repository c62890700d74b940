//! Reference data: the account, owners, pipelines and stages.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// The HubSpot account the token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// HubSpot's account id.
    pub portal_id: i64,
    /// IANA name of the account's time zone; the daily request limit starts anew at its midnight.
    pub time_zone: String,
    /// `STANDARD`, `DEVELOPER_TEST`, `SANDBOX`, …
    pub account_type: String,
    /// Host of the account's pages, such as `app.hubspot.com`.
    pub ui_domain: String,
    /// ISO 4217 code of the account's currency.
    pub currency: Option<String>,
}

/// Somebody records can be assigned to.
#[derive(Debug, Clone, PartialEq)]
pub struct Owner {
    /// What `hubspot_owner_id` on records refers to.
    pub id: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// `PERSON` or `QUEUE`.
    pub kind: Option<String>,
    /// The user behind the owner, inactive ones included.
    pub user_id: Option<i64>,
    /// Teams as HubSpot sent them: a JSON list of `{id, name, primary}`.
    pub teams: Value,
    /// No longer active; records may still refer to it.
    pub archived: bool,
    /// When HubSpot created it.
    pub created_at: Option<DateTime<Utc>>,
    /// When HubSpot last changed it; a changed name does not move it.
    pub updated_at: Option<DateTime<Utc>>,
}

/// A pipeline with its stages.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// HubSpot's id, up to 36 characters; `default` for the first one.
    pub id: String,
    /// What people see.
    pub label: String,
    /// Place among the pipelines.
    pub display_order: i32,
    /// The stages, in no particular order.
    pub stages: Vec<Stage>,
    /// Whether it was archived.
    pub archived: bool,
    /// When HubSpot created it.
    pub created_at: Option<DateTime<Utc>>,
    /// When HubSpot last changed it.
    pub updated_at: Option<DateTime<Utc>>,
}

/// One stage of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// HubSpot's id, up to 100 characters, unique within the object type.
    pub id: String,
    /// What people see.
    pub label: String,
    /// Place in the pipeline.
    pub display_order: i32,
    /// Chance of winning in HubSpot's own words, usually decimal text from `0.0` to `1.0`; deals only.
    pub probability: Option<String>,
    /// Whether a deal here is over; deals only.
    pub is_closed: Option<bool>,
    /// Everything HubSpot says of the stage: a JSON object of strings.
    pub metadata: Value,
    /// Whether it was archived.
    pub archived: bool,
    /// When HubSpot created it.
    pub created_at: Option<DateTime<Utc>>,
    /// When HubSpot last changed it.
    pub updated_at: Option<DateTime<Utc>>,
}
