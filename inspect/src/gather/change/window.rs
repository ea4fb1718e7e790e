//! Two samples and what grew between them.

use crate::gather::change::sample::{Sampler, beside, log};
use crate::gather::servers::respawns::{INTERVAL, RespawnWatch};
use crate::gather::sqlite;
use crate::gather::sqlite::last_write;
use crate::gather::subject::Subject;
use crate::gather::subject::gaps::{Gaps, errno_text};
use crate::model::{Database, DatabaseGrowth, DatabaseSample, Growth, Name, Process, Sample};
use std::io;
use std::time::{Duration, Instant};

/// A process between two samples.
pub struct Window {
    sampler: Sampler,
    first: Sample,
    respawns: Option<RespawnWatch>,
    /// When its databases' locks were read.
    looked_at: Option<Instant>,
}

impl Window {
    /// Takes the first sample.
    ///
    /// # Errors
    /// As [`Sampler::open`].
    pub fn open(pid: u32) -> io::Result<Window> {
        let mut sampler = Sampler::open(pid)?;
        let first = sampler.sample()?;
        Ok(Window {
            sampler,
            first,
            respawns: None,
            looked_at: None,
        })
    }

    /// From now on, searches for processes that are started like it.
    pub fn look_out(&mut self, process: &Process) {
        self.respawns = RespawnWatch::beside(process);
        self.looked_at = (!process.sqlite.is_empty()).then(Instant::now);
    }

    /// When the look at everything began.
    pub fn began(&self) -> Instant {
        let respawns = self.respawns.as_ref().map(RespawnWatch::began);
        // A lock must be held for the requested time, however long the first look took.
        respawns.max(self.looked_at).unwrap_or(self.first.at)
    }

    /// Looks again at what happens between the samples, and returns when to do so next.
    pub fn look(&mut self) -> Option<Duration> {
        self.respawns.as_mut()?.look();
        Some(INTERVAL)
    }

    /// Takes the second sample and adds what grew to the process. If the process has ended or cannot be read, that goes
    /// into `gaps`.
    pub fn close(mut self, process: &mut Process, gaps: &mut Gaps) {
        process.surroundings.respawns = self.respawns.map(RespawnWatch::end);
        match self.sampler.sample() {
            Ok(second) => {
                let (dir, mounts) = (self.sampler.dir(), self.sampler.mounts());
                let mut subject = Subject {
                    dir,
                    mounts,
                    process,
                    gaps,
                };
                if let Some(since) = self.looked_at.map(|at| at.elapsed()) {
                    sqlite::lasting(&mut subject, since);
                }
                if !subject.process.inotify.is_empty() {
                    last_write::look(dir, mounts, &mut subject.process.sqlite);
                    sqlite::write_rate(&mut subject);
                }
                process.grew(Growth::between(&self.first, &second));
            }
            Err(e) => gaps.note(
                "its growth",
                format!("the second sample failed: {}", errno_text(&e)),
            ),
        }
    }
}

/// A database that is examined by its path, between two samples of its log.
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

    /// Takes the second sample and compares them.
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
    let own = sqlite::Own::open(&mut Gaps::default()).ok();
    let side = |suffix: &str| {
        let path = beside(database, suffix);
        own.as_ref()?.open_side(path.as_bytes()).ok()
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
