//! Who a process is: stat, comm and cmdline, which any user may read.

use crate::formats::secrets;
use crate::gather::process::thread::thread;
use crate::gather::subject::gaps::{errno_text, is_gone};
use crate::gather::subject::proc_dir::ProcDir;
use crate::model::{Failure, FailureKind, Name, Process, is_title};
use crate::sys;
use procfs::prelude::*;
use procfs::process::Stat;
use std::io;

/// Opens a process and reads its identity, which any user may read.
pub fn identify(pid: u32) -> Result<(ProcDir, Process), Failure> {
    let failure = |kind, why| Failure {
        pid: Some(pid),
        why,
        kind,
    };
    let mut dir = ProcDir::open(pid).map_err(|e| {
        if is_gone(&e) {
            let why = format!("there is no process {pid}");
            return failure(FailureKind::NoProcess, why);
        }
        let why = format!("process {pid} cannot be looked at: {}", errno_text(&e));
        failure(FailureKind::NotPermitted, why)
    })?;
    // The descriptor `dir` refers to this very process: if its PID is reused, every further read through it fails with
    // ESRCH. So two processes cannot be mixed up.
    let mut process = Process {
        pid,
        ..Process::default()
    };
    match identity(&dir, &mut process) {
        Err(e) if is_gone(&e) => {
            let why = format!("process {pid} ended before anything was read");
            return Err(failure(FailureKind::NoProcess, why));
        }
        Ok(true) => {
            if let Some(thread) = dir.of_living_thread() {
                dir = thread;
                process.state = None;
                process.cmdline = command_line(&dir);
            }
        }
        _ => {}
    }
    Ok((dir, process))
}

/// PF_KTHREAD of include/linux/sched.h, field 9 of proc_pid_stat(5).
const KERNEL_THREAD: u32 = 0x20_0000;

/// Reads what any user may read: name, parent, user, start, command line. Returns whether the main thread has ended
/// while others still run.
///
/// # Errors
/// The errno of the first read, if the process is gone.
pub fn identity(dir: &ProcDir, process: &mut Process) -> io::Result<bool> {
    // The directory always belongs to the effective user (fs/proc/base.c, task_dump_owner), or to root once the process
    // is gone. If the read after it succeeds, the process was not gone.
    let owner = sys::stat_at(dir.as_fd(), b"", 0)?;
    let stat = dir.read("stat")?;
    (process.uid, process.gid) = (Some(owner.st_uid), Some(owner.st_gid));
    let mut without_main = false;
    if let Ok(stat) = Stat::from_read(&stat[..]) {
        without_main = headless(&stat);
        process.ppid = u32::try_from(stat.ppid).ok();
        process.state = Some(stat.state);
        process.surroundings.session = u32::try_from(stat.session).ok();
        process.kernel_thread = stat.flags & KERNEL_THREAD != 0;
        process.start_time = start_time(stat.starttime);
        process.start_ticks = Some(stat.starttime);
    }
    process.comm = comm(dir);
    process.cmdline = command_line(dir);
    Ok(without_main)
}

/// Whether the main thread has ended while others still run.
///
/// # Errors
/// The kernel's errno, if the process is gone.
pub fn is_headless(dir: &ProcDir) -> io::Result<bool> {
    let stat = Stat::from_read(&dir.read("stat")?[..]);
    Ok(stat.is_ok_and(|stat| headless(&stat)))
}

fn headless(stat: &Stat) -> bool {
    stat.state == 'Z' && stat.num_threads > 1
}

/// Whether a PID is a kernel thread, which has no descriptors. Any user may know that.
pub fn is_kernel_thread(pid: u32) -> bool {
    let text = ProcDir::open(pid).and_then(|dir| dir.read("stat"));
    text.is_ok_and(|text| {
        Stat::from_read(&text[..]).is_ok_and(|stat| stat.flags & KERNEL_THREAD != 0)
    })
}

/// The name of the main thread; `None` if it could not be read.
pub fn comm(dir: &ProcDir) -> Option<Name> {
    dir.read("comm").ok().map(|mut name| {
        if name.last() == Some(&b'\n') {
            name.pop();
        }
        name.into()
    })
}

/// The arguments without the secrets among them; `None` if they could not be read.
pub fn command_line(dir: &ProcDir) -> Option<Vec<Name>> {
    dir.read("cmdline")
        .ok()
        .map(|text| secrets::hide(without_padding(split_nul(&text))))
}

/// When it started, in clock ticks since boot; `None` if the kernel's text cannot be parsed.
pub fn start_ticks(dir: &ProcDir) -> io::Result<Option<u64>> {
    let stat = dir.read("stat")?;
    Ok(Stat::from_read(&stat[..]).ok().map(|stat| stat.starttime))
}

/// Whether it has ended or is about to: its memory and descriptors go before its PID does.
pub fn has_ended(dir: &ProcDir) -> bool {
    // PF_EXITING of include/linux/sched.h, field 9 of proc_pid_stat(5).
    const EXITING: u32 = 0x4;
    match dir.read("stat") {
        Ok(text) => Stat::from_read(&text[..])
            .is_ok_and(|stat| matches!(stat.state, 'Z' | 'X') || stat.flags & EXITING != 0),
        Err(e) => is_gone(&e),
    }
}

/// RFC 3339 from clock ticks since boot (field 22 of proc_pid_stat(5)).
fn start_time(ticks: u64) -> Option<String> {
    let boot = procfs::boot_time_secs().ok()?;
    let millis = ticks.checked_mul(1000)? / procfs::ticks_per_second();
    let since_epoch = boot.checked_mul(1000)?.checked_add(millis)?;
    let time = jiff::Timestamp::from_millisecond(i64::try_from(since_epoch).ok()?).ok()?;
    Some(time.to_string())
}

/// A process that writes a title over its arguments (setproctitle(3bsd)) leaves the rest of their space empty.
fn without_padding(mut words: Vec<Name>) -> Vec<Name> {
    if words.first().is_some_and(is_title) {
        let end = words.iter().rposition(|word| !word.as_bytes().is_empty());
        words.truncate(end.map_or(1, |last| last + 1));
    }
    words
}

pub fn split_nul(text: &[u8]) -> Vec<Name> {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|&b| b == 0).map(Name::from).collect()
}

/// The command line of a process and the name of its main thread; `None` if it is gone.
pub fn command_of(pid: u32) -> Option<(Vec<Name>, Option<Name>)> {
    let dir = ProcDir::open(pid).ok()?;
    // A zombie has a name but no command line, and it still exists.
    let comm = comm(&dir)?;
    Some((command_line(&dir).unwrap_or_default(), Some(comm)))
}

/// The name of a process's main thread; `None` if it is gone.
pub fn comm_of(pid: u32) -> Option<Name> {
    comm(&ProcDir::open(pid).ok()?)
}

/// When a process started, in clock ticks since boot; `None` where that is not known.
pub fn start_of(pid: u32) -> Option<u64> {
    start_ticks(&ProcDir::open(pid).ok()?).ok()?
}

/// Whether the process that had this PID and this start (clock ticks since boot) is known to be gone.
pub fn is_gone_since(pid: u32, ticks: u64) -> bool {
    match ProcDir::open(pid).and_then(|dir| start_ticks(&dir)) {
        Ok(start) => start.is_some_and(|start| start != ticks),
        // It may be hidden (hidepid of proc(5)).
        Err(_) => !sys::process_exists(pid),
    }
}

/// The same, or that it has ended and its parent has not waited for it. `false` if that cannot be determined.
pub fn has_ended_since(pid: u32, ticks: u64) -> bool {
    is_gone_since(pid, ticks) || thread(pid).is_ok_and(|thread| thread.is_zombie)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_keeps_empty_arguments_but_has_no_last_one() {
        let names = |text: &[u8]| split_nul(text);
        assert_eq!(names(b"a\0\0b\0"), ["a", "", "b"].map(Name::from));
        assert_eq!(names(b""), []);
        let title = without_padding(names(b"celery: w1\0\0\0\0"));
        assert_eq!(title, ["celery: w1"].map(Name::from));
        let plain = without_padding(names(b"a\0b\0\0"));
        assert_eq!(plain, ["a", "b", ""].map(Name::from));
    }
}
