//! What the engine tells whoever is watching: the progress bars now, anything live later.

use tokio::sync::broadcast;

use super::Subject;
use crate::storage::{Lane, RunCounts};

/// Events kept for a slow watcher before it misses some. A page is one event.
const CAPACITY: usize = 1024;

/// Something happened in a run.
#[derive(Debug, Clone)]
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
    pub(super) fn send(&self, event: Event) {
        self.0.send(event).ok();
    }

    /// Starts watching from now on.
    pub fn watch(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}
