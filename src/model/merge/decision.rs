//! What becomes of one field.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::FieldRule;

/// Who wins when both sides have changed a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// A person decides.
    #[default]
    Ask,
    /// Whoever changed it last; HubSpot when the times are equal, a person when one is unknown.
    Newest,
    /// HubSpot.
    HubSpot,
    /// The database.
    Local,
}

impl Policy {
    /// Every policy.
    pub const ALL: [Self; 4] = [Self::Ask, Self::Newest, Self::HubSpot, Self::Local];

    /// The word for it in the configuration and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Newest => "newest",
            Self::HubSpot => "hubspot",
            Self::Local => "local",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of ask, newest, hubspot, local")]
pub struct UnknownPolicy(String);

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|policy| policy.as_str() == text);
        found.ok_or_else(|| UnknownPolicy(text.to_owned()))
    }
}

/// The values of one field; `None` where it is not set, which is the same as empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides<'a> {
    /// What both sides last agreed on.
    pub base: Option<&'a str>,
    /// Ours.
    pub local: Option<&'a str>,
    /// HubSpot's.
    pub remote: Option<&'a str>,
}

/// What becomes of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Both sides mean the same.
    Agree,
    /// HubSpot's value is taken.
    Take,
    /// Ours is sent.
    Push,
    /// A person decides.
    Ask,
    /// The later change wins, but when they were made is not known on both sides; a person decides until it is.
    AskForTime,
}

impl Sides<'_> {
    /// What becomes of the field. The times are those of the last change on each side.
    pub fn decide(
        self,
        rule: FieldRule,
        local_time: Option<DateTime<Utc>>,
        remote_time: Option<DateTime<Utc>>,
    ) -> Decision {
        let Self { base, local, remote } = self;
        let same = |left, right| rule.kind.same(left, right);
        if same(local, remote) {
            return Decision::Agree;
        }
        if same(local, base) {
            return Decision::Take;
        }
        if same(remote, base) {
            return Decision::Push;
        }
        match rule.policy {
            Policy::Ask => Decision::Ask,
            Policy::HubSpot => Decision::Take,
            Policy::Local => Decision::Push,
            Policy::Newest => match (local_time, remote_time) {
                (Some(local), Some(remote)) if local > remote => Decision::Push,
                (Some(_), Some(_)) => Decision::Take,
                (None, _) | (_, None) => Decision::AskForTime,
            },
        }
    }
}
