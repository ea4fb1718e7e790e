//! The calls of libSystem that are made here. None of them is one the library replaces.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::null_mut;

use rules::attrib::{Identity, Look};

/// errno as it is now, and again when this is dropped.
pub struct Errno(c_int);

impl Errno {
    pub fn save() -> Errno {
        // SAFETY: errno's place is always there.
        Errno(unsafe { *libc::__error() })
    }
}

impl Drop for Errno {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { *libc::__error() = self.0 };
    }
}

fn errno() -> c_int {
    // SAFETY: errno's place is always there.
    unsafe { *libc::__error() }
}

/// A path as F_GETPATH gives it: resolved and absolute. PATH_MAX of macOS.
pub type Path = [u8; 1024];

/// The path of what is open at `fd`.
pub fn path_of(fd: c_int, buf: &mut Path) -> Option<&[u8]> {
    // SAFETY: F_GETPATH writes at most PATH_MAX bytes.
    if unsafe { libc::fcntl(fd, libc::F_GETPATH, buf.as_mut_ptr()) } == -1 {
        return None;
    }
    Some(CStr::from_bytes_until_nul(buf).ok()?.to_bytes())
}

/// What fstat(2) and lstat(2) say of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct File {
    pub look: Look,
    pub mode: u32,
}

impl File {
    pub fn is(&self, kind: u16) -> bool {
        self.mode & u32::from(libc::S_IFMT) == u32::from(kind)
    }
}

pub fn fstat(fd: c_int) -> Option<File> {
    let mut stat = MaybeUninit::uninit();
    // SAFETY: fstat fills in all of it where it returns 0.
    (unsafe { libc::fstat(fd, stat.as_mut_ptr()) } == 0).then(|| file(unsafe { &*stat.as_ptr() }))
}

/// Whether its file system is on this machine.
pub fn is_local(fd: c_int) -> bool {
    let mut found = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: fstatfs fills in all of it where it returns 0.
    unsafe {
        libc::fstatfs(fd, found.as_mut_ptr()) == 0
            && (*found.as_ptr()).f_flags & libc::MNT_LOCAL as u32 != 0
    }
}

pub fn lstat(path: &CStr) -> Option<File> {
    let mut stat = MaybeUninit::uninit();
    // SAFETY: lstat fills in all of it where it returns 0.
    let found = unsafe { libc::lstat(path.as_ptr(), stat.as_mut_ptr()) } == 0;
    // SAFETY: as above.
    found.then(|| file(unsafe { &*stat.as_ptr() }))
}

fn file(stat: &libc::stat) -> File {
    File {
        look: Look {
            identity: Identity {
                device: stat.st_dev as u64,
                inode: stat.st_ino,
            },
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        },
        mode: u32::from(stat.st_mode),
    }
}

/// O_CLOEXEC is added.
pub fn open(path: &CStr, flags: c_int) -> Option<c_int> {
    // SAFETY: the path ends with a NUL; the mode is read where the flags ask for it.
    let fd = unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, 0o644) };
    (fd != -1).then_some(fd)
}

pub fn close(fd: c_int) {
    // SAFETY: only called for descriptors that were opened here.
    unsafe { libc::close(fd) };
}

/// The error, or 0.
pub fn write(fd: c_int, bytes: &[u8]) -> c_int {
    // SAFETY: the bytes are there.
    match unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } {
        -1 => errno(),
        _ => 0,
    }
}

/// As many bytes as there are of the file from `at` on.
pub fn read_at(fd: c_int, to: &mut [u8], at: u64) -> usize {
    // SAFETY: the bytes are there to be written to.
    let n = unsafe { libc::pread(fd, to.as_mut_ptr().cast(), to.len(), at as libc::off_t) };
    usize::try_from(n).unwrap_or(0)
}

pub fn is_executable(path: &CStr) -> bool {
    // SAFETY: the path ends with a NUL.
    unsafe { libc::access(path.as_ptr(), libc::X_OK) == 0 }
}

/// A variable of this process.
pub fn getenv(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: a name that ends with a NUL; what is found is used at once.
    unsafe {
        let found = libc::getenv(name.as_ptr());
        (!found.is_null()).then(|| CStr::from_ptr(found))
    }
}

/// Whether a write of a few bytes would not wait now.
pub fn is_writable(fd: c_int) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one pollfd, and no waiting.
    unsafe { libc::poll(&mut poll, 1, 0) == 1 }
}

/// Blocks these signals for the calling thread; what was blocked before.
pub fn block_signals(signals: libc::sigset_t) -> Option<libc::sigset_t> {
    let mut before = 0;
    // SAFETY: two signal sets.
    let failed = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &signals, &mut before) };
    (failed == 0).then_some(before)
}

pub fn set_blocked_signals(signals: libc::sigset_t) {
    // SAFETY: a signal set.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &signals, null_mut()) };
}

pub fn pending_signals() -> libc::sigset_t {
    let mut pending = 0;
    // SAFETY: a signal set.
    unsafe { libc::sigpending(&mut pending) };
    pending
}

/// Takes back one of these signals, which are blocked, if it is pending.
pub fn take_signal(signals: libc::sigset_t) {
    let mut taken = 0;
    if pending_signals() & signals != 0 {
        // SAFETY: it does not wait, as one is pending.
        unsafe { libc::sigwait(&signals, &mut taken) };
    }
}

/// Zeroed memory of its own.
pub fn map(size: usize) -> Option<*mut u8> {
    let (readable, own) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANON,
    );
    // SAFETY: a new mapping.
    let start = unsafe { libc::mmap(null_mut(), size, readable, own, -1, 0) };
    (start != libc::MAP_FAILED).then_some(start.cast())
}

/// # Safety
/// `map` gave it, and nobody uses it any more.
pub unsafe fn unmap(start: *mut c_void, size: usize) {
    // SAFETY: the caller's promise.
    unsafe { libc::munmap(start, size) };
}

/// Nanoseconds of a clock that is never set.
pub fn now() -> u64 {
    // SAFETY: no memory is involved.
    unsafe { clock_gettime_nsec_np(libc::CLOCK_MONOTONIC_RAW) }
}

pub fn getpid() -> u32 {
    // SAFETY: no memory is involved.
    (unsafe { libc::getpid() }) as u32
}

/// Whether the program has rights that its user has not.
pub fn is_secure() -> bool {
    // SAFETY: no memory is involved.
    unsafe { issetugid() != 0 }
}

/// The environment, as an array that ends with null.
pub fn environ() -> *const *const c_char {
    // SAFETY: libSystem keeps it; a library must not name `environ` itself.
    unsafe { (*_NSGetEnviron()).cast() }
}

/// Whether the kernel can read a string at `at`: it tries to, and then refuses the empty name for the link.
pub fn is_string(at: *const c_char) -> bool {
    // SAFETY: the kernel checks both pointers itself, and makes nothing.
    unsafe { libc::symlinkat(at, libc::AT_FDCWD, c"".as_ptr()) == -1 && errno() != libc::EFAULT }
}

pub fn abort() -> ! {
    // SAFETY: it does not return.
    unsafe { libc::abort() }
}

unsafe extern "C" {
    fn _NSGetEnviron() -> *mut *mut *mut c_char;
    fn issetugid() -> c_int;
    fn clock_gettime_nsec_np(clock: libc::clockid_t) -> u64;
}
