//! Waiting for what a watcher says, and for what the kernel says about it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use support::{DEADLINE, Next};

use super::{Session, is_round, reports};
use crate::{Operation, Ready, Report};

impl Session<'_> {
    /// Waits until its watches are placed, by other processes than `before`.
    pub(super) fn wait_until_ready(&mut self, before: &BTreeSet<u32>) -> Result<(), String> {
        match self.watcher.ready {
            Ready::Line(text) => {
                self.lines_until(text, DEADLINE, |line| line.contains(text))?;
            }
            Ready::Watching(names) => {
                self.wait_for_watches(names.iter().map(PathBuf::from), before)?
            }
            Ready::WatchingFilesAnd(names) => {
                let relative =
                    |file: PathBuf| file.strip_prefix(self.tree.dir()).map(PathBuf::from);
                let files: Vec<_> = self.tree.files().flat_map(relative).collect();
                let names = names.iter().map(PathBuf::from);
                self.wait_for_watches(files.into_iter().chain(names), before)?;
            }
        }
        Ok(())
    }

    /// Waits until all of `names` are watched, by other processes than `before`.
    fn wait_for_watches(
        &self,
        names: impl Iterator<Item = PathBuf>,
        before: &BTreeSet<u32>,
    ) -> Result<(), String> {
        let names: BTreeSet<_> = names.collect();
        let start = Instant::now();
        loop {
            let watched = self.masks().into_iter().map(|(path, _)| path).collect();
            if names.is_subset(&watched) && before.is_disjoint(&self.watching()) {
                return Ok(());
            }
            if start.elapsed() > DEADLINE {
                return Err(self.failure("it places no watches"));
            }
            // It says nothing when it is ready; only its fdinfo shows it.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(super) fn wait_until_drained(&self) -> Result<(), String> {
        let start = Instant::now();
        // A process that has ended has nothing left to read.
        while self
            .processes()
            .into_iter()
            .any(|pid| support::unread_bytes(pid).is_ok_and(|n| n > 0))
        {
            if start.elapsed() > DEADLINE {
                return Err(self.failure("it leaves its events unread"));
            }
            // Nothing announces that a queue became empty.
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Waits until a watcher that does not say what it noticed has noticed all there was: no line in three
    /// times what a sentinel took. Says whether there was a round.
    pub(super) fn wait_until_quiet(&mut self) -> Result<bool, String> {
        let quiet = (3 * self.slowest).max(Duration::from_millis(300));
        let lines = self.wait_for_silence(quiet)?;
        Ok(lines.iter().any(|line| is_round(self.watcher, line)))
    }

    /// Waits until it prints nothing for so long. Returns what it printed before.
    pub(super) fn wait_for_silence(&mut self, quiet: Duration) -> Result<Vec<String>, String> {
        let start = Instant::now();
        let mut lines = Vec::new();
        loop {
            match self.victim.next_within(quiet) {
                // It wakes itself.
                Next::Line(_) if start.elapsed() > DEADLINE => {
                    return Err(self.failure("it does not come to rest"));
                }
                Next::Line(line) => lines.push(line),
                Next::Nothing => return Ok(lines),
                Next::Ended => return Err(self.failure("it ended")),
            }
        }
    }

    /// Waits for the notice of each of `operations`: whether all came, and every report up to the last.
    pub(super) fn wait_for_notices(
        &mut self,
        operations: &[Operation],
        before: &BTreeSet<u32>,
    ) -> Result<(bool, Vec<Report>), String> {
        let start = Instant::now();
        let mut seen = Vec::new();
        let mut missing = operations.to_vec();
        let mut made = 0;
        while !missing.is_empty() && start.elapsed() < DEADLINE {
            let makes = missing.contains(&Operation::Mkdir);
            // Between the news of a directory and its watch a file may be made unseen: so one after another.
            let step = if makes {
                Duration::from_millis(200)
            } else {
                DEADLINE.saturating_sub(start.elapsed())
            };
            match self.victim.next_within(step) {
                Next::Line(line) if is_round(self.watcher, &line) => missing.clear(),
                Next::Line(line) => {
                    let new = self.reports(&line);
                    let named =
                        |o: &Operation| new.iter().any(|r| o.is_named_by(&r.path, &self.tree));
                    missing.retain(|o| !named(o));
                    seen.extend(new);
                }
                Next::Nothing if makes => {
                    self.make_in_directory(made);
                    made += 1;
                }
                Next::Nothing => {}
                Next::Ended => return Err(self.failure("it ended")),
            }
        }
        if missing.is_empty() {
            self.wait_until_restarted(before)?;
        }
        Ok((missing.is_empty(), seen))
    }

    pub(super) fn make_in_directory(&self, number: usize) {
        let name = format!("made-{number}");
        let file = self.tree.target(Operation::Mkdir).join(name);
        support::overwrite(&file, &self.tree.line(&file));
    }

    /// Makes an edit that must be noticed, and waits for that; returns every report up to it.
    pub(super) fn sentinel(&mut self) -> Result<Vec<Report>, String> {
        if self.watcher.deaf.is_zero() {
            return self.sentinel_within(DEADLINE);
        }
        let lines = self.wait_for_silence(self.watcher.deaf)?;
        let mut seen: Vec<_> = lines.iter().flat_map(|line| self.reports(line)).collect();
        seen.extend(self.some_sentinel()?);
        Ok(seen)
    }

    /// Makes edits until one is noticed.
    pub(super) fn some_sentinel(&mut self) -> Result<Vec<Report>, String> {
        let start = Instant::now();
        loop {
            match self.sentinel_within(Duration::from_secs(2)) {
                Err(_) if start.elapsed() < DEADLINE => {}
                seen => return seen,
            }
        }
    }

    fn sentinel_within(&mut self, time: Duration) -> Result<Vec<Report>, String> {
        let before = self.watching();
        let file = self.tree.sentinel(self.sentinels);
        self.sentinels += 1;
        let start = Instant::now();
        support::append(&file, &self.tree.line(&file));
        let (watcher, dir) = (self.watcher, self.tree.dir().to_path_buf());
        let lines = self.lines_until("a sentinel", time, |line| {
            is_round(watcher, line)
                || reports(watcher, line)
                    .iter()
                    .any(|r| dir.join(&r.path) == file)
        })?;
        self.slowest = self.slowest.max(start.elapsed());
        self.wait_until_restarted(&before)?;
        Ok(lines.iter().flat_map(|l| self.reports(l)).collect())
    }

    /// Where it starts itself anew after a change: waits until that is over, however often it does so (the
    /// later writes of a burst start it once more).
    fn wait_until_restarted(&mut self, before: &BTreeSet<u32>) -> Result<(), String> {
        if !self.watcher.restarts {
            return Ok(());
        }
        self.wait_until_ready(before)?;
        self.wait_until_quiet()?;
        match self.watcher.ready {
            Ready::Line(_) => Ok(()),
            Ready::Watching(_) | Ready::WatchingFilesAnd(_) => {
                self.wait_until_ready(&BTreeSet::new())
            }
        }
    }

    fn lines_until(
        &mut self,
        what: &str,
        time: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>, String> {
        let start = Instant::now();
        let mut lines = Vec::new();
        loop {
            match self
                .victim
                .next_within(time.saturating_sub(start.elapsed()))
            {
                Next::Line(line) => {
                    let hit = wanted(&line);
                    lines.push(line);
                    if hit {
                        return Ok(lines);
                    }
                }
                Next::Nothing => return Err(self.failure(&format!("no line with {what}"))),
                Next::Ended => return Err(self.failure(&format!("it ended before {what}"))),
            }
        }
    }
}
