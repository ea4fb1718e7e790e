//! How the rules will reach the command, and why not otherwise.

use super::filter::Trapped;
use super::library;
use crate::cli::EngineChoice;
use crate::sys::path::{Walk, find_absolute};
use crate::sys::process::descriptor_limit;
use crate::sys::{memory, pidfd, seccomp, words};
use rules::Rules;
use rules::watch::read_numbers;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::path::PathBuf;

/// What is used.
pub struct Plan {
    /// The preload library, or why not.
    pub library: Result<PathBuf, String>,
    /// What the supervisor traps, or why there is none.
    pub supervisor: Result<Trapped, String>,
    /// Whether reads can be judged, or why not.
    pub reads: Result<(), String>,
    /// Whether copies of instances can be obtained, or why one of each has to be kept.
    pub copies: Result<(), String>,
    /// Attribute changes have to be told apart, which masks alone cannot do.
    pub chmod: bool,
    /// There is nothing for it to do under these rules.
    idle: bool,
    choice: EngineChoice,
}

impl Plan {
    /// Checks what works here, by some ten system calls.
    pub fn new(choice: EngineChoice, rules: &Rules<'_>) -> Plan {
        let reads = numbers_of_reads();
        let copies = copies_descriptors();
        let trapped = Trapped::by(rules, reads.clone().unwrap_or(0..0), copies.is_err());
        let idle = trapped.is_nothing() && !trapped.settles_unseen(rules);
        Plan {
            library: match choice {
                EngineChoice::Seccomp => Err("--engine seccomp was asked for".to_owned()),
                _ => library::find(),
            },
            supervisor: match choice {
                EngineChoice::Preload => Err("--engine preload was asked for".to_owned()),
                _ if idle => Err("the rules change no watch".to_owned()),
                _ => supervisor(trapped),
            },
            reads: reads.map(drop),
            copies,
            chmod: rules.chmod,
            idle,
            choice,
        }
    }

    /// The supervisor was asked for by name: without it nothing is started.
    pub fn supervisor_is_forced(&self) -> bool {
        self.choice == EngineChoice::Seccomp
    }

    /// The library was asked for by name, and there is something for it to do.
    pub fn library_is_forced(&self) -> bool {
        self.choice == EngineChoice::Preload && !self.idle
    }

    /// The rules change something.
    pub fn is_for_something(&self) -> bool {
        !self.idle
    }

    /// Why the engine that was asked for by name cannot be used.
    pub fn refusal(&self) -> Option<&str> {
        let why = match self.choice {
            EngineChoice::Auto => None,
            EngineChoice::Preload => self.library.as_ref().err(),
            EngineChoice::Seccomp if self.idle => None,
            EngineChoice::Seccomp => self.supervisor.as_ref().err(),
        };
        why.map(String::as_str)
    }
}

/// The numbers of descriptors whose reads can be judged.
///
/// # Errors
/// Why none are, as the end of a sentence.
fn numbers_of_reads() -> Result<Range<u32>, String> {
    seccomp::waits_killable().map_err(|e| {
        format!(
            "calls that only a deadly signal interrupts (Linux 5.19) cannot be used: {}",
            words(&e)
        )
    })?;
    memory::may_write().map_err(|e| {
        format!(
            "the memory of other processes cannot be written to: {}",
            words(&e)
        )
    })?;
    Ok(read_numbers(descriptor_limit()))
}

fn supervisor(trapped: Trapped) -> Result<Trapped, String> {
    seccomp::has_listeners().map_err(|e| {
        format!(
            "seccomp listeners (Linux 5.0) cannot be used: {}",
            words(&e)
        )
    })?;
    pidfd::open(std::process::id())
        .map_err(|e| format!("pidfd_open (Linux 5.3) cannot be used: {}", words(&e)))?;
    find_absolute(c"/proc/self/fd", true, Walk::NoMagic).map_err(|e| {
        format!(
            "/proc or openat2 (Linux 5.6, which containers may refuse) cannot be used: {}",
            words(&e)
        )
    })?;
    Ok(trapped)
}

/// Whether pidfd_getfd can be used at all. It is asked for a descriptor that does not exist.
fn copies_descriptors() -> Result<(), String> {
    let own = pidfd::open(std::process::id()).map_err(|e| words(&e))?;
    match pidfd::get_fd(own.as_fd(), -1) {
        Err(e) if e.raw_os_error() != Some(libc::EBADF) => Err(refused(&e)),
        _ => Ok(()),
    }
}

/// Why a descriptor of another process cannot be copied.
pub fn refused(error: &io::Error) -> String {
    let hint = match error.raw_os_error() {
        Some(libc::ENOSYS) => "it needs Linux 5.6",
        _ => "a container without CAP_SYS_PTRACE, or Yama's ptrace_scope, refuses it",
    };
    format!("pidfd_getfd cannot be used: {}; {hint}", words(error))
}
