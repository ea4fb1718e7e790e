//! Which notes of kqueue the rules are about.
//!
//! xnu raises none for open, read and close (bsd/vfs/kpi_vfs.c): what is left of the rules' events are those below. Both
//! may be taken out to nothing: a note without fflags is accepted and never fires.

use libc::{NOTE_ATTRIB, NOTE_DELETE, NOTE_EXTEND, NOTE_RENAME, NOTE_REVOKE, NOTE_WRITE};
use rules::event;
use rules::watch::Fate;

/// The end of what is watched.
const END: u32 = NOTE_DELETE | NOTE_RENAME | NOTE_REVOKE;

/// The fflags the system is asked for in place of `asked`.
pub fn reduce(strip: u32, fate: Fate, is_directory: bool, asked: u32) -> u32 {
    match fate {
        Fate::Muted => asked & END,
        Fate::Plain | Fate::Settled => asked & !notes(strip, is_directory),
    }
}

/// The notes that say no more than events that are stripped.
fn notes(strip: u32, is_directory: bool) -> u32 {
    // A directory's note says that entries changed, and not how.
    let written = match is_directory {
        true => event::CREATE | event::DELETE | event::MOVED_FROM | event::MOVED_TO,
        false => event::MODIFY,
    };
    [
        (written, NOTE_WRITE | NOTE_EXTEND),
        (event::ATTRIB, NOTE_ATTRIB),
        (event::DELETE_SELF, NOTE_DELETE),
        (event::MOVE_SELF, NOTE_RENAME),
    ]
    .into_iter()
    .filter(|(events, _)| strip & events == *events)
    .fold(0, |all, (_, notes)| all | notes)
}
