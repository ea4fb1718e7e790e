//! What the kernel says about a watcher and its descendants.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

/// `root` and its descendants, as of now.
pub(crate) fn family(root: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::from([root]);
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        // Each thread has the children it started (proc(5), CONFIG_PROC_CHILDREN).
        for thread in fs::read_dir(format!("/proc/{parent}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().flat_map(str::parse) {
                if found.insert(child) {
                    parents.push(child);
                }
            }
        }
    }
    found
}

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
