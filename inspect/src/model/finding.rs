//! What is wrong, in words and figures. The findings make them; everything above shows them.

use super::WatchChange;
use serde::Serialize;
use serde_json::Value;

/// How bad a finding is. The order is that of `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// It costs time, descriptors or disk space.
    Warning,
    /// It grows without end, loses data or stops the program.
    Critical,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    /// Its name in JSON and text.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// Its name, which does not change between versions.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// Plain sentences.
    pub message: String,
    /// The figures behind it: docs/findings.md explains them.
    pub evidence: Value,
    /// A command that helps from the next start on, if there is one.
    pub remedy: Option<String>,
    /// A command that helps the running process, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy_live: Option<String>,
    /// What its commands are to change about watches: one command does it for all findings of a process.
    #[serde(skip)]
    pub change: Option<WatchChange>,
}

impl Finding {
    /// Whether its remedy is to change watches: now, by `watchfix heal`, or by another start of the program. Else it is
    /// for the system, a file or the process as it runs.
    pub fn needs_start(&self) -> bool {
        matches!(
            self.code,
            "sqlite-self-watch"
                | "self-watch"
                | "watch-wakes-on-read"
                | "watch-wakes-on-attrib"
                | "watch-wakes-on-filler"
                | "preload-ineffective"
        )
    }

    /// Its commands with what each is for: now, at the next start, or for a closer look.
    pub fn commands(&self) -> [(&'static str, Option<&str>); 2] {
        let (live, remedy) = (self.remedy_live.as_deref(), self.remedy.as_deref());
        match (self.needs_start(), live) {
            (true, _) => [("Now", live), ("Next start", remedy)],
            (false, Some(_)) => [("Now", live), ("A closer look", remedy)],
            (false, None) => [("Now", remedy), ("", None)],
        }
    }
}
