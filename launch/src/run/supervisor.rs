//! The supervisor: starts the command behind the filter and answers the calls it traps.
//!
//! One loop that never follows a path, threads that judge ([`super::judges`]), and nothing held of the terminal, the
//! standard streams or any directory: it lives until the last process behind the filter has ended, also those that have
//! outlived the command.

use super::call::Judge;
use super::command::{self, GO, GO_WITHOUT};
use super::engine::refused;
use super::judges::{Calls, Judges};
use super::log::Log;
use super::start::Start;
use super::{filter, heir, message};
use crate::sys::poll::{For, Ready, wait};
use crate::sys::process::{self, Change, Fork};
use crate::sys::seccomp::{self, InFlight};
use crate::sys::{memory, pidfd, signal, socket, words};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::thread;

/// Starts the command, supervises it, and ends this process. `launcher` is told what becomes of the command.
///
/// # Errors
/// It could not be started.
pub fn run(launcher: OwnedFd, start: Start<'_>) -> io::Result<()> {
    process::adopt_orphans();
    let program = filter::program(start.trapped);
    let killable = !start.trapped.reads.is_empty();
    let (socket, its_socket) = socket::pair()?;
    let pid = match process::fork()? {
        Fork::Parent(pid) => pid,
        Fork::Child => {
            drop((launcher, socket));
            command::start(
                its_socket,
                start.command,
                (program, killable),
                (start.forced, start.unreached),
                start.inherited,
            )
        }
    };
    let its_number = its_socket.as_raw_fd();
    drop(its_socket);
    let log = start.log;
    let own = [launcher.as_fd(), socket.as_fd()];
    let kept: Vec<_> = own.into_iter().chain(log.descriptor()).collect();
    process::detach(&kept);
    process::enter_descriptors()?;

    let command = pidfd::open(pid)?;
    let its = (pid, command.as_fd(), its_number);
    let listener = obtain(its, socket.as_fd(), start.trapped.keeps)?;
    let listener = match listener {
        Ok(listener) => {
            seccomp::wake_in_step(listener.as_fd());
            Some(listener)
        }
        Err(why) => {
            log.line(pid, format_args!("it is not supervised: {why}"));
            None
        }
    };
    message::send_started(
        launcher.as_fd(),
        pid,
        command.as_fd(),
        listener.as_ref().map(AsFd::as_fd),
    )?;
    // Where there is no listener, the command does not wait for this.
    let _ = socket::send(socket.as_fd(), &[GO], &[]);
    drop((socket, command));
    let supervisor = Supervisor {
        launcher: Some(launcher),
        launcher_pid: start.launcher,
        command: Some(pid),
        signals: signal::descriptor()?,
        in_flight: start.in_flight,
        log: &log,
        stand_in: None,
    };
    let judge = Judge::new(start.rules, start.trapped);
    thread::scope(|scope| {
        let calls = listener.as_ref().map(|listener| Calls {
            listener: listener.as_fd(),
            judge: &judge,
            log: &log,
        });
        let judges = calls.map(|calls| Judges::new(scope, calls, start.in_flight));
        supervisor.supervise(judges);
        // Not by the end of its threads: one may hang in the kernel.
        std::process::exit(0);
    })
}

/// The listener of the command's filter, or why there is none.
fn obtain(
    command: (u32, BorrowedFd<'_>, i32),
    socket: BorrowedFd<'_>,
    keeps: bool,
) -> io::Result<Result<OwnedFd, String>> {
    if let Err(why) = can_look_into(command, keeps) {
        let word = [&[GO_WITHOUT], why.as_bytes()].concat();
        socket::send(socket, &word, &[])?;
        return Ok(Err(why));
    }
    socket::send(socket, &[GO], &[])?;
    let mut text = [0; 512];
    let (length, descriptors) = socket::receive(socket, &mut text)?;
    let why = String::from_utf8_lossy(text.get(..length).unwrap_or_default());
    Ok(descriptors
        .into_iter()
        .next()
        .ok_or_else(|| why.into_owned()))
}

/// Whether a supervisor could look into a command: tried on a child that does nothing.
///
/// # Errors
/// Why not, as a clause.
pub fn try_a_child(keeps: bool) -> Result<(), String> {
    let failed = |e: io::Error| format!("no child can be started to try it: {}", words(&e));
    let (socket, its_socket) = socket::pair().map_err(failed)?;
    let pid = match process::fork().map_err(failed)? {
        Fork::Parent(pid) => pid,
        Fork::Child => {
            drop(socket);
            wait([For::Closing(its_socket.as_fd())], None);
            std::process::exit(0);
        }
    };
    let command = pidfd::open(pid).map_err(failed)?;
    let its = (pid, command.as_fd(), its_socket.as_raw_fd());
    let tried = can_look_into(its, keeps);
    drop((socket, its_socket));
    wait([For::Input(command.as_fd())], None);
    // It leaves no zombie.
    let _ = process::changed_child(false);
    tried
}

/// Tries on the command what every changed watch needs. It is a child like all that will follow, so what works now
/// works then.
fn can_look_into(
    (pid, command, its_socket): (u32, BorrowedFd<'_>, i32),
    keeps: bool,
) -> Result<(), String> {
    static SIGHT: u8 = 7;
    match keeps {
        true => {
            fs::read_link(format!("/proc/{pid}/fd/{its_socket}")).map_err(|e| {
                format!(
                    "the descriptors of other processes cannot be seen: {}",
                    words(&e)
                )
            })?;
        }
        false => {
            pidfd::get_fd(command, its_socket).map_err(|e| refused(&e))?;
        }
    }
    let mut seen = [0];
    // It was forked: the same address is valid there.
    memory::read_of(pid, (&raw const SIGHT) as u64, &mut seen).map_err(|e| {
        format!(
            "the memory of other processes cannot be read: {}",
            words(&e)
        )
    })?;
    Ok(())
}

struct Supervisor<'l> {
    /// The launcher is told here what becomes of the command, while there is one.
    launcher: Option<OwnedFd>,
    launcher_pid: u32,
    /// The command, until it has ended.
    command: Option<u32>,
    signals: OwnedFd,
    in_flight: InFlight,
    log: &'l Log,
    /// What keeps the process waiting that would take over, once the launcher does no more.
    stand_in: Option<OwnedFd>,
}

impl Supervisor<'_> {
    fn supervise(mut self, mut judges: Option<Judges<'_, '_>>) {
        while self.command.is_some() || judges.is_some() {
            let (calls, time) = judges
                .as_ref()
                .map_or((For::Nothing, None), Judges::wait_for);
            let launcher = self.launcher.as_ref();
            let launcher = launcher.map_or(For::Nothing, |l| For::Closing(l.as_fd()));
            let signals = For::Input(self.signals.as_fd());
            let [call, change, left] = wait([calls, signals, launcher], time);
            match (call, &mut judges) {
                (Ready::Closed, _) => judges = None,
                (call, Some(judges)) => judges.see_to(call == Ready::Yes),
                _ => {}
            }
            if change == Ready::Yes {
                while signal::next(self.signals.as_fd()).is_some() {}
                self.children();
            }
            if left == Ready::Closed {
                self.launcher = None;
                let listener = judges.as_ref().map(Judges::listener);
                self.stand_in = listener.and_then(|l| heir::stand_by(l, self.in_flight));
            }
        }
    }

    /// Passes on what has become of the command, and reaps orphans of its tree.
    fn children(&mut self) {
        while let Ok(Some((pid, change))) = process::changed_child(false) {
            if self.command != Some(pid) {
                continue;
            }
            if let Change::Exited(_) | Change::Killed(_) = change {
                self.command = None;
                self.log.command_has_ended();
            }
            if let Some(launcher) = &self.launcher {
                // It stops when the command does, and must go on to notice anything else.
                if !matches!(change, Change::Stopped(_)) {
                    signal::send(self.launcher_pid, libc::SIGCONT);
                }
                // When it has gone, the loop sees it.
                let _ = message::send_change(launcher.as_fd(), change);
            }
        }
    }
}
