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

/// The events a program that prints raw records is to be handed where it got `bare` about one file:
/// without the stripped ones, and with ATTRIB before a CLOSE_WRITE that no MODIFY preceded (`touch`).
pub(crate) fn events(bare: &[String]) -> Vec<String> {
    let mut modified = false;
    let mut left = Vec::new();
    for event in split(bare) {
        match event.as_str() {
            "OPEN" | "ACCESS" | "CLOSE_NOWRITE" | "ATTRIB" => continue,
            "MODIFY" => modified = true,
            "CLOSE_WRITE" if !modified => left.push("ATTRIB".to_owned()),
            _ => {}
        }
        left.push(event);
    }
    left
}

/// The events of records, in order. One record may hold two where a buffer of exactly FIONREAD's bytes
/// has no room for a second.
pub(crate) fn split(records: &[String]) -> Vec<String> {
    let events = records.iter().flat_map(|r| r.split(','));
    // CLOSE is inotifywait's name for both kinds of closing; ISDIR says what an event is about.
    let events = events.filter(|e| !["CLOSE", "ISDIR"].contains(e));
    events.map(str::to_owned).collect()
}
