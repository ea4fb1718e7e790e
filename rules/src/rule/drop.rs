//! `drop`: directories whose watches are muted ([`crate::watch::mute`]). The program gets a real watch that never fires.

use crate::pattern::Patterns;

use super::about::About;
use super::list::{List, wrong_directory};
use super::problem::Wrong;

pub(super) const ABOUT: About = About {
    variable: "WATCHFIX_DROP",
    flag: Some("--drop"),
    allowed: "/absolute/path, ~/path or **/name; colon separated (\\: is a colon); \
              * and ? inside one component; none empties it",
};

pub(super) fn parse<'a>(text: &'a [u8], home: Option<&[u8]>) -> Result<Patterns<'a>, Wrong<'a>> {
    List::of(text).patterns(b"", |item| wrong_directory(item, home))
}
