//! Questions about inotify instances.

use core::ffi::c_int;

use super::call::call;
use super::files::fstat;

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
