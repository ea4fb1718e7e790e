//! fcntl and open are variadic: on arm64 a Mac passes what is behind the dots on the stack, Linux in registers.
//! On x86-64 both do the same.

use std::ffi::{CString, c_char, c_int, c_void};

#[cfg(target_arch = "x86_64")]
pub fn fcntl_address() -> usize {
    fcntl as *const () as usize
}

#[cfg(target_arch = "x86_64")]
pub fn open_address() -> usize {
    open as *const () as usize
}

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".globl mac_fcntl",
    "mac_fcntl:",
    "ldr x2, [sp]",
    "b {fcntl}",
    ".globl mac_open",
    "mac_open:",
    "ldr x2, [sp]",
    "b {open}",
    fcntl = sym fcntl,
    open = sym open,
);

#[cfg(target_arch = "aarch64")]
unsafe extern "C" {
    fn mac_fcntl(fd: c_int, command: c_int, argument: *mut c_void) -> c_int;
    fn mac_open(path: *const c_char, flags: c_int, mode: c_int) -> c_int;
}

#[cfg(target_arch = "aarch64")]
pub fn fcntl_address() -> usize {
    mac_fcntl as *const () as usize
}

#[cfg(target_arch = "aarch64")]
pub fn open_address() -> usize {
    mac_open as *const () as usize
}

/// F_GETPATH is 50 and writes at most 1,024 bytes.
///
/// # Safety
/// As fcntl(2).
pub unsafe extern "C" fn fcntl(fd: c_int, command: c_int, argument: *mut c_void) -> c_int {
    assert_eq!(command, 50);
    let link = CString::new(format!("/proc/self/fd/{fd}")).unwrap();
    // SAFETY: the library gives a buffer of that size.
    unsafe {
        let n = libc::readlink(link.as_ptr(), argument.cast(), 1023);
        if n < 0 {
            *libc::__errno_location() = libc::EBADF;
            return -1;
        }
        *argument.cast::<u8>().add(n as usize) = 0;
    }
    0
}

/// open(2).
///
/// # Safety
/// As open(2).
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
    // The access mode is the same; O_EVTONLY (0x8000) is O_PATH as far as it is used here.
    const FLAGS: [(c_int, c_int); 7] = [
        (0x4, libc::O_NONBLOCK),
        (0x8, libc::O_APPEND),
        (0x100, libc::O_NOFOLLOW),
        (0x200, libc::O_CREAT),
        (0x8000, libc::O_PATH),
        (0x2_0000, libc::O_NOCTTY),
        (0x100_0000, libc::O_CLOEXEC),
    ];
    let known = FLAGS.iter().fold(3, |all, (theirs, _)| all | theirs);
    assert_eq!(flags & !known, 0, "open with {flags:#x}");
    assert!(
        flags & 0x200 == 0 || mode == 0o644,
        "the mode of a new file: {mode:o}"
    );
    let on = FLAGS.iter().filter(|(theirs, _)| flags & theirs != 0);
    let ours = on.fold(flags & 3, |all, (_, ours)| all | ours);
    // SAFETY: the library's path.
    unsafe { libc::open(path, ours, mode) }
}
