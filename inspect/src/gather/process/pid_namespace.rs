//! This program's PID namespace (pid_namespaces(7)).

use std::fs;
use std::os::unix::fs::MetadataExt;

/// The first one of a system (include/linux/proc_ns.h, `PROC_PID_INIT_INO`).
const FIRST: u64 = 0xEFFF_FFFC;

/// Its number, unless it is the first one, in which every process has a PID.
pub fn other_than_first() -> Option<u64> {
    let namespace = fs::metadata("/proc/self/ns/pid").ok()?.ino();
    (namespace != FIRST).then_some(namespace)
}
