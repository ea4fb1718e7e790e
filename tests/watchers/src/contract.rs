//! What design.md says becomes of a mask, written down a second time and independently of rules/.

use std::path::Path;

const ACCESS: u32 = 0x1;
const MODIFY: u32 = 0x2;
const ATTRIB: u32 = 0x4;
const CLOSE_WRITE: u32 = 0x8;
const CLOSE_NOWRITE: u32 = 0x10;
const OPEN: u32 = 0x20;
const SELF: u32 = 0xc00;
const UNMOUNT: u32 = 0x2000;

/// The mask the kernel is to be asked for where the program asks for `asked` on `path`.
pub(crate) fn mask(asked: u32, path: &Path) -> u32 {
    let mut mask = asked & !(OPEN | ACCESS | CLOSE_NOWRITE | ATTRIB);
    if asked & ATTRIB != 0 {
        // `touch` is told by a CLOSE_WRITE that no MODIFY preceded, so both are needed.
        mask |= CLOSE_WRITE | MODIFY;
    }
    if is_ignored(path) || mask == 0 {
        mask = match asked & SELF {
            0 => UNMOUNT,
            own => own,
        };
    }
    mask
}

/// The default of WATCHFIX_IGNORE, by hand.
pub(crate) fn is_ignored(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let side_file = ["-wal", "-shm", "-journal"]
        .iter()
        .any(|s| name.ends_with(s));
    side_file && name.contains('.') || name.ends_with(".sqlite") || name.ends_with(".sqlite3")
}
