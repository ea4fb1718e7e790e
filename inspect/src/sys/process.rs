//! Whether a process is there.

use std::io;

/// Whether a process, zombie or thread has this PID, whoever owns it: `kill(2)` with signal 0 looks and
/// sends nothing, and hidepid (proc(5)) does not blind it.
pub fn process_exists(pid: u32) -> bool {
    let Ok(pid) = libc::pid_t::try_from(pid) else {
        return false;
    };
    // 0 would mean a group of processes.
    if pid == 0 {
        return false;
    }
    // SAFETY: kill takes two integers; signal 0 changes nothing.
    let answer = unsafe { libc::kill(pid, 0) };
    answer == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}
