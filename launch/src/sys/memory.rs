//! The memory of another process, and memory shared with one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

/// Gives back to the kernel what has been freed: glibc keeps what lies below anything that is still used. One long search for
/// a path would leave a process that goes on for days with all it took.
pub fn give_back_what_is_free() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it touches only memory that the allocator has free.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Reads memory of the thread `tid` from `address` on: how many bytes could be read, which is fewer where something
/// behind them is not mapped.
///
/// # Errors
/// EFAULT if nothing is mapped there, EPERM without ptrace access, ESRCH if it has ended.
pub fn read_of(tid: u32, address: u64, into: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let remote = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(address as usize),
        iov_len: into.len(),
    };
    let pid = tid as libc::pid_t;
    // SAFETY: the kernel writes at most `into.len()` bytes into it, and only reads the other process's.
    let read = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    match usize::try_from(read).map_err(|_| io::Error::last_os_error()) {
        // A seccomp profile refuses the call: older ones of Docker do.
        Err(e) if matches!(e.raw_os_error(), Some(libc::EPERM | libc::ENOSYS)) => {
            let memory = File::open(format!("/proc/{tid}/mem"))?;
            // It says EIO where nothing is mapped (mem_rw of fs/proc/base.c).
            memory
                .read_at(into, address)
                .map_err(|e| match e.raw_os_error() {
                    Some(libc::EIO) => io::Error::from_raw_os_error(libc::EFAULT),
                    _ => e,
                })
        }
        done => done,
    }
}

/// Whether [`write_of`] is not refused by a seccomp profile. To write to /proc/TID/mem instead would write where the process itself
/// may not.
///
/// # Errors
/// The kernel's errno.
pub fn may_write() -> io::Result<()> {
    let mut byte = 0u8;
    write_of(std::process::id(), (&raw mut byte) as u64, &[1]).map(drop)
}

/// Writes `bytes` into memory of the thread `tid` from `address` on: all of them, or as many as go before something that is
/// not mapped.
///
/// # Errors
/// As for [`read_of`].
pub fn write_of(tid: u32, address: u64, bytes: &[u8]) -> io::Result<usize> {
    let local = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let remote = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(address as usize),
        iov_len: bytes.len(),
    };
    let pid = tid as libc::pid_t;
    // SAFETY: the kernel only reads `bytes`; the memory it writes to is another process's.
    let written =
        unsafe { libc::process_vm_writev(pid, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

/// The size of the pages that are mapped or not as a whole, in bytes. It is the smallest there is, whatever the
/// machine's.
pub const PAGE: usize = 4096;

/// So many bytes of zeros that stay shared with the processes forked from this one. They live as long as these do, and begin
/// with a page.
///
/// # Errors
/// ENOMEM.
pub fn shared(size: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at a place of the kernel's choice.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(start.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}
