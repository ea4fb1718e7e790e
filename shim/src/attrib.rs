//! Attribute changes: the file of a watch that asks for them is asked on reading.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rules::attrib::{Time, is_change};
use rules::record::Record;

use crate::memory::{self, Watch};
use crate::place::Files;
use crate::{sandbox, sys};

/// True if a record's ATTRIB is to be kept.
#[cold]
#[inline(never)]
pub fn kept(fd: c_int, record: &Record<'_>) -> bool {
    if sandbox::entered() {
        return true;
    }
    let Some(watch) = memory::find(fd, record.wd) else {
        return true;
    };
    let kept = ask(&watch, record.name, last_read(fd));
    // What was seen may have been by another's path.
    kept || !watch.holds()
}

/// When each descriptor was last read, or made, in nanoseconds; those from the end on share with lower ones.
static READ: [AtomicU64; 4096] = [const { AtomicU64::new(0) }; 4096];

/// Notes that everything up to now has been read.
pub fn note_read(fd: c_int) {
    if let Some(read) = READ.get(fd as usize % READ.len())
        && !sandbox::entered()
    {
        read.store(sys::to_word(sys::now()), Relaxed);
    }
}

fn last_read(fd: c_int) -> Time {
    let read = READ.get(fd as usize % READ.len());
    sys::from_word(read.map_or(0, |read| read.load(Relaxed)))
}

fn ask(watch: &Watch<'_>, name: &[u8], read: Time) -> bool {
    let Some(files) = Files::of(watch) else {
        return true;
    };
    let entry = || files.entry(name);
    is_change(
        files.watched,
        read,
        files.own(),
        (!name.is_empty()).then_some(entry),
    )
}
