//! libSystem's calls. Numbers and layouts are those of a Mac (the libc crate's for apple targets, xnu's headers).

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int, c_void};

use super::variadic;

pub fn resolve(name: &str) -> Option<usize> {
    Some(match name {
        "_fcntl" => variadic::fcntl_address(),
        "_open" => variadic::open_address(),
        "_fstat$INODE64" | "_fstat" => fstat as *const () as usize,
        "_lstat$INODE64" | "_lstat" => lstat as *const () as usize,
        "_fstatfs$INODE64" | "_fstatfs" => fstatfs as *const () as usize,
        "_mmap" => mmap as *const () as usize,
        "_munmap" => libc::munmap as *const () as usize,
        "_write" => libc::write as *const () as usize,
        "_pread" => libc::pread as *const () as usize,
        "_access" => libc::access as *const () as usize,
        "_poll" => libc::poll as *const () as usize,
        "_close" | "_close$NOCANCEL" => libc::close as *const () as usize,
        "_symlinkat" => symlinkat as *const () as usize,
        "_pthread_sigmask" => pthread_sigmask as *const () as usize,
        "_sigpending" => sigpending as *const () as usize,
        "_sigwait" => sigwait as *const () as usize,
        "_malloc" => malloc as *const () as usize,
        "_free" => free as *const () as usize,
        "_memcpy" => libc::memcpy as *const () as usize,
        "_memmove" => libc::memmove as *const () as usize,
        "_memset" => libc::memset as *const () as usize,
        "_memcmp" => libc::memcmp as *const () as usize,
        "_bzero" | "___bzero" => bzero as *const () as usize,
        "_strlen" => libc::strlen as *const () as usize,
        "_abort" | "dyld_stub_binder" => libc::abort as *const () as usize,
        "_getpid" => libc::getpid as *const () as usize,
        "_issetugid" => issetugid as *const () as usize,
        "__NSGetEnviron" => environ as *const () as usize,
        "___error" => libc::__errno_location as *const () as usize,
        "_clock_gettime_nsec_np" => clock as *const () as usize,
        _ => return None,
    })
}

thread_local! {
    static ENVIRON: Cell<*const *const c_char> = const { Cell::new(std::ptr::null()) };
    static PRIVILEGED: Cell<bool> = const { Cell::new(false) };
    static CLOCK: Cell<Option<u64>> = const { Cell::new(None) };
    /// Allocations that are not given back.
    static ALLOCATED: Cell<i64> = const { Cell::new(0) };
    static WHOLE_SECONDS: Cell<bool> = const { Cell::new(false) };
    static LOCAL: Cell<bool> = const { Cell::new(true) };
    static PROBES: Cell<u64> = const { Cell::new(0) };
}

/// What the next library that is loaded finds as its environment.
pub fn set_environment(entries: &[String]) {
    let texts = entries
        .iter()
        .map(|e| CString::new(e.as_str()).unwrap().into_raw().cast_const());
    let list: Vec<*const c_char> = texts.chain([std::ptr::null()]).collect();
    ENVIRON.set(list.leak().as_ptr());
}

/// As a program does that shows its state in place of its arguments (setproctitle): every text is another one.
pub fn overwrite_environment() {
    let mut entry = ENVIRON.get();
    // SAFETY: the list of `set_environment`, whose texts are nobody else's.
    unsafe {
        while !(*entry).is_null() {
            let text = (*entry).cast_mut();
            text.write_bytes(b'x', libc::strlen(text));
            entry = entry.add(1);
        }
    }
}

/// The next library that is loaded is in a program with rights that its user has not.
pub fn set_privileged(is: bool) {
    PRIVILEGED.set(is);
}

/// From now on files have times in whole seconds, as on HFS+.
pub fn set_whole_seconds(is: bool) {
    WHOLE_SECONDS.set(is);
}

/// From now on files are this machine's, or a server's.
pub fn set_local(is: bool) {
    LOCAL.set(is);
}

/// From now on the clock stands, and moves when it is moved.
pub fn set_clock(nanoseconds: u64) {
    CLOCK.set(Some(nanoseconds));
}

pub fn move_clock(nanoseconds: u64) {
    CLOCK.set(CLOCK.get().map(|now| now + nanoseconds));
}

pub fn allocated() -> i64 {
    ALLOCATED.get()
}

/// How often the kernel was asked whether memory can be read.
pub fn probes() -> u64 {
    PROBES.get()
}

extern "C" fn environ() -> *const c_void {
    thread_local!(static PLACE: Cell<*const *const c_char> = const { Cell::new(std::ptr::null()) });
    PLACE.set(ENVIRON.get());
    PLACE.with(|place| std::ptr::from_ref(place).cast())
}

extern "C" fn issetugid() -> c_int {
    c_int::from(PRIVILEGED.get())
}

/// CLOCK_MONOTONIC_RAW is 4.
unsafe extern "C" fn clock(number: c_int) -> u64 {
    assert_eq!(number, 4);
    CLOCK.get().unwrap_or_else(|| {
        // SAFETY: a timespec may be zero, and is filled in.
        let now = unsafe {
            let mut now: libc::timespec = std::mem::zeroed();
            libc::clock_gettime(libc::CLOCK_MONOTONIC_RAW, &mut now);
            now
        };
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    })
}

/// struct stat with 64-bit inodes.
#[repr(C)]
#[derive(Default)]
pub struct Stat {
    device: i32,
    mode: u16,
    links: u16,
    inode: u64,
    owner: [u32; 2],
    of_device: i32,
    accessed: [i64; 2],
    modified: [i64; 2],
    changed: [i64; 2],
    born: [i64; 2],
    size: i64,
    blocks: i64,
    block_size: i32,
    flags: u32,
    generation: u32,
    spare: [u32; 5],
}
const _: () = assert!(size_of::<Stat>() == 144 && std::mem::offset_of!(Stat, modified) == 48);

/// Of struct statfs the flags lie at 64: MNT_LOCAL is 0x1000.
unsafe extern "C" fn fstatfs(_: c_int, to: *mut u8) -> c_int {
    let flags: u32 = if LOCAL.get() { 0x1000 } else { 0 };
    // SAFETY: the library gives room for one, which has 2,168 bytes.
    unsafe {
        to.write_bytes(0, 2168);
        to.add(64).cast::<u32>().write(flags);
    }
    0
}

fn stat(found: c_int, stat: &libc::stat, to: *mut Stat) -> c_int {
    if found == 0 {
        let time =
            |seconds, nanoseconds| [seconds, if WHOLE_SECONDS.get() { 0 } else { nanoseconds }];
        let stat = Stat {
            device: stat.st_dev as i32,
            mode: stat.st_mode as u16,
            inode: stat.st_ino,
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
            size: stat.st_size,
            ..Stat::default()
        };
        // SAFETY: the library gives room for one.
        unsafe { to.write(stat) };
    }
    found
}

unsafe extern "C" fn fstat(fd: c_int, to: *mut Stat) -> c_int {
    // SAFETY: a stat may be zero, and is filled in.
    let (found, linux) = unsafe {
        let mut linux: libc::stat = std::mem::zeroed();
        (libc::fstat(fd, &mut linux), linux)
    };
    stat(found, &linux, to)
}

unsafe extern "C" fn lstat(path: *const c_char, to: *mut Stat) -> c_int {
    // SAFETY: as above, and the library's path.
    let (found, linux) = unsafe {
        let mut linux: libc::stat = std::mem::zeroed();
        (libc::lstat(path, &mut linux), linux)
    };
    stat(found, &linux, to)
}

/// AT_FDCWD is -2.
unsafe extern "C" fn symlinkat(target: *const c_char, fd: c_int, link: *const c_char) -> c_int {
    assert_eq!(fd, -2);
    PROBES.set(PROBES.get() + 1);
    // SAFETY: the kernel checks both pointers.
    unsafe { libc::symlinkat(target, libc::AT_FDCWD, link) }
}

/// MAP_PRIVATE is 2, MAP_ANON 0x1000.
unsafe extern "C" fn mmap(
    at: *mut c_void,
    n: usize,
    prot: c_int,
    flags: c_int,
    fd: c_int,
    offset: i64,
) -> *mut c_void {
    assert_eq!(flags, 0x1002);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping.
    unsafe { libc::mmap(at, n, prot, flags, fd, offset) }
}

unsafe extern "C" fn bzero(at: *mut c_void, n: usize) {
    // SAFETY: the library's memory.
    unsafe { libc::memset(at, 0, n) };
}

unsafe extern "C" fn malloc(n: usize) -> *mut c_void {
    ALLOCATED.set(ALLOCATED.get() + 1);
    // SAFETY: an allocation.
    unsafe { libc::malloc(n) }
}

unsafe extern "C" fn free(at: *mut c_void) {
    if !at.is_null() {
        ALLOCATED.set(ALLOCATED.get() - 1);
    }
    // SAFETY: `malloc` gave it.
    unsafe { libc::free(at) };
}

/// A Mac's number of a signal and Linux's, of those the library has to do with.
const SIGNALS: [(c_int, c_int); 2] = [(13, libc::SIGPIPE), (25, libc::SIGXFSZ)];

fn linux_set(mac: u32) -> libc::sigset_t {
    // SAFETY: an empty set, and numbers of signals.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for (theirs, ours) in SIGNALS {
            if mac & 1 << (theirs - 1) != 0 {
                libc::sigaddset(&mut set, ours);
            }
        }
        set
    }
}

fn mac_set(linux: &libc::sigset_t) -> u32 {
    // SAFETY: a set, and numbers of signals.
    let is_in = |ours| unsafe { libc::sigismember(linux, ours) == 1 };
    let on = SIGNALS.iter().filter(|(_, ours)| is_in(*ours));
    on.fold(0, |all, (theirs, _)| all | 1 << (theirs - 1))
}

/// SIG_BLOCK is 1, SIG_SETMASK 3.
unsafe extern "C" fn pthread_sigmask(how: c_int, set: *const u32, before: *mut u32) -> c_int {
    let how = match how {
        1 => libc::SIG_BLOCK,
        3 => libc::SIG_SETMASK,
        _ => panic!("pthread_sigmask({how})"),
    };
    // SAFETY: the library's sets.
    unsafe {
        let set = linux_set(*set);
        let mut old = std::mem::zeroed();
        let answer = libc::pthread_sigmask(how, &set, &mut old);
        if !before.is_null() {
            *before = mac_set(&old);
        }
        answer
    }
}

unsafe extern "C" fn sigpending(set: *mut u32) -> c_int {
    // SAFETY: the library's set.
    unsafe {
        let mut pending = std::mem::zeroed();
        let answer = libc::sigpending(&mut pending);
        *set = mac_set(&pending);
        answer
    }
}

unsafe extern "C" fn sigwait(set: *const u32, signal: *mut c_int) -> c_int {
    // SAFETY: the library's set, and room for a number.
    unsafe { libc::sigwait(&linux_set(*set), signal) }
}
