//! Who is started with the command of a process while that one is looked at. What a supervisor starts in
//! vain ends at once: one look seldom meets it.

use super::family::{Family, living};
use super::proc_dir::ProcDir;
use super::process;
use super::processes::Processes;
use crate::model::{Name, Process, Start, Starts};
use procfs::process::Stat;
use std::time::{Duration, Instant};

/// Between two looks. Of a program that fails at once, an interpreter takes some 20 ms to begin.
pub const PACE: Duration = Duration::from_millis(5);

/// A lookout beside one process.
pub struct Lookout {
    family: Family,
    own: Stat,
    command: Vec<Name>,
    /// The PID that was given out last.
    newest: Option<Vec<u8>>,
    young: Vec<Young>,
    seen: Starts,
    began: Instant,
}

/// A process that began meanwhile.
struct Young {
    pid: u32,
    stat: Stat,
    same_command: bool,
    /// It is looked at again after this time, which doubles: soon it is what it will be.
    wait: Duration,
    due: Instant,
}

impl Lookout {
    /// Begins to look; `None` for a process that listens nowhere, whose place nobody else can want.
    pub fn beside(process: &Process) -> Option<Lookout> {
        if process.around.listeners.is_empty() {
            return None;
        }
        let newest = newest_pid();
        let family = Family::read();
        Some(Lookout {
            own: family.get(process.pid)?.clone(),
            command: process.cmdline.clone()?,
            family,
            newest,
            young: Vec::new(),
            seen: Starts::default(),
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
        self.look_again(|young| young.due <= now);
    }

    /// Ends it, with a last look.
    pub fn end(mut self) -> Starts {
        self.look_again(|_| true);
        self.seen.seconds = self.began.elapsed().as_millis() as f64 / 1000.0;
        self.seen
    }

    fn find_new(&mut self) {
        let pids = Processes::open().and_then(|mut all| all.pids());
        for pid in pids.into_iter().flatten() {
            if self.family.get(pid).is_some() {
                continue;
            }
            let Some(stat) = living(pid) else { continue };
            // Kept also of who ends soon: a bootstrap is gone before the server it started.
            self.family.add(pid, stat.clone());
            // Somebody at a terminal is a client.
            if stat.tty_nr == 0 && !self.family.related(&self.own, &stat) {
                self.young.push(Young {
                    pid,
                    stat,
                    same_command: false,
                    wait: PACE,
                    due: Instant::now(),
                });
            }
        }
    }

    fn look_again(&mut self, is_due: impl Fn(&Young) -> bool) {
        let (family, own, ended) = (&self.family, &self.own, &mut self.seen.ended);
        self.young.retain_mut(|young| {
            if !is_due(young) {
                return true;
            }
            let alive = living(young.pid).is_some_and(|at| at.starttime == young.stat.starttime);
            if !alive {
                if young.same_command {
                    ended.push(Start {
                        pid: young.pid,
                        starters: family.starters(&young.stat, own),
                    });
                }
                return false;
            }
            let theirs = ProcDir::open(young.pid).ok();
            let theirs = theirs.and_then(|dir| process::command_line(&dir));
            young.same_command = theirs.as_ref() == Some(&self.command);
            young.due = Instant::now() + young.wait;
            young.wait *= 2;
            true
        });
    }
}

/// The last field of /proc/loadavg (proc_loadavg(5)): as long as it stays, nothing has begun.
fn newest_pid() -> Option<Vec<u8>> {
    let text = std::fs::read("/proc/loadavg").ok()?;
    let fields = text.trim_ascii_end().rsplit(|&b| b == b' ');
    fields.into_iter().next().map(<[u8]>::to_vec)
}
