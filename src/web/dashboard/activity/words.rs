//! The log and the runs in words.

use crate::storage::{Lane, LogAction, LogDirection, LogStatus, Outcome};

/// What was done, and on which side.
pub(super) fn action(action: LogAction, direction: LogDirection) -> &'static str {
    match (action, direction) {
        (LogAction::Create, LogDirection::Push) => "create in HubSpot",
        (LogAction::Update, LogDirection::Push) => "update in HubSpot",
        (LogAction::Delete, LogDirection::Push) => "delete in HubSpot",
        (LogAction::Create, LogDirection::Pull) => "create here",
        (LogAction::Update, LogDirection::Pull) => "update here",
        (LogAction::Delete, LogDirection::Pull) => "delete here",
    }
}

/// The tone of a status.
pub(super) fn tone(status: LogStatus) -> &'static str {
    match status {
        LogStatus::Success => "good",
        LogStatus::Failed => "bad",
        LogStatus::Pending => "idle",
        LogStatus::Retrying => "warn",
    }
}

/// What a status means, where nothing more is known.
pub(super) fn meaning(status: LogStatus) -> &'static str {
    match status {
        LogStatus::Success => "",
        LogStatus::Failed => "given up; it waits for a person",
        LogStatus::Pending => "waits for its turn",
        LogStatus::Retrying => "will be tried again",
    }
}

/// The word and tone of how a run ended; `None`: it runs.
pub(super) fn outcome(outcome: Option<Outcome>) -> (&'static str, &'static str) {
    match outcome {
        None => ("running", "busy"),
        Some(Outcome::Succeeded) => (Outcome::Succeeded.word(), "good"),
        Some(Outcome::Failed) => (Outcome::Failed.word(), "bad"),
        Some(Outcome::Interrupted) => (Outcome::Interrupted.word(), "idle"),
    }
}

/// What a lane does.
pub(super) fn lane(lane: Lane) -> &'static str {
    match lane {
        Lane::Backfill => "full listing",
        Lane::Incremental => "search for changes",
        Lane::Delayed => "older window again",
        Lane::Reference => "small table, whole",
        Lane::Archive => "recycle bin",
        Lane::Fill => "new properties",
        Lane::Associations => "links",
        Lane::Audit => "comparison of everything",
    }
}
