//! What grew between two moments of a process.

use super::change::whole_millis;
use super::{Change, DatabaseGrowth, DatabaseSample, Handles, Kind, LimitAhead, Name, Sample};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Patterns listed, most grown first: the rest is in [`Growth::of_pattern`].
const PATTERNS: usize = 10;

/// What grew between two samples of one process.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Growth {
    /// The time between the samples.
    pub seconds: f64,
    /// Open descriptors.
    pub descriptors: Option<Change>,
    /// Inotify instances.
    pub instances: Option<Change>,
    /// Watches of all of them.
    pub watches: Option<Change>,
    /// Directories and extensions with more open files than before, those that grew most first.
    pub patterns: Vec<PatternGrowth>,
    /// The limits that will be reached at this rate.
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

/// When limits are reached at the observed rate; `None` for what does not grow or has no known limit.
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

/// Open files of one directory and extension whose number grew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PatternGrowth {
    /// The directory.
    pub directory: Name,
    /// The extension, without its dot.
    pub extension: Option<Name>,
    /// How many more descriptors there are.
    pub descriptors: u64,
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
    use crate::model::LogSample;
    use std::time::Duration;
    use std::time::Instant;

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
