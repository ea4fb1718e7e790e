//! `max-watches`: how many watches a process may have. One past that gets an invented descriptor ([`crate::budget`]).

use super::about::About;
use super::problem::{Problem, Wrong};

pub(super) const ABOUT: About = About {
    variable: "WATCHFIX_MAX_WATCHES",
    flag: Some("--max-watches"),
    allowed: "a whole number from 0 to 4294967295, or none",
};

pub(super) fn parse(text: &[u8]) -> Result<Option<u32>, Wrong<'_>> {
    if text == b"none" {
        return Ok(None);
    }
    // Digits alone: `parse` would take a leading + as well.
    let number = text.iter().all(u8::is_ascii_digit).then_some(text);
    match number.and_then(|digits| core::str::from_utf8(digits).ok()?.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(Wrong::whole(text, Problem::NotNumber)),
    }
}
