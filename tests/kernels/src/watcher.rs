//! Programs that watch: launch/tests/c/hears.c, built in three ways.

use crate::machine::Machine;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::Victim;

/// How they are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With glibc, dynamically.
    Dynamic,
    /// With glibc, statically.
    Static,
    /// With musl, statically.
    Musl,
}

/// All of them.
pub const KINDS: [Kind; 3] = [Kind::Dynamic, Kind::Static, Kind::Musl];

impl Kind {
    /// The file's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Dynamic => "hears-dynamic",
            Kind::Static => "hears-static",
            Kind::Musl => "hears-musl",
        }
    }
}

/// One of them, running; all its watches belong to one instance.
pub struct Watcher {
    victim: Victim,
    /// What was watched, by watch descriptor.
    pub paths: BTreeMap<u64, PathBuf>,
}

impl Watcher {
    /// One that watches `paths` with `mask`.
    pub fn new(machine: &Machine, kind: Kind, mask: &str, paths: &[PathBuf]) -> Watcher {
        Watcher::by(machine.program(kind.name()), mask, paths)
    }

    /// The same, started by `command`.
    pub fn by(mut command: Command, mask: &str, paths: &[PathBuf]) -> Watcher {
        let victim = support::ready(&mut command);
        let mut watcher = Watcher {
            victim,
            paths: BTreeMap::new(),
        };
        for path in paths {
            watcher.add(mask, path);
        }
        watcher
    }

    /// One more watch.
    pub fn add(&mut self, mask: &str, path: &Path) {
        self.try_add(mask, path).unwrap();
    }

    /// The same, or why there is none.
    pub fn try_add(&mut self, mask: &str, path: &Path) -> Result<(), String> {
        let path = path.to_owned();
        self.victim
            .send(&format!("add 0 {mask} {}", path.display()));
        let refused = format!("{}: ", path.display());
        let answer = |line: &str| line.starts_with("wd ") || line.starts_with(&refused);
        let line = self.victim.lines_until("an answer", answer).pop().unwrap();
        let wd = line.strip_prefix("wd ").ok_or(&line)?;
        self.paths.insert(wd.parse().unwrap(), path);
        Ok(())
    }

    /// Its PID: that of the program itself, also where a command was between.
    pub fn pid(&self) -> u32 {
        self.victim.pid()
    }

    /// The masks that the kernel has for it, each with its count.
    pub fn masks(&self) -> BTreeMap<u32, usize> {
        masks(self.pid())
    }

    /// What it heard since the last time: "EVENT NAME". What stands for a read of which nothing is left is no event.
    pub fn heard(&mut self) -> Vec<String> {
        self.victim.send("sync");
        let mut lines = self.victim.lines_until("SYNC", |line| line == "SYNC");
        lines.pop();
        let words = lines.iter().map(|line| line.split(' ').collect::<Vec<_>>());
        let events = words.filter(|words| words.len() > 2 && words[2] != "-1");
        events
            .map(|words| format!("{} {}", words[1], words[3..].join(" ")))
            .collect()
    }

    /// What the command it was started by said to begin with.
    pub fn said(&self) -> String {
        self.victim.seen().join("\n")
    }

    /// Ends it.
    pub fn end(self) -> std::process::ExitStatus {
        self.victim.finish().0
    }
}

/// The masks of a process's watches, each with its count.
pub fn masks(pid: u32) -> BTreeMap<u32, usize> {
    let mut all = BTreeMap::new();
    for watch in support::watches(pid) {
        *all.entry(watch.mask).or_default() += 1;
    }
    all
}
