//! The processes that watch anything.

use inspect::gather::Processes;
use std::ops::ControlFlow;

/// Their PIDs, of those this program may look at.
pub fn watching() -> Vec<u32> {
    let Ok(mut processes) = Processes::open() else {
        return Vec::new();
    };
    let pids = processes.pids().unwrap_or_default();
    let own = std::process::id();
    let mut watching = |&pid: &u32| {
        let count = processes
            .summary(pid)
            .ok()
            .and_then(|summary| summary.count);
        // One that may not be looked at, or has gone, is not one of them.
        let fds = processes.inotify_fds(pid, count);
        fds.is_ok_and(|fds| !fds.is_empty())
    };
    pids.into_iter()
        .filter(|&pid| pid != own)
        .filter(|pid| watching(pid))
        .collect()
}

/// How many processes there are whose descriptors may not be looked at.
pub fn not_permitted() -> usize {
    let Ok(mut processes) = Processes::open() else {
        return 0;
    };
    let pids = processes.pids().unwrap_or_default();
    let mut refused = |&pid: &u32| {
        let looked = processes.each_link(pid, None, |_, _| ControlFlow::Break(()));
        looked.is_err_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied)
    };
    pids.iter().filter(|&pid| refused(pid)).count()
}
