//! The victim of incident 1, in the shape of `apx dev start`: it watches a tree and has a subprocess
//! generate something from it after every event. `apx TREE` watches, `apx generate TREE` generates.
//!
//! Prints `READY PID`, then one line per regeneration (see `incidents::apx::Regeneration`), and `events N`
//! (`incidents::counted`). Ends when its standard input is closed.

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, EventKind};
use notify::{Event, RecursiveMode, Watcher};

/// It waits for this long without events, as editors write in several steps, and at most as long as
/// the second.
const QUIET: Duration = Duration::from_millis(200);
const TIMEOUT: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    match args.as_slice() {
        [tree] => watch(Path::new(tree)),
        [command, tree] if command == "generate" => generate(&Path::new(tree).join("src")),
        _ => Err("usage: apx [generate] TREE".into()),
    }
}

fn watch(tree: &Path) -> Result<(), Box<dyn Error>> {
    let (sender, events) = channel();
    let mut watcher = notify::recommended_watcher(incidents::counted(sender))?;
    watcher.watch(tree, RecursiveMode::Recursive)?;
    // The test closes our standard input, or is gone.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    say(&format!("READY {}", std::process::id()));
    regenerate(tree)?;
    say("regeneration 0 opens 0 changes 0 cause start paths -");
    for number in 1.. {
        let batch = Batch::collect(tree, &events)?;
        regenerate(tree)?;
        say(&format!("regeneration {number} {batch}"));
    }
    Ok(())
}

/// The events taken for one change.
struct Batch {
    opens: usize,
    changes: usize,
    cause: EventKind,
    changed: BTreeSet<PathBuf>,
    others: BTreeSet<PathBuf>,
}

impl Batch {
    fn collect(
        tree: &Path,
        events: &Receiver<notify::Result<Event>>,
    ) -> Result<Batch, Box<dyn Error>> {
        let first = events.recv()??;
        let mut batch = Batch {
            opens: 0,
            changes: 0,
            cause: first.kind,
            changed: BTreeSet::new(),
            others: BTreeSet::new(),
        };
        batch.add(tree, first);
        let start = Instant::now();
        while start.elapsed() < TIMEOUT
            && let Ok(event) = events.recv_timeout(QUIET)
        {
            batch.add(tree, event?);
        }
        Ok(batch)
    }

    fn add(&mut self, tree: &Path, event: Event) {
        let paths = match event.kind {
            EventKind::Access(kind) => {
                self.opens += usize::from(matches!(kind, AccessKind::Open(_)));
                &mut self.others
            }
            _ => {
                self.changes += 1;
                &mut self.changed
            }
        };
        let relative = |p: PathBuf| p.strip_prefix(tree).map(Path::to_path_buf).unwrap_or(p);
        paths.extend(event.paths.into_iter().map(relative));
    }
}

impl std::fmt::Display for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cause = format!("{:?}", self.cause).replace(' ', "");
        let paths = if self.changes > 0 {
            &self.changed
        } else {
            &self.others
        };
        // No more than fit a line: a bare run names thousands.
        let paths: Vec<_> = paths.iter().take(3).map(|p| p.to_string_lossy()).collect();
        let paths = paths.join(",");
        let Batch { opens, changes, .. } = self;
        write!(
            f,
            "opens {opens} changes {changes} cause {cause} paths {paths}"
        )
    }
}

fn regenerate(tree: &Path) -> Result<(), Box<dyn Error>> {
    let status = Command::new(std::env::current_exe()?)
        .arg("generate")
        .arg(tree)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("generating: {status}").into())
    }
}

/// Reads every file below `dir`, as an interpreter does that imports them. It writes nothing.
fn generate(dir: &Path) -> Result<(), Box<dyn Error>> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            generate(&entry.path())?;
        } else {
            std::fs::read(entry.path())?;
        }
    }
    Ok(())
}

fn say(line: &str) {
    // The reader may be gone already when the test ends; there is nobody left to tell.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
