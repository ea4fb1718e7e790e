//! A settled watch tells of a write when the file is closed: the file is asked whether it was written to.

use core::ffi::c_int;

use rules::record::Record;
use rules::written;

use crate::memory::{self, Watch};
use crate::place::Files;
use crate::{sandbox, sys};

/// False if the file of a record was not written to since its watch was placed.
#[cold]
#[inline(never)]
pub fn was_written(fd: c_int, record: &Record<'_>) -> bool {
    if sandbox::entered() {
        return true;
    }
    let Some(watch) = memory::find(fd, record.wd) else {
        return true;
    };
    let written = ask(&watch, record.name).unwrap_or(true);
    // What was seen may have been by another's path.
    written || !watch.holds()
}

/// `None` where nothing can be learnt.
fn ask(watch: &Watch<'_>, name: &[u8]) -> Option<bool> {
    let files = Files::of(watch)?;
    let own = files.own().filter(|own| own.identity == files.watched)?;
    let file = match name.is_empty() {
        true => own,
        false => files.entry(name)?,
    };
    Some(written::was_written(&file, watch.placed()?, sys::now()))
}
