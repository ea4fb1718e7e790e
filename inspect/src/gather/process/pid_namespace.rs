//! PID namespaces (pid_namespaces(7)): this program's own, and whether a process is in it.

use crate::gather::subject::proc_dir::ProcDir;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

/// The first one of a system (include/linux/proc_ns.h, `PROC_PID_INIT_INO`).
const FIRST: u64 = 0xEFFF_FFFC;

/// The number of this program's, unless it is the first one, in which every process has a PID. A process never leaves its
/// own.
pub fn other_than_first() -> Option<u64> {
    static OWN: OnceLock<Option<u64>> = OnceLock::new();
    let own = || Some(fs::metadata("/proc/self/ns/pid").ok()?.ino());
    OWN.get_or_init(own).filter(|&own| own != FIRST)
}

/// Whether a process is in this program's.
pub fn is_shared_with(dir: &ProcDir) -> bool {
    let own = fs::read_link("/proc/self/ns/pid").ok();
    let theirs = dir.read_link("ns/pid").ok();
    matches!((own, theirs), (Some(own), Some(theirs)) if own.as_os_str().as_bytes() == theirs)
}
