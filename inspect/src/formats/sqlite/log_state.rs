//! What the -shm and the -wal themselves say, read safely.
//!
//! They are read with pread(2) alone. A mapped -shm would mean SIGBUS when it is truncated, and a lock of ours would
//! get in the way of its users.

use crate::formats::sqlite::frames::{Counted, Effort};
use crate::formats::sqlite::header::WAL_HEADER;
use crate::formats::sqlite::shm::{Doubt, Index};
use crate::formats::sqlite::{frames, header, shm};
use crate::model::Wal;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// For how long a -shm that makes no sense is read again. A writer changes the header within microseconds, but may be
/// preempted halfway.
const TIMEOUT: Duration = Duration::from_millis(50);

/// What the files of a log say.
pub struct Seen {
    /// The log.
    pub wal: Wal,
    /// Why the -shm is not trusted. Also `None` if there is no -shm.
    pub doubt: Option<Doubt>,
    /// How the frames were counted, if not by the -shm.
    pub counted: Option<Counted>,
}

/// Reads what a -shm says about its -wal. Without a trusted -shm the frames are counted in the -wal, which does not say
/// how many of them are checkpointed.
pub fn read(shm: Option<&File>, wal: Option<&File>, wal_bytes: Option<u64>) -> Seen {
    let doubt = match shm.map(|shm| index(shm, wal)) {
        Some(Ok(index)) => {
            return Seen {
                wal: described(&index, wal_bytes),
                doubt: None,
                counted: None,
            };
        }
        Some(Err(doubt)) => Some(doubt),
        None => None,
    };
    let counted = wal.and_then(|wal| count(wal, Effort::Checksums));
    let header = || wal.and_then(wal_header)?.page_size;
    let mut found = Wal {
        page_size: counted.map(|counted| counted.page_size).or_else(header),
        frames: counted.map(|counted| counted.frames),
        live_bytes: counted
            .map(|counted| WAL_HEADER + header::frame_bytes(counted.frames, counted.page_size)),
        ..Wal::default()
    };
    // Without frames there is nothing to checkpoint. A -wal without a header has no frames, whatever the -shm says.
    let empty = wal_bytes.is_some_and(|bytes| bytes < WAL_HEADER);
    if empty || found.frames == Some(0) {
        (found.frames, found.checkpointed_frames) = (Some(0), Some(0));
        found.live_bytes = Some(if empty { 0 } else { WAL_HEADER });
        found.pending_bytes = Some(0);
    }
    Seen {
        wal: found,
        doubt,
        counted,
    }
}

/// Counts the frames of a -wal. While the log restarts, it tries again for a moment.
pub fn count(wal: &File, effort: Effort) -> Option<Counted> {
    let start = Instant::now();
    loop {
        let bytes = wal.metadata().ok()?.len();
        let read = |to: &mut [u8], at| wal.read_at(to, at).unwrap_or(0);
        let counted = frames::count(read, bytes, effort);
        if counted.is_some() || bytes < WAL_HEADER || start.elapsed() > TIMEOUT {
            return counted;
        }
        std::thread::yield_now();
    }
}

fn described(index: &Index, wal_bytes: Option<u64>) -> Wal {
    // The first write sets the page size.
    let bytes = |frames| match frames {
        0 => Some(0),
        _ => Some(header::frame_bytes(frames, index.page_size?)),
    };
    let head = match wal_bytes {
        Some(bytes) if index.frames == 0 => bytes.min(WAL_HEADER),
        _ => WAL_HEADER,
    };
    Wal {
        page_size: index.page_size,
        frames: Some(index.frames),
        checkpointed_frames: Some(index.backfilled),
        attempted_frames: Some(index.attempted),
        live_bytes: bytes(index.frames).map(|frames| frames + head),
        pending_bytes: bytes(index.frames - index.backfilled),
        read_marks: Some(index.marks),
        locks: None,
        attached: None,
    }
}

/// What a -shm says. While it makes no sense, it is read again for a moment.
///
/// # Errors
/// Why it must not be trusted.
pub fn index(shm: &File, wal: Option<&File>) -> Result<Index, Doubt> {
    let start = Instant::now();
    loop {
        match index_once(shm, wal) {
            Err(doubt) if doubt.may_pass() && start.elapsed() < TIMEOUT => {}
            other => return other,
        }
        std::thread::yield_now();
    }
}

fn index_once(shm: &File, wal: Option<&File>) -> Result<Index, Doubt> {
    let index = shm::parse(filled(shm, &mut [0; shm::LENGTH]))?;
    // The header of the -wal is written before the first valid frame. An empty -wal has none yet.
    if index.frames > 0
        && let Some(wal) = wal
        && wal_header(wal).is_none_or(|header| header.salts != index.salts)
    {
        return Err(Doubt::OtherWal);
    }
    Ok(index)
}

fn wal_header(wal: &File) -> Option<header::WalHeader> {
    header::wal(filled(wal, &mut [0; WAL_HEADER as usize]))
}

/// The beginning of a file, as far as `buffer` and the file go.
pub fn filled<'a>(file: &File, buffer: &'a mut [u8]) -> &'a [u8] {
    let length = file.read_at(buffer, 0).unwrap_or(0);
    buffer.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn figures_follow_from_frames_and_page_size() {
        let shm = file(&shm::tests::written(9, 4, 4096, [0; 5]));
        let Seen { wal, doubt, .. } = read(Some(&shm), None, Some(1 << 20));
        assert_eq!(doubt, None);
        assert_eq!((wal.frames, wal.checkpointed_frames), (Some(9), Some(4)));
        assert_eq!(wal.live_bytes, Some(32 + 9 * 4120));
        assert_eq!(wal.pending_bytes, Some(5 * 4120));
    }

    #[test]
    fn a_log_that_nothing_was_written_to_is_empty_whatever_the_page_size() {
        let shm = file(&shm::tests::written(0, 0, 0, [0; 5]));
        let Seen { wal, doubt, .. } = read(Some(&shm), None, Some(0));
        assert_eq!((doubt, wal.page_size), (None, None));
        assert_eq!((wal.live_bytes, wal.pending_bytes), (Some(0), Some(0)));
    }

    #[test]
    fn a_shm_beside_another_wal_is_not_trusted() {
        let shm = file(&shm::tests::written(9, 4, 4096, [0; 5]));
        let Seen { wal, doubt, .. } = read(Some(&shm), Some(&file(&[0; 64])), Some(64));
        assert_eq!(doubt, Some(Doubt::OtherWal));
        assert_eq!((wal.frames, wal.pending_bytes), (None, None));
    }

    #[test]
    fn an_empty_wal_has_no_frames_even_without_a_shm() {
        let Seen { wal, .. } = read(None, Some(&file(b"")), Some(0));
        assert_eq!((wal.frames, wal.pending_bytes), (Some(0), Some(0)));
        assert_eq!(wal.page_size, None);
    }
}
