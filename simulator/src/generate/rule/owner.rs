//! Facts about the owner of a record.

use crate::generate::text::{push_moment, push_number};
use crate::generate::{Record, people};
use crate::random::below;

/// A fact about the owner.
#[derive(Debug, Clone, Copy)]
pub enum OwnerFact {
    /// The owner's id.
    Id,
    /// The id of the user who is the owner.
    User,
    /// When the record was assigned.
    Assigned,
    /// The id of the user who made the record.
    Creator,
}

impl OwnerFact {
    /// The fact a rule names.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "owner" => Self::Id,
            "owner_user" => Self::User,
            "owner_assigned" => Self::Assigned,
            "creator" => Self::Creator,
            _ => return None,
        })
    }

    /// Appends the value; false for a record without owner.
    pub fn write(self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        if matches!(self, Self::Creator) {
            push_number(out, people::owner_user_id(below(record.word(0x0C), people::OWNERS)));
            return true;
        }
        let Some(position) = people::owner_of(record) else { return false };
        match self {
            Self::Id | Self::Creator => push_number(out, people::owner_id(position)),
            Self::User => push_number(out, people::owner_user_id(position)),
            Self::Assigned => push_moment(out, record.moment(3)),
        }
        true
    }
}
