//! What grew of a database between two moments.

use super::change::whole_millis;
use super::{Change, DatabaseSample, Handles, LogSample};
use serde::Serialize;
use std::time::Duration;

/// How a database changed between two samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DatabaseGrowth {
    /// The time between the samples.
    pub seconds: f64,
    /// Descriptors of the database; `None`, like the other two, if they were not counted.
    pub handles: Option<Change>,
    /// Descriptors of its -wal.
    pub wal_handles: Option<Change>,
    /// Descriptors of its -shm.
    pub shm_handles: Option<Change>,
    /// Size of its -wal.
    pub wal_bytes: Option<Change>,
    /// Valid frames.
    pub frames: Option<Change>,
    /// Frames that are already in the database.
    pub checkpointed_frames: Option<Change>,
    /// Whether it is still the same log, with the same salts: it did not restart in between.
    pub same_log: Option<bool>,
}

impl DatabaseGrowth {
    /// Compares two looks at one database that lie `apart`.
    pub fn between(apart: Duration, before: &DatabaseSample, after: &DatabaseSample) -> Self {
        let handles = |count: fn(&Handles) -> u64| {
            let of = |sample: &DatabaseSample| sample.handles.as_ref().map(count);
            Change::between(of(before), of(after))
        };
        let logs = before.log.zip(after.log);
        let log = |count: fn(&LogSample) -> Option<u32>| {
            let of = |log: &LogSample| count(log).map(u64::from);
            logs.and_then(|(before, after)| Change::between(of(&before), of(&after)))
        };
        DatabaseGrowth {
            seconds: whole_millis(apart),
            handles: handles(|handles| handles.database),
            wal_handles: handles(|handles| handles.wal),
            shm_handles: handles(|handles| handles.shm),
            wal_bytes: Change::between(before.wal_bytes, after.wal_bytes),
            frames: log(|log| Some(log.frames)),
            checkpointed_frames: log(|log| log.checkpointed_frames),
            same_log: logs.map(|(before, after)| before.salts == after.salts),
        }
    }

    /// The log is written and nothing of it comes into the database: it is the same log, it has more
    /// frames, and no more of them were checkpointed. `None` where one of these is not known.
    pub fn starved(&self) -> Option<bool> {
        let (frames, done) = (self.frames?, self.checkpointed_frames?);
        Some(self.same_log? && frames.more().is_some() && done.by() == 0)
    }
}
