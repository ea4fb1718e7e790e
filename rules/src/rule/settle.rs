//! `settle`: directories in which a file is reported when its writer closes it, not at every write. The kernel is
//! asked for CLOSE_WRITE in place of MODIFY ([`crate::watch::reduce`]), and its record is shown as a MODIFY
//! ([`crate::record::judge`]).
//!
//! Where only masks are seen, directories in which the watching process itself holds a SQLite database open settle
//! by default. A list without a leading `+` ends that.

use crate::pattern::Patterns;

use super::about::About;
use super::engine::Engine;
use super::list::{List, wrong_directory};
use super::problem::Wrong;

pub(super) const ABOUT: About = About {
    variable: "WATCHFIX_SETTLE",
    flag: Some("--settle"),
    allowed: "/absolute/path, ~/path or **/name; colon separated (\\: is a colon); \
              * and ? inside one component; a leading + adds to the default; none empties it",
};

/// Whether directories of the process's own databases settle by default.
pub(super) const fn own_by_default(engine: Engine) -> bool {
    matches!(engine, Engine::Masks)
}

/// The directories, and whether those of its own databases settle too.
pub(super) fn parse<'a>(
    engine: Engine,
    text: &'a [u8],
    home: Option<&[u8]>,
) -> Result<(Patterns<'a>, bool), Wrong<'a>> {
    let list = List::of(text);
    let settle = list.patterns(b"", |item| wrong_directory(item, home))?;
    Ok((settle, list.adds && own_by_default(engine)))
}
