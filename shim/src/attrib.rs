//! Attribute changes: the file of a watch that asks for them is asked on reading.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rules::attrib::{Time, is_touch};
use rules::record::Record;

use crate::{place, sandbox, sys};

/// True if a record's ATTRIB is to be kept.
pub fn kept(fd: c_int, record: &Record<'_>) -> bool {
    place::file(fd, record).is_none_or(|(file, _)| is_touch(&file, last_read(fd)))
}

/// When each descriptor was last read, or made; those from the end on share with lower ones.
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
