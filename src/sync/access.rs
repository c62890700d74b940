//! Types HubSpot does not let us read: the token lacks a scope, or the account has no such type.
//!
//! Such a type is no reason to keep asking. Its runs stay on schedule, begin with one question that needs the right
//! to read, and end there; its pipelines wait for its records. What is in the mirror stays as it is. The log says once
//! that a type is refused and once that it is not any more; `sync_state` says so all the time.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::info;

use super::Subject;
use super::engine::Engine;
use super::error::SyncError;
use super::run::Run;
use crate::hubspot::Priority;
use crate::storage::Trigger;

/// The subjects whose last run ended because HubSpot does not let them be read, by name.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<BTreeSet<String>>);

impl Refusals {
    /// Whether the last run of the subject was refused.
    pub(super) fn contain(&self, subject: Subject) -> bool {
        self.lock().contains(&subject.to_string())
    }

    /// Notes how a run ended; returns whether the one before was refused.
    pub(super) fn note(&self, subject: Subject, is_refused: bool) -> bool {
        let name = subject.to_string();
        if is_refused { !self.lock().insert(name) } else { self.lock().remove(&name) }
    }

    /// The names; no holder of the lock leaves them half-changed.
    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Asks for as little as possible of a subject that was refused the last time, before anything else is done.
    ///
    /// # Errors
    /// When it still is, or belongs to a type that is. A person's request is always asked for.
    pub(super) async fn knock(&self, run: &Run, trigger: Trigger) -> Result<(), SyncError> {
        match run.subject {
            Subject::Records(object_type) if self.refusals.contain(run.subject) => {
                run.hubspot.count_records(object_type, Priority::Incremental).await?;
            }
            Subject::Pipelines(object_type)
                if trigger == Trigger::Schedule && self.refusals.contain(Subject::Records(object_type)) =>
            {
                return Err(SyncError::TypeRefused(object_type.name));
            }
            Subject::Records(_) | Subject::Pipelines(_) | Subject::Schema(_) | Subject::Owners => {}
        }
        Ok(())
    }

    /// Notes whether the subject may be read, as its run has shown; returns whether that is known already, so that
    /// the log need not repeat it. A run that failed for another reason shows nothing.
    pub(super) fn note_access<T>(&self, subject: Subject, result: &Result<T, SyncError>) -> bool {
        match result {
            Ok(_) => {
                if self.refusals.note(subject, false) {
                    info!(%subject, "HubSpot lets {subject} be read again");
                }
                false
            }
            Err(error) if error.is_refusal() => self.refusals.note(subject, true),
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_news_once_and_so_is_its_end() {
        let refusals = Refusals::default();
        assert!(!refusals.note(Subject::Owners, false), "nothing was refused before");
        assert!(!refusals.note(Subject::Owners, true));
        assert!(refusals.contain(Subject::Owners));
        assert!(refusals.note(Subject::Owners, true), "the second one is known");
        assert!(refusals.note(Subject::Owners, false), "the end of it is news");
        assert!(!refusals.note(Subject::Owners, false));
    }
}
