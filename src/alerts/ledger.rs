//! What is news: a problem that begins, and one that is over for good.
//!
//! A problem is over when it has been gone for a while. One that comes back within a day must be gone for twice as
//! long the next time, so that one which comes and goes is told of a few times a day and not a hundred times.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Problem;
use super::judge::Findings;
use crate::storage::AlertRow;

/// How long a problem that is over is remembered.
pub(super) const MEMORY: TimeDelta = TimeDelta::days(1);

/// Longest time a problem has to be gone, unless the settings ask for more.
const LONGEST_QUIET: Duration = Duration::from_hours(2);

/// What has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// What is to be noted: every problem that is there, begins or is over.
    pub rows: Vec<AlertRow>,
    /// Problems that begin.
    pub begun: Vec<AlertRow>,
    /// Problems that are over.
    pub ended: Vec<AlertRow>,
}

/// Compares what was known with what is `found` at `now`. A problem must be gone for `quiet` to be over, counted from when
/// it could last be told whether it is there.
pub(super) fn settle(known: &[AlertRow], found: &Findings, now: DateTime<Utc>, quiet: Duration) -> News {
    let mut news = News::default();
    let Findings { problems, unknown } = found;
    for problem in problems {
        let row = known.iter().find(|row| is_same(row, problem));
        if let Some(row) = row.filter(|row| row.ended_at.is_none()) {
            news.rows.push(AlertRow { last_seen_at: now, ..row.clone() });
        } else {
            let begun = begin(problem, row, now);
            news.rows.push(begun.clone());
            news.begun.push(begun);
        }
    }
    let is_gone =
        |row: &&AlertRow| row.ended_at.is_none() && !problems.iter().any(|problem| is_same(row, problem));
    for row in known.iter().filter(is_gone) {
        if unknown.contains(&row.problem) {
            news.rows.push(AlertRow { last_seen_at: now, ..row.clone() });
        } else if now - row.last_seen_at >= calm(row.episodes, quiet) {
            let ended = AlertRow { ended_at: Some(now), ..row.clone() };
            news.rows.push(ended.clone());
            news.ended.push(ended);
        }
    }
    news
}

/// Whether a row is about this problem.
fn is_same(row: &AlertRow, problem: &Problem) -> bool {
    row.problem == problem.kind && row.about == problem.about
}

/// The row of a problem that begins, for another time if there is a row of it.
fn begin(problem: &Problem, earlier: Option<&AlertRow>, now: DateTime<Utc>) -> AlertRow {
    let remembered = earlier.filter(|row| row.ended_at.is_some_and(|ended_at| now - ended_at < MEMORY));
    AlertRow {
        problem: problem.kind,
        about: problem.about.clone(),
        text: problem.text.clone(),
        since: now,
        last_seen_at: now,
        ended_at: None,
        episodes: remembered.map_or(1, |row| row.episodes.saturating_add(1)),
    }
}

/// How long a problem has to be gone that has begun so often.
fn calm(episodes: u32, quiet: Duration) -> TimeDelta {
    let doubled = quiet.saturating_mul(2_u32.saturating_pow(episodes.saturating_sub(1)));
    TimeDelta::from_std(doubled.min(LONGEST_QUIET.max(quiet))).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::AlertKind;

    const QUIET: Duration = Duration::from_mins(5);

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
    }

    fn failing(about: &str) -> Problem {
        Problem { kind: AlertKind::Failing, about: about.to_owned(), text: format!("{about} fails") }
    }

    /// The ledger as the database keeps it.
    #[derive(Default)]
    struct Ledger(Vec<AlertRow>);

    impl Ledger {
        /// Settles and keeps the rows; returns what begins and what is over.
        fn settle(&mut self, found: &[Problem], now: DateTime<Utc>) -> (Vec<String>, Vec<String>) {
            self.settle_knowing(found, &[], now)
        }

        /// The same, where of some problems nothing can be told.
        fn settle_knowing(
            &mut self,
            found: &[Problem],
            unknown: &'static [AlertKind],
            now: DateTime<Utc>,
        ) -> (Vec<String>, Vec<String>) {
            let news = settle(&self.0, &Findings { problems: found.to_vec(), unknown }, now, QUIET);
            for row in news.rows {
                self.0.retain(|known| (known.problem, &known.about) != (row.problem, &row.about));
                self.0.push(row);
            }
            self.0.retain(|row| row.ended_at.is_none_or(|ended_at| ended_at >= now - MEMORY));
            let names = |rows: Vec<AlertRow>| rows.into_iter().map(|row| row.about).collect();
            (names(news.begun), names(news.ended))
        }
    }

    const NOTHING: (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());

    fn begins(about: &str) -> (Vec<String>, Vec<String>) {
        (vec![about.to_owned()], Vec::new())
    }

    fn ends(about: &str) -> (Vec<String>, Vec<String>) {
        (Vec::new(), vec![about.to_owned()])
    }

    #[test]
    fn a_problem_is_told_once_when_it_begins_and_once_when_it_is_over() {
        let mut ledger = Ledger::default();
        let problem = [failing("contacts")];
        assert_eq!(ledger.settle(&problem, at(0)), begins("contacts"));
        for minute in 1..60 {
            assert_eq!(ledger.settle(&problem, at(minute)), NOTHING, "{minute}");
        }
        assert_eq!(ledger.settle(&[], at(61)), NOTHING, "it may come back");
        assert_eq!(ledger.settle(&[], at(64)), ends("contacts"));
        assert_eq!(ledger.settle(&[], at(65)), NOTHING);
    }

    #[test]
    fn problems_of_other_types_and_kinds_are_others() {
        let mut ledger = Ledger::default();
        ledger.settle(&[failing("contacts")], at(0));
        let behind = Problem { kind: AlertKind::Behind, ..failing("contacts") };
        let all = [failing("contacts"), failing("deals"), behind];
        let (begun, ended) = ledger.settle(&all, at(1));
        assert_eq!((begun, ended), (vec!["deals".to_owned(), "contacts".to_owned()], vec![]));
    }

    #[test]
    fn what_comes_back_at_once_was_never_over() {
        let mut ledger = Ledger::default();
        ledger.settle(&[failing("contacts")], at(0));
        for minute in (0..600).step_by(4) {
            let found = if minute % 8 == 0 { vec![failing("contacts")] } else { vec![] };
            assert_eq!(ledger.settle(&found, at(minute)), NOTHING, "{minute}");
        }
    }

    #[test]
    fn a_problem_that_comes_and_goes_is_told_of_a_few_times_a_day() {
        let mut ledger = Ledger::default();
        let mut told = 0;
        for minute in 0..24 * 60 {
            // There for 10 minutes, gone for 10.
            let found = if minute % 20 < 10 { vec![failing("contacts")] } else { vec![] };
            let (begun, ended) = ledger.settle(&found, at(minute));
            told += begun.len() + ended.len();
        }
        assert!((2..=6).contains(&told), "{told} messages");
    }

    #[test]
    fn after_a_quiet_day_a_problem_is_a_new_one() {
        let mut ledger = Ledger::default();
        for day in 0..5 {
            let start = day * 3 * 24 * 60;
            assert_eq!(ledger.settle(&[failing("contacts")], at(start)), begins("contacts"));
            assert_eq!(ledger.settle(&[], at(start + 5)), ends("contacts"));
        }
    }

    #[test]
    fn the_time_to_be_gone_doubles_up_to_a_limit() {
        let minutes: Vec<_> = (1..=7).map(|episodes| calm(episodes, QUIET).num_minutes()).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 80, 120, 120]);
        assert_eq!(calm(u32::MAX, Duration::from_hours(24)), TimeDelta::hours(24));
        assert_eq!(calm(9, Duration::ZERO), TimeDelta::zero());
    }

    #[test]
    fn what_cannot_be_told_is_not_over() {
        let mut ledger = Ledger::default();
        ledger.settle(&[failing("contacts")], at(0));
        for minute in 1..30 {
            let told = ledger.settle_knowing(&[], &[AlertKind::Failing], at(minute));
            assert_eq!(told, NOTHING, "{minute}");
        }
        assert_eq!(ledger.settle(&[], at(33)), NOTHING, "it has to be seen to be gone");
        assert_eq!(ledger.settle(&[], at(34)), ends("contacts"));
    }
}
