//! What was measured, and the table that shows it.

use std::fmt;

use comfy_table::{ContentArrangement, Table, presets};

/// One figure.
pub struct Figure {
    /// What it says something about.
    pub what: &'static str,
    /// The measured value, in `unit`.
    pub measured: f64,
    /// What it should be.
    pub goal: Goal,
    /// Unit of the value and of the goal.
    pub unit: &'static str,
    /// How it was measured.
    pub how: String,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.what, number(self.measured), self.unit)
    }
}

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// Context for the other figures.
    None,
}

impl Goal {
    /// Whether `measured` is as it should be; `None` without a goal.
    fn is_met(self, measured: f64) -> Option<bool> {
        match self {
            Self::AtLeast(least) => Some(measured >= least),
            Self::AtMost(most) => Some(measured <= most),
            Self::None => None,
        }
    }
}

/// The middle value, the mean of the two middle ones where their number is even; NaN of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

/// The value that this share of the values is not above, by the nearest rank.
///
/// # Panics
/// When there is no value.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

/// All figures as a table.
pub fn table(figures: &[Figure]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["What", "Measured", "Goal", "Met", "How"]);
    for figure in figures {
        let goal = match figure.goal {
            Goal::AtLeast(least) => format!("at least {} {}", number(least), figure.unit),
            Goal::AtMost(most) => format!("at most {} {}", number(most), figure.unit),
            Goal::None => String::new(),
        };
        let met = figure.goal.is_met(figure.measured).map_or("", |met| if met { "yes" } else { "no" });
        let measured = format!("{} {}", number(figure.measured), figure.unit);
        table.add_row([figure.what, measured.trim_end(), goal.trim_end(), met, &figure.how]);
    }
    table.to_string()
}

/// A number with three significant digits or, from 1,000 on, all digits in groups of three.
fn number(value: f64) -> String {
    match value {
        _ if value >= 1_000.0 => grouped(value.round() as u64),
        _ if value >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// `1234567` as `1,234,567`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
