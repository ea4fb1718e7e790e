//! The next symbol of each hook: libc's, or another preload's. Where there is none the kernel is
//! called instead, as if nothing were loaded.

use core::arch::{asm, global_asm};
use core::ffi::{c_char, c_int, c_long, c_void};
use core::num::NonZeroUsize;

use once_cell::race::OnceNonZeroUsize;

use crate::sys;

// A weak reference to the oldest version of dlsym, which every glibc has had: a library that needs a
// newer one is fatal to every process it is preloaded into. Before glibc 2.34 it lies in libdl; where
// that is not loaded the reference is null, and so is every next symbol.
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
global_asm!(".weak dlsym", ".symver dlsym, dlsym@GLIBC_2.2.5");
#[cfg(all(target_arch = "aarch64", target_env = "gnu"))]
global_asm!(".weak dlsym", ".symver dlsym, dlsym@GLIBC_2.17");
#[cfg(not(target_env = "gnu"))]
global_asm!(".weak dlsym");

type Dlsym = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;

fn dlsym() -> Option<Dlsym> {
    let address: usize;
    // SAFETY: loads one entry of the global offset table: dlsym's address, or null.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("mov {}, qword ptr [rip + dlsym@GOTPCREL]", out(reg) address, options(pure, readonly, nostack));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("adrp {0}, :got:dlsym", "ldr {0}, [{0}, :got_lo12:dlsym]", out(reg) address, options(pure, readonly, nostack));
    }
    // SAFETY: dlsym's type is POSIX's, and Option<fn> is null where it is missing.
    unsafe { core::mem::transmute::<usize, Option<Dlsym>>(address) }
}

/// A symbol looked up once. Two that look it up at the same time find the same, so nobody waits:
/// it may be first called in a signal handler or in a vfork child.
struct Next(OnceNonZeroUsize);

impl Next {
    /// The address of the next `name`, or of `kernel` where there is none behind this library.
    #[inline]
    fn address(&self, name: &[u8], kernel: *const c_void) -> usize {
        match self.0.get() {
            Some(found) => found.get(),
            None => self.look_up(name, kernel),
        }
    }

    #[cold]
    #[inline(never)]
    fn look_up(&self, name: &[u8], kernel: *const c_void) -> usize {
        let errno = Errno::save();
        // SAFETY: `next!` ends the name with a NUL; RTLD_NEXT is resolved by the caller's address,
        // which lies in this library.
        let next = dlsym().map_or(core::ptr::null_mut(), |dlsym| unsafe {
            dlsym(libc::RTLD_NEXT, name.as_ptr().cast())
        });
        errno.restore();
        let address = if next.is_null() { kernel } else { next };
        // A function's address is never 0.
        self.0
            .get_or_init(|| NonZeroUsize::new(address as usize).unwrap_or(NonZeroUsize::MIN))
            .get()
    }
}

/// errno, kept over a call that may change it.
pub struct Errno(c_int);

impl Errno {
    pub fn save() -> Errno {
        // SAFETY: libc gives a valid pointer to the calling thread's errno.
        Errno(unsafe { *libc::__errno_location() })
    }

    pub fn restore(self) {
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = self.0 };
    }
}

/// What a failed call returns, with its errno set.
pub fn fail(errno: c_int) -> c_int {
    Errno(errno).restore();
    -1
}

/// What libc's wrappers make of the kernel's answer.
fn answer(result: isize) -> isize {
    if (-4095..0).contains(&result) {
        fail(-result as c_int) as isize
    } else {
        result
    }
}

/// Calls the next symbol, or the kernel.
macro_rules! next {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $result:ty,
     kernel $number:expr, [$($given:expr),*]) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As the function of that name.
        #[inline]
        pub unsafe fn $name($($arg: $type),*) -> $result {
            type Function = unsafe extern "C" fn($($type),*) -> $result;
            unsafe extern "C" fn kernel($($arg: $type),*) -> $result {
                // SAFETY: the arguments of the call of that name.
                answer(unsafe { sys::call($number, [$($given as usize),*]) }) as $result
            }
            static NEXT: Next = Next(OnceNonZeroUsize::new());
            let name = concat!(stringify!($name), "\0").as_bytes();
            let next = NEXT.address(name, kernel as Function as *const c_void);
            // SAFETY: the symbol of that name has this type, as `kernel` has.
            let next = unsafe { core::mem::transmute::<usize, Function>(next) };
            // SAFETY: the caller's arguments are handed on.
            unsafe { next($($arg),*) }
        }
    };
}

next!(/// inotify_init(2)
    inotify_init() -> c_int, kernel libc::SYS_inotify_init1, [0, 0, 0, 0, 0, 0]);
next!(/// inotify_init1(2)
    inotify_init1(flags: c_int) -> c_int,
    kernel libc::SYS_inotify_init1, [flags, 0, 0, 0, 0, 0]);
next!(/// inotify_add_watch(2)
    inotify_add_watch(fd: c_int, path: *const c_char, mask: u32) -> c_int,
    kernel libc::SYS_inotify_add_watch, [fd, path, mask, 0, 0, 0]);
next!(/// inotify_rm_watch(2)
    inotify_rm_watch(fd: c_int, wd: c_int) -> c_int,
    kernel libc::SYS_inotify_rm_watch, [fd, wd, 0, 0, 0, 0]);
next!(/// read(2)
    read(fd: c_int, buf: *mut c_void, n: usize) -> isize,
    kernel libc::SYS_read, [fd, buf, n, 0, 0, 0]);
next!(/// glibc's other name of read
    __read(fd: c_int, buf: *mut c_void, n: usize) -> isize,
    kernel libc::SYS_read, [fd, buf, n, 0, 0, 0]);
next!(/// glibc's read of a buffer whose size the compiler knows
    __read_chk(fd: c_int, buf: *mut c_void, n: usize, size: usize) -> isize,
    kernel libc::SYS_read, [fd, buf, n.min(size), 0, 0, 0]);
next!(/// readv(2)
    readv(fd: c_int, parts: *const libc::iovec, count: c_int) -> isize,
    kernel libc::SYS_readv, [fd, parts, count, 0, 0, 0]);
next!(/// syscall(2), with as many words as any system call has
    syscall(n: c_long, a: c_long, b: c_long, c: c_long, d: c_long, e: c_long, f: c_long) -> c_long,
    kernel n, [a, b, c, d, e, f]);
