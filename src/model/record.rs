//! CRM records as the daemon holds them.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Properties;

/// HubSpot's id of a record: decimal, positive, unique within its object type only.
///
/// Kept as a number because pages, windows and audits walk records in id order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectId(pub i64);

impl ObjectId {
    /// Sorts before every real id; where a walk in id order starts.
    pub const START: Self = Self(0);

    /// Sorts behind every real id; where a walk in id order ends.
    pub const END: Self = Self(i64::MAX);
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is not a positive decimal number that fits 63 bits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a HubSpot record id (a positive whole number)")]
pub struct InvalidObjectId(String);

impl FromStr for ObjectId {
    type Err = InvalidObjectId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<i64>() {
            Ok(id) if id > 0 && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self(id)),
            _ => Err(InvalidObjectId(text.to_owned())),
        }
    }
}

/// Where a listing continues. HubSpot's own text, handed back as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// One CRM record as HubSpot returned it, with every property that was asked for and is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// HubSpot's id.
    pub id: ObjectId,
    /// Set properties.
    pub properties: Properties,
    /// `createdAt`; the epoch when the record's create date is empty.
    pub created_at: DateTime<Utc>,
    /// `updatedAt`, to the millisecond: the version of this copy.
    pub updated_at: DateTime<Utc>,
    /// Whether the record lies in the recycle bin.
    pub archived: bool,
    /// When it was put there.
    pub archived_at: Option<DateTime<Utc>>,
    /// When this copy was asked for, by our clock: whether it is archived was true then, whatever its version.
    pub read_at: DateTime<Utc>,
}

/// Digest of everything a row mirrors: equal digests, equal content.
///
/// The first 128 bits of SHA-256. A faster hash would do for chance, but values come from strangers (web forms),
/// and a crafted collision would hide a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentHash(pub [u8; 16]);

impl Record {
    /// The digest of this copy. `updated_at` is not part of it: a version without a difference is no change. Nor is
    /// whether it is archived: a row is marked as such without its content at hand.
    pub fn content_hash(&self) -> ContentHash {
        let mut digest = Sha256::new();
        digest.update(self.created_at.timestamp_millis().to_le_bytes());
        digest.update(self.properties.digest());
        let mut half = [0; 16];
        half.copy_from_slice(&digest.finalize()[..16]);
        ContentHash(half)
    }
}

/// A record HubSpot sent that cannot be understood. It is quarantined and the rest of its page goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
    /// The id as far as it can be read; empty when there is none.
    pub id: String,
    /// What is wrong, without any property value.
    pub reason: String,
    /// The record as it came, JSON or whatever it was.
    pub raw: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_positive_decimal_numbers() {
        assert_eq!("512".parse(), Ok(ObjectId(512)));
        for text in ["", "0", "-1", "+1", "1.5", "abc", " 1", "9223372036854775808"] {
            assert!(text.parse::<ObjectId>().is_err(), "{text:?} must be refused");
        }
    }

    fn record(pairs: &[(&str, &str)]) -> Record {
        Record {
            id: ObjectId(1),
            properties: pairs.iter().copied().collect(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            archived: false,
            archived_at: None,
            read_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_content_hash_sees_every_difference_of_content() {
        let base = record(&[("a", "1"), ("b", "2")]);
        let mut later = base.clone();
        later.updated_at = DateTime::from_timestamp_millis(1).expect("valid");
        later.archived = true;
        assert_eq!(base.content_hash(), later.content_hash());

        for other in
            [record(&[("a", "1")]), record(&[("a", "2"), ("b", "1")]), record(&[("a", "1b"), ("", "2")])]
        {
            assert_ne!(base.content_hash(), other.content_hash(), "{other:?}");
        }
    }
}
