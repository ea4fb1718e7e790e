//! What a replay has seen, as one table.

use std::fmt::{self, Display, Formatter};
use std::io::Write;

/// What a line of a table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The failure, with nothing done about it.
    Bare,
    /// What `fdscan` says of it.
    Diagnosis,
    /// What became of it.
    Remedy,
}

impl Display for Part {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Bare => "bare",
            Part::Diagnosis => "diagnosis",
            Part::Remedy => "remedy",
        })
    }
}

/// The figures of one replay. Its page in docs/incidents/ shows such a table.
pub struct Table {
    incident: &'static str,
    rows: Vec<(Part, String, String)>,
}

impl Table {
    /// An empty one for the incident of this name.
    pub fn new(incident: &'static str) -> Table {
        let rows = Vec::new();
        Table { incident, rows }
    }

    /// Adds a line at the end of its part: what was done or asked, and what was seen.
    pub fn row(&mut self, part: Part, what: impl Display, seen: impl Display) {
        let end = self.rows.partition_point(|row| row.0 <= part);
        self.rows
            .insert(end, (part, what.to_string(), seen.to_string()));
    }

    /// Prints it, in Markdown. Tests that pass show it too: the test harness captures `print!` alone.
    pub fn print(&self) {
        let mut text = format!(
            "\n| {} | what | seen |\n| --- | --- | --- |\n",
            self.incident
        );
        let mut last = None;
        for (part, what, seen) in &self.rows {
            let part = (last.replace(*part) != Some(*part)).then_some(part);
            let part = part.map_or_else(String::new, Part::to_string);
            // A bar would end its cell.
            let (what, seen) = (what.replace('|', "\\|"), seen.replace('|', "\\|"));
            text.push_str(&format!("| {part} | {what} | {seen} |\n"));
        }
        // A reader that has gone misses it.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
}
