//! `file-handle-leak`: one file, or one pattern of files, is open far too often.
//!
//! Meaning: The program opens files and does not close them. One program had 991 `*.jsonl` open (incident 3). At most 4
//! files or patterns are reported.
//!
//! Evidence: `kind` is "file" or "pattern". `file` is the path of a file; `directory` and `pattern` ("*.jsonl") describe
//! a pattern. `handles` is the number of descriptors, `files` that of different files. `writable_handles` are open for
//! writing, `deleted_handles` are of deleted files. `soft_limit` is RLIMIT_NOFILE, `percent_of_limit` the share of it. `names` are up to five paths. `growth` is null without `--for`, else it has `seconds` and how many
//! `more` there were after them. Reported from 128 descriptors of one file on, or 128 files of one extension in one directory.
//!
//! Severity: warning. If these are at least half of what `fd-limit-near` counts, the severity is that of the limit
//! finding. Info if `--for` saw none added and less than half of the soft limit is in use: they are kept open.
//!
//! Remedy: no command closes descriptors from outside. A restart frees them. The program must close each one.
//!
//! Not to be confused with: many files that are open on purpose, which do not count as a pattern: tables of RocksDB,
//! LevelDB, InnoDB, Lucene and PostgreSQL, packs of git, jars and libraries, one log for each site of a web server. The
//! files of a SQLite database: see `sqlite-handle-leak`.

use super::{Facts, Finding, growth, leak};
use crate::model::{Descriptor, Growth, Identity, Kind, Name, Process};
use crate::words::{number, plural};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// An eighth of the usual limit of 1,024 descriptors. A server has its logs, a few files for each thread and its sockets.
/// A leak of one descriptor per request exceeds this within minutes.
pub(super) const MANY: usize = 128;
/// How many names the evidence has.
const NAMED: usize = 5;
/// How many patterns and files are reported. The tables show the rest.
const MOST: usize = 4;
/// Programs keep files with these extensions open on purpose, thousands of them in one directory: RocksDB, LevelDB, InnoDB,
/// MyISAM, WiredTiger, Lucene and git, and the libraries of Java and .NET. If they come near the limit, `fd-limit-near`
/// reports it.
const BY_DESIGN: &[&[u8]] = &[
    b"sst", b"ldb", b"ibd", b"myd", b"myi", b"frm", b"wt", b"cfs", b"pack", b"idx", b"jar", b"dll",
    b"so",
];

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    // sqlite-handle-leak reports these.
    let databases = process.database_files();
    let files: Vec<&Descriptor> = process
        .descriptors
        .iter()
        .filter(|d| d.kind == Kind::File && d.identity.is_some_and(|id| !databases.contains(&id)))
        .collect();
    if files.len() < MANY {
        return Vec::new();
    }
    let mut found = same_file(&files);
    found.extend(same_pattern(&files));
    found.sort_by_key(|group| std::cmp::Reverse(group.files.len()));
    found.truncate(MOST);
    found.iter().map(|group| group.finding(process)).collect()
}

/// Descriptors that belong together.
struct Group<'a> {
    files: Vec<&'a Descriptor>,
    /// Directory and extension, if these are several files.
    pattern: Option<(Name, Option<Name>)>,
}

fn same_file<'a>(files: &[&'a Descriptor]) -> Vec<Group<'a>> {
    let mut by_file: HashMap<Identity, Vec<&Descriptor>> = HashMap::new();
    for file in files {
        if let Some(identity) = file.identity {
            by_file.entry(identity).or_default().push(file);
        }
    }
    by_file.retain(|_, files| files.len() >= MANY);
    let group = |files| Group {
        files,
        pattern: None,
    };
    by_file.into_values().map(group).collect()
}

fn same_pattern<'a>(files: &[&'a Descriptor]) -> Vec<Group<'a>> {
    type Pattern<'a> = (&'a [u8], Option<&'a [u8]>);
    let mut by_pattern: BTreeMap<Pattern<'_>, Vec<&Descriptor>> = BTreeMap::new();
    for file in files.iter().filter(|file| !by_design(file)) {
        if let Some(directory) = file.target.parent() {
            let pattern = (directory, file.target.extension());
            by_pattern.entry(pattern).or_default().push(file);
        }
    }
    by_pattern.retain(|_, files| {
        let inodes: HashSet<_> = files.iter().filter_map(|file| file.identity).collect();
        inodes.len() >= MANY
    });
    by_pattern
        .into_iter()
        .map(|((directory, extension), files)| Group {
            files,
            pattern: Some((directory.into(), extension.map(Name::from))),
        })
        .collect()
}

fn by_design(file: &Descriptor) -> bool {
    match file.target.extension() {
        // A web server writes one log for each site as long as it runs.
        Some(extension) if extension.eq_ignore_ascii_case(b"log") => file.writable == Some(true),
        Some(extension) => BY_DESIGN.iter().any(|e| extension.eq_ignore_ascii_case(e)),
        // PostgreSQL names its tables with numbers: base/16384/2619.
        None => file.target.base().first().is_some_and(u8::is_ascii_digit),
    }
}

impl Group<'_> {
    /// How many of them were opened between the two samples.
    fn more(&self, growth: &Growth) -> i64 {
        match (&self.pattern, self.files.first()) {
            (Some((directory, extension)), _) => {
                let extension = extension.as_ref().map(Name::as_bytes);
                growth.of_pattern(directory.as_bytes(), extension)
            }
            (None, Some(file)) => growth.of_file(&file.target),
            (None, None) => 0,
        }
    }

    fn finding(&self, process: &Process) -> Finding {
        let limit = process.fds.soft_limit;
        let grown = process.growth.as_ref().map(|growth| {
            let more = self.more(growth);
            (growth.seconds, more, growth.limits.descriptors)
        });
        let since = grown.map_or_else(String::new, |(seconds, more, ahead)| {
            growth::sentence(seconds, more, ahead)
        });
        let more = grown.map(|(_, more, _)| more);
        let leaked = format!(
            ": they are {}. No command closes them from outside. A restart frees them; to keep them from coming back, the program must close each file.",
            leak::leaked(process, more)
        );
        let (severity, judged) = leak::verdict(leak::is_kept(process, more), &leaked, &since);
        let handles = self.files.len() as u64;
        let inodes: HashSet<_> = self.files.iter().filter_map(|file| file.identity).collect();
        let what = match (&self.pattern, self.files.first()) {
            (Some((directory, extension)), _) => format!(
                "{} descriptors of {} {} in {directory}",
                number(handles),
                plural(inodes.len(), "file", "files"),
                extension
                    .as_ref()
                    .map_or_else(|| "without an extension".into(), |e| format!("*.{e}")),
            ),
            (None, Some(file)) => format!("{} descriptors of {}", number(handles), file.target),
            (None, None) => format!("{} descriptors", number(handles)),
        };
        let percent = limit.filter(|&n| n > 0).map(|n| handles * 100 / n);
        let share = percent.map_or_else(String::new, |p| format!(", {p} % of its limit"));
        let mut names: Vec<&Name> = Vec::new();
        let mut seen = HashSet::new();
        for file in self
            .files
            .iter()
            .filter(|file| seen.insert(file.identity))
            .take(NAMED)
        {
            names.push(&file.target);
        }
        let count = |test: fn(&Descriptor) -> bool| self.files.iter().filter(|f| test(f)).count();
        let first = self.files.first().map(|file| &file.target);
        let (kind, file, directory, pattern) = match &self.pattern {
            Some((directory, extension)) => {
                let pattern = extension
                    .as_ref()
                    .map_or_else(|| "*".into(), |e| format!("*.{e}"));
                ("pattern", None, Some(directory), Value::from(pattern))
            }
            None => ("file", first, None, Value::Null),
        };
        Finding {
            code: "file-handle-leak",
            severity,
            message: format!("{what} are open at once{share}{judged}"),
            evidence: json!({
                "kind": kind,
                "file": file,
                "directory": directory,
                "pattern": pattern,
                "handles": handles,
                "files": inodes.len(),
                "writable_handles": count(|f| f.writable == Some(true)),
                "deleted_handles": count(|f| f.deleted),
                "soft_limit": limit,
                "percent_of_limit": percent,
                "names": names,
                "growth": grown.map(|(seconds, more, ahead)| growth::evidence(seconds, more, ahead)),
            }),
            remedy: None,
            remedy_live: None,
            change: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Severity;
    use crate::findings::fixture::Fixture;

    fn with(count: usize, path: impl Fn(usize) -> String, inode: impl Fn(usize) -> u64) -> Fixture {
        (0..count).fold(Fixture::new(), |fixture, n| {
            fixture.with_file(n as i32, &path(n), inode(n), 1)
        })
    }

    #[test]
    fn many_files_of_one_pattern_are_a_leak_and_one_fewer_are_not() {
        let name = |n: usize| format!("/s/{n}.jsonl");
        let finding = with(128, name, |n| n as u64).only(look);
        assert_eq!(finding.evidence["pattern"], "*.jsonl");
        assert_eq!(finding.evidence["directory"], "/s");
        assert_eq!(finding.evidence["files"], 128);
        assert!(with(127, name, |n| n as u64).look(look).is_empty());
    }

    #[test]
    fn one_file_that_is_open_many_times_is_one_finding() {
        let finding = with(200, |_| "/s/a.jsonl".into(), |_| 7).only(look);
        assert_eq!(finding.evidence["kind"], "file");
        assert_eq!(finding.evidence["file"], "/s/a.jsonl");
        assert_eq!(finding.evidence["handles"], 200);
    }

    #[test]
    fn files_whose_number_does_not_grow_are_kept_open() {
        let mut fixture = with(200, |n| format!("/s/{n}.jsonl"), |n| n as u64);
        (fixture.process.fds.open, fixture.process.fds.soft_limit) = (Some(204), Some(1024));
        assert_eq!(fixture.only(look).severity, Severity::Warning);
        fixture.process.growth = Some(Growth {
            seconds: 2.0,
            ..Growth::default()
        });
        let finding = fixture.only(look);
        assert_eq!(finding.severity, Severity::Info);
        assert_eq!(
            finding.message,
            "200 descriptors of 200 files *.jsonl in /s are open at once, 19 % of its limit. Within 2.0 s none was added. As far as that shows, they are kept open and not leaked."
        );
        fixture.process.fds.open = Some(512);
        assert_eq!(fixture.only(look).severity, Severity::Warning);
    }

    #[test]
    fn files_kept_open_on_purpose_are_not_a_leak() {
        for pattern in ["sst", "IBD", "jar", "log"] {
            let fixture = with(2000, |n| format!("/db/x{n}.{pattern}"), |n| n as u64);
            assert!(fixture.look(look).is_empty(), "{pattern}");
        }
        let tables = with(2000, |n| format!("/base/16384/{n}"), |n| n as u64);
        assert!(tables.look(look).is_empty());
    }

    #[test]
    fn files_of_many_directories_are_not_a_pattern() {
        let fixture = with(2000, |n| format!("/s/{}/{n}.jsonl", n % 100), |n| n as u64);
        assert!(fixture.look(look).is_empty());
    }
}
