//! What design.md says becomes of masks and records, written down a second time and independently of rules/.

use std::path::Path;

use crate::{Operation, Reach};

const ACCESS: u32 = 0x1;
const MODIFY: u32 = 0x2;
const ATTRIB: u32 = 0x4;
const CLOSE_WRITE: u32 = 0x8;
const CLOSE_NOWRITE: u32 = 0x10;
const OPEN: u32 = 0x20;
const SELF: u32 = 0xc00;
const UNMOUNT: u32 = 0x2000;

/// The mask the kernel is to be asked for where the program asks for `asked` on `path`.
pub(crate) fn mask(reach: Reach, asked: u32, path: &Path) -> u32 {
    let stripped = asked & !(OPEN | ACCESS | CLOSE_NOWRITE);
    match reach {
        Reach::Nothing | Reach::Records => asked,
        Reach::Masks | Reach::MasksAndRecords => {
            mute_if(is_ignored(path) || stripped == 0, asked, stripped)
        }
        Reach::Full => {
            let mut mask = stripped & !ATTRIB;
            if asked & ATTRIB != 0 {
                // `touch` is told by a CLOSE_WRITE that no MODIFY preceded, so both are needed.
                mask |= CLOSE_WRITE | MODIFY;
            }
            mute_if(is_ignored(path) || mask == 0, asked, mask)
        }
    }
}

fn mute_if(muted: bool, asked: u32, mask: u32) -> u32 {
    match (muted, asked & SELF) {
        (false, _) => mask,
        (true, 0) => UNMOUNT,
        (true, own) => own,
    }
}

/// The default of WATCHFIX_IGNORE, by hand.
pub(crate) fn is_ignored(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let side_file = ["-wal", "-shm", "-journal"]
        .iter()
        .any(|s| name.ends_with(s));
    side_file && name.contains('.') || name.ends_with(".sqlite") || name.ends_with(".sqlite3")
}

/// Holds the events a program was handed about one operation against those it got bare.
pub(crate) fn compare(
    reach: Reach,
    operation: Operation,
    bare: &[String],
    seen: &[String],
) -> Result<(), String> {
    // How many records 1,000 writes become, and what comes of a directory that is watched while files
    // are made in it, is a matter of time; of SQLite's files nothing is to be left, which the cell says.
    let varies = [Operation::Burst, Operation::Mkdir, Operation::Sqlite];
    if varies.contains(&operation) || matches!(reach, Reach::Masks | Reach::Nothing) {
        return Ok(());
    }
    let mut expected = vec![events(bare)];
    if operation == Operation::Touch && reach != Reach::Full {
        // Reading exactly what FIONREAD announced, it may have no room for the ATTRIB, and a watch
        // placed unseen is never given a record of two events (pyinotify ends on one).
        expected.push(vec!["CLOSE_WRITE".to_owned()]);
    }
    // The kernel merges an event with an equal one that is unread yet.
    let mut seen = split(seen);
    expected.iter_mut().for_each(Vec::dedup);
    seen.dedup();
    if expected.contains(&seen) {
        Ok(())
    } else {
        Err(format!("bare {bare:?}: {seen:?} is none of {expected:?}"))
    }
}

/// The events a program that prints raw records is to be handed where it got `bare` about one file:
/// without the stripped ones, and with ATTRIB before a CLOSE_WRITE that no MODIFY preceded (`touch`).
fn events(bare: &[String]) -> Vec<String> {
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
fn split(records: &[String]) -> Vec<String> {
    let events = records.iter().flat_map(|r| r.split(','));
    // CLOSE is inotifywait's name for both kinds of closing; ISDIR says what an event is about.
    let events = events.filter(|e| !["CLOSE", "ISDIR"].contains(e));
    events.map(str::to_owned).collect()
}
