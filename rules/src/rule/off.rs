//! `off`: everything passes through.

use super::about::About;
use super::problem::{Problem, Wrong};

pub(super) const ABOUT: About = About {
    variable: "WATCHFIX_OFF",
    flag: None,
    allowed: "1 or 0",
};

pub(super) fn parse(text: &[u8]) -> Result<bool, Wrong<'_>> {
    match text {
        b"1" => Ok(true),
        b"0" => Ok(false),
        _ => Err(Wrong::whole(text, Problem::UnknownWord)),
    }
}
