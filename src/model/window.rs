//! A closed span of modification time.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

/// A closed span of modification time, `start` and `end` included, in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First instant covered.
    pub start: DateTime<Utc>,
    /// Last instant covered; never before `start`.
    pub end: DateTime<Utc>,
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        write!(f, "{}..{}", text(self.start), text(self.end))
    }
}
