//! Real watchers, bare and under libwatchfix.so: one harness, and per watcher a [`Watcher`] that says
//! what is particular to it.
//!
//! That something is *not* reported is never shown by waiting for a while: the silent action is
//! followed by one that must be reported, and nothing about the silent one may have come before that.

// A test helper fails the test by panicking, with a sentence that says what was missing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod claims;
mod contract;
mod operation;
mod session;

pub use operation::Operation;
pub use session::{Report, Session};

use std::path::{Path, PathBuf};
use std::process::Command;

/// One real watcher.
pub struct Watcher {
    /// The command that watches the directory and its subdirectory `listed`, or why it cannot run here.
    pub command: fn(dir: &Path) -> Result<Command, String>,
    /// How one knows that its watches are placed.
    pub ready: Ready,
    /// Splits a line about an event into what happened and to which path.
    pub parse: fn(&str) -> Option<(&str, PathBuf)>,
    /// Lines it prints that report nothing.
    pub chatter: &'static [&'static str],
    /// How it is told to stop, and what a clean stop looks like.
    pub stop: Stop,
    /// What it reports without the preload, beside writing, `touch`, creating, renaming and deleting,
    /// which all of them report: these must be gone with the preload.
    pub reports_bare: &'static [Operation],
    /// Whether its watches are asked for through a symbol the preload takes the place of. If not,
    /// the kernel's masks stay, and only what it reads is filtered.
    pub masks_change: bool,
    /// Whether it lists a directory again when an event arrives from it, and so finds new files whose
    /// own events were removed.
    pub lists_again: bool,
}

/// How one knows that a watcher's watches are placed.
pub enum Ready {
    /// It prints a line with this text.
    Line(&'static str),
    /// It says nothing; the kernel shows this number of watches.
    Watches(usize),
}

/// How a watcher is told to stop, and what a clean stop looks like.
pub enum Stop {
    /// SIGTERM ends it: it handles no signal.
    Killed,
    /// After SIGTERM it closes its watches, says STOPPED and exits with status 0.
    Terminated,
    /// As [`Stop::Terminated`], when its standard input is closed.
    InputClosed,
}

/// `KIND<TAB>PATH`, the form all our scripts print.
pub fn tabbed(line: &str) -> Option<(&str, PathBuf)> {
    let (kind, path) = line.split_once('\t')?;
    Some((kind, PathBuf::from(path)))
}

/// A script of `tests/watchers/scripts`.
pub fn script(name: &str) -> PathBuf {
    support::root().join("tests/watchers/scripts").join(name)
}

/// A command running `tool` (see [`support::tool`]), or the reason why there is none.
///
/// # Errors
/// That the tool is missing.
pub fn command(tool: &str) -> Result<Command, String> {
    let path = support::tool(tool)
        .ok_or_else(|| format!("no {tool}: scripts/install-test-tools says why"))?;
    Ok(Command::new(path))
}

/// Makes one test of each claim for the watcher named.
#[macro_export]
macro_rules! claims {
    ($watcher:expr) => {
        #[test]
        fn bare_it_reports_edits_and_what_the_preload_is_to_end() {
            $crate::claims::bare_it_reports_edits_and_what_the_preload_is_to_end(&$watcher);
        }
        #[test]
        fn edits_are_reported_as_bare_and_neither_reads_nor_chmod() {
            $crate::claims::edits_are_reported_as_bare_and_neither_reads_nor_chmod(&$watcher);
        }
        #[test]
        fn its_masks_are_those_of_the_contract() {
            $crate::claims::its_masks_are_those_of_the_contract(&$watcher);
        }
        #[test]
        fn state_files_are_not_reported_and_a_sibling_is() {
            $crate::claims::state_files_are_not_reported_and_a_sibling_is(&$watcher);
        }
        #[test]
        fn it_outlives_reads_of_which_nothing_is_left() {
            $crate::claims::it_outlives_reads_of_which_nothing_is_left(&$watcher);
        }
    };
}
