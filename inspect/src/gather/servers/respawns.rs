//! Processes that are started with the same command as a process while it is being watched. A start that fails ends at
//! once, so a single look rarely sees it.

use crate::gather::process::processes::Processes;
use crate::gather::servers::place::Place;
use crate::gather::servers::process_tree::{ProcessTree, living};
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Process, Respawn, Respawns};
use crate::sys;
use procfs::process::Stat;
use std::os::fd::{AsFd, OwnedFd};
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
    ended: Vec<(Respawn, Option<OwnedFd>)>,
    began: Instant,
}

/// A process that began meanwhile.
struct NewProcess {
    pid: u32,
    stat: Stat,
    same_place: bool,
    /// It listens itself: whatever it ends of, the place was free.
    listens: bool,
    /// To learn how it ended, where it wants the place.
    end: Option<OwnedFd>,
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
            ended: Vec::new(),
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
        // Who ends with success has not failed for want of the place: it asked whether the server is there.
        let failed = |end: &Option<OwnedFd>| {
            let status = end.as_ref().and_then(|end| sys::wait_status(end.as_fd()));
            status != Some(0)
        };
        let ended = self.ended.into_iter().filter(|(_, end)| failed(end));
        let mut ended: Vec<Respawn> = ended.map(|(start, _)| start).collect();
        // If a start was under way when the look began, its bootstrap is as old as a supervisor, but it ends with the
        // start. A supervisor continues to run.
        for start in &mut ended {
            let by = &mut start.started_by.supervisor;
            by.take_if(|by| living(by.pid).is_none());
        }
        Respawns {
            seconds: self.began.elapsed().as_millis() as f64 / 1000.0,
            ended,
        }
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
                    listens: false,
                    end: None,
                    wait: INTERVAL,
                    due: Instant::now(),
                });
            }
        }
    }

    fn look_again(&mut self, is_due: impl Fn(&NewProcess) -> bool) {
        let (tree, own, ended) = (&self.tree, &self.own, &mut self.ended);
        let (place, since) = (&self.place, self.since);
        self.new_processes.retain_mut(|process| {
            if !is_due(process) {
                return true;
            }
            let alive =
                living(process.pid).is_some_and(|at| at.starttime == process.stat.starttime);
            if !alive {
                if process.same_place && !process.listens {
                    let start = Respawn {
                        pid: process.pid,
                        started_by: tree.started_by(&process.stat, own, since),
                    };
                    ended.push((start, process.end.take()));
                }
                return false;
            }
            let dir = ProcDir::open(process.pid).ok();
            process.same_place = dir.as_ref().is_some_and(|dir| place.is_wanted_by(dir));
            if let Some(dir) = dir.filter(|_| process.same_place) {
                process.listens |= place.is_shared_with(&dir);
                if process.end.is_none() {
                    process.end = sys::process_end(process.pid).ok();
                }
            }
            process.due = Instant::now() + process.wait;
            process.wait *= 2;
            true
        });
    }
}

/// The last field of /proc/loadavg (proc_loadavg(5)): while it does not change, no process has started.
fn newest_pid() -> Option<Vec<u8>> {
    let text = std::fs::read("/proc/loadavg").ok()?;
    let fields = text.trim_ascii_end().rsplit(|&b| b == b' ');
    fields.into_iter().next().map(<[u8]>::to_vec)
}
