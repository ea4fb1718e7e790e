//! Incident 1: a watcher woken by reads.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use support::{Next, Victim};
use tempfile::TempDir;

use crate::{Product, Way};

/// As many directories as the report counted watches, the root included.
pub const DIRECTORIES: usize = 5299;
/// Of them, those of the program itself: what is generated from.
const PACKAGES: usize = 500;

/// A project tree: `src` with the program's packages, `node_modules` with everything else.
pub struct Tree(TempDir);

impl Tree {
    /// Makes one of [`DIRECTORIES`] directories.
    pub fn new() -> Tree {
        let tree = Tree(tempfile::Builder::new().prefix("apx").tempdir().unwrap());
        let src = tree.path().join("src");
        let modules = tree.path().join("node_modules");
        fs::create_dir_all(&src).unwrap();
        fs::create_dir(&modules).unwrap();
        for i in 0..PACKAGES {
            let package = src.join(format!("package_{i}"));
            fs::create_dir(&package).unwrap();
            fs::write(package.join("module.py"), "import os\n").unwrap();
        }
        fs::write(src.join("router.py"), "routes = []\n").unwrap();
        fs::write(src.join("models.py"), "models = []\n").unwrap();
        let mut parent = modules.clone();
        for i in 0..DIRECTORIES - PACKAGES - 3 {
            // Packages of ten directories each.
            let dir = if i % 10 == 0 {
                parent = modules.join(format!("package_{i}"));
                parent.clone()
            } else {
                parent.join(format!("lib_{i}"))
            };
            fs::create_dir(dir).unwrap();
        }
        tree
    }

    /// The tree's root.
    pub fn path(&self) -> PathBuf {
        self.0.path().join("project")
    }

    /// Edits a file in place.
    fn append(&self, name: &str) {
        support::append(&self.path().join(name), "# edited\n");
    }

    /// Puts a new file in its place, as editors do that write beside it: one event, which is never told in parts.
    fn replace(&self, name: &str) {
        let new = self.0.path().join("new");
        support::overwrite(&new, "# replaced\n");
        fs::rename(new, self.path().join(name)).unwrap();
    }

    /// Reads every file of the program and lists every directory; returns how many files.
    fn read(&self) -> usize {
        let mut files = 0;
        let mut dirs = vec![self.path()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap().flatten() {
                if entry.file_type().unwrap().is_dir() {
                    dirs.push(entry.path());
                } else {
                    fs::read(entry.path()).unwrap();
                    files += 1;
                }
            }
        }
        files
    }
}

impl Default for Tree {
    fn default() -> Self {
        Tree::new()
    }
}

/// One line of the victim: why it regenerated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regeneration {
    /// Counted from 1; 0 is the one at start-up.
    pub number: usize,
    /// How many of the events that caused it were IN_OPEN.
    pub opens: usize,
    /// How many said that something changed.
    pub changes: usize,
    /// The first event, as `notify` calls it.
    pub cause: String,
    /// The first few paths that changed, else that were named, relative to the tree.
    pub paths: Vec<String>,
}

impl Regeneration {
    fn parse(line: &str) -> Option<Regeneration> {
        let mut words = line.split(' ');
        let mut field = |name| (words.next()? == name).then(|| words.next())?;
        Some(Regeneration {
            number: field("regeneration")?.parse().ok()?,
            opens: field("opens")?.parse().ok()?,
            changes: field("changes")?.parse().ok()?,
            cause: field("cause")?.to_owned(),
            paths: field("paths")?.split(',').map(str::to_owned).collect(),
        })
    }
}

/// The victim at work on a tree.
pub struct Apx<'a> {
    tree: &'a Tree,
    victim: Victim,
    pid: u32,
    last: usize,
}

/// A loop, as it was seen.
pub struct Loop {
    /// The regenerations after the one at start-up.
    pub regenerations: Vec<Regeneration>,
    /// How long they took.
    pub elapsed: Duration,
    /// Processor time the victim and its subprocesses used meanwhile.
    pub cpu: Duration,
}

/// What the victim did when the tree was read, `router.py` edited, the tree read again and `models.py`
/// replaced.
pub struct Quiet {
    /// How many files the reads opened.
    pub files_read: usize,
    /// Every regeneration up to that of the last edit.
    pub regenerations: Vec<Regeneration>,
    /// How long it took.
    pub elapsed: Duration,
    /// Processor time the victim and its subprocesses used meanwhile.
    pub cpu: Duration,
}

impl<'a> Apx<'a> {
    /// Starts it and waits until it has generated once, as it does at start-up.
    pub fn start(product: &Product, tree: &'a Tree, way: Way) -> Apx<'a> {
        let (mut victim, pid) = product.start(way, "apx", &[&tree.path()], &[]);
        victim.line_with("regeneration 0 ");
        Apx {
            tree,
            victim,
            pid,
            last: 0,
        }
    }

    /// Its PID; not that of `watchfix run`, which may have started it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How many watches it has with which mask.
    pub fn masks(&self) -> BTreeMap<u32, usize> {
        let mut masks = BTreeMap::new();
        for watch in support::watches(self.pid) {
            *masks.entry(watch.mask).or_default() += 1;
        }
        masks
    }

    /// Waits for `count` regenerations while nobody touches the tree.
    pub fn watch_it_loop(&mut self, count: usize) -> Loop {
        let start = Instant::now();
        let cpu = cpu_time(self.pid);
        let regenerations = (0..count).map(|_| self.next_regeneration()).collect();
        Loop {
            regenerations,
            elapsed: start.elapsed(),
            cpu: cpu_time(self.pid).saturating_sub(cpu),
        }
    }

    /// The number of its last regeneration.
    pub fn regenerated(&mut self) -> usize {
        while let Next::Line(line) = self.victim.next_within(Duration::ZERO) {
            self.note(&line);
        }
        self.last
    }

    /// Waits until it has regenerated for everything that woke it so far, and returns the number of the
    /// last of these regenerations.
    pub fn catch_up(&mut self) -> usize {
        // Its event comes after all those.
        self.tree.replace("src/caught_up.py");
        self.regenerations_until("src/caught_up.py");
        self.last
    }

    /// Reads and edits the tree, see [`Quiet`].
    pub fn read_and_edit(&mut self) -> Quiet {
        let (start, cpu) = (Instant::now(), cpu_time(self.pid));
        let mut files_read = self.tree.read();
        self.tree.append("src/router.py");
        let mut regenerations = self.regenerations_until("src/router.py");
        files_read += self.tree.read();
        // The sentinel: had the read, or the edit before it, caused another regeneration, it would come
        // before this one's.
        self.tree.replace("src/models.py");
        regenerations.extend(self.regenerations_until("src/models.py"));
        Quiet {
            files_read,
            regenerations,
            elapsed: start.elapsed(),
            cpu: cpu_time(self.pid).saturating_sub(cpu),
        }
    }

    /// Ends it, as it does when its standard input is closed.
    pub fn end(self) {
        let (status, lines) = self.victim.finish();
        assert!(status.success(), "{status}: {lines:#?}");
    }

    /// Up to that for a change of `path`.
    fn regenerations_until(&mut self, path: &str) -> Vec<Regeneration> {
        let mut all = Vec::new();
        loop {
            let next = self.next_regeneration();
            let last = next.changes > 0 && next.paths.iter().any(|p| p == path);
            all.push(next);
            if last {
                return all;
            }
        }
    }

    fn next_regeneration(&mut self) -> Regeneration {
        let line = self.victim.line_with("regeneration ");
        let next = self.note(&line);
        next.unwrap_or_else(|| panic!("not a regeneration: {line:?}"))
    }

    fn note(&mut self, line: &str) -> Option<Regeneration> {
        let regeneration = Regeneration::parse(line)?;
        self.last = regeneration.number;
        Some(regeneration)
    }
}

/// Processor time used by a process and the children it has waited for.
fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; what follows it starts with field 3.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), in USER_HZ, which is 100 everywhere.
    let ticks = fields.split_whitespace().skip(11).take(4);
    Duration::from_millis(10 * ticks.filter_map(|t| t.parse::<u64>().ok()).sum::<u64>())
}
