//! Names that break tools: a line feed, an escape sequence, characters that turn the text around, bytes
//! that are no UTF-8.

use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::inotify::Instance;
use crate::report::{Outcome, Report};
use crate::sqlite;

/// One name for each way a name can break an output.
const NAMES: &[&[u8]] = &[
    b"line\nfeed",
    b"carriage\rreturn",
    b"tab\there",
    b"\x1b[31mred\x1b[0m",
    b"bell\x07delete\x7f",
    // U+009B, the one-character CSI; U+202E, right-to-left override; U+2066 and U+2069, isolates;
    // U+200F, right-to-left mark; U+2028, line separator.
    "c1\u{9b}31m".as_bytes(),
    "bidi\u{202e}txt.exe".as_bytes(),
    "isolate\u{2066}x\u{2069}".as_bytes(),
    "mark\u{200f}x\u{61c}".as_bytes(),
    "separator\u{2028}x\u{2029}".as_bytes(),
    b"not utf-8 \xff\xfe",
    // A cut-off two-byte character, and an overlong slash.
    b"cut \xc3",
    b"overlong \xc0\xaf",
    b"back\\slash \\x41 \"quoted\"",
    " (deleted)".as_bytes(),
    "wide \u{6f22}\u{5b57}\u{1f980} e\u{301}".as_bytes(),
];

/// Watches a directory and holds a file open for every name, and calls itself something awful.
pub fn hold(mut report: Report, dir: &Path, note: &[OsString]) -> Outcome {
    let instance = Instance::new()?;
    let mut held = Vec::new();
    for name in NAMES {
        let directory = dir.join(OsStr::from_bytes(name));
        fs::create_dir(&directory)
            .map_err(|e| format!("{} cannot be made: {e}.", directory.display()))?;
        instance.watch(&directory, 0x3ee)?;
        let file = directory.join(OsStr::from_bytes(name));
        held.push(
            File::create(&file).map_err(|e| format!("{} cannot be made: {e}.", file.display()))?,
        );
        report.path("directory", &directory)?;
        report.path("file", &file)?;
    }
    // rusqlite takes paths through CString, so a database may have any name, too.
    let database = dir.join(OsStr::from_bytes(b"state\n\xff\x1b[5m.sqlite"));
    let _connection = sqlite::open_wal(&database)?;
    report.path("database", &database)?;
    set_comm(b"m\nk\x1b[7m\xff)\xe2\x80\xae")?;
    report.fact("notes", note.len())?;
    report.fact("open", held.len())?;
    report.hold()
}

/// Sets the name in /proc/PID/comm; at most 15 bytes are kept.
fn set_comm(name: &[u8]) -> Outcome {
    let name = CString::new(name).map_err(|_| "The name contains a zero byte.".to_owned())?;
    // SAFETY: `name` is a C string that outlives the call.
    if unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) } != 0 {
        return Err(format!(
            "The process cannot be renamed: {}.",
            io::Error::last_os_error()
        ));
    }
    Ok(())
}
