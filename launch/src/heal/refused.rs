//! Why a process cannot be healed at all, and what would help.

use crate::sys::pidfd;
use inspect::gather::{MissingPermission, missing_access};
use inspect::model::{Failure, FailureKind};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// A process that cannot be healed: whole sentences.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is none, or it has ended.
    NoProcess(String),
    /// A permission is missing.
    NotPermitted(String),
}

impl Refused {
    /// The sentence.
    pub fn text(&self) -> &str {
        match self {
            Refused::NoProcess(why) | Refused::NotPermitted(why) => why,
        }
    }

    /// The process ended while it was looked at.
    pub fn ended(pid: u32) -> Refused {
        Refused::NoProcess(format!("process {pid} has ended"))
    }

    /// pidfd_open failed.
    pub fn opening(pid: u32, error: &io::Error) -> Refused {
        match error.raw_os_error() {
            Some(libc::ESRCH) => Refused::NoProcess(format!("there is no process {pid}")),
            // Threads have numbers of the same kind (pidfd_open(2); ENOENT since Linux 6.9).
            Some(libc::EINVAL | libc::ENOENT) => {
                Refused::NoProcess(format!("{pid} is not a process but a thread of one"))
            }
            _ => Refused::NotPermitted(unsupported("pidfd_open", "5.3", error)),
        }
    }

    /// Its descriptors are with another thread than the one the kernel looks at.
    pub fn without_main_thread(pid: u32) -> Refused {
        Refused::NotPermitted(format!(
            "process {pid} cannot be changed: its main thread has ended, and before Linux 6.9 the kernel hands out \
             descriptors of a main thread only"
        ))
    }

    /// The library could not read it.
    pub fn from_failure(failure: Failure) -> Refused {
        match failure.kind {
            FailureKind::NoProcess => Refused::NoProcess(failure.why),
            FailureKind::NotPermitted => {
                Refused::NotPermitted(failure.pid.and_then(missing).unwrap_or(failure.why))
            }
        }
    }

    /// pidfd_getfd failed.
    pub fn copying(pid: u32, error: &io::Error) -> Refused {
        match error.raw_os_error() {
            Some(libc::ESRCH) => Refused::ended(pid),
            Some(libc::EPERM) if !calls_are_allowed() => Refused::NotPermitted(format!(
                "process {pid} cannot be changed: this container's seccomp profile refuses \
                 pidfd_getfd, also for processes of its own; it allows it with CAP_SYS_PTRACE \
                 (docker run --cap-add SYS_PTRACE)"
            )),
            Some(libc::EPERM) => Refused::NotPermitted(missing(pid).unwrap_or_else(|| {
                format!("process {pid} cannot be changed: the kernel refuses ptrace access to it")
            })),
            _ => Refused::NotPermitted(unsupported("pidfd_getfd", "5.6", error)),
        }
    }
}

/// Whether this program may copy descriptors from itself: that needs no permission but the call's own.
fn calls_are_allowed() -> bool {
    let own = pidfd::open(std::process::id());
    own.and_then(|own| pidfd::get_fd(own.as_fd(), own.as_raw_fd()))
        .is_ok()
}

fn unsupported(call: &str, since: &str, error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOSYS) => format!("this kernel has no {call}: it came with Linux {since}"),
        _ => format!("{call} failed: {error}"),
    }
}

/// This program as a shell takes it: sudo(8) has a PATH of its own.
fn this_program() -> String {
    let own = std::env::current_exe().ok();
    own.map_or_else(|| "watchfix".into(), |own| inspect::findings::quoted(&own))
}

/// The permission that is missing, and where it can be had.
fn missing(pid: u32) -> Option<String> {
    let sudo = format!("sudo {} heal {pid}", this_program());
    Some(match missing_access(pid)? {
        MissingPermission::OtherUser(uid) => format!(
            "process {pid} belongs to user {uid}: run watchfix as that user, or as root ({sudo})"
        ),
        MissingPermission::Privileged => format!(
            "process {pid} has privileges its user has not, or is not dumpable \
             (PR_SET_DUMPABLE): only CAP_SYS_PTRACE may change it ({sudo})"
        ),
        MissingPermission::Yama(3) => format!(
            "process {pid} cannot be changed: kernel.yama.ptrace_scope is 3, which refuses it \
             even to root until the machine is started again"
        ),
        MissingPermission::Yama(2) => format!(
            "process {pid} cannot be changed: kernel.yama.ptrace_scope is 2, which asks for \
             CAP_SYS_PTRACE ({sudo})"
        ),
        MissingPermission::Yama(_) => format!(
            "process {pid} cannot be changed: kernel.yama.ptrace_scope is 1, which lets a process \
             be changed by the one that started it and by root only ({sudo}, or sysctl \
             kernel.yama.ptrace_scope=0 for as long as it takes)"
        ),
        MissingPermission::Capability => format!(
            "process {pid} cannot be changed: root needs CAP_SYS_PTRACE for it here \
             (docker run --cap-add SYS_PTRACE)"
        ),
    })
}
