//! The next symbol of each hook: libc's, or another preload's. Where there is none the kernel is
//! called instead, as if nothing were loaded.

use core::arch::{asm, global_asm};
use core::ffi::{CStr, c_char, c_int, c_long, c_ulong, c_void};
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

/// A symbol looked up once. Two that look it up at the same time find the same, so nobody waits for the other:
/// it may be first called in a signal handler or in a vfork child.
///
/// The dynamic loader's own lock is another matter: it is held while a library that was opened late runs its
/// constructors, which may wait for a thread that reads. So all are looked up at load.
struct Next(OnceNonZeroUsize);

impl Next {
    /// The address of the next `name`, or of `kernel` where there is none behind this library.
    #[inline]
    fn address(&self, name: &CStr, kernel: *const c_void) -> usize {
        match self.0.get() {
            Some(found) => found.get(),
            None => self.look_up(name, kernel),
        }
    }

    #[cold]
    #[inline(never)]
    fn look_up(&self, name: &CStr, kernel: *const c_void) -> usize {
        let address = find(libc::RTLD_NEXT, name).unwrap_or(kernel.cast_mut());
        // A function's address is never 0.
        self.0
            .get_or_init(|| NonZeroUsize::new(address as usize).unwrap_or(NonZeroUsize::MIN))
            .get()
    }
}

/// Asks the dynamic loader for a symbol. errno and dlerror(3) stay as they were.
fn find(whose: *mut c_void, name: &CStr) -> Option<*mut c_void> {
    let dlsym = dlsym()?;
    let errno = Errno::save();
    // SAFETY: the name is NUL-terminated; RTLD_NEXT is resolved by the caller's address, which lies in this
    // library.
    let found = unsafe { dlsym(whose, name.as_ptr()) };
    if found.is_null() {
        // SAFETY: as above.
        let dlerror = unsafe { dlsym(libc::RTLD_DEFAULT, c"dlerror".as_ptr()) };
        type Dlerror = unsafe extern "C" fn() -> *mut c_char;
        // SAFETY: dlerror's type is POSIX's, and Option<fn> is null where it is missing.
        let dlerror: Option<Dlerror> = unsafe { core::mem::transmute(dlerror) };
        if let Some(dlerror) = dlerror {
            // SAFETY: it takes nothing and forgets the error it returns.
            unsafe { dlerror() };
        }
    }
    errno.restore();
    (!found.is_null()).then_some(found)
}

/// True if the program runs with more rights than who started it (AT_SECURE of getauxval(3)): what that
/// user's environment says is not to be believed.
pub fn is_secure() -> bool {
    type Getauxval = unsafe extern "C" fn(c_ulong) -> c_ulong;
    match find(libc::RTLD_DEFAULT, c"getauxval") {
        // SAFETY: getauxval's type, which takes any number.
        Some(getauxval) => unsafe {
            core::mem::transmute::<*mut c_void, Getauxval>(getauxval)(libc::AT_SECURE) != 0
        },
        // Before glibc 2.16: what set-user-ID and set-group-ID programs are told by.
        None => sys::has_foreign_ids(),
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

/// glibc's read of a buffer whose size the compiler knows, which ends a program that asks for more: libc's own, as
/// nothing is lost where it is looked up late.
///
/// # Safety
/// As __read_chk.
#[cold]
pub unsafe fn read_too_much(fd: c_int, buf: *mut c_void, n: usize, size: usize) -> isize {
    type Function = unsafe extern "C" fn(c_int, *mut c_void, usize, usize) -> isize;
    match find(libc::RTLD_NEXT, c"__read_chk") {
        // SAFETY: the symbol of that name has this type; the caller's arguments are handed on.
        Some(next) => unsafe {
            core::mem::transmute::<*mut c_void, Function>(next)(fd, buf, n, size)
        },
        None => sys::abort(),
    }
}

/// Defines the next functions: each calls the next symbol of its name, or the kernel.
macro_rules! next {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $result:ty,
     kernel $number:expr, [$($given:expr),*];)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            /// As the function of that name.
            #[inline]
            pub unsafe fn $name($($arg: $type),*) -> $result {
                type Function = unsafe extern "C" fn($($type),*) -> $result;
                // SAFETY: the symbol of that name has this type, as `kernel` has.
                let next = unsafe { core::mem::transmute::<usize, Function>(addresses::$name()) };
                // SAFETY: the caller's arguments are handed on.
                unsafe { next($($arg),*) }
            }
        )*

        mod addresses {
            use super::*;

            $(
                #[inline]
                pub fn $name() -> usize {
                    type Function = unsafe extern "C" fn($($type),*) -> $result;
                    unsafe extern "C" fn kernel($($arg: $type),*) -> $result {
                        // SAFETY: the arguments of the call of that name.
                        answer(unsafe { sys::call($number, [$($given as usize),*]) }) as $result
                    }
                    static NEXT: Next = Next(OnceNonZeroUsize::new());
                    const NAME: &CStr = match CStr::from_bytes_with_nul(
                        concat!(stringify!($name), "\0").as_bytes(),
                    ) {
                        Ok(name) => name,
                        Err(_) => panic!("a name has no NUL"),
                    };
                    NEXT.address(NAME, kernel as Function as *const c_void)
                }
            )*
        }

        /// Looks all of them up.
        pub fn look_up() {
            $(addresses::$name();)*
        }
    };
}

next! {
    /// inotify_init1(2)
    inotify_init1(flags: c_int) -> c_int,
    kernel libc::SYS_inotify_init1, [flags, 0, 0, 0, 0, 0];
    /// inotify_add_watch(2)
    inotify_add_watch(fd: c_int, path: *const c_char, mask: u32) -> c_int,
    kernel libc::SYS_inotify_add_watch, [fd, path, mask, 0, 0, 0];
    /// inotify_rm_watch(2)
    inotify_rm_watch(fd: c_int, wd: c_int) -> c_int,
    kernel libc::SYS_inotify_rm_watch, [fd, wd, 0, 0, 0, 0];
    /// read(2)
    read(fd: c_int, buf: *mut c_void, n: usize) -> isize,
    kernel libc::SYS_read, [fd, buf, n, 0, 0, 0];
    /// readv(2)
    readv(fd: c_int, parts: *const libc::iovec, count: c_int) -> isize,
    kernel libc::SYS_readv, [fd, parts, count, 0, 0, 0];
    /// prctl(2), with as many words as it has
    prctl(option: c_int, a: c_ulong, b: c_ulong, c: c_ulong, d: c_ulong) -> c_int,
    kernel libc::SYS_prctl, [option, a, b, c, d, 0];
    /// syscall(2), with as many words as any system call has
    syscall(n: c_long, a: c_long, b: c_long, c: c_long, d: c_long, e: c_long, f: c_long) -> c_long,
    kernel n, [a, b, c, d, e, f];
}
