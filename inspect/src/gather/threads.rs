//! Threads with a table of descriptors of their own (unshare(2), CLONE_FILES): /proc/PID/fd shows that of the main
//! thread only.

use super::Gaps;
use super::proc_dir::ProcDir;
use crate::sys;
use std::ops::ControlFlow;
use std::os::fd::AsFd;

/// Threads looked at: a process with more has them for work, and they share what it has open.
const MOST: usize = 4096;

/// One thread of each table that is not the table of `dir`.
pub fn with_own_descriptors(dir: &ProcDir, gaps: &mut Gaps) -> Vec<ProcDir> {
    let mut threads = Vec::new();
    let tasks = dir.open_file(b"task", libc::O_RDONLY | libc::O_DIRECTORY);
    let Ok(tasks) = tasks else {
        return Vec::new();
    };
    // It ends while it is listed: what was seen is what there was.
    let _ = sys::each_entry(tasks.as_fd(), &mut Vec::new(), |entry| {
        let text = std::str::from_utf8(entry.name).ok();
        threads.extend(text.and_then(|text| text.parse::<u32>().ok()));
        if threads.len() > MOST {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    let mut tables: Vec<ProcDir> = Vec::new();
    let mut refused = 0;
    for thread in threads.into_iter().filter(|&thread| thread != dir.pid) {
        let mut known = tables.iter().map(|table| table.pid).chain([dir.pid]);
        let shared = known.try_fold(false, |shared, other| {
            Ok(shared || sys::share_descriptors(other, thread)?)
        });
        match shared.map_err(|e: std::io::Error| e.raw_os_error()) {
            Ok(true) => {}
            // Its directory below /proc is there, though only its main thread's is listed.
            Ok(false) => tables.extend(ProcDir::open(thread).ok()),
            // It, or what it is compared with, has ended.
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
