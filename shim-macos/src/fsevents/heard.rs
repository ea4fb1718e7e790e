//! The callback the system calls.
//!
//! It is a frame in assembly, because a program's callback may unwind through it: Rust code built with `panic = "abort"`
//! ends the process there. This frame has nothing to clean up, and says how it is left (the `.cfi` lines).

use core::arch::naked_asm;
use core::ffi::c_void;

use super::pass::{after, before};

/// Puts its arguments into [`super::pass::Arguments`] and asks [`before`], which changes them, for the callback to call with them.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub unsafe extern "C-unwind" fn heard(
    stream: *const c_void,
    info: *mut c_void,
    n: usize,
    paths: *mut c_void,
    flags: *const u32,
    ids: *const u64,
) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "sub rsp, 64",
        "mov [rsp], rdi",
        "mov [rsp + 8], rsi",
        "mov [rsp + 16], rdx",
        "mov [rsp + 24], rcx",
        "mov [rsp + 32], r8",
        "mov [rsp + 40], r9",
        "mov rdi, rsp",
        "call {before}",
        "test rax, rax",
        "je 2f",
        "mov rdi, [rsp]",
        "mov rsi, [rsp + 8]",
        "mov rdx, [rsp + 16]",
        "mov rcx, [rsp + 24]",
        "mov r8, [rsp + 32]",
        "mov r9, [rsp + 40]",
        "call rax",
        "mov rdi, rsp",
        "call {after}",
        "2:",
        "add rsp, 64",
        "pop rbp",
        "ret",
        ".cfi_endproc",
        before = sym before,
        after = sym after,
    )
}

/// As above.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub unsafe extern "C-unwind" fn heard(
    stream: *const c_void,
    info: *mut c_void,
    n: usize,
    paths: *mut c_void,
    flags: *const u32,
    ids: *const u64,
) {
    naked_asm!(
        ".cfi_startproc",
        "sub sp, sp, #80",
        "stp x29, x30, [sp, #64]",
        "add x29, sp, #64",
        ".cfi_def_cfa x29, 16",
        ".cfi_offset x30, -8",
        ".cfi_offset x29, -16",
        "stp x0, x1, [sp]",
        "stp x2, x3, [sp, #16]",
        "stp x4, x5, [sp, #32]",
        "mov x0, sp",
        "bl {before}",
        "cbz x0, 2f",
        "mov x8, x0",
        "ldp x0, x1, [sp]",
        "ldp x2, x3, [sp, #16]",
        "ldp x4, x5, [sp, #32]",
        "blr x8",
        "mov x0, sp",
        "bl {after}",
        "2:",
        "ldp x29, x30, [sp, #64]",
        "add sp, sp, #80",
        "ret",
        ".cfi_endproc",
        before = sym before,
        after = sym after,
    )
}
