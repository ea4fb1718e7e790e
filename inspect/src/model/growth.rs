//! Counters of a process at two moments, and what grew between them.

use super::{Kind, Name};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// Patterns listed, most grown first: the rest is in [`Growth::of_pattern`].
const PATTERNS: usize = 10;

/// The counters of a process at one moment. `None` stands for what may not be read.
#[derive(Debug, Clone)]
pub struct Sample {
    /// When it was taken.
    pub at: Instant,
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// Inotify instances, one that stands at several descriptors counted once.
    pub instances: Option<u64>,
    /// Watches of all of them.
    pub watches: Option<u64>,
    /// Descriptors by the path of what they stand on. Empty where `instances` is `None`.
    pub files: HashMap<Name, u64>,
    /// Descriptors by kind, of what has no path. Empty where `instances` is `None`.
    pub kinds: BTreeMap<Kind, u64>,
    /// Databases with a -wal or -shm open, by path. Empty where `instances` is `None`.
    pub databases: BTreeMap<Name, DatabaseSample>,
}

/// A database at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DatabaseSample {
    /// Descriptors of the database, its -wal and its -shm; `None` where they were not counted, because
    /// the database was looked at by its path.
    pub handles: Option<Handles>,
    /// Size of the -wal.
    pub wal_bytes: Option<u64>,
    /// What its -shm says, or without one to believe its -wal.
    pub log: Option<LogSample>,
    /// Bytes that can still be written to the file system of its -wal; `None` also where the database was
    /// looked at by its path.
    pub disk_free_bytes: Option<u64>,
}

/// Descriptors of a database's files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Handles {
    /// Of the database.
    pub database: u64,
    /// Of its -wal.
    pub wal: u64,
    /// Of its -shm.
    pub shm: u64,
}

/// A write-ahead log at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSample {
    /// Valid frames, `mxFrame`.
    pub frames: u32,
    /// Frames that are in the database already, `nBackfill`; only a -shm says that.
    pub checkpointed_frames: Option<u32>,
    /// They change when the log begins anew.
    pub salts: [u8; 8],
    /// Bytes of a page.
    pub page_size: Option<u32>,
}

impl LogSample {
    /// Bytes of the frames that are not in the database yet.
    pub fn pending_bytes(&self) -> Option<u64> {
        let pending = self.frames.saturating_sub(self.checkpointed_frames?);
        // A frame is its header of 24 bytes and a page (sqlite.org/fileformat2.html, section 4.1).
        Some(u64::from(pending) * (24 + u64::from(self.page_size?)))
    }
}

/// What grew between two samples of one process.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Growth {
    /// How far the samples lie apart.
    pub seconds: f64,
    /// Open descriptors.
    pub descriptors: Option<Change>,
    /// Inotify instances.
    pub instances: Option<Change>,
    /// Watches of all of them.
    pub watches: Option<Change>,
    /// Directories and extensions with more open files than before, most grown first.
    pub patterns: Vec<PatternGrowth>,
    /// The limits that are met if it goes on so.
    pub limits: LimitsAhead,
    /// Databases that are open in both samples or in one. In a report, each stands with its database
    /// instead.
    #[serde(skip)]
    pub databases: BTreeMap<Name, DatabaseGrowth>,
    /// By path, what has more or fewer descriptors than before.
    #[serde(skip)]
    pub files: HashMap<Name, i64>,
    /// Descriptors of what has no path, by kind.
    #[serde(skip)]
    pub kinds: BTreeMap<Kind, Change>,
}

/// When limits are met at the rate that was seen; `None` for what does not grow, or has no limit that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LimitsAhead {
    /// The process's soft limit of descriptors.
    pub descriptors: Option<LimitAhead>,
    /// Its user's limit of inotify instances.
    pub instances: Option<LimitAhead>,
    /// Its user's limit of watches.
    pub watches: Option<LimitAhead>,
}

/// A limit and when it is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LimitAhead {
    /// How many there may be.
    pub limit: u64,
    /// In so many seconds.
    pub seconds_left: u64,
}

/// A counter before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// In the first sample.
    pub from: u64,
    /// In the second.
    pub to: u64,
}

/// Open files of one directory and extension that have become more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PatternGrowth {
    /// The directory.
    pub directory: Name,
    /// The extension, without its dot.
    pub extension: Option<Name>,
    /// How many descriptors more.
    pub descriptors: u64,
}

/// What became of a database between two samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DatabaseGrowth {
    /// How far the samples lie apart.
    pub seconds: f64,
    /// Descriptors of the database; `None`, as the other two, where they were not counted.
    pub handles: Option<Change>,
    /// Descriptors of its -wal.
    pub wal_handles: Option<Change>,
    /// Descriptors of its -shm.
    pub shm_handles: Option<Change>,
    /// Size of its -wal.
    pub wal_bytes: Option<Change>,
    /// Valid frames.
    pub frames: Option<Change>,
    /// Frames that are in the database already.
    pub checkpointed_frames: Option<Change>,
    /// The log did not begin anew in between: its salts are the same.
    pub same_log: Option<bool>,
}

impl Change {
    /// How much more, or less when negative.
    pub fn by(self) -> i64 {
        let more = i128::from(self.to) - i128::from(self.from);
        // No counter of the kernel's comes near the ends of i64.
        i64::try_from(more).unwrap_or(if more < 0 { i64::MIN } else { i64::MAX })
    }

    /// How much more; `None` if it did not grow.
    pub fn more(self) -> Option<u64> {
        self.to.checked_sub(self.from).filter(|&more| more > 0)
    }

    /// Seconds until `left` more are taken, if it goes on as it did for `seconds`; `None` if it did not
    /// grow.
    pub fn seconds_until(self, left: u64, seconds: f64) -> Option<u64> {
        let rate = self.more()? as f64 / seconds;
        // From f64 saturates: a limit that is never met is far away.
        (rate > 0.0).then(|| (left as f64 / rate) as u64)
    }

    /// When `limit` is met, of which `used` were taken at a look that counted `own` of this: what was taken between that
    /// look and the second sample is gone as well. `None` if it did not grow within `seconds`.
    pub fn until(self, limit: u64, used: u64, own: u64, seconds: f64) -> Option<LimitAhead> {
        let since = self.to.saturating_sub(own);
        let left = limit.saturating_sub(used).saturating_sub(since);
        let seconds_left = self.seconds_until(left, seconds)?;
        Some(LimitAhead {
            limit,
            seconds_left,
        })
    }

    fn between(before: Option<u64>, after: Option<u64>) -> Option<Change> {
        let (from, to) = (before?, after?);
        Some(Change { from, to })
    }
}

impl Growth {
    /// Compares two samples of one process, the earlier one first.
    pub fn between(before: &Sample, after: &Sample) -> Growth {
        let apart = after.at.saturating_duration_since(before.at);
        let change =
            |count: fn(&Sample) -> Option<u64>| Change::between(count(before), count(after));
        let (mut files, mut kinds) = (HashMap::new(), BTreeMap::new());
        // Without the right to look, nothing was closed or opened as far as is known.
        if before.instances.is_some() && after.instances.is_some() {
            files = changed_files(&before.files, &after.files);
            kinds = changed_kinds(&before.kinds, &after.kinds);
        }
        let paths = before.databases.keys().chain(after.databases.keys());
        let databases = paths.map(|path| {
            let of = |sample: &Sample| {
                let closed = || sample.instances.map(|_| Handles::default());
                let seen = sample.databases.get(path).copied();
                seen.unwrap_or_else(|| DatabaseSample {
                    handles: closed(),
                    ..DatabaseSample::default()
                })
            };
            let growth = DatabaseGrowth::between(apart, &of(before), &of(after));
            (path.clone(), growth)
        });
        Growth {
            seconds: whole_millis(apart),
            descriptors: change(|sample| sample.descriptors),
            instances: change(|sample| sample.instances),
            watches: change(|sample| sample.watches),
            patterns: grown_patterns(&files),
            limits: LimitsAhead::default(),
            databases: databases.collect(),
            files,
            kinds,
        }
    }

    /// How many descriptors more there are of one kind that has no path.
    pub fn of_kind(&self, kind: Kind) -> i64 {
        self.kinds.get(&kind).map_or(0, |change| change.by())
    }

    /// How many descriptors more there are of what lies at `path`.
    pub fn of_file(&self, path: &Name) -> i64 {
        self.files.get(path).copied().unwrap_or(0)
    }

    /// How many descriptors more there are of the files of one directory and extension.
    pub fn of_pattern(&self, directory: &[u8], extension: Option<&[u8]>) -> i64 {
        let files = self.files.iter();
        files
            .filter(|(path, _)| (path.parent(), path.extension()) == (Some(directory), extension))
            .map(|(_, more)| more)
            .sum()
    }
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

/// Seconds, to the millisecond.
fn whole_millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

fn changed_files(before: &HashMap<Name, u64>, after: &HashMap<Name, u64>) -> HashMap<Name, i64> {
    let count = |list: &HashMap<Name, u64>, path| list.get(path).copied().unwrap_or(0);
    before
        .keys()
        .chain(after.keys())
        .map(|path| {
            let (from, to) = (count(before, path), count(after, path));
            (path, Change { from, to }.by())
        })
        .filter(|&(_, more)| more != 0)
        .map(|(path, more)| (path.clone(), more))
        .collect()
}

fn changed_kinds(
    before: &BTreeMap<Kind, u64>,
    after: &BTreeMap<Kind, u64>,
) -> BTreeMap<Kind, Change> {
    let count = |list: &BTreeMap<Kind, u64>, kind| list.get(kind).copied().unwrap_or(0);
    let kinds = before.keys().chain(after.keys());
    kinds
        .map(|kind| {
            let (from, to) = (count(before, kind), count(after, kind));
            (*kind, Change { from, to })
        })
        .collect()
}

fn grown_patterns(files: &HashMap<Name, i64>) -> Vec<PatternGrowth> {
    let mut sums: BTreeMap<(&[u8], Option<&[u8]>), i64> = BTreeMap::new();
    for (path, more) in files {
        if let Some(directory) = path.parent() {
            *sums.entry((directory, path.extension())).or_default() += more;
        }
    }
    let mut grown: Vec<_> = sums
        .into_iter()
        .filter(|&(_, more)| more > 0)
        .map(|((directory, extension), more)| PatternGrowth {
            directory: directory.into(),
            extension: extension.map(Name::from),
            descriptors: more.unsigned_abs(),
        })
        .collect();
    grown.sort_by_key(|pattern| std::cmp::Reverse(pattern.descriptors));
    grown.truncate(PATTERNS);
    grown
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn sample(at: Instant, files: &[(&str, u64)]) -> Sample {
        Sample {
            at,
            descriptors: Some(files.iter().map(|(_, count)| count).sum()),
            instances: Some(0),
            watches: Some(0),
            files: files
                .iter()
                .map(|&(path, count)| (path.into(), count))
                .collect(),
            kinds: BTreeMap::new(),
            databases: BTreeMap::new(),
        }
    }

    fn database(frames: u32, checkpointed_frames: u32, salt: u8) -> DatabaseSample {
        DatabaseSample {
            handles: None,
            wal_bytes: None,
            log: Some(LogSample {
                frames,
                checkpointed_frames: Some(checkpointed_frames),
                salts: [salt; 8],
                page_size: Some(4096),
            }),
            disk_free_bytes: None,
        }
    }

    #[test]
    fn files_of_one_pattern_are_summed_whether_they_are_new_or_closed() {
        let start = Instant::now();
        let before = sample(
            start,
            &[("/s/1.jsonl", 1), ("/s/2.jsonl", 1), ("/s/a.log", 3)],
        );
        let after = sample(
            start + Duration::from_secs(2),
            &[
                ("/s/2.jsonl", 1),
                ("/s/3.jsonl", 2),
                ("/s/4.jsonl", 1),
                ("/s/a.log", 3),
            ],
        );
        let growth = Growth::between(&before, &after);
        assert_eq!(growth.seconds, 2.0);
        assert_eq!(growth.descriptors, Some(Change { from: 5, to: 7 }));
        assert_eq!(growth.of_pattern(b"/s", Some(b"jsonl")), 2);
        assert_eq!(growth.of_file(&"/s/1.jsonl".into()), -1);
        assert_eq!(growth.of_file(&"/s/a.log".into()), 0);
        assert_eq!(growth.patterns.len(), 1);
        assert_eq!(growth.patterns[0].descriptors, 2);
    }

    #[test]
    fn what_may_not_be_read_in_one_sample_has_not_shrunk() {
        let start = Instant::now();
        let before = sample(start, &[("/s/1.jsonl", 1)]);
        let mut after = sample(start, &[]);
        after.instances = None;
        let growth = Growth::between(&before, &after);
        assert!(growth.files.is_empty());
        assert_eq!(growth.instances, None);
    }

    #[test]
    fn a_log_is_starved_that_grows_while_nothing_of_it_is_checkpointed() {
        let starved = |a: DatabaseSample, b: DatabaseSample| {
            DatabaseGrowth::between(Duration::from_secs(1), &a, &b).starved()
        };
        let before = database(100, 40, 1);
        assert_eq!(starved(before, database(101, 40, 1)), Some(true));
        assert_eq!(starved(before, database(100, 40, 1)), Some(false));
        assert_eq!(starved(before, database(200, 41, 1)), Some(false));
        assert_eq!(starved(before, database(200, 40, 2)), Some(false));
        assert_eq!(starved(DatabaseSample::default(), before), None);
    }

    #[test]
    fn a_counter_that_fell_did_not_grow() {
        let fell = Change { from: 9, to: 4 };
        assert_eq!((fell.by(), fell.more()), (-5, None));
        assert_eq!(Change { from: 4, to: 4 }.more(), None);
        assert_eq!(Change { from: 4, to: 9 }.more(), Some(5));
        assert_eq!(fell.seconds_until(10, 1.0), None);
        assert_eq!(Change { from: 4, to: 9 }.seconds_until(10, 1.0), Some(2));
    }
}
