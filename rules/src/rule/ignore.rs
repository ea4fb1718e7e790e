//! `ignore`: names of files whose events are removed ([`crate::record::ignored`]); a watch on such a file itself is
//! muted.

use crate::pattern::Patterns;

use super::about::About;
use super::list::List;
use super::problem::{Problem, Wrong};

pub(super) const ABOUT: About = About {
    variable: "WATCHFIX_IGNORE",
    flag: Some("--ignore"),
    allowed: "file names with * and ?, without a slash; colon separated (\\: is a colon); \
              a leading + adds to the default; none empties it",
};

/// Names of databases and their logs.
pub const DEFAULT_IGNORE: &[u8] = b"*.*-wal:*.*-shm:*.*-journal:*.sqlite:*.sqlite3";

pub(super) fn parse(text: &[u8]) -> Result<Patterns<'_>, Wrong<'_>> {
    List::of(text).patterns(DEFAULT_IGNORE, |item| {
        item.contains(&b'/').then_some(Problem::Slash)
    })
}
