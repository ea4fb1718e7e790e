//! Colour, as ANSI sequences, or none.

use crate::model::Severity;

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Use ANSI sequences.
    pub colour: bool,
}

impl Style {
    fn with(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.into()
        }
    }

    /// A severity's name in its colour.
    pub fn severity(self, severity: Severity) -> String {
        let code = match severity {
            Severity::Critical => "1;31",
            Severity::Warning => "1;33",
            Severity::Info => "1;36",
        };
        self.with(code, severity.name())
    }

    /// A bad verdict.
    pub fn failed(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// A heading.
    pub fn heading(self, text: &str) -> String {
        self.with("1", text)
    }

    /// A command to copy.
    pub fn command(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Less important text.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
}
