//! The exported names: each does what libc's does, and the rules. Nothing else is exported.

use core::ffi::{c_char, c_int, c_long, c_ulong, c_void};

use crate::{config, next, read, sandbox, watch};

/// inotify_init(2)
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn inotify_init() -> c_int {
    // SAFETY: a number.
    unsafe { inotify_init1(0) }
}

/// inotify_init1(2)
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn inotify_init1(flags: c_int) -> c_int {
    let fd = match config::get().own_instance() {
        // SAFETY: the program's arguments.
        None => unsafe { next::inotify_init1(flags) },
        // libc's function has no second argument to hand on.
        // SAFETY: as before; the kernel takes no notice of a second argument.
        Some(own) => unsafe {
            next::syscall(libc::SYS_inotify_init1, flags.into(), own, 0, 0, 0, 0) as c_int
        },
    };
    watch::made(fd);
    fd
}

/// inotify_add_watch(2)
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn inotify_add_watch(fd: c_int, path: *const c_char, mask: u32) -> c_int {
    // SAFETY: the program's arguments, but for the mask, which has no memory effects.
    let kernel = |mask| unsafe { next::inotify_add_watch(fd, path, mask) };
    // SAFETY: the program's arguments.
    unsafe { watch::add(fd, path, mask, kernel) }
}

/// inotify_rm_watch(2)
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn inotify_rm_watch(fd: c_int, wd: c_int) -> c_int {
    // SAFETY: the program's arguments.
    watch::remove(fd, wd, || unsafe { next::inotify_rm_watch(fd, wd) })
}

/// read(2)
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(fd: c_int, buf: *mut c_void, n: usize) -> isize {
    // SAFETY: the program's arguments.
    unsafe { read::filter(fd, buf, n, next::read(fd, buf, n)) }
}

/// glibc's other name of read.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __read(fd: c_int, buf: *mut c_void, n: usize) -> isize {
    // SAFETY: the program's arguments.
    unsafe { read::filter(fd, buf, n, next::read(fd, buf, n)) }
}

/// What a fortified program calls for read.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __read_chk(fd: c_int, buf: *mut c_void, n: usize, size: usize) -> isize {
    if n > size {
        // SAFETY: the program's arguments.
        return unsafe { next::read_too_much(fd, buf, n, size) };
    }
    // SAFETY: the program's arguments.
    unsafe { read::filter(fd, buf, n, next::read(fd, buf, n)) }
}

/// readv(2)
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn readv(fd: c_int, parts: *const libc::iovec, count: c_int) -> isize {
    // SAFETY: the program's arguments.
    unsafe { read::filter_parts(fd, parts, count, next::readv(fd, parts, count)) }
}

/// prctl(2): only looked at. It is variadic in C, as [`syscall`] is.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn prctl(
    option: c_int,
    a: c_ulong,
    b: c_ulong,
    c: c_ulong,
    d: c_ulong,
) -> c_int {
    sandbox::prctl(option, a as usize);
    // SAFETY: the program's arguments.
    unsafe { next::prctl(option, a, b, c, d) }
}

/// syscall(2): what is about inotify or a read is judged, anything else goes on unchanged.
///
/// It is variadic in C. On the two architectures built for, a variadic call passes its words where a
/// call of seven words does; words a caller did not pass are what they are for libc.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall(
    n: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    match n {
        libc::SYS_read
        | libc::SYS_readv
        | libc::SYS_inotify_init1
        | libc::SYS_inotify_add_watch
        | libc::SYS_inotify_rm_watch
        | libc::SYS_prctl
        | libc::SYS_seccomp => {}
        #[cfg(target_arch = "x86_64")]
        libc::SYS_inotify_init => {}
        // SAFETY: the program's arguments.
        _ => return unsafe { next::syscall(n, a, b, c, d, e, f) },
    }
    // SAFETY: the program's arguments.
    unsafe { judged(n, a, b, c, d, e, f) }
}

/// The system calls the rules are about. They go on to the next `syscall`, not to the next function of
/// that name: that one may make its call through this hook.
///
/// # Safety
/// As libc's syscall.
#[inline(never)]
unsafe extern "C" fn judged(
    n: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    // SAFETY: the program's arguments; a changed mask has no memory effects.
    let next = |c| unsafe { next::syscall(n, a, b, c, d, e, f) };
    let (fd, pointer) = (a as c_int, b as *mut c_void);
    match n {
        libc::SYS_inotify_add_watch => {
            let kernel = |mask| next(c_long::from(mask)) as c_int;
            // SAFETY: the program's arguments.
            return unsafe { watch::add(fd, pointer.cast(), c as u32, kernel).into() };
        }
        libc::SYS_inotify_rm_watch => {
            return watch::remove(fd, b as c_int, || next(c) as c_int).into();
        }
        libc::SYS_prctl => sandbox::prctl(a as c_int, b as usize),
        libc::SYS_seccomp => sandbox::seccomp(a as usize),
        _ => {}
    }
    let answer = match (made_with(n, a), config::get().own_instance()) {
        // SAFETY: numbers.
        (Some(flags), Some(own)) => unsafe {
            next::syscall(libc::SYS_inotify_init1, flags, own, 0, 0, 0, 0)
        },
        _ => next(c),
    };
    match n {
        // SAFETY: the program's arguments.
        libc::SYS_read => unsafe {
            read::filter(fd, pointer, c as usize, answer as isize) as c_long
        },
        // SAFETY: the program's arguments.
        libc::SYS_readv => unsafe {
            read::filter_parts(fd, pointer.cast(), c as c_int, answer as isize) as c_long
        },
        libc::SYS_prctl | libc::SYS_seccomp => answer,
        _ => {
            watch::made(answer as c_int);
            answer
        }
    }
}

/// The flags of inotify_init1 with which this call makes an instance, if it does.
fn made_with(n: c_long, flags: c_long) -> Option<c_long> {
    match n {
        libc::SYS_inotify_init1 => Some(flags),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_inotify_init => Some(0),
        _ => None,
    }
}
