//! Who set a value.
//!
//! Source: HubSpot, "Properties", on history entries; the values are those of captured answers.

use serde::{Deserialize, Serialize};

/// The user who is at work in HubSpot's interface, and who changes what the control API changes.
pub const USER_ID: u32 = 9_584_300;

/// Who set a value, as histories show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// A person in HubSpot's interface, by user id.
    User(u32),
    /// An app through the API, by app id, as a private app's writes show.
    Integration(u32),
    /// An app through the API, by app id, as the writes of a service key may show.
    Api(u32),
    /// HubSpot itself, from links and other records.
    Calculated,
    /// What brought the record into the portal.
    Import,
}

impl Source {
    /// `sourceType` of a history entry.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "CRM_UI",
            Self::Integration(_) => "INTEGRATION",
            Self::Api(_) => "API",
            Self::Calculated => "CALCULATED",
            Self::Import => "IMPORT",
        }
    }

    /// `sourceId` of a history entry.
    pub fn id(self) -> String {
        match self {
            Self::User(id) => format!("userId:{id}"),
            Self::Integration(id) | Self::Api(id) => id.to_string(),
            Self::Calculated => "RollupProperties".to_owned(),
            Self::Import => "58213370".to_owned(),
        }
    }

    /// `updatedByUserId` of a history entry; `None` unless a person set the value.
    pub const fn user_id(self) -> Option<u32> {
        match self {
            Self::User(id) => Some(id),
            Self::Integration(_) | Self::Api(_) | Self::Calculated | Self::Import => None,
        }
    }

    /// Whether an app set the value through the API.
    pub const fn is_app(self) -> bool {
        matches!(self, Self::Integration(_) | Self::Api(_))
    }
}
