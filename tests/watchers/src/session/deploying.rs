//! A session through a deploy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::{DEADLINE, Next, Victim};

use super::Session;

/// Lines that are further apart belong to two bursts.
const BURST: Duration = Duration::from_millis(400);

/// What a watcher said of a deploy.
pub(crate) struct Heard {
    /// Until it had been quiet after the last change.
    pub(crate) during: Said,
    /// When the command of the deploy had ended.
    pub(crate) after: Said,
    /// The most watches it had at once.
    pub(crate) peak: usize,
    /// What became something else after the command of the deploy had ended.
    pub(crate) altered: Vec<String>,
    /// What the deploy itself printed.
    pub(crate) printed: Vec<String>,
}

/// Lines of a watcher.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) lines: Vec<String>,
    /// How the bursts begin: how long it had been quiet before, and with which line.
    pub(crate) bursts: Vec<String>,
    last: Option<Instant>,
}

impl Said {
    fn add(&mut self, line: String) {
        let now = Instant::now();
        match self.last.map(|last| now - last) {
            Some(quiet) if quiet <= BURST => {}
            quiet => self.bursts.push(format!("after {quiet:?}: {line}")),
        }
        self.last = Some(now);
        self.lines.push(line);
    }
}

impl Session<'_> {
    /// Waits until there are so many watches, and none is added any more. (On an overlayfs the kernel names other
    /// inodes than stat does.)
    pub(crate) fn wait_until_placed(&mut self, at_least: usize) -> Result<(), String> {
        let start = Instant::now();
        let mut before = 0;
        while start.elapsed() < DEADLINE {
            self.wait_until_quiet()?;
            let now = watches(self.victim.pid());
            if now == before && now >= at_least {
                return Ok(());
            }
            before = now;
        }
        Err(self.failure("it does not place its watches"))
    }

    /// Lets `command` deploy, and listens until nothing more comes.
    pub(crate) fn deploy(&mut self, command: &mut Command) -> Result<Heard, String> {
        let over = AtomicBool::new(false);
        let pid = self.victim.pid();
        std::thread::scope(|scope| {
            let peak = scope.spawn(|| {
                let mut peak = 0;
                while !over.load(Ordering::Relaxed) {
                    peak = peak.max(watches(pid));
                    // Nothing tells when a watch is placed.
                    std::thread::sleep(Duration::from_millis(50));
                }
                peak
            });
            let heard = self.hear(command);
            over.store(true, Ordering::Relaxed);
            let peak = peak.join().unwrap_or_default();
            heard.map(|heard| Heard { peak, ..heard })
        })
    }

    fn hear(&mut self, command: &mut Command) -> Result<Heard, String> {
        let mut deploy = Victim::spawn(command);
        let mut during = Said::default();
        let deployed = self.listen(&mut during, &mut deploy, "DEPLOYED");
        deployed.map_err(|why| format!("{why}: {:#?}", deploy.seen()))?;
        self.listen_until_quiet(&mut during)?;
        let left = support::contents(self.tree.dir());
        deploy.send("");
        let mut after = Said::default();
        self.listen(&mut after, &mut deploy, "")?;
        self.listen_until_quiet(&mut after)?;
        let (status, printed) = deploy.finish();
        if !status.success() {
            return Err(format!("the deploy ended with {status}: {printed:#?}"));
        }
        let now = support::contents(self.tree.dir());
        let paths: BTreeSet<_> = left.keys().chain(now.keys()).collect();
        let altered = paths.into_iter().filter_map(|path| {
            let (was, is) = (left.get(path), now.get(path));
            (was != is).then(|| format!("{}: {was:?} became {is:?}", path.display()))
        });
        Ok(Heard {
            during,
            after,
            peak: 0,
            altered: altered.collect(),
            printed,
        })
    }

    /// Listens until the deploy prints `word`, or, if that is empty, until it has ended.
    fn listen(&mut self, said: &mut Said, deploy: &mut Victim, word: &str) -> Result<(), String> {
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            match self.victim.next_within(Duration::from_millis(5)) {
                Next::Line(line) => said.add(line),
                Next::Nothing => {}
                Next::Ended => return Err(self.failure("it ended")),
            }
            match deploy.next_within(Duration::ZERO) {
                Next::Line(line) if line == word => return Ok(()),
                Next::Line(_) | Next::Nothing => {}
                Next::Ended if word.is_empty() => return Ok(()),
                Next::Ended => return Err("the deploy ended".to_owned()),
            }
        }
        Err(self.failure("the deploy does not come to its end"))
    }

    fn listen_until_quiet(&mut self, said: &mut Said) -> Result<(), String> {
        self.wait_until_drained()?;
        let start = Instant::now();
        loop {
            match self.victim.next_within((3 * self.slowest).max(3 * BURST)) {
                Next::Line(_) if start.elapsed() > DEADLINE => {
                    return Err(self.failure("it does not come to rest"));
                }
                Next::Line(line) => said.add(line),
                Next::Nothing => return Ok(()),
                Next::Ended => return Err(self.failure("it ended")),
            }
        }
    }

    /// The paths these lines name.
    pub(crate) fn named(&self, lines: &[String]) -> BTreeSet<PathBuf> {
        let reports = lines.iter().flat_map(|line| self.reports(line));
        reports.map(|report| report.path).collect()
    }

    /// Whether it reports an edit of this file: at the latest before two edits made afterwards.
    pub(crate) fn hears(&mut self, file: &Path) -> Result<bool, String> {
        self.edit(file);
        self.wait_until_drained()?;
        let mut seen = self.sentinel()?;
        seen.extend(self.sentinel()?);
        Ok(seen.iter().any(|report| report.path == file))
    }

    /// Edits this file until that is reported: what is said of it is waited for.
    pub(crate) fn must_hear(&mut self, file: &Path) -> Result<(), String> {
        self.edit(file);
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            match self
                .victim
                .next_within(DEADLINE.saturating_sub(start.elapsed()))
            {
                Next::Line(line) => {
                    if self.reports(&line).iter().any(|report| report.path == file) {
                        return self.wait_until_quiet().map(drop);
                    }
                }
                Next::Nothing => {}
                Next::Ended => return Err(self.failure("it ended")),
            }
        }
        Err(self.failure(&format!(
            "an edit of {} afterwards is not heard",
            file.display()
        )))
    }

    fn edit(&self, file: &Path) {
        let path = self.tree.dir().join(file);
        if path.exists() {
            support::append(&path, &self.tree.line(&path));
        } else {
            support::overwrite(&path, &self.tree.line(&path));
        }
    }
}

fn watches(root: u32) -> usize {
    let all = support::with_descendants(root).into_iter();
    all.map(|pid| support::watches(pid).len()).sum()
}
