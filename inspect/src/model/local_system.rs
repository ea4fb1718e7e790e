//! What commands can rely on in the place where they will be pasted.

use super::Name;
use std::collections::BTreeMap;

/// The machine or container this program runs in, and the user who reads the output.
#[derive(Debug, Clone)]
pub struct LocalSystem {
    /// The user who pastes the commands: the one who ran sudo(8), else this program's user.
    pub person: u32,
    /// sudo(8) is installed.
    pub sudo: bool,
    /// runuser(1) is installed.
    pub runuser: bool,
    /// su(1) is installed.
    pub su: bool,
    /// setpriv(1) is installed: that of util-linux, for busybox's sets no user.
    pub setpriv: bool,
    /// The users that have a name, by number.
    pub logins: BTreeMap<u32, Login>,
    /// sqlite3(1) is installed.
    pub sqlite3: bool,
    /// `watchfix`, if it was found.
    pub watchfix: Option<Program>,
    /// This program.
    pub fdscan: Option<Program>,
    /// `libwatchfix.so`, if one was found that LD_PRELOAD can name.
    pub library: Option<Name>,
    /// Whether descriptors of a process can be copied, which is how its watches are changed.
    pub copies: Copies,
    /// The kernel can hand calls to a supervisor, which is how `watchfix run` reaches static programs.
    pub supervisors: bool,
    /// Such a supervisor can judge what is read as well (Linux 5.19).
    pub judges_reads: bool,
    /// Root has CAP_SYS_PTRACE here.
    pub root_may_trace: bool,
    /// `kernel.yama.ptrace_scope`; `None` if the kernel has no Yama.
    pub ptrace_scope: Option<u8>,
}

/// How a user logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub name: Name,
    /// The home directory.
    pub home: Name,
}

/// A program that commands begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its absolute path.
    pub path: Name,
    /// What a shell finds by its name is this very file.
    pub in_path: bool,
}

/// What becomes of pidfd_getfd(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// It is there.
    Allowed,
    /// A seccomp profile refuses it, as Docker's does without CAP_SYS_PTRACE.
    Refused,
    /// The kernel has none.
    Missing,
}
