//! What design.md says becomes of masks and records, written down a second time and independently of rules/.

use std::path::Path;

use crate::{Operation, Reach};

const ACCESS: u32 = 0x1;
const CLOSE_NOWRITE: u32 = 0x10;
const OPEN: u32 = 0x20;
const SELF: u32 = 0xc00;
const UNMOUNT: u32 = 0x2000;

/// The mask the kernel is to be asked for where the program asks for `asked` on `path`.
pub(crate) fn mask(reach: Reach, asked: u32, path: &Path) -> u32 {
    let stripped = asked & !(OPEN | ACCESS | CLOSE_NOWRITE);
    match reach {
        Reach::Nothing | Reach::Records => asked,
        Reach::Masks | Reach::MasksAndRecords | Reach::Full => {
            mute_if(is_ignored(path) || stripped == 0, asked, stripped)
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
    if varies.contains(&operation) {
        return Ok(());
    }
    // The kernel merges an event with an equal one that is unread yet.
    let mut expected = events(reach, operation, bare);
    let mut seen = split(seen);
    expected.dedup();
    seen.dedup();
    if seen == expected {
        Ok(())
    } else {
        Err(format!("bare {bare:?}: {seen:?} is not {expected:?}"))
    }
}

/// That a watcher said nothing about an operation, in its own words, that it does not say bare.
pub(crate) fn nothing_invented(
    operation: Operation,
    bare: &[String],
    seen: &[String],
) -> Result<(), String> {
    // What is not brief is not followed to its last word; and whether a new file is looked at before or after
    // it has been written is a matter of time.
    if !operation.is_brief() || operation == Operation::Create {
        return Ok(());
    }
    match seen.iter().find(|kind| !bare.contains(kind)) {
        Some(kind) => Err(format!("bare {bare:?}: {kind:?} is invented")),
        None => Ok(()),
    }
}

/// The events a program that prints raw records is to be handed where it got `bare` about one file.
fn events(reach: Reach, operation: Operation, bare: &[String]) -> Vec<String> {
    let mut events = split(bare);
    let reads = ["OPEN", "ACCESS", "CLOSE_NOWRITE"];
    if reach != Reach::Nothing {
        events.retain(|e| !reads.contains(&e.as_str()));
    }
    if operation == Operation::Chmod && !reach.leaves_attributes() {
        events.retain(|e| e != "ATTRIB");
    }
    events
}

/// The events of records, in order.
fn split(records: &[String]) -> Vec<String> {
    let events = records.iter().flat_map(|r| r.split(','));
    // CLOSE is inotifywait's name for both kinds of closing; ISDIR says what an event is about.
    let events = events.filter(|e| !["CLOSE", "ISDIR"].contains(e));
    events.map(str::to_owned).collect()
}
