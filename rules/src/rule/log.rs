//! `log`: where decisions are written. The log's own file is always ignored ([`crate::record::ignored`]).

use super::about::About;
use super::problem::{Problem, Wrong};

pub(super) const ABOUT: About = About {
    variable: "WATCHFIX_LOG",
    flag: Some("--log"),
    allowed: "stderr, or the absolute path of a file that can be written",
};

/// Where decisions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log<'a> {
    /// Nowhere.
    None,
    /// To standard error.
    Stderr,
    /// To the file of this absolute path.
    File(&'a [u8]),
}

pub(super) fn parse(text: &[u8]) -> Result<Log<'_>, Wrong<'_>> {
    match text {
        b"none" => Ok(Log::None),
        b"stderr" => Ok(Log::Stderr),
        [b'/', _, ..] => Ok(Log::File(text)),
        _ => Err(Wrong::whole(text, Problem::UnknownWord)),
    }
}
