//! The types: how each stands, what it did last, what it does next.

use chrono::{DateTime, TimeDelta, Utc};

use super::standing::{Standing, as_of};
use super::verdict::TypeFacts;
use crate::config::AlertConfig;
use crate::storage::{FailureKind, Lane, Outcome, PageOutcome, Run, SyncState, SyncStatus};
use crate::web::dashboard::moment::{Moment, span};
use crate::web::dashboard::number::{counted, grouped};

/// A type in the table.
#[derive(Debug)]
pub(super) struct TypeRow {
    pub(super) name: String,
    pub(super) standing: Standing,
    /// The sort of what went wrong.
    pub(super) kind: Option<FailureKind>,
    /// Up to when every change is here.
    pub(super) as_of: Option<Moment>,
    /// Records in the mirror; during a full listing those listed so far.
    pub(super) count: u64,
    pub(super) last: Option<LastRun>,
    pub(super) next: Next,
    /// What went wrong and what to do.
    pub(super) error: Option<Failure>,
    /// What else people should know, a line each.
    pub(super) notices: Vec<String>,
    pub(super) listing: Option<Listing>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// And what to do.
    pub(super) text: String,
    pub(super) at: Option<Moment>,
}

/// The last run of a type.
#[derive(Debug)]
pub(super) struct LastRun {
    /// When it ended, or began if it has not.
    pub(super) at: Moment,
    pub(super) tone: &'static str,
    pub(super) word: String,
    pub(super) is_running: bool,
    /// What it did.
    pub(super) did: String,
}

/// When the next run begins.
#[derive(Debug)]
pub(super) enum Next {
    /// Within seconds.
    Now,
    /// One is under way.
    Running,
    /// Then.
    At(Moment),
}

/// A full listing under way.
#[derive(Debug, PartialEq)]
pub(super) struct Listing {
    pub(super) name: String,
    /// Whether it is the first one of the type.
    pub(super) is_first: bool,
    pub(super) done: u64,
    /// How many there were in HubSpot when last counted; `None`: nobody knows.
    pub(super) total: Option<u64>,
    /// Records a second; `None` while nothing is to be seen of it.
    rate: Option<f64>,
    /// Whether a run works on it now.
    pub(super) is_running: bool,
}

impl TypeRow {
    /// The row of the type `name`, whose runs are `period` apart.
    pub(super) fn new(
        (name, period): (&str, TimeDelta),
        state: Option<&SyncState>,
        run: Option<&Run>,
        config: &AlertConfig,
        now: DateTime<Utc>,
    ) -> Self {
        let moment = |at| Moment::new(at, now);
        let Some(state) = state else { return Self::not_begun(name) };
        let error = state.last_error.clone().filter(|_| state.consecutive_failures > 0);
        let error = error.map(|text| Failure { text, at: state.last_error_at.map(moment) });
        Self {
            name: name.to_owned(),
            standing: Standing::of(state, period, config, now),
            kind: state.error_kind.filter(|_| state.consecutive_failures > 0),
            as_of: as_of(state).map(moment),
            count: state.records_synced.unsigned_abs(),
            last: run.map(|run| LastRun::of(run, now)),
            next: match state.next_run_at {
                _ if state.status == SyncStatus::Running => Next::Running,
                Some(at) if at > now => Next::At(moment(at)),
                _ => Next::Now,
            },
            error,
            notices: state.notice.iter().flat_map(|notice| notice.lines()).map(str::to_owned).collect(),
            listing: Listing::of(state, run, now),
        }
    }

    /// The row of a type nothing is known of yet.
    fn not_begun(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            standing: Standing::NotBegun,
            kind: None,
            as_of: None,
            count: 0,
            last: None,
            next: Next::Now,
            error: None,
            notices: Vec::new(),
            listing: None,
        }
    }

    /// What the first sentence of the page is decided from.
    pub(super) fn facts(&self) -> TypeFacts {
        TypeFacts { name: self.name.clone(), standing: self.standing, kind: self.kind }
    }

    /// How many records there are.
    pub(super) fn records(&self) -> String {
        grouped(self.count)
    }

    /// Whether it says more than fits into the cells.
    pub(super) fn says_more(&self) -> bool {
        self.error.is_some() || !self.notices.is_empty()
    }
}

/// How much of everything is copied, in percent; `None` while it is not known of every type how much there is.
pub(super) fn copied(rows: &[TypeRow]) -> Option<u64> {
    let of_type = |row: &TypeRow| match (&row.listing, row.as_of) {
        (Some(listing), _) => listing.total.map(|total| (listing.done, total)),
        (None, Some(_)) => Some((row.count, row.count)),
        (None, None) => None,
    };
    let counts: Option<Vec<_>> = rows.iter().map(of_type).collect();
    let (done, total) = counts?.into_iter().fold((0, 0), |(done, total), one| (done + one.0, total + one.1));
    (total > 0).then(|| (100 * done / total).min(99))
}

impl LastRun {
    /// A run as it is seen at `now`.
    fn of(run: &Run, now: DateTime<Utc>) -> Self {
        let (tone, word) = match run.outcome {
            None => ("busy", "running".to_owned()),
            // Nothing to be looked at, so nothing that catches the eye.
            Some(outcome @ Outcome::Succeeded) => ("idle", outcome.to_string()),
            Some(outcome @ Outcome::Failed) => ("bad", outcome.to_string()),
            Some(outcome @ Outcome::Interrupted) => ("warn", outcome.to_string()),
        };
        Self {
            at: Moment::new(run.finished_at.unwrap_or(run.started_at), now),
            tone,
            word,
            is_running: run.outcome.is_none(),
            did: did(run.counts.fetched, run.counts.outcome),
        }
    }
}

/// What a run did, in words.
fn did(fetched: u64, rows: PageOutcome) -> String {
    let parts = [
        (rows.inserted, "new"),
        (rows.updated, "changed"),
        (rows.deleted, "deleted"),
        (rows.quarantined, "quarantined"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let words: Vec<_> = parts.map(|(count, what)| format!("{} {what}", grouped(count))).collect();
    match words.is_empty() {
        true if fetched == 0 => "nothing new".to_owned(),
        true => format!("{} read, none new", grouped(fetched)),
        false => words.join(", "),
    }
}

impl Listing {
    /// The full listing of a type, if one is under way.
    fn of(state: &SyncState, run: Option<&Run>, now: DateTime<Utc>) -> Option<Self> {
        state.backfill_cursor.as_ref()?;
        let run = run.filter(|run| run.outcome.is_none() && run.lane == Lane::Backfill);
        Some(Self {
            name: state.object_type.clone(),
            is_first: as_of(state).is_none(),
            done: state.records_synced.unsigned_abs(),
            // More may be there by now than were counted.
            total: state.records_total.map(|total| total.max(state.records_synced).unsigned_abs()),
            rate: run.and_then(|run| rate(run.counts.fetched, now - run.started_at)),
            is_running: run.is_some(),
        })
    }

    /// How much is done, in percent; the last one is kept for the end.
    pub(super) fn percent(&self) -> Option<u64> {
        self.total.filter(|total| *total > 0).map(|total| (100 * self.done / total).min(99))
    }

    /// How much of how much.
    pub(super) fn amount(&self) -> String {
        match self.total {
            Some(total) => format!("{} of {}", grouped(self.done), counted(total, "record")),
            None => counted(self.done, "record"),
        }
    }

    /// How fast it goes and when it will be done.
    pub(super) fn pace(&self) -> String {
        let Some(rate) = self.rate else {
            return if self.is_running { "beginning" } else { "goes on with the next run" }.to_owned();
        };
        let speed = if rate < 1.0 {
            format!("{} a minute", (rate * 60.0).round())
        } else {
            format!("{} a second", grouped(rate.round() as u64))
        };
        let left = self.total.map(|total| (total.saturating_sub(self.done)) as f64 / rate);
        // Half a million years are no time to add.
        let left = left.filter(|left| *left < 1e9).map(|left| TimeDelta::seconds(left.ceil() as i64));
        match left {
            Some(left) => {
                let left = span(left).map_or("nearly done".to_owned(), |left| format!("about {left} left"));
                format!("{speed}, {left}")
            }
            None => speed,
        }
    }
}

/// Records a second; `None` before there were any, or a second has passed.
fn rate(records: u64, elapsed: TimeDelta) -> Option<f64> {
    let seconds = elapsed.num_milliseconds() as f64 / 1000.0;
    (records > 0 && seconds >= 1.0).then(|| records as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A listing under way.
    fn listing(done: u64, total: Option<u64>, rate: Option<f64>) -> Listing {
        Listing { name: "contacts".to_owned(), is_first: true, done, total, rate, is_running: true }
    }

    #[test]
    fn a_listing_tells_its_pace_and_the_time_left() {
        for (done, total, rate, amount, pace) in [
            (12_000, Some(60_000), Some(400.0), "12,000 of 60,000 records", "400 a second, about 2 min left"),
            (100, Some(1_000_000), Some(10.0), "100 of 1,000,000 records", "10 a second, about 27 h left"),
            (10, Some(70), Some(0.5), "10 of 70 records", "30 a minute, about 2 min left"),
            (999, Some(1_000), Some(400.0), "999 of 1,000 records", "400 a second, nearly done"),
            (1, None, Some(1.0), "1 record", "1 a second"),
            (0, Some(50), None, "0 of 50 records", "beginning"),
        ] {
            let listing = listing(done, total, rate);
            assert_eq!((listing.amount().as_str(), listing.pace().as_str()), (amount, pace));
        }
        let waiting = Listing { is_running: false, ..listing(1, Some(2), None) };
        assert_eq!(waiting.pace(), "goes on with the next run");
    }

    #[test]
    fn a_listing_is_not_done_before_it_is() {
        assert_eq!(listing(50, Some(200), None).percent(), Some(25));
        assert_eq!(listing(200, Some(200), None).percent(), Some(99));
        assert_eq!([Some(0), None].map(|total| listing(0, total, None).percent()), [None, None]);
    }

    #[test]
    fn how_much_is_copied_counts_every_type() {
        let copy = |count, listing| TypeRow { count, listing, ..TypeRow::not_begun("contacts") };
        let complete = |count| {
            let now = DateTime::UNIX_EPOCH;
            TypeRow { as_of: Some(Moment::new(now, now)), ..copy(count, None) }
        };
        assert_eq!(copied(&[complete(100), copy(50, Some(listing(50, Some(300), None)))]), Some(37));
        assert_eq!(copied(&[complete(100), copy(0, None)]), None);
        assert_eq!(copied(&[copy(9, Some(listing(9, None, None)))]), None);
        assert_eq!(copied(&[complete(0)]), None);
    }

    #[test]
    fn there_is_no_rate_before_anything_happened() {
        assert_eq!(rate(0, TimeDelta::seconds(10)), None);
        assert_eq!(rate(100, TimeDelta::milliseconds(900)), None);
        assert_eq!(rate(100, TimeDelta::seconds(4)), Some(25.0));
    }

    #[test]
    fn a_run_tells_what_it_did_and_not_what_it_did_not() {
        let rows = |inserted, updated, quarantined| PageOutcome {
            inserted,
            updated,
            quarantined,
            ..PageOutcome::default()
        };
        assert_eq!(did(0, rows(0, 0, 0)), "nothing new");
        assert_eq!(did(1_200, rows(0, 0, 0)), "1,200 read, none new");
        assert_eq!(did(40, rows(12, 1_003, 2)), "12 new, 1,003 changed, 2 quarantined");
    }
}
