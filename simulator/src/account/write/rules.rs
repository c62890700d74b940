//! What the account demands of writes.

use serde::{Deserialize, Serialize};

/// What becomes of an attempt to move a lifecycle stage back: HubSpot says that it only moves forward, not how it
/// answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LifecycleBack {
    /// The write succeeds and the stage stays.
    #[default]
    Ignored,
    /// The write is refused.
    Refused,
    /// The stage moves back.
    Allowed,
}

/// Properties a record needs once one of its properties has a value.
/// Source: HubSpot changelog, "CRM API Write Validation Enforcement".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Condition {
    /// Plural name of the type.
    pub object_type: String,
    /// The property that decides.
    pub property: String,
    /// The value that makes it count.
    pub value: String,
    /// Properties that then must have values.
    pub requires: Vec<String>,
}

/// The rules for one write.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Whether the version of the API has the rules people set up for the interface count, and takes days and times
    /// written otherwise than it wants them.
    pub binds: bool,
    /// Properties a new record needs, when rules bind.
    pub required: Vec<String>,
    /// Properties that are needed because of others, when rules bind.
    pub conditions: Vec<Condition>,
    /// What becomes of an attempt to move a lifecycle stage back.
    pub lifecycle_back: LifecycleBack,
    /// A contact that gets another address keeps the old one as a further one.
    pub email_change_keeps_old: bool,
    /// A write that changes nothing moves last-modified.
    pub identical_writes_touch: bool,
}
