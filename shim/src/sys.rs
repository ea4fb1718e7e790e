//! The kernel, without libc in between: no errno is touched, no other preload is met, and no symbol
//! version newer than the host's libc is needed.

use core::arch::asm;
use core::ffi::{CStr, c_int, c_long, c_void};

/// A failed call's errno, positive.
pub type Errno = c_int;

/// Makes a system call; negative results down to -4095 are errors.
///
/// # Safety
/// The arguments must be what the call expects; pointers must be valid for it.
#[cfg(target_arch = "x86_64")]
pub unsafe fn call(n: c_long, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let result: isize;
    // SAFETY: the x86-64 system call convention (syscall(2)); the caller vouches for the arguments.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") n as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// As above, for aarch64.
///
/// # Safety
/// The arguments must be what the call expects; pointers must be valid for it.
#[cfg(target_arch = "aarch64")]
pub unsafe fn call(n: c_long, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let result: isize;
    // SAFETY: the arm64 system call convention (syscall(2)); the caller vouches for the arguments.
    unsafe {
        asm!(
            "svc 0",
            in("x8") n,
            inlateout("x0") a as isize => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    result
}

/// Ends the process; only a panic comes here.
pub fn abort() -> ! {
    loop {
        // SAFETY: exit_group takes a number and does not return.
        unsafe { call(libc::SYS_exit_group, [127, 0, 0, 0, 0, 0]) };
    }
}

/// write(2), as far as one call gets.
pub fn write(fd: c_int, bytes: &[u8]) {
    // SAFETY: the pointer and length are a slice's.
    unsafe {
        call(
            libc::SYS_write,
            [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0],
        )
    };
}

pub fn getpid() -> u32 {
    // SAFETY: getpid has no arguments and cannot fail.
    unsafe { call(libc::SYS_getpid, [0; 6]) as u32 }
}

/// openat(2) from the working directory; O_CLOEXEC is added.
pub fn open(path: &CStr, flags: c_int, mode: u32) -> Result<c_int, Errno> {
    let flags = (flags | libc::O_CLOEXEC) as usize;
    // SAFETY: the path is NUL-terminated.
    let fd = unsafe {
        call(
            libc::SYS_openat,
            [
                libc::AT_FDCWD as usize,
                path.as_ptr() as usize,
                flags,
                mode as usize,
                0,
                0,
            ],
        )
    };
    if fd < 0 {
        Err(-fd as Errno)
    } else {
        Ok(fd as c_int)
    }
}

pub fn close(fd: c_int) {
    // SAFETY: the callers close only what they opened.
    unsafe { call(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0]) };
}

/// The path of an open descriptor, as /proc shows it; `None` without /proc or if it does not fit.
pub fn path_of(fd: c_int, buf: &mut [u8]) -> Option<&[u8]> {
    let mut link = [0u8; 32];
    let mut line = crate::log::Line::new(&mut link);
    line.text(b"/proc/self/fd/").number(fd as u32).text(b"\0");
    // SAFETY: `link` ends in the NUL just written: 14 + 10 digits + NUL fit into it.
    let n = unsafe {
        call(
            libc::SYS_readlinkat,
            [
                libc::AT_FDCWD as usize,
                link.as_ptr() as usize,
                buf.as_mut_ptr() as usize,
                buf.len(),
                0,
                0,
            ],
        )
    };
    // A link that fills the buffer may have been cut.
    let n = usize::try_from(n).ok().filter(|&n| n < buf.len())?;
    buf.get(..n)
}

/// What `fstat` tells of a descriptor: mode, device, inode.
pub fn fstat(fd: c_int) -> Option<(u32, u64, u64)> {
    let mut stat = core::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills a struct stat, whose layout libc gives for this architecture.
    let r = unsafe {
        call(
            libc::SYS_fstat,
            [fd as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0],
        )
    };
    if r != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so all of it is filled.
    let stat = unsafe { stat.assume_init() };
    Some((stat.st_mode, stat.st_dev, stat.st_ino))
}

/// True if `fd` is an inotify instance.
///
/// fstat comes first so that a sandbox that kills on inotify calls sees none for files, pipes and sockets:
/// only anonymous inodes have no file type.
pub fn is_inotify(fd: c_int) -> bool {
    matches!(fstat(fd), Some((mode, ..)) if mode & libc::S_IFMT == 0)
        && takes_watch(fd, rules::event::MODIFY)
}

/// True if `fd` is an inotify instance and `mask` one that a watch may have.
///
/// inotify_add_watch looks at both before the path: EBADF or EINVAL for any other, EFAULT for these and no
/// path (fs/notify/inotify/inotify_user.c). The filter of `watchfix run` lets the question pass by JUDGED.
pub fn takes_watch(fd: c_int, mask: u32) -> bool {
    let mask = mask | rules::watch::JUDGED;
    // SAFETY: a null path is refused by the kernel, never followed.
    let r = unsafe {
        call(
            libc::SYS_inotify_add_watch,
            [fd as usize, 0, mask as usize, 0, 0, 0],
        )
    };
    r == -(libc::EFAULT as isize)
}

/// False if the kernel says that an open file or directory may not be read, which a watch on it needs.
/// Before 5.8 it cannot be asked.
pub fn may_read(fd: c_int) -> bool {
    // SAFETY: the path is empty and NUL-terminated.
    let r = unsafe {
        call(
            libc::SYS_faccessat2,
            [
                fd as usize,
                c"".as_ptr() as usize,
                libc::R_OK as usize,
                (libc::AT_EMPTY_PATH | libc::AT_EACCESS) as usize,
                0,
                0,
            ],
        )
    };
    r != -(libc::EACCES as isize)
}

/// Lets the next watch of a new instance have this descriptor (4.18, CONFIG_CHECKPOINT_RESTORE).
pub fn set_next_wd(fd: c_int, wd: c_int) {
    // _IOW('I', 0, __s32), include/uapi/linux/inotify.h
    const INOTIFY_IOC_SETNEXTWD: usize = 0x4004_4900;
    // SAFETY: the argument is a number; other kernels answer ENOTTY.
    unsafe {
        call(
            libc::SYS_ioctl,
            [fd as usize, INOTIFY_IOC_SETNEXTWD, wd as usize, 0, 0, 0],
        )
    };
}

/// Private zeroed memory that is never given back; `None` if there is none.
pub fn map(size: usize) -> Option<*mut u8> {
    // SAFETY: a new anonymous mapping touches no existing memory.
    let p = unsafe {
        call(
            libc::SYS_mmap,
            [
                0,
                size,
                (libc::PROT_READ | libc::PROT_WRITE) as usize,
                (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as usize,
                usize::MAX,
                0,
            ],
        )
    };
    (p > 0).then_some(p as *mut u8)
}

/// Gives back what [`map`] gave.
///
/// # Safety
/// Nothing may refer into the mapping any more.
pub unsafe fn unmap(at: *mut c_void, size: usize) {
    // SAFETY: the caller vouches for the mapping.
    unsafe { call(libc::SYS_munmap, [at as usize, size, 0, 0, 0, 0]) };
}
