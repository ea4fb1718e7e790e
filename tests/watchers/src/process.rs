//! What the kernel says about a watcher and its descendants.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

/// How many descriptors they have open, those that have ended counting none.
pub(crate) fn descriptors(processes: &BTreeSet<u32>) -> usize {
    let open = |pid| fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    processes.iter().map(open).sum()
}

/// The processor time they have used so far, those that have ended counting none.
pub(crate) fn processor_time(processes: &BTreeSet<u32>) -> Duration {
    processes.iter().filter_map(|pid| one(*pid)).sum()
}

fn one(pid: u32) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        // Nanoseconds on a processor, time waited, time slices (Documentation/scheduler/sched-stats.rst).
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        sum += Duration::from_nanos(text.split(' ').next()?.parse().ok()?);
    }
    Some(sum)
}
