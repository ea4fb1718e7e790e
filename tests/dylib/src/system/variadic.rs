//! fcntl and open are variadic: on arm64 a Mac passes what is behind the dots on the stack, Linux in registers.
//! On x86-64 both do the same.

use std::ffi::{c_char, c_int, c_void};

use super::calls;

#[cfg(target_arch = "x86_64")]
pub fn fcntl() -> usize {
    calls::fcntl as *const () as usize
}

#[cfg(target_arch = "x86_64")]
pub fn open() -> usize {
    calls::open as *const () as usize
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
    fcntl = sym calls::fcntl,
    open = sym calls::open,
);

#[cfg(target_arch = "aarch64")]
unsafe extern "C" {
    fn mac_fcntl(fd: c_int, command: c_int, argument: *mut c_void) -> c_int;
    fn mac_open(path: *const c_char, flags: c_int, mode: c_int) -> c_int;
}

#[cfg(target_arch = "aarch64")]
pub fn fcntl() -> usize {
    mac_fcntl as *const () as usize
}

#[cfg(target_arch = "aarch64")]
pub fn open() -> usize {
    mac_open as *const () as usize
}

// Named for the two declarations above, of which x86-64 needs none.
#[cfg(target_arch = "x86_64")]
const _: Option<(*const c_char, c_int, *mut c_void)> = None;
