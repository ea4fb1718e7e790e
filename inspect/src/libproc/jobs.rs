//! What `launchctl list` prints: which processes this user's launchd keeps as jobs.

use std::collections::HashSet;

/// The PIDs of the jobs that run. `None` where no job runs at all: then it was another launchd's list, or none.
///
/// A line for each job, with tabs between: its PID or `-`, its last status, its label (launchctl(1), `list`).
pub fn running(text: &[u8]) -> Option<HashSet<u32>> {
    let lines = text.split(|&byte| byte == b'\n');
    let pids = lines.filter_map(|line| {
        let mut fields = line.split(|&byte| byte == b'\t');
        let pid = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        // Status and label follow.
        fields.nth(1).map(|_| pid)
    });
    let pids: HashSet<u32> = pids.collect();
    (!pids.is_empty()).then_some(pids)
}
