//! What `fdscan watch` shows of one sample.

use super::Name;
use serde::Serialize;

/// One sample with its rates and forecasts. `None` means not known, or not known yet.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reading {
    /// Always `fdscan/1`.
    pub schema: &'static str,
    /// The version of this program.
    pub fdscan_version: &'static str,
    /// When it was taken: RFC 3339, UTC.
    pub taken_at: String,
    /// The process.
    pub pid: u32,
    /// The name of its main thread.
    pub comm: Option<Name>,
    /// Its descriptors.
    pub fds: FdsReading,
    /// Its watches.
    pub watches: UserReading,
    /// Its inotify instances.
    pub instances: UserReading,
    /// Its databases with a log; `None` if they may not be read.
    pub sqlite: Option<Vec<LogReading>>,
    /// Seconds until the first limit is reached or the first disk is full, at this rate.
    pub seconds_left: Option<u64>,
}

/// Descriptors at one moment.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FdsReading {
    /// How many are open.
    pub open: Option<u64>,
    /// RLIMIT_NOFILE, soft.
    pub soft_limit: Option<u64>,
    /// How many more per second; negative if they become fewer.
    pub per_second: Option<f64>,
    /// Seconds until the limit; `None` if they do not grow.
    pub seconds_left: Option<u64>,
}

/// What the kernel charges to the user, at one moment.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserReading {
    /// How many this process has.
    pub count: Option<u64>,
    /// Of all its user's processes: the others as they were when this process was first seen to have some.
    pub user_count: Option<u64>,
    /// The limit of the user.
    pub user_limit: Option<u64>,
    /// How many more this process has per second.
    pub per_second: Option<f64>,
    /// Seconds until the limit.
    pub seconds_left: Option<u64>,
}

/// A database's log at one moment.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogReading {
    /// The database.
    pub database: Name,
    /// Descriptors of the database.
    pub handles: u64,
    /// Descriptors of its -wal: one for each connection.
    pub wal_handles: u64,
    /// Descriptors of its -shm.
    pub shm_handles: u64,
    /// The size of its -wal.
    pub wal_bytes: Option<u64>,
    /// Bytes of the log that are not in the database yet.
    pub pending_bytes: Option<u64>,
    /// By how many bytes the -wal grows per second.
    pub per_second: Option<f64>,
    /// Free bytes on its file system.
    pub disk_free_bytes: Option<u64>,
    /// Seconds until the disk is full.
    pub seconds_left: Option<u64>,
}

impl Reading {
    /// The sum of a figure of its logs; `None` where one is not known.
    pub fn sum(&self, figure: impl Fn(&LogReading) -> Option<u64>) -> Option<u64> {
        self.sqlite.as_ref()?.iter().map(figure).sum()
    }

    /// Fills in the soonest of the forecasts.
    pub fn soonest(mut self) -> Reading {
        let logs = self.sqlite.iter().flatten();
        let limits = [
            self.fds.seconds_left,
            self.watches.seconds_left,
            self.instances.seconds_left,
        ];
        let all = limits.into_iter().chain(logs.map(|log| log.seconds_left));
        self.seconds_left = all.flatten().min();
        self
    }
}
