//! The kernel, without libc in between: no errno is touched, no other preload is met, and no symbol
//! version newer than the host's libc is needed.

use core::arch::asm;
use core::ffi::{CStr, c_char, c_int, c_long, c_void};
use core::mem::MaybeUninit;

use rules::attrib::{Identity, Look, Time};

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

/// write(2): the errno, or 0.
pub fn write(fd: c_int, bytes: &[u8]) -> Errno {
    // SAFETY: the pointer and length are a slice's.
    let n = unsafe {
        call(
            libc::SYS_write,
            [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0],
        )
    };
    (-n).max(0) as Errno
}

/// send(2) to a connected socket; neither waits nor raises a signal.
pub fn send(fd: c_int, bytes: &[u8]) {
    // SAFETY: the pointer and length are a slice's; there is no address.
    unsafe {
        call(
            libc::SYS_sendto,
            [
                fd as usize,
                bytes.as_ptr() as usize,
                bytes.len(),
                (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as usize,
                0,
                0,
            ],
        )
    };
}

/// Blocks these signals for the calling thread, and returns which were blocked before.
pub fn block_signals(signals: u64) -> Option<u64> {
    let mut before = 0u64;
    // SAFETY: both sets have the kernel's size.
    let r = unsafe { mask_signals(libc::SIG_BLOCK, &signals, &mut before) };
    (r == 0).then_some(before)
}

/// Blocks just these signals for the calling thread.
pub fn set_blocked_signals(signals: u64) {
    // SAFETY: the set has the kernel's size, and the old one is not asked for.
    unsafe { mask_signals(libc::SIG_SETMASK, &signals, core::ptr::null_mut()) };
}

/// # Safety
/// `before` is null or can be written to.
unsafe fn mask_signals(how: c_int, signals: &u64, before: *mut u64) -> isize {
    let signals: *const u64 = signals;
    // SAFETY: the sets have the kernel's size; the second is the caller's promise.
    unsafe {
        call(
            libc::SYS_rt_sigprocmask,
            [
                how as usize,
                signals as usize,
                before as usize,
                SIGSET,
                0,
                0,
            ],
        )
    }
}

/// The signals that wait for the calling thread or its process.
pub fn pending_signals() -> u64 {
    let mut pending = 0u64;
    let at: *mut u64 = &mut pending;
    // SAFETY: the kernel fills a set of its size.
    unsafe { call(libc::SYS_rt_sigpending, [at as usize, SIGSET, 0, 0, 0, 0]) };
    pending
}

/// Takes one of these blocked signals away, if one is pending.
pub fn take_signal(signals: u64) {
    let signals: *const u64 = &signals;
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let at_once: *const libc::timespec = &at_once;
    // SAFETY: the set has the kernel's size; nothing is asked about the signal.
    unsafe {
        call(
            libc::SYS_rt_sigtimedwait,
            [signals as usize, 0, at_once as usize, SIGSET, 0, 0],
        )
    };
}

/// True if the process acts with another user's or group's rights than its own.
pub fn has_foreign_ids() -> bool {
    // SAFETY: none of the calls has arguments, and none can fail.
    let id = |n| unsafe { call(n, [0; 6]) };
    id(libc::SYS_getuid) != id(libc::SYS_geteuid) || id(libc::SYS_getgid) != id(libc::SYS_getegid)
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
    let mut line = crate::line::Line::new(&mut link);
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
    let mut stat = MaybeUninit::<libc::stat>::uninit();
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

/// fstatat(2) from the working directory. No automount is set off, and no event is raised.
///
/// # Safety
/// `path` is a string, or memory that changes into another one while the kernel reads it.
pub unsafe fn look(path: *const c_char, nofollow: bool) -> Option<Look> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: as for fstat; the path is the caller's promise.
    let r = unsafe {
        call(
            libc::SYS_newfstatat,
            [
                libc::AT_FDCWD as usize,
                path as usize,
                stat.as_mut_ptr() as usize,
                at_flags(nofollow),
                0,
                0,
            ],
        )
    };
    if r != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so all of it is filled.
    let stat = unsafe { stat.assume_init() };
    Some(Look {
        identity: Identity {
            device: stat.st_dev,
            inode: stat.st_ino,
        },
        modified: (stat.st_mtime, stat.st_mtime_nsec),
        changed: (stat.st_ctime, stat.st_ctime_nsec),
    })
}

fn at_flags(nofollow: bool) -> usize {
    let follow = if nofollow {
        libc::AT_SYMLINK_NOFOLLOW
    } else {
        0
    };
    (follow | libc::AT_NO_AUTOMOUNT) as usize
}

/// Which file a path leads to, and if that is a directory, as far as the kernel knows without asking a server: the
/// file system may be one whose server is gone (statx(2), 4.11).
pub fn identity(path: &CStr, nofollow: bool) -> Option<(Identity, bool)> {
    let mut statx = MaybeUninit::<libc::statx>::uninit();
    // SAFETY: the path is NUL-terminated; the kernel fills a struct statx.
    let r = unsafe {
        call(
            libc::SYS_statx,
            [
                libc::AT_FDCWD as usize,
                path.as_ptr() as usize,
                at_flags(nofollow) | libc::AT_STATX_DONT_SYNC as usize,
                (libc::STATX_INO | libc::STATX_TYPE) as usize,
                statx.as_mut_ptr() as usize,
                0,
            ],
        )
    };
    if r != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so all of it is filled.
    let statx = unsafe { statx.assume_init() };
    let identity = Identity {
        device: libc::makedev(statx.stx_dev_major, statx.stx_dev_minor),
        inode: statx.stx_ino,
    };
    let kind = u32::from(statx.stx_mode) & libc::S_IFMT;
    Some((identity, kind == libc::S_IFDIR))
}

/// The time, by the clock that files are stamped by.
pub fn now() -> Time {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the kernel fills a struct timespec.
    let r = unsafe {
        call(
            libc::SYS_clock_gettime,
            [
                libc::CLOCK_REALTIME as usize,
                time.as_mut_ptr() as usize,
                0,
                0,
                0,
                0,
            ],
        )
    };
    if r != 0 {
        return (0, 0);
    }
    // SAFETY: the call succeeded, so all of it is filled.
    let time = unsafe { time.assume_init() };
    (time.tv_sec, time.tv_nsec)
}

/// read(2); `None` if it failed.
pub fn read(fd: c_int, buf: &mut [u8]) -> Option<&[u8]> {
    // SAFETY: the pointer and length are a slice's.
    let n = unsafe {
        call(
            libc::SYS_read,
            [fd as usize, buf.as_mut_ptr() as usize, buf.len(), 0, 0, 0],
        )
    };
    buf.get(..usize::try_from(n).ok()?)
}

/// The working directory; `None` if it does not fit or lies outside the root.
pub fn working_directory(buf: &mut [u8]) -> Option<&[u8]> {
    // SAFETY: the pointer and length are a slice's.
    let n = unsafe {
        call(
            libc::SYS_getcwd,
            [buf.as_mut_ptr() as usize, buf.len(), 0, 0, 0, 0],
        )
    };
    // The kernel counts the NUL.
    let path = buf.get(..usize::try_from(n).ok()?.checked_sub(1)?)?;
    path.starts_with(b"/").then_some(path)
}

/// True if there is a string at `path` that the kernel can read and takes for a path.
///
/// symlinkat reads its first path before it looks at the second, which is one it refuses (fs/namei.c).
pub fn is_path(path: *const c_char) -> bool {
    // SAFETY: the kernel answers EFAULT where nothing can be read; the second path is NUL-terminated.
    let r = unsafe {
        call(
            libc::SYS_symlinkat,
            [
                path as usize,
                libc::AT_FDCWD as usize,
                c"".as_ptr() as usize,
                0,
                0,
                0,
            ],
        )
    };
    r != -(libc::EFAULT as isize) && r != -(libc::ENAMETOOLONG as isize)
}

/// Bytes of the kernel's sigset_t.
const SIGSET: usize = 8;

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
/// inotify_add_watch looks at both before the path: EBADF or EINVAL for any other, ENOENT for these and an
/// empty path (fs/notify/inotify/inotify_user.c). The filter of `watchfix run` lets the question pass by JUDGED.
pub fn takes_watch(fd: c_int, mask: u32) -> bool {
    let mask = mask | rules::watch::JUDGED;
    // SAFETY: the path is NUL-terminated and leads nowhere.
    let r = unsafe {
        call(
            libc::SYS_inotify_add_watch,
            [fd as usize, c"".as_ptr() as usize, mask as usize, 0, 0, 0],
        )
    };
    r == -(libc::ENOENT as isize)
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
