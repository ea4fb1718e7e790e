//! What is particular to a watcher.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{Engine, Operation, Tree};

/// One real watcher: a row of the table.
pub struct Watcher {
    /// Its name on the command line and in the table.
    pub name: &'static str,
    /// The extension of the files it looks at (see [`Tree`]).
    pub extension: &'static str,
    /// The command that watches the tree, or why it cannot run here.
    pub command: fn(&Tree) -> Result<Command, String>,
    /// Why it runs on no system like this one, whatever is installed.
    pub unsupported: fn() -> Option<&'static str>,
    /// How one knows that its watches are placed.
    pub ready: Ready,
    /// How it tells what it noticed.
    pub tells: Tells,
    /// Whether it starts itself anew after each change, so that its watches have to be waited for again.
    pub restarts: bool,
    /// For so long at its start and after a change it throws away what happens.
    pub deaf: Duration,
    /// What lines that are not a report begin with. An empty text stands for any line.
    pub chatter: &'static [&'static str],
    /// How it is stopped, and what a clean stop looks like.
    pub stop: Stop,
    /// How far the preload reaches into it.
    pub preload: Reach,
    /// It is run by the supervisor alone as well: its reads do not wait, so that they are judged there.
    pub without_preload: bool,
    /// What it does not notice by itself.
    pub misses: &'static [Operation],
    /// Where an engine does not do what its reach promises, and why.
    pub exceptions: &'static [Exception],
    /// Whether it prints the kernel's records as they are, so that they can be held against the contract.
    pub prints_records: bool,
}

/// How one knows that a watcher's watches are placed.
pub enum Ready {
    /// It prints a line with this text.
    Line(&'static str),
    /// It says nothing; the kernel shows watches on these directories of the tree.
    Watching(&'static [&'static str]),
    /// The same, and watches on every file.
    WatchingFilesAnd(&'static [&'static str]),
}

/// How a watcher tells what it noticed.
pub enum Tells {
    /// By lines that name paths.
    Paths(fn(&str) -> Vec<Report>),
    /// By lines with this text, whatever it was.
    Rounds(&'static str),
}

/// What a watcher said about one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// In the watcher's own words.
    pub kind: String,
    /// Absolute, or relative to the watched directory.
    pub path: PathBuf,
}

/// How a watcher is stopped, and what a clean stop looks like.
pub enum Stop {
    /// SIGTERM ends it, and what it started: it handles no signal.
    Killed,
    /// After SIGTERM it closes its watches, says STOPPED and exits with status 0.
    Terminated,
    /// As [`Stop::Terminated`], when its standard input is closed.
    InputClosed,
    /// After this signal it exits with this status.
    Exits(i32, i32),
    /// When it and its children get SIGINT, as from a terminal, it exits with this status.
    Interrupted(i32),
}

/// How far an engine reaches into a watcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To its watches and to what it reads.
    Full,
    /// To what it reads: it finds libc's own functions by a handle, and the kernel keeps its masks.
    Records,
    /// To its watches' masks, and to nothing by its name.
    Masks,
    /// To its watches' masks, and to what it reads.
    MasksAndRecords,
    /// Not at all.
    Nothing,
}

impl Reach {
    /// Whether changes of attributes alone are noticed: to know them it takes the record, and the path that
    /// was given for the watch.
    pub(crate) fn leaves_attributes(self) -> bool {
        self != Reach::Full
    }
}

/// A cell that is not as its engine's reach says.
pub struct Exception {
    /// The engine.
    pub engine: Engine,
    /// The operation.
    pub operation: Operation,
    /// Whether it is noticed.
    pub noticed: bool,
    /// Why.
    pub why: &'static str,
}

/// It learns of a file by a watch on that file.
pub const EACH_FILE: &[Exception] = &[Exception {
    engine: Engine::Heal,
    operation: Operation::Sqlite,
    noticed: false,
    why: "it watches the file itself, and heal mutes the watches on SQLite's files",
}];

impl Watcher {
    /// How far `engine` reaches into it.
    pub fn reach(&self, engine: Engine) -> Reach {
        match engine {
            Engine::Bare => Reach::Nothing,
            Engine::Preload => self.preload,
            Engine::Run => match self.preload {
                // Its reads do not wait: the supervisor judges them.
                Reach::Nothing => Reach::Full,
                // The preload sees its reads, the supervisor the calls that pass the preload by.
                Reach::Records => Reach::MasksAndRecords,
                reach => reach,
            },
            Engine::Heal => Reach::Masks,
            Engine::Seccomp => Reach::Full,
        }
    }

    /// Whether it is run under `engine`.
    pub fn runs_under(&self, engine: Engine) -> bool {
        engine != Engine::Seccomp || self.without_preload
    }

    /// Whether what is done at once is told apart: it names paths, and misses nothing meanwhile.
    pub(crate) fn tells_apart(&self) -> bool {
        matches!(self.tells, Tells::Paths(_)) && !self.restarts && self.deaf.is_zero()
    }

    /// Whether it is to notice `operation` under `engine`.
    pub fn is_to_notice(&self, engine: Engine, operation: Operation) -> bool {
        let exception = self
            .exceptions
            .iter()
            .find(|e| e.engine == engine && e.operation == operation);
        if let Some(exception) = exception {
            return exception.noticed;
        }
        let reach = self.reach(engine);
        let hidden = match operation {
            Operation::Read | Operation::List => reach != Reach::Nothing,
            Operation::Chmod => !reach.leaves_attributes(),
            Operation::Sqlite => !matches!(reach, Reach::Masks | Reach::Nothing),
            _ => false,
        };
        !hidden && !self.misses.contains(&operation)
    }
}

/// `KIND<TAB>PATH`, the form all our scripts print.
pub fn tabbed(line: &str) -> Vec<Report> {
    let report = line.split_once('\t');
    report
        .map(|(kind, path)| report_of(kind, path))
        .into_iter()
        .collect()
}

/// A report of one path.
pub fn report_of(kind: &str, path: impl AsRef<Path>) -> Report {
    Report {
        kind: kind.to_owned(),
        path: path.as_ref().to_path_buf(),
    }
}

/// A script of `tests/watchers/scripts`.
pub fn script(name: &str) -> PathBuf {
    support::root().join("tests/watchers/scripts").join(name)
}

/// A command running `tool` (see [`support::tool`]), or the reason why there is none.
///
/// # Errors
/// That the tool is missing.
pub fn command(tool: &str) -> Result<Command, String> {
    let path = support::tool(tool)
        .ok_or_else(|| format!("no {tool}: scripts/install-test-tools says why"))?;
    Ok(Command::new(path))
}
