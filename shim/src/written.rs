//! A settled watch tells of a write when the file is closed: the file is asked whether it was written to.

use core::ffi::c_int;

use rules::record::Record;
use rules::written;

use crate::{place, sys};

/// False if the file of a record was not written to since its watch was placed.
pub fn was_written(fd: c_int, record: &Record<'_>) -> bool {
    place::file(fd, record).is_none_or(|(file, placed)| {
        written::was_written(&file, sys::from_word(placed), sys::now())
    })
}
