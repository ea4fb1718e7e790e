//! A deploy (scripts/deploy.sh): what it is done to, and what of it is to be reported.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Engine, Tree, Watcher, script};

/// What a deploy does to a file, or to a package: a directory with files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A file is emptied and written anew.
    Rewritten,
    /// Another file is renamed over it.
    Replaced,
    /// It is removed and made again.
    Remade,
    /// A file is removed.
    Removed,
    /// A file is made.
    Added,
    /// A package is made.
    Package,
    /// A package is removed.
    PackageRemoved,
}

/// What deploys do, the packages at last.
const CHANGES: [Change; 7] = [
    Change::Rewritten,
    Change::Replaced,
    Change::Remade,
    Change::Removed,
    Change::Added,
    Change::Package,
    Change::PackageRemoved,
];

/// Files in each package.
const FILES: usize = 5;

/// The package nothing is done to.
const KEPT: &str = "packages/kept";

/// The package that is removed.
const GONE: &str = "packages/gone";

impl Change {
    /// Its name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Change::Rewritten => "rewritten",
            Change::Replaced => "replaced",
            Change::Remade => "removed and made again",
            Change::Removed => "removed",
            Change::Added => "new",
            Change::Package => "new packages",
            Change::PackageRemoved => "removed packages",
        }
    }

    /// How many files, or packages, it is done to.
    fn count(self) -> usize {
        match self {
            Change::Rewritten => 30,
            Change::Replaced => 15,
            Change::Remade => 12,
            Change::Removed => 3,
            Change::Added => 4,
            Change::Package => 8,
            Change::PackageRemoved => 1,
        }
    }

    /// What it is done to, from the watched directory on.
    pub(crate) fn target(self, number: usize, extension: &str) -> PathBuf {
        let stem = match self {
            Change::Rewritten => "rewritten",
            Change::Replaced => "replaced",
            Change::Remade => "remade",
            Change::Removed => "removed",
            Change::Added => "added",
            Change::Package => return format!("packages/new-{number}").into(),
            Change::PackageRemoved => return GONE.into(),
        };
        format!("{stem}-{number}.{extension}").into()
    }

    fn targets(self, extension: &str) -> impl Iterator<Item = PathBuf> {
        (0..self.count()).map(move |number| self.target(number, extension))
    }
}

/// The file of this number in a package.
fn file_in(package: &Path, number: usize, extension: &str) -> PathBuf {
    package.join(format!("file-{number}.{extension}"))
}

/// How a watcher takes a deploy.
pub struct Deploy {
    /// Who.
    pub watcher: &'static Watcher,
    /// What it runs under.
    pub engine: Engine,
    /// What it does not report, bare or paused.
    pub misses: &'static [Change],
    /// What it watches again by chance, bare too: only if it looks in the moment in which it is not there.
    pub forgets: &'static [Change],
    /// Whether files are written anew and nothing else is done: it does not outlive more.
    pub rewrites_only: bool,
    /// Whether it is told of one change (`--replay one`).
    pub one: bool,
    /// In the line that says it starts something anew.
    pub restarts: Option<&'static str>,
    /// Of what it hears at once it names one change.
    pub names_one: bool,
    /// In so many bursts it reports what it hears at once.
    pub bursts: usize,
}

impl Deploy {
    /// Its name.
    pub fn name(&self) -> String {
        let name = self.watcher.name;
        match (self.one, self.engine) {
            (true, _) => format!("{name} (--replay one)"),
            (false, Engine::Bare) => name.to_owned(),
            (false, engine) => format!("{name} ({})", engine.name()),
        }
    }

    fn watches_packages(&self) -> bool {
        !self.misses.contains(&Change::PackageRemoved)
    }

    /// How many directories it watches before the deploy: the tree, the packages' and each package.
    pub(crate) fn directories(&self) -> usize {
        match self.watches_packages() {
            true => 4,
            false => 1,
        }
    }

    /// Makes in `tree` what is there before the deploy.
    pub(crate) fn prepare(&self, tree: &Tree) -> io::Result<()> {
        let extension = self.watcher.extension;
        let mut files: Vec<_> = CHANGES[..4]
            .iter()
            .flat_map(|change| change.targets(extension))
            .collect();
        if tree.main().is_file() {
            let mut main = fs::OpenOptions::new().append(true).open(tree.main())?;
            for file in &files {
                writeln!(main, "import './{}';", file.display())?;
            }
        }
        for package in [KEPT, GONE] {
            fs::create_dir_all(tree.dir().join(package))?;
            files.extend((0..FILES).map(|n| file_in(package.as_ref(), n, extension)));
        }
        for file in files {
            let path = tree.dir().join(file);
            fs::write(&path, tree.line(&path).repeat(2))?;
        }
        Ok(())
    }

    /// The deploy, behind `watchfix pause` or not.
    pub(crate) fn command(&self, tree: &Tree, paused: bool) -> Command {
        let mut command = Command::new(support::watchfix());
        command.arg("pause");
        if self.one {
            command.args(["--replay", "one"]);
        }
        command.arg(tree.dir()).args(["--", "sh"]);
        if !paused {
            command = Command::new("sh");
        }
        command
            .arg(script("deploy.sh"))
            .arg(tree.dir())
            .arg(self.watcher.extension)
            .arg(if self.rewrites_only { "rewrite" } else { "all" });
        support::without_rules(&mut command);
        command
    }

    /// What of the deploy none of these paths names, though it is to be reported.
    pub(crate) fn missed(&self, reported: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let expected = self.done().filter(|change| !self.misses.contains(change));
        let targets = expected.flat_map(|change| change.targets(self.watcher.extension));
        let is_named = |target: &PathBuf| reported.iter().any(|path| path.starts_with(target));
        targets.filter(|target| !is_named(target)).collect()
    }

    /// Which of these paths the deploy has not changed.
    pub(crate) fn invented(&self, reported: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let extension = self.watcher.extension;
        // Directories whose entries are others now.
        let mut changed = BTreeSet::from([PathBuf::new(), "packages".into()]);
        for change in self.done() {
            for target in change.targets(extension) {
                if matches!(change, Change::Package | Change::PackageRemoved) {
                    changed.extend((0..FILES).map(|n| file_in(&target, n, extension)));
                }
                changed.insert(target);
            }
        }
        reported.difference(&changed).cloned().collect()
    }

    fn done(&self) -> impl Iterator<Item = Change> {
        let all = CHANGES.into_iter();
        all.filter(|change| !self.rewrites_only || *change == Change::Rewritten)
    }

    /// What is edited afterwards, to see that it still listens there.
    pub(crate) fn edited_afterwards(&self) -> Vec<PathBuf> {
        let extension = self.watcher.extension;
        let mut done: Vec<_> = self.done().collect();
        done.retain(|change| {
            !self.misses.contains(change)
                && !self.forgets.contains(change)
                && *change != Change::Removed
        });
        let new_packages = done.contains(&Change::Package);
        let files = done.into_iter().map(|change| match change {
            Change::Package => file_in(&change.target(2, extension), 3, extension),
            Change::PackageRemoved => file_in(KEPT.as_ref(), 3, extension),
            _ => change.target(1, extension),
        });
        let mut files: Vec<_> = files.collect();
        if new_packages {
            files.push(file_in(
                &Change::Package.target(3, extension),
                FILES,
                extension,
            ));
        }
        files
    }
}
