//! Processes that are started with the same command as a process while it is being watched. A start that fails ends at
//! once, so a single look rarely sees it.

use crate::gather::process::processes::Processes;
use crate::gather::process::{program, status};
use crate::gather::servers::process_tree::{ProcessTree, living};
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Name, Process, Respawn, Respawns, is_title};
use crate::sys;
use procfs::process::Stat;
use std::time::{Duration, Instant};

/// The time between two looks. Even for a program that fails at once, an interpreter takes about 20 ms to start.
pub const INTERVAL: Duration = Duration::from_millis(5);

/// Notices processes that are started to take a process's place.
pub struct RespawnWatch {
    tree: ProcessTree,
    own: Stat,
    place: Place,
    /// When it began, in clock ticks since boot.
    since: u64,
    /// The PID that was assigned last.
    newest: Option<Vec<u8>>,
    new_processes: Vec<NewProcess>,
    seen: Respawns,
    began: Instant,
}

/// What a process wants that should take another one's place.
struct Place {
    command: Vec<Name>,
    /// Its program, working directory and ports. Who wants these wants its place, whatever the command: the worker of a
    /// reloading server has a different command from the one that starts the server. What asks a server whether it is
    /// well is another program.
    program: Vec<Name>,
    cwd: Option<Name>,
    ports: Vec<String>,
}

/// A process that began meanwhile.
struct NewProcess {
    pid: u32,
    stat: Stat,
    same_place: bool,
    /// The time until the next look at it, which doubles each time: a new process soon runs its final program.
    wait: Duration,
    due: Instant,
}

impl RespawnWatch {
    /// Begins to look. `None` for a process that does not listen, because no other process can want its place.
    pub fn beside(process: &Process) -> Option<RespawnWatch> {
        if process.surroundings.listeners.is_empty() {
            return None;
        }
        let newest = newest_pid();
        let tree = ProcessTree::read();
        Some(RespawnWatch {
            own: tree.get(process.pid)?.clone(),
            place: Place::of(process)?,
            since: sys::since_boot().as_millis() as u64 * procfs::ticks_per_second() / 1000,
            tree,
            newest,
            new_processes: Vec::new(),
            seen: Respawns::default(),
            began: Instant::now(),
        })
    }

    /// When it began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Looks once more.
    pub fn look(&mut self) {
        let newest = newest_pid();
        if newest.is_none() || newest != self.newest {
            self.newest = newest;
            self.find_new();
        }
        let now = Instant::now();
        self.look_again(|process| process.due <= now);
    }

    /// Ends the watch with a last look.
    pub fn end(mut self) -> Respawns {
        self.look_again(|_| true);
        // If a start was under way when the look began, its bootstrap is as old as a supervisor, but it ends with the
        // start. A supervisor continues to run.
        for start in &mut self.seen.ended {
            let by = &mut start.started_by.supervisor;
            by.take_if(|by| living(by.pid).is_none());
        }
        self.seen.seconds = self.began.elapsed().as_millis() as f64 / 1000.0;
        self.seen
    }

    fn find_new(&mut self) {
        let pids = Processes::open().and_then(|mut all| all.pids());
        for pid in pids.into_iter().flatten() {
            if self.tree.get(pid).is_some() {
                continue;
            }
            let Some(stat) = living(pid) else { continue };
            // A process that ends soon is added too: a bootstrap is gone before the server that it started.
            self.tree.add(stat.clone());
            // What is started by hand is a client.
            let by_hand = stat.tty_nr != 0 && stat.ppid == stat.session;
            if !by_hand && !self.tree.may_be_of_one_server(&self.own, &stat) {
                self.new_processes.push(NewProcess {
                    pid,
                    stat,
                    same_place: false,
                    wait: INTERVAL,
                    due: Instant::now(),
                });
            }
        }
    }

    fn look_again(&mut self, is_due: impl Fn(&NewProcess) -> bool) {
        let (tree, own, ended) = (&self.tree, &self.own, &mut self.seen.ended);
        let (place, since) = (&self.place, self.since);
        self.new_processes.retain_mut(|process| {
            if !is_due(process) {
                return true;
            }
            let alive =
                living(process.pid).is_some_and(|at| at.starttime == process.stat.starttime);
            if !alive {
                if process.same_place {
                    ended.push(Respawn {
                        pid: process.pid,
                        started_by: tree.started_by(&process.stat, own, since),
                    });
                }
                return false;
            }
            let theirs = ProcDir::open(process.pid).ok();
            process.same_place = theirs.is_some_and(|dir| place.is_wanted_by(&dir));
            process.due = Instant::now() + process.wait;
            process.wait *= 2;
            true
        });
    }
}

impl Place {
    fn of(process: &Process) -> Option<Place> {
        let command = process.cmdline.clone()?;
        let listeners = process.surroundings.listeners.iter();
        Some(Place {
            program: program::paths(&ProcDir::open(process.pid).ok()?, &command),
            command,
            cwd: process.surroundings.cwd.clone(),
            ports: listeners
                .filter_map(|listener| Some(listener.port?.to_string()))
                .collect(),
        })
    }

    fn is_wanted_by(&self, dir: &ProcDir) -> bool {
        let line = status::command_line(dir).unwrap_or_default();
        let program = program::paths(dir, &line);
        let same_cwd =
            || self.cwd.is_some() && dir.read_link("cwd").ok().map(Name::from) == self.cwd;
        if line.is_empty() || self.program.first() != program.first() {
            return false;
        }
        if line == self.command && (self.is_one_everywhere() || same_cwd()) {
            return true;
        }
        // Of a worker that was started from code, or that has set its title, no script is known.
        let same_script = || self.program.len() == 1 || self.program == program;
        !self.ports.is_empty()
            && same_cwd()
            && (line.iter().skip(1).any(|word| self.is_given(word))
                || (same_script() && self.has_port(dir)))
    }

    /// Whether the command means the same in any directory. `node server.js` does not, nor does a title.
    fn is_one_everywhere(&self) -> bool {
        match &self.program[..] {
            [_, script] => script.as_bytes().starts_with(b"/"),
            _ => !self.command.first().is_some_and(is_title),
        }
    }

    /// Whether a word of a command gives one of the ports. A URL is what a client asks, and code may be a client.
    fn is_given(&self, word: &Name) -> bool {
        let word = word.as_bytes();
        let is_url = word.starts_with(b"http://") || word.starts_with(b"https://");
        !is_url && !word.iter().any(u8::is_ascii_whitespace) && self.names(word)
    }

    /// Whether PORT is one of the ports.
    fn has_port(&self, dir: &ProcDir) -> bool {
        dir.read("environ").is_ok_and(|text| {
            let mut all = text.split(|&b| b == 0);
            all.any(|variable| {
                let port = variable.strip_prefix(b"PORT=");
                port.is_some_and(|port| self.names(port))
            })
        })
    }

    /// `8000`, `--port=8000`, `127.0.0.1:8000`; not `18000`.
    fn names(&self, text: &[u8]) -> bool {
        let mut numbers = text.split(|b| !b.is_ascii_digit());
        numbers.any(|number| self.ports.iter().any(|port| port.as_bytes() == number))
    }
}

/// The last field of /proc/loadavg (proc_loadavg(5)): while it does not change, no process has started.
fn newest_pid() -> Option<Vec<u8>> {
    let text = std::fs::read("/proc/loadavg").ok()?;
    let fields = text.trim_ascii_end().rsplit(|&b| b == b' ');
    fields.into_iter().next().map(<[u8]>::to_vec)
}
