//! Which part of watchfix sits between an instance and its process: the library, or the supervisor of `watchfix run`.

use crate::gather::descriptors::fdinfo;
use crate::gather::process::supervisor::supervisor_of;
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{CoveredBy, Process};
use rules::watch::read_numbers;
use std::io::Read;

/// Sets `covered_by` for each instance of the process. The process's program and limits must be known.
pub fn note(dir: &ProcDir, process: &mut Process) {
    let mapped = process.has_library();
    let limit = process.fds.soft_limit.unwrap_or(u64::MAX);
    let numbers = read_numbers(u32::try_from(limit).unwrap_or(u32::MAX));
    let (pid, supervised) = (process.pid, process.supervised);
    for instance in &mut process.inotify {
        let number = u32::try_from(instance.fd);
        let is_handed_out = number.is_ok_and(|number| numbers.contains(&number))
            && instance.waits.or_else(|| waits(dir, instance.fd)) == Some(false);
        // The library's own instances have other numbers.
        instance.covered_by = match (mapped, supervised) {
            _ if is_handed_out && supervisor_of(pid).is_some() => Some(CoveredBy::Reads),
            (true, _) => Some(CoveredBy::Library),
            (false, true) => Some(CoveredBy::Masks),
            (false, false) => supervisor_of(pid).and(Some(CoveredBy::Masks)),
        };
    }
}

/// Whether a read from the descriptor blocks. Only the first lines are read, because thousands of watches may follow.
fn waits(dir: &ProcDir, fd: i32) -> Option<bool> {
    let mut start = Vec::new();
    let file = dir.open_file(format!("fdinfo/{fd}").as_bytes(), libc::O_RDONLY);
    file.ok()?.take(64).read_to_end(&mut start).ok()?;
    fdinfo::waits(&start)
}
