//! Threads with their own table of descriptors (unshare(2), CLONE_FILES): /proc/PID/fd only shows that of the main
//! thread.

use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::proc_dir::ProcDir;
use crate::sys;

/// How many threads are examined. A process with more uses them as workers, which share its descriptors.
const MOST: usize = 4096;

/// One thread of each table that is not the table of `dir`.
pub fn with_own_descriptors(dir: &ProcDir, gaps: &mut Gaps) -> Vec<ProcDir> {
    let Ok(threads) = dir.threads(MOST) else {
        return Vec::new();
    };
    let mut tables: Vec<ProcDir> = Vec::new();
    let mut refused = 0;
    for thread in threads.into_iter().filter(|&thread| thread != dir.pid) {
        let mut known = tables.iter().map(|table| table.pid).chain([dir.pid]);
        let shared = known.try_fold(false, |shared, other| {
            Ok(shared || sys::share_descriptors(other, thread)?)
        });
        match shared.map_err(|e: std::io::Error| e.raw_os_error()) {
            Ok(true) => {}
            // It has a directory in /proc, although only that of the main thread is listed.
            Ok(false) => tables.extend(ProcDir::open(thread).ok()),
            // It, or the one it is compared with, has ended.
            Err(Some(libc::ESRCH)) => {}
            Err(_) => refused += 1,
        }
    }
    if refused > 0 {
        gaps.count(
            refused,
            "threads looked at for descriptors of their own",
            "kcmp(2) is not permitted here",
        );
    }
    tables
}
