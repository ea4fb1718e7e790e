//! What commands can rest on in the place where they will be pasted.

use super::Name;

/// The machine or container this program runs in, and who reads what it says.
#[derive(Debug, Clone)]
pub struct LocalSystem {
    /// Who pastes the commands: who ran sudo(8), else this program's user.
    pub person: u32,
    /// sudo(8) is installed.
    pub sudo: bool,
    /// sqlite3(1) is installed.
    pub sqlite3: bool,
    /// `watchfix`, where it was found.
    pub watchfix: Option<Program>,
    /// This program.
    pub fdscan: Option<Program>,
    /// `libwatchfix.so`, where one was found that LD_PRELOAD can name.
    pub library: Option<Name>,
    /// Whether descriptors of a process can be copied, which is how its watches are changed.
    pub copies: Copies,
    /// The kernel can hand calls to a supervisor, which is how `watchfix run` reaches static programs.
    pub supervisors: bool,
    /// Root has CAP_SYS_PTRACE here.
    pub root_may_trace: bool,
    /// `kernel.yama.ptrace_scope`; `None` where the kernel has no Yama.
    pub ptrace_scope: Option<u8>,
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
