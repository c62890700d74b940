//! What is told to whoever is watching: progress bars, and the pages and programs at the live feed. An event says what has
//! happened, is told after it is committed, and holds no values.

use std::fmt;

use tokio::sync::broadcast;

use super::Subject;
use crate::model::{ObjectId, ObjectType};
use crate::storage::{Lane, PageOutcome, RunCounts};

/// Events kept for a slow watcher before it misses some. A page or a batch is one event.
const CAPACITY: usize = 1024;
/// Most records an event names.
const MOST_NAMED: usize = 20;

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A lane of a run began.
    Started {
        /// What it is about.
        subject: Subject,
        /// How it finds records.
        lane: Lane,
    },
    /// A page is stored.
    Progress {
        /// What it is about.
        subject: Subject,
        /// Records done so far, those of an earlier, interrupted run included.
        done: u64,
        /// Records to expect, `None` when nobody knows.
        total: Option<u64>,
    },
    /// A lane ended.
    Finished {
        /// What it was about.
        subject: Subject,
        /// How it found records.
        lane: Lane,
        /// What it did.
        counts: RunCounts,
        /// Why it failed, `None` when it did not.
        error: Option<String>,
    },
    /// Rows of a type have changed.
    Changed {
        /// Whose.
        object_type: &'static ObjectType,
        /// How many.
        count: u64,
        /// Which: some of them, when they are many.
        records: Vec<RecordName>,
    },
    /// Links of records have been read again.
    Linked {
        /// The type of the records.
        object_type: &'static ObjectType,
        /// How many.
        count: u64,
        /// Which: some of them, when they are many.
        records: Vec<RecordName>,
    },
    /// A conflict has changed.
    Conflict {
        /// The type of its record, by name.
        object_type: String,
        /// Its number.
        id: i64,
        /// How.
        step: ConflictNews,
    },
    /// Edits were sent, or will not be.
    Pushed {
        /// The type of the records.
        object_type: &'static ObjectType,
        /// Edits HubSpot has taken.
        sent: u64,
        /// Edits that wait for a person now: refused, or given up after all tries.
        failed: u64,
    },
    /// Edits that had failed are sent again.
    Retried {
        /// How many.
        count: u64,
    },
}

/// How a record is named: as in the paths of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordName {
    /// `id` of its row.
    Row(i64),
    /// Its id in HubSpot.
    HubSpot(ObjectId),
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(key) => key.fmt(f),
            Self::HubSpot(id) => write!(f, "hs-{id}"),
        }
    }
}

/// What has become of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictNews {
    /// There is a new one.
    Opened,
    /// It is about something else now.
    Updated,
    /// A person has decided, or nothing was left to decide.
    Closed,
}

impl Event {
    /// Rows of a type have changed: these, or some of these.
    pub fn changed(
        object_type: &'static ObjectType,
        count: u64,
        records: impl IntoIterator<Item = RecordName>,
    ) -> Self {
        Self::Changed { object_type, count, records: records.into_iter().take(MOST_NAMED).collect() }
    }

    /// Links of these records have been read again.
    pub(super) fn linked(object_type: &'static ObjectType, ids: &[ObjectId]) -> Self {
        let records = ids.iter().copied().map(RecordName::HubSpot).take(MOST_NAMED).collect();
        Self::Linked { object_type, count: ids.len() as u64, records }
    }
}

/// The channel of events. Cheap to clone; sending never waits and never fails.
#[derive(Debug, Clone)]
pub struct Events(broadcast::Sender<Event>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::channel(CAPACITY).0)
    }
}

impl Events {
    /// Tells all watchers; nobody watching is fine.
    pub fn send(&self, event: Event) {
        self.0.send(event).ok();
    }

    /// Tells that a page is stored, if it has changed anything. `changed` are the records whose rows were written.
    pub(super) fn stored(
        &self,
        object_type: &'static ObjectType,
        outcome: PageOutcome,
        changed: &[ObjectId],
    ) {
        let count = outcome.inserted + outcome.updated + outcome.deleted;
        if count > 0 {
            let records = changed.iter().copied().map(RecordName::HubSpot);
            self.send(Event::changed(object_type, count, records));
        }
    }

    /// Starts watching from now on.
    pub fn watch(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}
