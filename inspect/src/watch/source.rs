//! Turns samples of a process into readings: counters with their limits, rates and forecasts.

use super::trend::Trend;
use crate::gather::{
    Accounts, Counted, Gaps, Sampler, fd_limits, identity, inotify_limits, user_usage,
};
use crate::model::{
    DatabaseSample, Fds, FdsReading, InotifyLimits, LogReading, Name, Process, Reading, SCHEMA,
    Sample, UserReading, UserUsage,
};
use std::collections::HashMap;
use std::io;

/// Takes readings of one process.
pub struct Source {
    sampler: Sampler,
    pid: u32,
    comm: Option<Name>,
    uid: Option<u32>,
    limits: InotifyLimits,
    /// How much others use of the nearest limits.
    others: Option<Others>,
    /// What previous readings have shown.
    pub trends: Trends,
}

/// What the user's other processes use, or other processes in and around its user namespace.
struct Others {
    /// Of the account that has the fewest watches left.
    watches: Option<UserUsage>,
    /// Of the account that has the fewest instances left.
    instances: Option<UserUsage>,
}

/// The counters over time.
#[derive(Default)]
pub struct Trends {
    /// Descriptors.
    pub fds: Trend,
    /// Watches.
    pub watches: Trend,
    /// Instances.
    pub instances: Trend,
    /// Sizes of logs, by database.
    pub logs: HashMap<Name, Trend>,
}

impl Source {
    /// Opens the sources of readings.
    ///
    /// # Errors
    /// ENOENT if there is no such process.
    pub fn open(pid: u32) -> io::Result<Source> {
        let sampler = Sampler::open(pid)?;
        let mut process = Process::default();
        identity(sampler.dir(), &mut process)?;
        Ok(Source {
            comm: process.comm,
            uid: process.uid,
            sampler,
            pid,
            limits: inotify_limits(),
            others: None,
            trends: Trends::default(),
        })
    }

    /// Takes a reading.
    ///
    /// # Errors
    /// ENOENT or ESRCH when the process has ended.
    pub fn read(&mut self) -> io::Result<Reading> {
        let sample = self.sampler.sample()?;
        let taken_at = jiff::Timestamp::now().to_string();
        let mut fds = Fds::default();
        fd_limits(self.sampler.dir(), &mut fds, &mut Gaps::default());
        self.count_others(&sample);
        self.push(&sample);
        let (trends, at) = (&self.trends, |used: Option<u64>, limit: Option<u64>| {
            Some(limit?.saturating_sub(used?))
        });
        let user = |count: Option<u64>, others: Option<u64>, limit, trend: &Trend| {
            let user_count = count.zip(others).map(|(own, others)| own + others);
            UserReading {
                count,
                user_count,
                user_limit: limit,
                per_second: trend.per_second(),
                seconds_left: at(user_count, limit).and_then(|left| trend.seconds_until(left)),
            }
        };
        let others = self.others.as_ref();
        let watches = others.and_then(|others| others.watches.as_ref());
        let instances = others.and_then(|others| others.instances.as_ref());
        let logs = sample
            .databases
            .iter()
            .map(|(path, seen)| self.log(path, seen));
        Ok(Reading {
            schema: SCHEMA,
            fdscan_version: env!("CARGO_PKG_VERSION"),
            taken_at,
            pid: self.pid,
            comm: self.comm.clone(),
            fds: FdsReading {
                open: sample.descriptors,
                soft_limit: fds.soft_limit,
                per_second: trends.fds.per_second(),
                seconds_left: at(sample.descriptors, fds.soft_limit)
                    .and_then(|left| trends.fds.seconds_until(left)),
            },
            watches: user(
                sample.watches,
                watches.and_then(|user| user.watches),
                watches.map_or(self.limits.max_user_watches, |user| user.max_watches),
                &trends.watches,
            ),
            instances: user(
                sample.instances,
                instances.map(|user| user.instances),
                instances.map_or(self.limits.max_user_instances, |user| user.max_instances),
                &trends.instances,
            ),
            sqlite: sample.instances.is_some().then(|| logs.collect()),
            seconds_left: None,
        }
        .soonest())
    }

    /// Counts once what the user's other processes use, because that may take as long as a hundred readings. It is
    /// skipped while the process has no instance.
    fn count_others(&mut self, sample: &Sample) {
        let Some(uid) = self.uid.filter(|_| self.others.is_none()) else {
            return;
        };
        if sample.instances.is_none_or(|instances| instances == 0) {
            return;
        }
        // The process's own instances are passed in, so that a shared one is not counted twice, and subtracted from the
        // sum. How the watches are distributed over the instances does not matter for that.
        let pid = self.pid;
        let mut left = sample.watches.unwrap_or_default();
        let own = self.sampler.instances().map(|fd| Counted {
            pid,
            fd,
            watches: std::mem::take(&mut left),
        });
        let own: Vec<_> = own.collect();
        let count = own.len() as u64;
        let mut accounts = Accounts::new(self.limits.clone());
        let charged = accounts.of(pid, uid);
        let gaps = &mut Gaps::default();
        let all = user_usage(&mut accounts, &charged, pid, own, true, gaps);
        let mut process = Process::default();
        process.is_charged_to(all);
        let without_own = |mut usage: UserUsage| {
            usage.instances = usage.instances.saturating_sub(count);
            let own = sample.watches.unwrap_or_default();
            usage.watches = usage.watches.map(|watches| watches.saturating_sub(own));
            usage
        };
        self.others = Some(Others {
            watches: process.watches_account().cloned().map(without_own),
            instances: process.instances_account().cloned().map(without_own),
        });
    }

    fn push(&mut self, sample: &Sample) {
        let trends = &mut self.trends;
        trends.fds.push(sample.at, sample.descriptors);
        trends.watches.push(sample.at, sample.watches);
        trends.instances.push(sample.at, sample.instances);
        trends
            .logs
            .retain(|path, _| sample.databases.contains_key(path));
        for (path, seen) in &sample.databases {
            let trend = trends.logs.entry(path.clone()).or_default();
            trend.push(sample.at, seen.wal_bytes);
        }
    }

    fn log(&self, path: &Name, seen: &DatabaseSample) -> LogReading {
        let handles = seen.handles.unwrap_or_default();
        let trend = self.trends.logs.get(path);
        let left = seen.disk_free_bytes;
        LogReading {
            database: path.clone(),
            handles: handles.database,
            wal_handles: handles.wal,
            shm_handles: handles.shm,
            wal_bytes: seen.wal_bytes,
            pending_bytes: seen.log.and_then(|log| log.pending_bytes()),
            per_second: trend.and_then(Trend::per_second),
            disk_free_bytes: left,
            seconds_left: left.and_then(|left| trend?.seconds_until(left)),
        }
    }
}
