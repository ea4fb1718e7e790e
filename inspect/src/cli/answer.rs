//! Arguments every command that gives an answer has.

use crate::model::Severity;
use clap::ValueEnum;

/// How a subcommand gives its answer.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct AnswerArgs {
    /// Print JSON (schema fdscan/1) instead of text
    #[arg(long)]
    pub json: bool,

    /// Exit with 1 if there is a finding of this severity or above: info, warning, critical
    ///
    /// With never, the default, findings do not change the exit status.
    #[arg(
        long,
        value_name = "SEVERITY",
        default_value = "never",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub fail_on: FailOn,

    /// When to use colour
    ///
    /// With auto, on a terminal, unless NO_COLOR or TERM=dumb is set; always with CLICOLOR_FORCE.
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_short_help = true
    )]
    pub color: Colour,
}

/// From which severity on the exit status tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any finding.
    Info,
    /// Warnings and critical findings.
    Warning,
    /// Critical findings only.
    Critical,
    /// No finding.
    Never,
}

impl FailOn {
    /// The least severity that counts.
    pub fn least(self) -> Option<Severity> {
        match self {
            FailOn::Info => Some(Severity::Info),
            FailOn::Warning => Some(Severity::Warning),
            FailOn::Critical => Some(Severity::Critical),
            FailOn::Never => None,
        }
    }
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// As the environment asks for: NO_COLOR, CLICOLOR_FORCE, TERM.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
