//! Charts of the last day: bars in an SVG that stretches, and words around it that do not.

use chrono::{DateTime, TimeDelta, Utc};

use crate::web::dashboard::moment::span;
use crate::web::dashboard::number::grouped;

/// Hours a chart shows, the present one included.
pub(super) const HOURS: i64 = 24;
/// Width of an hour in the SVG.
const STEP: u32 = 20;
/// Height of the SVG.
const HEIGHT: u32 = 100;
/// Least height of a bar that stands for something.
const LEAST: u32 = 1;

/// What a chart counts in.
struct Unit {
    /// The least end of a scale that is not less.
    top: fn(u64) -> u64,
    /// A number in words.
    words: fn(Option<u64>) -> String,
}

/// A chart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chart {
    /// Names it in the page.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// All of it in a sentence.
    pub(super) summary: String,
    /// What is said when there is nothing to be seen.
    pub(super) nothing: &'static str,
    /// Size of the SVG, and of an hour in it.
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) step: u32,
    /// What the bars are, with the class of each.
    pub(super) series: Vec<(&'static str, &'static str)>,
    pub(super) hours: Vec<HourBar>,
    /// What the lines stand for, from the top.
    pub(super) scale: [String; 3],
    /// What the hours below the chart are called.
    pub(super) times: Vec<String>,
}

/// The bars of an hour.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HourBar {
    /// When it began.
    pub(super) hour: String,
    pub(super) x: u32,
    pub(super) bars: Vec<Bar>,
    /// A word a series, as the table and the tooltip tell it.
    pub(super) values: Vec<String>,
}

/// A bar.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// An hour with the numbers that are shown of it; `None` where there is none.
pub(super) type Hour = (DateTime<Utc>, Vec<Option<u64>>);

impl Chart {
    /// Whether there is anything to be seen.
    pub(super) fn is_empty(&self) -> bool {
        self.hours.iter().all(|hour| hour.bars.is_empty())
    }

    /// A chart of the changes of each hour, pulled and pushed.
    pub(super) fn of_changes(hours: &[Hour]) -> Self {
        let total = |index: usize| hours.iter().filter_map(|(_, values)| values[index]).sum::<u64>();
        let summary = format!("{} from HubSpot and {} to HubSpot", grouped(total(0)), grouped(total(1)));
        Self::new(
            ("changes", "Changes per hour", "No record changed in this time."),
            summary,
            vec![("pulled", "from HubSpot"), ("pushed", "to HubSpot")],
            hours,
            Unit { top: nice, words: |value| value.map_or_else(|| "0".to_owned(), grouped) },
        )
    }

    /// A chart of how long changes had to wait in each hour, in seconds.
    pub(super) fn of_lag(hours: &[Hour]) -> Self {
        let most = hours.iter().filter_map(|(_, values)| values[0]).max();
        let summary = most.map_or_else(
            || "no search was made".to_owned(),
            |most| format!("{} at most", words_of_seconds(most)),
        );
        Self::new(
            ("lag", "Longest wait for a change, per hour", "There was no search for changes in this time."),
            summary,
            vec![("lag", "until it was here")],
            hours,
            Unit {
                top: nice_seconds,
                words: |value| value.map_or_else(|| "no search".to_owned(), words_of_seconds),
            },
        )
    }

    /// A chart with a scale that fits its numbers, and the words for them.
    fn new(
        (id, title, nothing): (&'static str, &'static str, &'static str),
        summary: String,
        series: Vec<(&'static str, &'static str)>,
        hours: &[Hour],
        Unit { top, words }: Unit,
    ) -> Self {
        let most = hours.iter().flat_map(|(_, values)| values).flatten().max();
        let top = top(most.copied().unwrap_or_default());
        let thickness = (STEP - 4) / series.len() as u32;
        let hour = |(index, (at, values)): (usize, &Hour)| {
            let x = index as u32 * STEP;
            let bar = |(place, value): (usize, &Option<u64>)| {
                let height = height(value.filter(|value| *value > 0)?, top);
                let x = x + 2 + place as u32 * thickness;
                Some(Bar { class: series[place].0, x, y: HEIGHT - height, width: thickness, height })
            };
            HourBar {
                hour: at.format("%H:%M").to_string(),
                x,
                bars: values.iter().enumerate().filter_map(bar).collect(),
                values: values.iter().map(|value| words(*value)).collect(),
            }
        };
        let bars: Vec<_> = hours.iter().enumerate().map(hour).collect();
        let times = hours.iter().step_by(6).map(|(at, _)| at.format("%H:%M").to_string()).collect();
        let scale = [words(Some(top)), words(Some(top / 2)), "0".to_owned()];
        let width = hours.len() as u32 * STEP;
        Self {
            id,
            title,
            summary,
            nothing,
            width,
            height: HEIGHT,
            step: STEP,
            series,
            hours: bars,
            scale,
            times,
        }
    }
}

/// The hours of a chart that ends with the hour `last`.
pub(super) fn hours_until(last: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    (0..HOURS).rev().map(move |back| last - TimeDelta::hours(back))
}

/// The height of a bar; what is not nothing can be seen.
fn height(value: u64, top: u64) -> u32 {
    let height = value as f64 / top as f64 * f64::from(HEIGHT);
    (height.round() as u32).clamp(LEAST, HEIGHT)
}

/// The least number that is 2, 4 or 10 times a power of ten and not less than `most`, and at least 4: half of it is a round
/// number too.
fn nice(most: u64) -> u64 {
    let powers = std::iter::successors(Some(1_u64), |power| power.checked_mul(10));
    let steps =
        powers.flat_map(|power| [2, 4, 10].into_iter().filter_map(move |step| power.checked_mul(step)));
    steps.into_iter().find(|step| *step >= most.max(4)).unwrap_or(u64::MAX)
}

/// The least length of time people count in that is not less, in seconds; at least 2 minutes.
fn nice_seconds(most: u64) -> u64 {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const STEPS: [u64; 10] = [
        2 * MINUTE,
        4 * MINUTE,
        10 * MINUTE,
        20 * MINUTE,
        HOUR,
        2 * HOUR,
        4 * HOUR,
        12 * HOUR,
        24 * HOUR,
        48 * HOUR,
    ];
    let days = || most.div_ceil(48 * HOUR) * 48 * HOUR;
    STEPS.into_iter().find(|step| *step >= most).unwrap_or_else(days)
}

/// Seconds in their largest unit.
fn words_of_seconds(seconds: u64) -> String {
    span(TimeDelta::seconds(seconds as i64)).unwrap_or_else(|| format!("{seconds} s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hours with those numbers.
    fn hours(first: Vec<Option<u64>>, second: Vec<Option<u64>>) -> Vec<Hour> {
        let at: DateTime<Utc> = "2026-07-01T10:00:00Z".parse().unwrap();
        vec![(at, first), (at + TimeDelta::hours(1), second)]
    }

    #[test]
    fn a_scale_ends_at_a_round_number_that_can_be_halved() {
        let tops = [0, 3, 4, 5, 11, 40, 41, 150, 999, 1_001].map(nice);
        assert_eq!(tops, [4, 4, 4, 10, 20, 40, 100, 200, 1_000, 2_000]);
        assert_eq!([0, 121, 3_600, 200_000].map(nice_seconds), [120, 240, 3_600, 345_600]);
    }

    #[test]
    fn bars_are_as_high_as_their_numbers() {
        let chart = Chart::of_changes(&hours(vec![Some(40), Some(0)], vec![Some(1), Some(20)]));
        let bars: Vec<_> = chart.hours.iter().flat_map(|hour| &hour.bars).collect();
        let shown: Vec<_> = bars.iter().map(|bar| (bar.class, bar.x, bar.y, bar.height)).collect();
        assert_eq!(shown, [("pulled", 2, 0, 100), ("pulled", 22, 97, 3), ("pushed", 30, 50, 50)]);
        assert_eq!(chart.summary, "41 from HubSpot and 20 to HubSpot");
        assert_eq!(chart.scale, ["40", "20", "0"]);
    }

    #[test]
    fn an_hour_without_a_search_has_no_bar_and_says_why() {
        let chart = Chart::of_lag(&hours(vec![None], vec![Some(330)]));
        assert!(chart.hours[0].bars.is_empty());
        assert_eq!(
            (&chart.hours[0].values[0], &chart.hours[1].values[0]),
            (&"no search".into(), &"5 min".into())
        );
        assert_eq!((chart.summary.as_str(), &chart.scale[0]), ("5 min at most", &"10 min".to_owned()));
        assert!(Chart::of_lag(&hours(vec![None], vec![None])).is_empty());
    }

    #[test]
    fn little_beside_much_is_still_seen() {
        assert_eq!([height(1, 1_000_000), height(5, 10), height(10, 10)], [1, 50, 100]);
    }
}
