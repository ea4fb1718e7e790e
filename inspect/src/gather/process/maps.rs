//! /proc/PID/maps (proc_pid_maps(5)): whether libwatchfix is loaded in the process, and whether that is a Go program.

use crate::gather::subject::lines::each_line;
use crate::gather::subject::proc_dir::{DELETED, ProcDir};
use crate::model::Name;
use std::io;

/// The file name of the preload library.
pub const LIBRARY: &[u8] = b"libwatchfix.so";

/// Where the heap of a Go program begins (`mallocinit` of runtime/malloc.go). Nothing else is placed there.
const GO_HEAP: &[u8] = if cfg!(target_arch = "aarch64") {
    b"4000000000-"
} else {
    b"c000000000-"
};

/// What is mapped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mapped {
    /// A file that is called libwatchfix.so.
    pub library: bool,
    /// The heap of a Go program.
    pub go: bool,
}

/// Looks for both. `None` if nothing is mapped: a kernel thread, or a process whose memory is gone.
///
/// # Errors
/// EACCES if the process cannot be read.
pub fn mapped(dir: &ProcDir) -> io::Result<Option<Mapped>> {
    let maps = dir.open_file(b"maps", libc::O_RDONLY)?;
    let mut found = None;
    each_line(&maps, &mut Vec::new(), |line| {
        let all = found.get_or_insert(Mapped::default());
        all.library |= maps_library(line);
        all.go |= line.starts_with(GO_HEAP);
    })?;
    Ok(found)
}

/// The path is the sixth field and may contain blanks. A replaced file has ` (deleted)` after it.
fn maps_library(line: &[u8]) -> bool {
    let Some(slash) = line.iter().position(|&b| b == b'/') else {
        return false;
    };
    let path = line.get(slash..).unwrap_or_default();
    let path = path.strip_suffix(DELETED).unwrap_or(path);
    is_library(path)
}

/// Whether a path, or an entry of LD_PRELOAD, names the library.
pub fn is_library(path: &[u8]) -> bool {
    Name::from(path).base() == LIBRARY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_found_by_its_file_name_even_when_it_was_replaced() {
        assert!(maps_library(
            b"7f-80 r-xp 00000000 fe:00 12      /opt/my libs/libwatchfix.so"
        ));
        assert!(maps_library(
            b"7f-80 r-xp 0 fe:00 12 /opt/libwatchfix.so (deleted)"
        ));
        assert!(!maps_library(
            b"7f-80 r-xp 0 fe:00 12 /opt/libwatchfix.so.d/libc.so.6"
        ));
        assert!(!maps_library(b"7f-80 rw-p 0 00:00 0 [heap]"));
    }
}
