//! One thread: its process and its permissions.

use crate::gather::subject::proc_dir::ProcDir;
use procfs::prelude::*;
use procfs::process::Status;
use std::io;

/// What /proc/TID/status says about a thread. IDs are those of the reader's namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// The process it belongs to.
    pub process: u32,
    /// The parent of that process.
    pub parent: u32,
    /// Whether a signal has stopped it.
    pub is_stopped: bool,
    /// Whether it has ended and its parent has not waited for it.
    pub is_zombie: bool,
    /// The user it accesses files as.
    pub file_user: u32,
    /// The group it accesses files as.
    pub file_group: u32,
    /// Its supplementary groups.
    pub groups: Vec<u32>,
    /// Its effective capabilities, one bit each, within its user namespace.
    pub capabilities: u64,
}

/// Looks at the thread, or process, `tid`.
///
/// # Errors
/// ENOENT or ESRCH if it has ended, or hidepid hides it.
pub fn thread(tid: u32) -> io::Result<Thread> {
    let text = ProcDir::open(tid)?.read("status")?;
    // The name in it may be any bytes, but the parser wants text.
    let text = String::from_utf8_lossy(&text);
    let status = Status::from_read(text.as_bytes()).map_err(io::Error::other)?;
    let process = u32::try_from(status.tgid).map_err(io::Error::other)?;
    Ok(Thread {
        process,
        parent: u32::try_from(status.ppid).map_err(io::Error::other)?,
        is_stopped: status.state.starts_with('T'),
        is_zombie: status.state.starts_with('Z'),
        file_user: status.fuid,
        file_group: status.fgid,
        groups: status.groups,
        capabilities: status.capeff,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_belongs_to_its_process() {
        // SAFETY: gettid has no arguments and touches no memory.
        let tid = std::thread::spawn(|| unsafe { libc::gettid() });
        let own = thread(std::process::id()).unwrap();
        assert_eq!(own.process, std::process::id());
        // The thread may have ended or may still exist.
        if let Ok(other) = thread(tid.join().unwrap() as u32) {
            assert_eq!(other.process, own.process);
        }
    }
}
