//! A system call.

use core::arch::asm;
use core::ffi::{c_int, c_long};

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
