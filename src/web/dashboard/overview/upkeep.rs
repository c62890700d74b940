//! The lanes beside the regular runs: types down, lanes across.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::storage::{LaneState, SyncState, SyncStatus, UpkeepLane};
use crate::web::dashboard::moment::Moment;

/// The lanes of all types.
#[derive(Debug)]
pub(super) struct Upkeep {
    pub(super) lanes: Vec<&'static str>,
    pub(super) rows: Vec<UpkeepRow>,
    /// Lanes whose last run failed.
    pub(super) failed: usize,
}

/// The lanes of a type.
#[derive(Debug)]
pub(super) struct UpkeepRow {
    pub(super) name: String,
    /// One a lane; `None` where the type has no such lane.
    pub(super) cells: Vec<Option<LaneCell>>,
    /// Up to when an audit has proven the mirror equal.
    pub(super) verified: Option<Moment>,
    /// Records the last audit had to repair.
    pub(super) repairs: i64,
}

/// A lane of a type.
#[derive(Debug)]
pub(super) struct LaneCell {
    pub(super) tone: &'static str,
    pub(super) word: &'static str,
    /// Start of the last pass that came to its end.
    pub(super) completed: Option<Moment>,
    pub(super) next: Option<Moment>,
}

impl Upkeep {
    /// The lanes of the types of `states`.
    pub(super) fn new<'s>(
        states: impl Iterator<Item = &'s SyncState>,
        lanes: &[LaneState],
        now: DateTime<Utc>,
    ) -> Self {
        let moment = |at| Moment::new(at, now);
        let of_lane: BTreeMap<_, _> =
            lanes.iter().map(|lane| ((lane.object_type.as_str(), lane.lane.word()), lane)).collect();
        let row = |state: &SyncState| {
            let cell = |lane: &UpkeepLane| {
                of_lane.get(&(state.object_type.as_str(), lane.word())).map(|lane| LaneCell::of(lane, now))
            };
            UpkeepRow {
                name: state.object_type.clone(),
                cells: UpkeepLane::ALL.iter().map(cell).collect(),
                verified: state.verified_as_of.map(moment),
                repairs: state.audit_repairs,
            }
        };
        let rows: Vec<_> = states.map(row).filter(|row| row.cells.iter().any(Option::is_some)).collect();
        let cells = rows.iter().flat_map(|row| &row.cells).flatten();
        let failed = cells.filter(|cell| cell.tone == "bad").count();
        Self { lanes: UpkeepLane::ALL.iter().map(|lane| lane.word()).collect(), failed, rows }
    }
}

impl LaneCell {
    /// A lane as it is seen at `now`.
    fn of(lane: &LaneState, now: DateTime<Utc>) -> Self {
        let (tone, word) = match lane.status {
            SyncStatus::Error => ("bad", "failed"),
            SyncStatus::Running => ("busy", "running"),
            SyncStatus::Idle if lane.pass_cursor.is_some() => ("busy", "under way"),
            SyncStatus::Idle if lane.completed_at.is_some() => ("good", "done"),
            SyncStatus::Idle => ("idle", "not yet"),
        };
        let moment = |at| Moment::new(at, now);
        Self {
            tone,
            word,
            completed: lane.completed_at.map(moment),
            next: lane.next_run_at.filter(|at| *at > now).map(moment),
        }
    }
}
