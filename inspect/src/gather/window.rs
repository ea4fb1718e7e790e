//! Two samples and what grew between them.

use super::sample::{Sampler, beside, log};
use super::{Gaps, errno_text, wal};
use crate::model::{Database, DatabaseGrowth, DatabaseSample, Growth, Name, Sample};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Instant;

/// A process between two samples.
pub struct Window {
    sampler: Sampler,
    first: Sample,
}

impl Window {
    /// Takes the first sample.
    ///
    /// # Errors
    /// As [`Sampler::open`].
    pub fn open(pid: u32) -> io::Result<Window> {
        let mut sampler = Sampler::open(pid)?;
        let first = sampler.sample()?;
        Ok(Window { sampler, first })
    }

    /// When the first sample was taken.
    pub fn began(&self) -> Instant {
        self.first.at
    }

    /// Takes the second one and compares them; `None` if the process has ended or may not be read, which
    /// goes into `gaps`.
    pub fn close(mut self, gaps: &mut Gaps) -> Option<Growth> {
        match self.sampler.sample() {
            Ok(second) => Some(Growth::between(&self.first, &second)),
            Err(e) => {
                gaps.note(
                    "its growth",
                    format!("the second sample failed: {}", errno_text(&e)),
                );
                None
            }
        }
    }
}

/// A database looked at by its path, between two samples of its log.
pub struct LogWindow {
    began: Instant,
    first: DatabaseSample,
}

impl LogWindow {
    /// Takes the first sample.
    pub fn open(database: &Database) -> LogWindow {
        LogWindow {
            began: Instant::now(),
            first: by_path(&database.database),
        }
    }

    /// When the first sample was taken.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Takes the second one and compares them.
    pub fn close(self, database: &Database) -> DatabaseGrowth {
        DatabaseGrowth::between(
            self.began.elapsed(),
            &self.first,
            &by_path(&database.database),
        )
    }
}

/// Its files are opened for reading and closed again.
fn by_path(database: &Name) -> DatabaseSample {
    let side = |suffix: &str| {
        let path = beside(database, suffix);
        wal::open(Path::new(OsStr::from_bytes(path.as_bytes()))).ok()
    };
    let (wal, shm) = (side("-wal"), side("-shm"));
    let metadata = wal.as_ref().and_then(|wal| wal.metadata().ok());
    DatabaseSample {
        handles: None,
        wal_bytes: metadata.map(|metadata| metadata.len()),
        log: log(shm.as_ref(), wal.as_ref()),
        disk_free_bytes: None,
    }
}
