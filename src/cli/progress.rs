//! Progress bars for a person at a terminal: one a type, with rate and time left.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write, stderr};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::storage::RunCounts;
use crate::sync::Event;

/// A type whose total is known.
const BAR: &str = "{prefix:<16} {bar:32} {human_pos:>9} of {human_len:<9} {rate:>9} {eta:>5} left";
/// A type whose total nobody knows.
const SPINNER: &str = "{prefix:<16} {spinner} {human_pos} {msg}";
/// A type that is done.
const DONE: &str = "{prefix:<16} {msg}";
/// How often a bar is redrawn without news.
const TICK: Duration = Duration::from_millis(120);

/// The bars. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Bars {
    area: MultiProgress,
}

impl Bars {
    /// Draws events until their sender is gone.
    pub(super) async fn draw(self, mut events: Receiver<Event>) {
        let mut bars = HashMap::new();
        loop {
            match events.recv().await {
                Ok(event) => self.show(&mut bars, event),
                // A slow terminal misses a few pages, not the end.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Draws one event.
    fn show(&self, bars: &mut HashMap<String, ProgressBar>, event: Event) {
        match event {
            Event::Started { subject, .. } => {
                self.bar(bars, &subject.to_string());
            }
            Event::Progress { subject, done, total } => {
                Self::advance(self.bar(bars, &subject.to_string()), done, total);
            }
            Event::Finished { subject, counts, error, .. } => {
                let message = error.map_or_else(|| summary(&counts), |error| format!("failed: {error}"));
                Self::finish(self.bar(bars, &subject.to_string()), message);
            }
            Event::Changed { .. }
            | Event::Linked { .. }
            | Event::Conflict { .. }
            | Event::Pushed { .. }
            | Event::Retried { .. } => {}
        }
    }

    /// The bar of a type, made when it first appears.
    pub(super) fn bar<'b>(&self, bars: &'b mut HashMap<String, ProgressBar>, name: &str) -> &'b ProgressBar {
        bars.entry(name.to_owned()).or_insert_with(|| {
            let bar = self.area.add(ProgressBar::new_spinner().with_prefix(name.to_owned()));
            bar.set_style(style(SPINNER));
            bar.enable_steady_tick(TICK);
            bar
        })
    }

    /// Moves a bar.
    pub(super) fn advance(bar: &ProgressBar, done: u64, total: Option<u64>) {
        if let Some(total) = total.filter(|total| Some(*total) != bar.length()) {
            bar.set_length(total.max(done));
            bar.set_style(style(BAR));
            // What an earlier run did is not the speed of this one.
            bar.reset_eta();
        }
        bar.set_position(done);
    }

    /// Ends a bar with a last word.
    pub(super) fn finish(bar: &ProgressBar, message: String) {
        bar.set_style(style(DONE));
        bar.finish_with_message(message);
    }

    /// A writer for log lines that keeps out of the bars' way.
    pub(super) fn log_writer(&self) -> LineWriter {
        LineWriter { area: self.area.clone() }
    }
}

/// What a finished run did.
fn summary(counts: &RunCounts) -> String {
    let rows = counts.outcome;
    let words = format!("{} new, {} changed, {} unchanged", rows.inserted, rows.updated, rows.unchanged);
    match rows.quarantined {
        0 => words,
        quarantined => format!("{words}, {quarantined} quarantined"),
    }
}

/// A template as a style.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are valid").progress_chars("━╸─").with_key(
        "rate",
        |state: &ProgressState, words: &mut dyn fmt::Write| {
            // Nowhere to report a failure to, and nothing lost but a figure.
            write!(words, "{:.0}/s", state.per_sec()).ok();
        },
    )
}

/// Writes to standard error with the bars out of the way.
#[derive(Debug, Clone)]
pub(super) struct LineWriter {
    area: MultiProgress,
}

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.area.suspend(|| stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        stderr().flush()
    }
}
