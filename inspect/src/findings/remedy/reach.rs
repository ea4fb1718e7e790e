//! What is possible here: who may change the watches of a process, and whether it could be supervised.

use crate::model::{Copies, LocalSystem, Process};

/// How the watches of a process can be changed from here.
#[derive(Debug, PartialEq, Eq)]
pub enum Reach {
    /// By the user who pastes the command.
    Plain,
    /// Through sudo(8).
    Sudo,
    /// As root, but no command here gives root; with the reason why root is needed.
    Root(String),
    /// From outside this container; with the reason why not from here.
    Host(&'static str),
    /// Not at all; with the reason.
    Never(&'static str),
}

const REFUSED: &str = "this container's seccomp profile refuses pidfd_getfd";
pub const NO_CAPABILITY: &str = "root has no CAP_SYS_PTRACE in this container";

/// How the watches of a process can be changed: ptrace(2), "Ptrace access mode checking", and Yama
/// (Documentation/admin-guide/LSM/Yama.rst).
pub fn reach(system: &LocalSystem, process: &Process) -> Reach {
    match system.copies {
        Copies::Allowed => {}
        Copies::Refused => return Reach::Host(REFUSED),
        Copies::Missing => return Reach::Never("this kernel has no pidfd_getfd (Linux 5.6)"),
    }
    let scope = system.ptrace_scope.unwrap_or(0);
    if scope >= 3 {
        return Reach::Never("kernel.yama.ptrace_scope is 3, which forbids it to everybody");
    }
    let mine = process.uid == Some(system.person);
    let why = match (mine, scope) {
        (true, 0) => return Reach::Plain,
        (true, scope) => format!("kernel.yama.ptrace_scope is {scope}"),
        (false, _) => match process.uid {
            Some(uid) => format!("it belongs to user {uid}"),
            None => "its owner is not known".into(),
        },
    };
    if !system.root_may_trace {
        return Reach::Host(NO_CAPABILITY);
    }
    match (system.person, system.sudo) {
        (0, _) => Reach::Plain,
        (_, true) => Reach::Sudo,
        (_, false) => Reach::Root(why),
    }
}

/// Why `watchfix run` cannot supervise static programs here.
pub fn cannot_supervise(system: &LocalSystem) -> Option<&'static str> {
    // Where a profile refuses the copies, the supervisor creates the instances itself.
    if system.copies == Copies::Missing {
        return Some("this kernel has no pidfd_getfd (Linux 5.6)");
    }
    if !system.supervisors {
        return Some("no seccomp listener can be created (Linux 5.0)");
    }
    // A supervisor is an ancestor of what it supervises: scope 1 allows that.
    match system.ptrace_scope {
        Some(3..) => Some("kernel.yama.ptrace_scope is 3"),
        Some(2) if system.person != 0 => Some("kernel.yama.ptrace_scope is 2"),
        _ => None,
    }
}
