//! Why HubSpot does not take the write of one record.

use std::fmt;

use reqwest::StatusCode;

use super::error::{ErrorKind, HubSpotError};
use super::wire::failure::FailureBody;
use crate::model::ObjectId;

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// There is no such record, or not any more.
    Gone,
    /// A contact with this e-mail address exists already, or what else makes two records the same.
    Exists,
    /// Another record has the value of a unique property.
    Taken,
    /// A value or a property is not allowed, or one is missing.
    Invalid,
    /// Somebody else was writing the same; nothing was done.
    Locked,
    /// HubSpot failed; it may have been done.
    Failed,
}

/// A property HubSpot names in a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedProperty {
    /// Its name.
    pub name: String,
    /// HubSpot's word for what is wrong, such as `INVALID_OPTION`.
    pub code: Option<String>,
    /// HubSpot's sentence, addresses masked; may quote the value that was sent.
    pub message: String,
}

impl fmt::Display for RefusedProperty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)?;
        self.code.as_ref().map_or(Ok(()), |code| write!(f, " ({code})"))
    }
}

/// The refused write of one record. Other records were not affected.
///
/// The reason is for the row and not for the log: it may quote the value that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it means.
    pub kind: RefusalKind,
    /// What an operator reads, one line: the properties at fault, else HubSpot's message.
    pub reason: String,
    /// HubSpot's own class of error, such as `VALIDATION_ERROR`.
    pub category: Option<String>,
    /// The properties at fault, where HubSpot names them.
    pub properties: Vec<RefusedProperty>,
    /// The record that is meant by [`RefusalKind::Exists`] and [`RefusalKind::Taken`], where HubSpot names it.
    pub existing: Option<ObjectId>,
}

impl RefusalKind {
    /// Whether the same write may be taken later.
    pub const fn passes(self) -> bool {
        match self {
            Self::Locked | Self::Failed => true,
            Self::Gone | Self::Exists | Self::Taken | Self::Invalid => false,
        }
    }
}

impl Refusal {
    /// The refusal in the error of a call about one record, or about several that were refused together; `None` for an
    /// error that says nothing of the records.
    pub(super) fn of(error: &HubSpotError) -> Option<Self> {
        let is_about_records = match error.kind() {
            ErrorKind::NotFound => true,
            ErrorKind::BadRequest => error.status().is_some_and(|status| REFUSING.contains(&status)),
            _ => false,
        };
        is_about_records.then(|| {
            Self::told(
                error.status(),
                error.category(),
                error.message(),
                error.properties(),
                error.existing(),
            )
        })
    }

    /// The refusal in one error of a batch.
    pub(super) fn of_row(body: &FailureBody) -> Self {
        if body.is_lock() {
            let kind = RefusalKind::Locked;
            return Self { kind, ..Self::told(None, body.category.as_deref(), &body.message, &[], None) };
        }
        Self::told(None, body.category.as_deref(), &body.message, &body.properties, body.existing)
    }

    /// A refusal in these words.
    fn told(
        status: Option<u16>,
        category: Option<&str>,
        message: &str,
        properties: &[RefusedProperty],
        existing: Option<ObjectId>,
    ) -> Self {
        let reason = match (properties, message, category) {
            ([_, ..], _, _) => properties.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            ([], "", Some(category)) => format!("HubSpot says {category} and no more"),
            ([], "", None) => "HubSpot gives no reason".to_owned(),
            ([], message, _) => message.to_owned(),
        };
        Self {
            kind: kind(status, category, &[message, &reason]),
            reason,
            category: category.map(str::to_owned),
            properties: properties.to_vec(),
            existing,
        }
    }
}

/// Statuses with which HubSpot refuses the content of a write. Source: HubSpot, "Error handling"; 414 answers a write
/// to a record that was merged too often.
const REFUSING: [u16; 5] = [
    StatusCode::BAD_REQUEST.as_u16(),
    StatusCode::CONFLICT.as_u16(),
    StatusCode::PAYLOAD_TOO_LARGE.as_u16(),
    StatusCode::URI_TOO_LONG.as_u16(),
    StatusCode::UNPROCESSABLE_ENTITY.as_u16(),
];

/// What a refusal means. The category counts, because HubSpot changes its texts; where there is none the text has to do.
fn kind(status: Option<u16>, category: Option<&str>, texts: &[&str]) -> RefusalKind {
    let says = |words: &str| texts.iter().any(|text| text.contains(words));
    match category {
        Some("OBJECT_NOT_FOUND") => RefusalKind::Gone,
        Some("CONFLICT" | "OBJECT_ALREADY_EXISTS") => RefusalKind::Exists,
        Some(category)
            if ["INTERNAL", "TIMEOUT", "RATE_LIMIT"].iter().any(|word| category.contains(word)) =>
        {
            RefusalKind::Failed
        }
        _ if status == Some(StatusCode::NOT_FOUND.as_u16()) => RefusalKind::Gone,
        _ if status == Some(StatusCode::CONFLICT.as_u16()) || says("already exists") => RefusalKind::Exists,
        _ if says("already has that value") => RefusalKind::Taken,
        _ if says("may be deleted or not exist") => RefusalKind::Gone,
        _ => RefusalKind::Invalid,
    }
}
