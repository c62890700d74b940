//! Tables on the terminal.

use comfy_table::{ContentArrangement, Table, presets};

/// Most characters of a text in a cell.
const CELL: usize = 60;

/// An empty table with these headings.
pub(super) fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    table
}

/// A text from outside as it fits a cell: on one line, cut, and without the control characters by which a value could
/// steer the terminal.
pub(super) fn cell(text: &str) -> String {
    let is_shown = |c: char| !c.is_control();
    let mut shown: String = text.chars().map(|c| if is_shown(c) { c } else { ' ' }).take(CELL).collect();
    if text.chars().nth(CELL).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_can_neither_steer_the_terminal_nor_break_the_table() {
        assert_eq!(cell("a\u{1b}[2Jb\nc\u{9b}1m"), "a [2Jb c 1m");
        assert_eq!(cell(&"ö".repeat(60)), "ö".repeat(60));
        assert_eq!(cell(&"ö".repeat(61)), "ö".repeat(60) + "…");
    }
}
