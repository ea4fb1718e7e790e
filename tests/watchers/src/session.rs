//! One run of a watcher over a tree of its own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::Victim;
use tempfile::TempDir;

use crate::{Operation, Ready, Stop, Watcher};

/// Existing files the default ignore list names.
pub(crate) const STATE_FILES: [&str; 5] = [
    "state.sqlite",
    "state.sqlite-wal",
    "state.sqlite-shm",
    "app.db-journal",
    "other.sqlite3",
];

/// What a watcher said about one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// In the watcher's own words.
    pub kind: String,
    /// Relative to the watched directory.
    pub path: PathBuf,
}

/// A watcher at work.
pub struct Session<'a> {
    watcher: &'a Watcher,
    victim: Victim,
    dir: TempDir,
    sentinels: usize,
}

impl<'a> Session<'a> {
    /// Starts the watcher over a fresh tree and waits until its watches are placed.
    /// `None`, after noting the reason, when it cannot run here.
    pub fn start(watcher: &'a Watcher, preload: bool) -> Option<Session<'a>> {
        let dir = tempfile::Builder::new()
            .prefix("watched")
            .tempdir()
            .unwrap();
        for operation in Operation::EDITS.into_iter().chain(Operation::SILENT) {
            operation.prepare(dir.path());
        }
        for name in STATE_FILES.iter().chain(&["sibling.txt"]) {
            support::overwrite(&dir.path().join(name), "before\n");
        }
        let mut command = match (watcher.command)(dir.path()) {
            Ok(command) => command,
            Err(reason) => {
                support::skip(&reason);
                return None;
            }
        };
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WATCHFIX_") || name == "LD_PRELOAD" {
                command.env_remove(name);
            }
        }
        if preload {
            command.env("LD_PRELOAD", support::libwatchfix());
        }
        let mut victim = Victim::spawn(&mut command);
        match watcher.ready {
            Ready::Line(text) => {
                victim.line_with(text);
            }
            Ready::Watches(count) => wait_for_watches(victim.pid(), count),
        }
        Some(Session {
            watcher,
            victim,
            dir,
            sentinels: 0,
        })
    }

    /// The watched directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The masks the kernel holds, by path relative to the watched directory.
    pub(crate) fn masks(&self) -> BTreeMap<PathBuf, u32> {
        let mut paths = BTreeMap::new();
        list(self.dir(), Path::new(""), &mut paths);
        support::watches(self.victim.pid())
            .into_iter()
            .map(|w| {
                let path = paths.get(&w.inode);
                let path = path.unwrap_or_else(|| panic!("{w:?} is on nothing in the tree"));
                (path.clone(), w.mask)
            })
            .collect()
    }

    /// Does `operation` and waits until the watcher reports it; returns every report up to that one.
    pub(crate) fn reports(&mut self, operation: Operation) -> Vec<Report> {
        operation.act(self.dir.path());
        self.reports_until(&format!("{operation:?}"), |r| {
            operation.is_named_by(&r.path)
        })
    }

    /// Adds a line to a file and waits for the report; returns every report up to that one.
    pub(crate) fn reports_write_to(&mut self, name: &str) -> Vec<Report> {
        support::append(&self.dir.path().join(name), "more\n");
        self.reports_until(name, |r| r.path == Path::new(name))
    }

    /// Everything reported about what was done so far.
    ///
    /// Two sentinels, because some watchers hand over events in batches without order: what was done
    /// before the first is in no later batch than it, and the second comes in a later one.
    pub(crate) fn reports_so_far(&mut self) -> Vec<Report> {
        let mut all = Vec::new();
        for _ in 0..2 {
            self.sentinels += 1;
            let name = format!("sentinel-{}", self.sentinels);
            fs::write(self.dir.path().join(&name), "sentinel\n").unwrap();
            all.extend(self.reports_until(&name, |r| r.path == Path::new(&name)));
        }
        all
    }

    /// Waits until the watcher has read every event there is.
    pub(crate) fn wait_until_drained(&self) {
        support::wait_until_drained(self.victim.pid());
    }

    /// Stops the watcher: it must go quietly, in its own way.
    pub(crate) fn stop(mut self) {
        match self.watcher.stop {
            Stop::Killed | Stop::Terminated => self.victim.signal(libc::SIGTERM),
            Stop::InputClosed => self.victim.close_stdin(),
        }
        let (status, lines) = self.victim.finish();
        match self.watcher.stop {
            Stop::Killed => assert_eq!(status.signal(), Some(libc::SIGTERM), "{lines:#?}"),
            Stop::Terminated | Stop::InputClosed => {
                assert!(status.success(), "{status}: {lines:#?}");
                assert!(lines.iter().any(|l| l == "STOPPED"), "{lines:#?}");
            }
        }
        // Standard error is among them: nothing there but what it prints bare, too.
        for line in &lines {
            let known = line == "READY"
                || line == "STOPPED"
                || self.watcher.chatter.iter().any(|c| line.starts_with(c))
                || (self.watcher.parse)(line).is_some();
            assert!(known, "unexpected line {line:?} in {lines:#?}");
        }
    }

    /// Does `operation` and returns what the watcher calls all that comes of it.
    pub(crate) fn kinds_of(&mut self, operation: Operation) -> Vec<String> {
        operation.act(self.dir.path());
        let seen = self.reports_so_far();
        let about = seen.into_iter().filter(|r| operation.is_named_by(&r.path));
        about.map(|r| r.kind).collect()
    }

    fn reports_until(&mut self, what: &str, last: impl Fn(&Report) -> bool) -> Vec<Report> {
        let (watcher, dir) = (self.watcher, self.dir.path());
        let lines = self
            .victim
            .lines_until(what, |l| report(watcher, dir, l).is_some_and(|r| last(&r)));
        lines
            .iter()
            .filter_map(|l| report(watcher, dir, l))
            .collect()
    }
}

fn report(watcher: &Watcher, dir: &Path, line: &str) -> Option<Report> {
    let (kind, path) = (watcher.parse)(line)?;
    Some(Report {
        kind: kind.to_owned(),
        path: path.strip_prefix(dir).ok()?.to_path_buf(),
    })
}

fn wait_for_watches(pid: u32, count: usize) {
    let start = Instant::now();
    while support::watches(pid).len() < count {
        assert!(
            start.elapsed() < support::DEADLINE,
            "{pid} places no watches"
        );
        // The watcher says nothing when it is ready; only its fdinfo shows it.
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn list(dir: &Path, relative: &Path, into: &mut BTreeMap<u64, PathBuf>) {
    into.insert(fs::metadata(dir).unwrap().ino(), relative.to_path_buf());
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let relative = relative.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            list(&entry.path(), &relative, into);
        } else {
            into.insert(entry.metadata().unwrap().ino(), relative);
        }
    }
}
