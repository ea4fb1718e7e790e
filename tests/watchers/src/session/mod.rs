//! One run of a watcher under an engine, over a tree of its own.

mod deploying;
mod waiting;

pub(crate) use deploying::Heard;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::{DEADLINE, Next, Victim};

use crate::process;
use crate::{Engine, Operation, Report, Stop, Tells, Tree, Watcher};

/// At most this much more processor time than bare, in five seconds of idleness: 1 %.
pub(crate) const SPINNING: Duration = Duration::from_millis(50);

/// So many lines of a watcher are shown where it fails.
const SHOWN: usize = 15;

/// What came of an operation.
pub(crate) struct Outcome {
    pub(crate) noticed: bool,
    /// What the watcher called it, as far as it was waited for.
    pub(crate) kinds: Vec<String>,
}

/// A watcher at work.
pub(crate) struct Session<'a> {
    watcher: &'a Watcher,
    tree: Tree,
    victim: Victim,
    sentinels: usize,
    /// The longest it took so far to notice a sentinel.
    slowest: Duration,
    descriptors: usize,
}

impl<'a> Session<'a> {
    /// Starts the watcher and waits until its watches are placed.
    pub(crate) fn start(
        watcher: &'a Watcher,
        engine: Engine,
        tree: Tree,
        command: std::process::Command,
    ) -> Result<Session<'a>, String> {
        let victim = Victim::spawn_group(&mut engine.start(command));
        let mut session = Session {
            watcher,
            tree,
            victim,
            sentinels: 0,
            slowest: Duration::ZERO,
            descriptors: 0,
        };
        session.wait_until_ready(&BTreeSet::new())?;
        // Some look at nothing yet when their watches are placed.
        session.some_sentinel()?;
        session.slowest = Duration::ZERO;
        engine.after_start(&session.watching())?;
        session.descriptors = process::descriptors(&session.processes());
        Ok(session)
    }

    /// What it watches.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The masks the kernel holds, with the paths relative to the watched directory.
    pub(crate) fn masks(&self) -> BTreeSet<(PathBuf, u32)> {
        let mut paths = BTreeMap::new();
        list(self.tree.dir(), Path::new(""), &mut paths);
        let watches = self.processes().into_iter().flat_map(support::watches);
        watches
            .filter_map(|w| Some((paths.get(&w.inode)?.clone(), w.mask)))
            .collect()
    }

    /// Does these operations at once and says of each whether it was noticed: at the latest when the watcher
    /// notices what is done afterwards, or, where that is `expected`, when it says so.
    pub(crate) fn perform(
        &mut self,
        operations: &[Operation],
        expected: impl Fn(Operation) -> bool,
    ) -> Result<Vec<Outcome>, String> {
        let (awaited, silent): (Vec<_>, Vec<_>) = operations.iter().partition(|o| expected(**o));
        // Before they are done: some take long enough for the watcher to be another process already.
        let before = self.watching();
        match self.watcher.tells {
            Tells::Rounds(_) => {
                self.wait_until_quiet()?;
            }
            Tells::Paths(_) if self.watcher.deaf > Duration::ZERO => {
                self.sentinel()?;
                self.wait_for_silence(self.watcher.deaf)?;
            }
            Tells::Paths(_) => {}
        }
        for operation in operations {
            let done = operation.act(&self.tree);
            done.map_err(|e| format!("{}: {e}", operation.name()))?;
        }
        match self.watcher.tells {
            Tells::Rounds(_) => {
                let noticed = if silent.is_empty() {
                    self.wait_for_notices(&awaited, &before)?.0
                } else {
                    let noticed = self.wait_until_quiet()?;
                    self.sentinel()?;
                    noticed
                };
                let outcome = |_| Outcome {
                    noticed,
                    kinds: Vec::new(),
                };
                Ok(operations.iter().map(outcome).collect())
            }
            Tells::Paths(_) => {
                let mut seen = Vec::new();
                if !awaited.is_empty() {
                    seen.extend(self.wait_for_notices(&awaited, &before)?.1);
                }
                // A flood may be more than it has room for, and what follows lost.
                let several = self.watcher.tells_apart() && operations.iter().all(|o| o.is_brief());
                if !silent.is_empty() || several || self.watcher.prints_records {
                    self.wait_until_drained()?;
                    if silent.contains(&Operation::Mkdir) {
                        self.make_in_directory(0);
                    }
                    // Two, because some watchers hand over events in batches without order: what was done
                    // before the first is in no later batch than it, and the second comes in a later one.
                    seen.extend(self.sentinel()?);
                    seen.extend(self.sentinel()?);
                }
                let outcome = |operation: &Operation| {
                    let about = |r: &&Report| operation.is_named_by(&r.path, &self.tree);
                    let kinds: Vec<_> = seen.iter().filter(about).map(|r| r.kind.clone()).collect();
                    Outcome {
                        noticed: !kinds.is_empty(),
                        kinds,
                    }
                };
                Ok(operations.iter().map(outcome).collect())
            }
        }
    }

    /// Makes a read of which nothing is left after filtering, many times: no watcher may stumble over it.
    pub(crate) fn feed_state_files(&mut self) -> Result<(), String> {
        for _ in 0..20 {
            support::append(&self.tree.dir().join("other.sqlite-wal"), "more\n");
            // So that no two rounds are read as one.
            self.wait_until_drained()?;
        }
        self.sentinel()?;
        Ok(())
    }

    /// The processor time used in five seconds in which nothing happens, and by how many descriptors it
    /// has more than at the start.
    pub(crate) fn rest(&mut self) -> Result<(Duration, isize), String> {
        self.wait_until_quiet()?;
        let mut used = self.used_in_five_seconds();
        // It may still be busy with the last change, however long that takes on a busy machine. What spins never rests.
        for _ in 0..5 {
            if used <= SPINNING {
                break;
            }
            used = used.min(self.used_in_five_seconds());
        }
        let now = process::descriptors(&self.processes());
        Ok((used, now.cast_signed() - self.descriptors.cast_signed()))
    }

    fn used_in_five_seconds(&self) -> Duration {
        let all = self.processes();
        let before = process::processor_time(&all);
        // Idleness has no event that could be waited for: it is what is measured.
        std::thread::sleep(Duration::from_secs(5));
        process::processor_time(&all).saturating_sub(before)
    }

    /// Stops the watcher: it must go quietly, in its own way.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        match self.watcher.stop {
            Stop::Killed => self.victim.signal_group(libc::SIGTERM),
            Stop::Terminated => self.victim.signal(libc::SIGTERM),
            Stop::Exits(signal, _) => self.victim.signal(signal),
            Stop::Interrupted(_) => self.victim.signal_group(libc::SIGINT),
            Stop::InputClosed => self.victim.close_stdin(),
        }
        let start = Instant::now();
        loop {
            match self
                .victim
                .next_within(DEADLINE.saturating_sub(start.elapsed()))
            {
                Next::Line(_) => {}
                Next::Ended => break,
                Next::Nothing => return Err(self.failure("it does not stop")),
            }
        }
        let (status, lines) = self.victim.finish();
        let clean = match self.watcher.stop {
            Stop::Killed => status.signal() == Some(libc::SIGTERM),
            Stop::Exits(_, code) | Stop::Interrupted(code) => status.code() == Some(code),
            Stop::Terminated | Stop::InputClosed => {
                status.success() && lines.iter().any(|l| l == "STOPPED")
            }
        };
        let last = &lines[lines.len().saturating_sub(SHOWN)..];
        if !clean {
            return Err(format!(
                "it stopped with {status}; its last lines: {last:#?}"
            ));
        }
        // Standard error is among them: nothing there but what it prints bare, too.
        let strange = lines.iter().position(|line| {
            let known = ["", "READY", "STOPPED"].contains(&line.as_str())
                || self.watcher.chatter.iter().any(|c| line.starts_with(c))
                || !reports(self.watcher, line).is_empty();
            !known
        });
        match strange {
            Some(line) => {
                let about = &lines[line..lines.len().min(line + 4)];
                Err(format!("it printed {about:#?}; its last lines: {last:#?}"))
            }
            None => Ok(()),
        }
    }

    fn processes(&self) -> BTreeSet<u32> {
        support::with_descendants(self.victim.pid())
    }

    /// The processes that watch the tree.
    fn watching(&self) -> BTreeSet<u32> {
        let mut paths = BTreeMap::new();
        list(self.tree.dir(), Path::new(""), &mut paths);
        let watches_it = |pid: &u32| {
            support::watches(*pid)
                .iter()
                .any(|w| paths.contains_key(&w.inode))
        };
        self.processes().into_iter().filter(watches_it).collect()
    }

    /// The reports of a line, with paths relative to the watched directory.
    fn reports(&self, line: &str) -> Vec<Report> {
        let mut all = reports(self.watcher, line);
        for report in &mut all {
            if let Ok(relative) = report.path.strip_prefix(self.tree.dir()) {
                report.path = relative.to_path_buf();
            }
        }
        all
    }

    /// `what` is wrong, and the lines that came before it.
    pub(crate) fn failure(&self, what: &str) -> String {
        let seen = self.victim.seen();
        let last = &seen[seen.len().saturating_sub(SHOWN)..];
        format!("{what}; its last lines: {last:#?}")
    }
}

fn reports(watcher: &Watcher, line: &str) -> Vec<Report> {
    match watcher.tells {
        Tells::Paths(parse) => parse(line),
        Tells::Rounds(_) => Vec::new(),
    }
}

fn is_round(watcher: &Watcher, line: &str) -> bool {
    matches!(watcher.tells, Tells::Rounds(text) if line.contains(text))
}

fn list(dir: &Path, relative: &Path, into: &mut BTreeMap<u64, PathBuf>) {
    if let Ok(metadata) = fs::metadata(dir) {
        into.insert(metadata.ino(), relative.to_path_buf());
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let relative = relative.join(entry.file_name());
        match entry.metadata() {
            Ok(m) if m.is_dir() => list(&entry.path(), &relative, into),
            Ok(m) => drop(into.insert(m.ino(), relative)),
            Err(_) => {}
        }
    }
}
