//! Why this program may not access another process's descriptors: ptrace(2), "Ptrace access mode checking".

use crate::gather::subject::proc_dir::ProcDir;
use crate::sys;
use procfs::prelude::*;
use procfs::process::Status;

/// A missing permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingPermission {
    /// The process belongs to this other user.
    OtherUser(u32),
    /// It has privileges that this program lacks, or is not dumpable (prctl(2), `PR_SET_DUMPABLE`).
    Privileged,
    /// `kernel.yama.ptrace_scope` has this value, 1 to 3.
    Yama(u8),
    /// This program is root without CAP_SYS_PTRACE, as in most containers.
    Capability,
}

/// Bit of CAP_SYS_PTRACE (include/uapi/linux/capability.h).
const CAP_SYS_PTRACE: u64 = 1 << 19;

/// What is missing to change the descriptors of a process; `None` if nothing is known to be missing.
pub fn missing(pid: u32) -> Option<MissingPermission> {
    let own = sys::effective_user();
    let yama = yama();
    let mine = status(std::process::id());
    if mine
        .as_ref()
        .is_some_and(|s| s.capeff & CAP_SYS_PTRACE != 0)
    {
        return (yama == Some(3)).then_some(MissingPermission::Yama(3));
    }
    if own == 0 {
        return Some(MissingPermission::Capability);
    }
    let theirs = status(pid)?;
    if theirs.euid != own {
        return Some(MissingPermission::OtherUser(theirs.euid));
    }
    let more = mine.is_some_and(|mine| theirs.capprm & !mine.capprm != 0);
    if more || is_undumpable(pid, own) {
        return Some(MissingPermission::Privileged);
    }
    yama.filter(|&scope| scope > 0).map(MissingPermission::Yama)
}

/// Files of an undumpable process belong to root (fs/proc/base.c, `task_dump_owner`).
fn is_undumpable(pid: u32, owner: u32) -> bool {
    ProcDir::open(pid)
        .and_then(|dir| sys::stat_at(dir.as_fd(), b"environ", 0))
        .is_ok_and(|stat| stat.st_uid != owner)
}

/// Whether root has CAP_SYS_PTRACE here: this program as root, or a process that becomes root from here (its bounding
/// set, capabilities(7)).
pub fn root_may_trace() -> bool {
    let mine = status(std::process::id());
    let set = mine.map(|mine| match sys::effective_user() {
        0 => mine.capeff,
        _ => mine.capbnd.unwrap_or(u64::MAX),
    });
    set.is_none_or(|set| set & CAP_SYS_PTRACE != 0)
}

fn status(pid: u32) -> Option<Status> {
    let text = ProcDir::open(pid).ok()?.read("status").ok()?;
    Status::from_read(String::from_utf8_lossy(&text).as_bytes()).ok()
}

/// `None` if the kernel has no Yama.
pub fn yama() -> Option<u8> {
    let text = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok()?;
    text.trim().parse().ok()
}
