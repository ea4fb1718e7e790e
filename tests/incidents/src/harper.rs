//! Incident 2: a deploy restarts a server's workers again and again, and every restart doubles its watches.

use std::collections::HashSet;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use support::{Next, Victim, without_rules};
use tempfile::TempDir;

/// What one deploy writes.
pub const FILES: usize = 800;
/// Worker threads, each with a watcher of its own (`victims/harper.mjs`).
pub const WORKERS: usize = 4;

const COMPONENTS: usize = 2;
/// The files of a component itself, all of them written by a deploy.
const OWN: usize = 80;
/// Packages that a deploy writes into its `node_modules`.
const PACKAGES: usize = 32;
/// Packages that are there before others are added.
const FEW: usize = 2;
const FILES_OF_A_PACKAGE: usize = 10;
/// So long nothing is said before it is believed that nothing will be.
const QUIET: Duration = Duration::from_millis(1500);
/// An overlap of workers takes tens of milliseconds at the least.
const BETWEEN_SAMPLES: Duration = Duration::from_millis(5);
const _: () = assert!(COMPONENTS * (OWN + PACKAGES * FILES_OF_A_PACKAGE) == FILES);

/// What a deploy does to `node_modules`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packages {
    /// It adds packages.
    Added,
    /// It replaces all there are: a file is removed and made anew, as tar(1) does it.
    Replaced,
}

/// The component directories, as they are before a deploy.
pub struct Site {
    dir: TempDir,
    packages: Packages,
}

impl Site {
    /// Makes them, for deploys of this kind.
    pub fn new(packages: Packages) -> Site {
        let dir = tempfile::Builder::new().prefix("harper").tempdir();
        let site = Site {
            dir: dir.unwrap(),
            packages,
        };
        let before = match packages {
            Packages::Added => FEW,
            Packages::Replaced => PACKAGES,
        };
        for component in 0..COMPONENTS {
            site.install(component, 0..before);
            site.extract(component);
        }
        site
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The watches of one generation of workers: chokidar has one for every file and directory.
    pub fn watches(&self) -> usize {
        fn entries(dir: &Path) -> usize {
            let below = |entry: fs::DirEntry| match entry.file_type().unwrap().is_dir() {
                true => entries(&entry.path()),
                false => 1,
            };
            1 + fs::read_dir(dir)
                .unwrap()
                .flatten()
                .map(below)
                .sum::<usize>()
        }
        WORKERS * entries(self.path())
    }

    fn component(&self, number: usize) -> PathBuf {
        self.path().join(format!("component_{number}"))
    }

    /// Writes the packages a deploy brings.
    fn deploy_packages(&self, component: usize) {
        let first = match self.packages {
            Packages::Added => FEW,
            Packages::Replaced => 0,
        };
        self.install(component, first..first + PACKAGES);
    }

    fn install(&self, component: usize, packages: Range<usize>) {
        let modules = self.component(component).join("node_modules");
        for package in packages {
            let dir = modules.join(format!("package_{package}"));
            fs::create_dir_all(&dir).unwrap();
            for file in 0..FILES_OF_A_PACKAGE {
                let path = dir.join(format!("file_{file}.js"));
                let _ = fs::remove_file(&path);
                fs::write(path, "exports.a = 1\n").unwrap();
            }
        }
    }

    /// Extracts the component's own files.
    fn extract(&self, component: usize) {
        for file in 0..OWN {
            let path = self
                .component(component)
                .join(format!("resource_{file}.js"));
            fs::write(path, "export const a = 1\n").unwrap();
        }
    }

    /// Changes one file of a component.
    fn edit(&self) {
        support::append(&self.component(0).join("resource_0.js"), "// edited\n");
    }
}

/// What the server runs under.
pub enum Under<'a> {
    /// Nothing.
    Bare,
    /// The preload, with these rules.
    Preload(&'a [(&'a str, &'a str)]),
    /// `watchfix run`, with these arguments.
    Run(&'a [&'a str]),
}

/// The server at work.
pub struct Harper<'a> {
    site: &'a Site,
    victim: Victim,
    pid: u32,
}

/// Its watches at one moment, as the kernel has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watches {
    /// Inotify instances.
    pub instances: usize,
    /// Watches of all of them.
    pub watches: usize,
}

/// What a deploy did.
pub struct Deploy {
    /// Restarts of the workers.
    pub restarts: usize,
    /// Of what the workers noticed, how much was in `node_modules`.
    pub in_modules: usize,
    /// Changes they noticed in all.
    pub changes: usize,
    /// Watches the kernel could not give them.
    pub refused: usize,
    /// The most watches that were seen.
    pub peak: usize,
    /// How long it took.
    pub elapsed: Duration,
}

/// How a deploy is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    /// By one pause.
    Once,
    /// By two that overlap.
    Twice,
    /// By one whose `watchfix` is killed.
    KilledWatchfix,
    /// By one of which nothing is left: the next `watchfix` ends it.
    KilledBoth,
}

/// A pause whose command waits.
struct Pause(Victim);

impl Pause {
    /// Kills `watchfix` and its guardian.
    fn kill_both(&self) {
        let children = format!("/proc/{0}/task/{0}/children", self.0.pid());
        let children = fs::read_to_string(children).unwrap();
        let guardian: u32 = children.split(' ').next().unwrap().parse().unwrap();
        self.0.signal(libc::SIGKILL);
        // SAFETY: kill has no memory effects; the process belongs to this test.
        assert_eq!(unsafe { libc::kill(guardian as i32, libc::SIGKILL) }, 0);
        // Until then the pause is in force, and nobody else ends it.
        support::wait_until("the guardian has ended", || !support::is_there(guardian));
    }

    /// Its command ends, which is not waited for where nobody is left to say so.
    fn end(mut self) {
        self.0.close_stdin();
        while !matches!(self.0.next_within(support::DEADLINE), Next::Ended) {}
    }
}

fn list_pauses() {
    let mut command = Command::new(support::watchfix());
    let listed = without_rules(&mut command)
        .args(["pause", "--list"])
        .output();
    assert!(listed.unwrap().status.success());
}

/// How a user namespace has a limit of its own, by sh(1): $1 is the limit, the rest the command.
const LIMITED: &str = "echo \"$1\" >/proc/sys/user/max_inotify_watches && shift && exec \"$@\"";

/// That a program can have a limit of watches of its own here.
///
/// # Errors
/// Why not.
pub fn limits_work() -> Result<(), String> {
    let run = limited(1).arg("true").output();
    let run = run.map_err(|e| format!("unshare does not start: {e}"))?;
    let why = String::from_utf8_lossy(&run.stderr);
    match run.status.success() {
        true => Ok(()),
        false => Err(format!("no user namespace to be had: {}", why.trim())),
    }
}

/// A program in a user namespace of its own: lowering `fs.inotify.max_user_watches` would hit everybody.
fn limited(watches: usize) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", LIMITED, "sh"]);
    command.arg(watches.to_string());
    command
}

impl<'a> Harper<'a> {
    /// Starts it, where a `limit` is given with no more watches than that, and waits until its workers watch.
    ///
    /// # Errors
    /// That there is no node with chokidar.
    pub fn start(
        site: &'a Site,
        under: &Under<'_>,
        limit: Option<usize>,
    ) -> Result<Harper<'a>, String> {
        let node = support::tool("watchfix-node");
        let node = node.ok_or("no chokidar: scripts/install-test-tools says why")?;
        let mut command = limit.map_or_else(|| Command::new("env"), limited);
        without_rules(&mut command);
        match under {
            Under::Bare => {}
            Under::Preload(rules) => {
                command.env("LD_PRELOAD", support::libwatchfix());
                command.envs(rules.iter().copied());
            }
            Under::Run(arguments) => {
                command.arg(support::watchfix()).arg("run");
                command.args(*arguments).arg("--");
            }
        }
        let program = support::root().join("tests/incidents/victims/harper.mjs");
        command.arg(node).arg(program).arg(site.path());
        let mut victim = Victim::spawn(&mut command);
        let ready = victim.line_with("READY ");
        let pid = ready.rsplit(' ').next().and_then(|pid| pid.parse().ok());
        Ok(Harper {
            site,
            victim,
            pid: pid.expect("READY has a PID"),
        })
    }

    /// Its PID.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The watches it has now.
    pub fn watches(&self) -> Watches {
        Watches {
            instances: support::inotify_fds(self.pid).len(),
            watches: support::watches(self.pid).len(),
        }
    }

    /// Edits a file while a request is being answered, which keeps the old workers: returns when the new ones
    /// watch beside them. How many watches were refused is returned.
    pub fn begin_restart(&mut self) -> usize {
        self.victim.send("request");
        self.site.edit();
        let lines = self
            .victim
            .lines_until("overlap", |l| l.starts_with("overlap "));
        lines
            .iter()
            .filter(|l| l.starts_with("error ENOSPC"))
            .count()
    }

    /// Lets the restart go on, to its end.
    pub fn end_restart(&mut self) {
        self.victim.send("respond");
        self.victim.line_with("restarted ");
    }

    /// Heals it with this rule for `--drop`, and goes on with watches that come later while the answer lives.
    ///
    /// # Errors
    /// Why it is not permitted here.
    pub fn heal_and_follow(&self, drop: &str) -> Result<Victim, String> {
        let mut command = Command::new(support::watchfix());
        command.args(["heal", "--drop", drop, "--follow"]);
        let mut heal = Victim::spawn(without_rules(command.arg(self.pid.to_string())));
        loop {
            match heal.next_within(support::DEADLINE) {
                Next::Line(line) if line.starts_with("healed ") => return Ok(heal),
                Next::Line(_) => {}
                Next::Ended => return Err(heal.seen().join(" ")),
                Next::Nothing => panic!("heal says nothing: {:?}", heal.seen()),
            }
        }
    }

    /// Waits until no watch below `node_modules` fires.
    pub fn wait_until_modules_are_muted(&self) {
        // inotify(7): IN_DELETE_SELF and IN_MOVE_SELF stay with a watch that is muted.
        const OF_OTHERS: u32 = 0x3ff;
        let fires = |watch: &support::Watch| watch.mask & OF_OTHERS != 0;
        let start = Instant::now();
        loop {
            let firing: HashSet<u64> = support::watches(self.pid)
                .iter()
                .filter(|watch| fires(watch))
                .map(|watch| watch.inode)
                .collect();
            let modules = |number| self.site.component(number).join("node_modules");
            if !(0..COMPONENTS).any(|number| holds_one_of(&modules(number), &firing)) {
                return;
            }
            assert!(
                start.elapsed() < support::DEADLINE,
                "watches below node_modules still fire"
            );
            // The kernel does not say when a mask has changed.
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Installs the packages of a component and edits a file after that; returns what was noticed up to the end of
    /// the restart.
    pub fn install_and_edit(&mut self, component: usize) -> Vec<String> {
        self.site.deploy_packages(component);
        self.site.edit();
        self.victim
            .lines_until("restarted", |l| l.starts_with("restarted "))
    }

    /// Deploys all components one after the other, and goes on when the server is back, as a deploy does that
    /// looks at its health. Packages are waited for only where the server notices them.
    pub fn deploy(&mut self, notices_modules: bool) -> Deploy {
        self.measured(|harper| {
            let mut lines = Vec::new();
            for component in 0..COMPONENTS {
                harper.site.deploy_packages(component);
                if notices_modules {
                    lines.append(&mut harper.lines_of_a_restart());
                }
                harper.site.extract(component);
                lines.append(&mut harper.lines_of_a_restart());
            }
            lines
        })
    }

    /// Deploys all components at once under `watchfix pause`, and under a second one that ends `later`, if that is asked
    /// for. Returns what came of it, and how many changes were noticed meanwhile.
    pub fn deploy_paused(&mut self, with: Paused) -> (Deploy, usize) {
        let mut meanwhile = 0;
        let deploy = self.measured(|harper| {
            let first = harper.pause();
            let second = (with == Paused::Twice).then(|| harper.pause());
            for component in 0..COMPONENTS {
                harper.site.deploy_packages(component);
                harper.site.extract(component);
            }
            let mut lines = harper.lines_while_quiet();
            meanwhile = lines.len();
            let last = match with {
                Paused::Once => Some(first),
                Paused::KilledWatchfix => {
                    first.0.signal(libc::SIGKILL);
                    meanwhile += harper.lines_while_quiet().len();
                    Some(first)
                }
                Paused::KilledBoth => {
                    first.kill_both();
                    // From now on any watchfix of this user may end it.
                    first.end();
                    None
                }
                Paused::Twice => {
                    first.end();
                    meanwhile += harper.lines_while_quiet().len();
                    second
                }
            };
            last.map_or_else(list_pauses, Pause::end);
            lines.append(&mut harper.lines_of_a_restart());
            lines.append(&mut harper.lines_while_quiet());
            lines
        });
        (deploy, meanwhile)
    }

    /// What it has said.
    pub fn said(&self) -> String {
        self.victim.seen().join("\n")
    }

    /// The watches that report nothing.
    pub fn muted(&self) -> usize {
        let watches = support::watches(self.pid);
        watches.iter().filter(|watch| watch.mask == 0).count()
    }

    fn pause(&self) -> Pause {
        let script = "echo begun $$; exec cat";
        let mut command = Command::new(support::watchfix());
        command
            .arg("pause")
            .arg(self.site.path())
            .args(["--", "sh", "-c", script]);
        let mut victim = Victim::spawn(without_rules(&mut command));
        victim.line_with("begun ");
        Pause(victim)
    }

    fn lines_of_a_restart(&mut self) -> Vec<String> {
        let back = |line: &str| line.starts_with("restarted ");
        self.victim.lines_until("restarted", back)
    }

    /// What it says until it has said nothing for a while: that no restart comes is known in no other way.
    fn lines_while_quiet(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Next::Line(line) = self.victim.next_within(QUIET) {
            lines.push(line);
        }
        lines
    }

    fn measured(&mut self, deploy: impl FnOnce(&mut Harper<'_>) -> Vec<String>) -> Deploy {
        let start = Instant::now();
        let pid = self.pid;
        let (lines, peak) = std::thread::scope(|scope| {
            // It ends with the channel, also when a step panics.
            let (alive, over) = channel::<()>();
            let sampler = scope.spawn(move || {
                let mut peak = 0;
                while over.recv_timeout(BETWEEN_SAMPLES) == Err(RecvTimeoutError::Timeout) {
                    peak = support::watches(pid).len().max(peak);
                }
                peak
            });
            let lines = deploy(self);
            drop(alive);
            (lines, sampler.join().unwrap())
        });
        let count = |what: &str| lines.iter().filter(|l| l.starts_with(what)).count();
        Deploy {
            restarts: count("restarted "),
            in_modules: lines.iter().filter(|l| is_in_modules(l)).count(),
            changes: count("change "),
            refused: count("error ENOSPC"),
            peak,
            elapsed: start.elapsed(),
        }
    }
}

/// Whether `dir`, or something below it, is one of these.
fn holds_one_of(dir: &Path, inodes: &HashSet<u64>) -> bool {
    let below = |entry: fs::DirEntry| match entry.file_type().unwrap().is_dir() {
        true => holds_one_of(&entry.path(), inodes),
        false => inodes.contains(&entry.ino()),
    };
    inodes.contains(&fs::metadata(dir).unwrap().ino())
        || fs::read_dir(dir).unwrap().flatten().any(below)
}

/// Whether a line of the server is about a change below `node_modules`.
pub fn is_in_modules(line: &str) -> bool {
    line.starts_with("change ") && line.contains("/node_modules/")
}
