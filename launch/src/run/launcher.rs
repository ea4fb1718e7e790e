//! The launcher: the process that was started as `watchfix run`, and stands in for the command.
//!
//! It passes signals on, stops when the command stops, and ends as the command ends. It holds a copy of the listener, and
//! answers when the supervisor has died.

use super::command::{Command, OWN_FAILURE};
use super::filter::Trapped;
use super::log::Log;
use super::message::{self, Message};
use super::start::Start;
use super::{heir, supervisor};
use crate::complaint::complain;
use crate::sys::poll::{For, Ready, wait};
use crate::sys::process::{self, Change, Fork};
use crate::sys::seccomp::{self, InFlight};
use crate::sys::signal::{self, Inherited, Signal};
use crate::sys::{memory, pidfd, socket, words};
use rules::Rules;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A shell continues its whole job. If the command has still not gone on this long after the launcher was told to, only the
/// launcher was meant. Until then no signal is sent: one too many would undo a stop that comes meanwhile.
const CONTINUES: Duration = Duration::from_millis(200);

/// Starts the command under a supervisor and ends as it ends.
pub fn run(
    command: &Command,
    rules: Rules<'_>,
    trapped: &Trapped,
    (forced, unreached): (bool, Option<String>),
    log: Log,
) -> ExitCode {
    let started = memory::shared(seccomp::SHARED).and_then(|zeros| {
        let start = Start {
            command,
            rules,
            trapped,
            forced,
            unreached,
            log,
            launcher: std::process::id(),
            // From here on no signal gets lost.
            inherited: signal::take_all(),
            in_flight: seccomp::in_memory(zeros),
        };
        Launcher::start(start)
    });
    match started {
        Ok(launcher) => launcher.wait().exit(),
        Err(error) => {
            complain(&format!(
                "the command cannot be supervised: {}",
                words(&error)
            ));
            OWN_FAILURE.into()
        }
    }
}

/// The process that stands in for the command.
pub struct Launcher {
    command: u32,
    pidfd: OwnedFd,
    supervisor: u32,
    /// Reports what becomes of the command, while the supervisor lives.
    link: Option<OwnedFd>,
    listener: Option<OwnedFd>,
    in_flight: InFlight,
    signals: OwnedFd,
    leads_session: bool,
    /// When the command is to be continued, if it has not been by then.
    continue_at: Option<Instant>,
}

impl Launcher {
    fn start(start: Start<'_>) -> io::Result<Launcher> {
        let in_flight = start.in_flight;
        let (link, its_link) = socket::pair()?;
        let signals = signal::descriptor()?;
        // The command becomes a child of this process when the supervisor dies.
        process::adopt_orphans();
        let supervisor = match process::fork()? {
            Fork::Parent(pid) => pid,
            Fork::Child => {
                drop((link, signals));
                let done = supervisor::run(its_link, start);
                std::process::exit(done.is_err().into());
            }
        };
        drop(its_link);
        drop(start);
        let Some(Message::Started {
            pid,
            pidfd,
            listener,
        }) = message::receive(link.as_fd())
        else {
            return Err(io::Error::other("the supervisor has gone"));
        };
        let own = [link.as_fd(), signals.as_fd(), pidfd.as_fd()];
        let kept: Vec<_> = own
            .into_iter()
            .chain(listener.as_ref().map(AsFd::as_fd))
            .collect();
        process::let_go(&kept);
        Ok(Launcher {
            command: pid,
            pidfd,
            supervisor,
            link: Some(link),
            listener,
            in_flight,
            signals,
            leads_session: process::leads_session(),
            continue_at: None,
        })
    }

    /// Starts a command that nobody supervises; `inherited` is what it is to find.
    ///
    /// # Errors
    /// EAGAIN where no more processes are allowed.
    pub fn start_alone(command: &Command, inherited: Inherited) -> io::Result<Launcher> {
        let in_flight = seccomp::in_memory(memory::shared(seccomp::SHARED)?);
        let signals = signal::descriptor()?;
        let pid = match process::fork()? {
            Fork::Parent(pid) => pid,
            Fork::Child => {
                inherited.restore();
                command.become_it()
            }
        };
        Ok(Launcher {
            command: pid,
            pidfd: pidfd::open(pid)?,
            supervisor: 0,
            link: None,
            listener: None,
            in_flight,
            signals,
            leads_session: process::leads_session(),
            continue_at: None,
        })
    }

    /// The command's pidfd.
    pub fn command(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Waits for the end of the command.
    pub fn wait(mut self) -> End {
        loop {
            let signals = For::Input(self.signals.as_fd());
            let link = self.link.as_ref();
            let link = link.map_or(For::Nothing, |link| For::Input(link.as_fd()));
            let calls = match &self.listener {
                Some(listener) if self.link.is_none() => For::Input(listener.as_fd()),
                _ => For::Nothing,
            };
            let now = Instant::now();
            if self.continue_at.is_some_and(|at| at <= now) {
                self.continue_at = None;
                self.send(libc::SIGCONT);
            }
            let time = self.continue_at.map(|at| at - now);
            let [signalled, told, called] = wait([signals, link, calls], time);
            let mut change = None;
            if told != Ready::No {
                change = self.hear();
            }
            if signalled == Ready::Yes {
                change = self.pass_signals_on().or(change);
            }
            match (called, &self.listener) {
                (Ready::Yes, Some(listener)) => {
                    heir::let_one_go(listener.as_fd(), self.in_flight);
                }
                (Ready::Closed, _) => self.listener = None,
                _ => {}
            }
            if change.is_some() {
                self.continue_at = None;
            }
            match change {
                Some(Change::Stopped(signal)) => self.stop_too(signal),
                Some(Change::Exited(status)) => {
                    self.leave();
                    return End::Exited(status);
                }
                Some(Change::Killed(signal)) => {
                    self.leave();
                    return End::Killed(signal);
                }
                Some(Change::Continued) | None => {}
            }
        }
    }

    /// Stops as the command did, if it has not gone on meanwhile: a key may have stopped both at once, while this process
    /// was not yet back from the stop before, and a shell have continued them.
    fn stop_too(&self, signal: i32) {
        if inspect::thread(self.command).is_ok_and(|command| command.is_stopped) {
            signal::suffer(signal);
        }
    }

    /// Receives from the supervisor. When the supervisor has died, this process takes over.
    fn hear(&mut self) -> Option<Change> {
        match self
            .link
            .as_ref()
            .and_then(|link| message::receive(link.as_fd()))
        {
            Some(Message::Changed(change)) => Some(change),
            Some(Message::Started { .. }) => None,
            None => {
                self.link = None;
                if let Some(listener) = &self.listener {
                    heir::let_received_go(listener.as_fd(), self.in_flight);
                }
                None
            }
        }
    }

    /// Passes on the signals sent to this process, and notices what its children do.
    fn pass_signals_on(&mut self) -> Option<Change> {
        let mut last = None;
        while let Some(signal) = signal::next(self.signals.as_fd()) {
            if signal.number == libc::SIGCHLD {
                last = self.children().or(last);
            } else if signal.number == libc::SIGCONT {
                // The supervisor sends it too, to wake this process.
                if signal.sent && signal.sender != self.supervisor {
                    self.continue_at = Some(Instant::now() + CONTINUES);
                }
            } else if self.is_for_command(&signal) {
                self.send(signal.number);
            }
        }
        last
    }

    fn send(&self, signal: i32) {
        // It may just have ended.
        let _ = pidfd::send_signal(self.pidfd.as_fd(), signal);
    }

    /// Whether the command has not been sent the signal too.
    fn is_for_command(&self, signal: &Signal) -> bool {
        if signal.sent {
            // What the command sends to its whole group has already reached the command.
            return signal.sender != self.command;
        }
        match signal.number {
            // The terminal's: they are sent to the whole group.
            libc::SIGINT
            | libc::SIGQUIT
            | libc::SIGTSTP
            | libc::SIGTTIN
            | libc::SIGTTOU
            | libc::SIGWINCH => false,
            // When the terminal hangs up, the kernel sends it to the session leader.
            libc::SIGHUP => self.leads_session,
            // A timer that was set before this program took the process over.
            _ => true,
        }
    }

    /// After the supervisor's death the command is a child of this process.
    fn children(&self) -> Option<Change> {
        let mut last = None;
        while let Ok(Some((pid, change))) = process::changed_child(false) {
            if pid == self.command {
                last = Some(change);
            }
        }
        last
    }

    /// Makes sure that calls are still answered, where the supervisor has died and the command has left processes behind.
    fn leave(&self) {
        if let (None, Some(listener)) = (&self.link, &self.listener)
            && let Ok(Fork::Child) = process::fork()
        {
            process::detach(&[listener.as_fd()]);
            heir::answer_all(listener.as_fd(), self.in_flight);
            std::process::exit(0);
        }
    }
}

/// How the command ended.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// With this status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

impl End {
    /// Ends as it did: comes back where a status says it.
    pub fn exit(self) -> ExitCode {
        match self {
            // The kernel keeps eight bits of a status.
            End::Exited(status) => ExitCode::from(status as u8),
            End::Killed(signal) => die_of(signal),
        }
    }
}

/// Ends this process by the signal that has ended the command, without a memory dump of its own.
fn die_of(signal: i32) -> ExitCode {
    process::dump_no_core();
    signal::suffer(signal);
    // A signal that does not end a process any more: as shells say it.
    ExitCode::from(128 + signal as u8)
}
