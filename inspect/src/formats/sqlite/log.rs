//! What the files of a database say, however they are opened.

use crate::formats::sqlite::{header, log_state};
use crate::model::{Database, Gaps, Journal, Part, Wal};
use std::fs::File;

/// The file of a database with this suffix.
pub fn part<'a>(database: &'a Database, suffix: &str) -> Option<&'a Part> {
    let mut parts = database.parts.iter().filter(|part| part.suffix == suffix);
    let first = parts.next()?;
    // Of a deleted file and its successor, others see the one that has a name.
    Some(
        parts
            .find(|part| first.deleted && !part.deleted)
            .unwrap_or(first),
    )
}

/// What the files say; `None` if there is neither a -shm nor a -wal. `without` is the reason why there is no -shm.
pub fn log(
    database: &Database,
    open: impl Fn(&Part) -> Option<File>,
    without: &str,
    gaps: &mut Gaps,
) -> Option<Wal> {
    let (shm, wal) = (part(database, "-shm"), part(database, "-wal"));
    if shm.is_none() && wal.is_none() {
        return None;
    }
    let shm = shm.and_then(&open);
    let bytes = wal.and_then(|wal| wal.bytes);
    let seen = log_state::read(shm.as_ref(), wal.and_then(&open).as_ref(), bytes);
    let why = match seen.doubt {
        Some(doubt) => Some(format!("its -shm {}", doubt.reason())),
        None => shm.is_none().then(|| without.to_owned()),
    };
    if let Some(why) = why {
        let name = &database.database;
        match seen.counted {
            Some(counted) => {
                let how = match counted.verified {
                    true => "were counted in its -wal",
                    false => {
                        "were counted in its -wal by their salts alone, because it is too large to verify its checksums"
                    }
                };
                let what = format!("checkpoints and read marks of {name}");
                gaps.note(what, format!("{why}; its frames {how}"));
            }
            None => gaps.note(format!("frames, checkpoints and read marks of {name}"), why),
        }
    }
    Some(seen.wal)
}

/// What a -journal says.
pub fn journal(file: &File) -> Option<Journal> {
    header::journal(log_state::filled(file, &mut [0; header::JOURNAL]))
}
