//! A program's callback may throw: the frame between it and the system is left by what is written about it.

use std::arch::global_asm;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;

use dylib::macho::{self, ARM64, File, X86_64};
use dylib::system::fsevents::report;
use dylib::{Program, library};

use super::fsevents::{FILE, FILES, MODIFIED, XATTR};

/// A program's callback may throw: an unwinder then leaves the callback that was handed to the system by the frame
/// pointer, and calls nothing (mach-o/compact_unwind_encoding.h: the modes with a frame, no saved register, no language's
/// handler).
#[test]
fn an_exception_passes_the_callback() {
    let Some(library) = library() else { return };
    for (cpu, frame) in [(X86_64, 0x0100_0000), (ARM64, 0x0400_0000)] {
        let file = File::of(library, cpu);
        let text = file.section("__text").unwrap();
        // The only function that reserves a frame of this kind and then calls through a register.
        let address = callback(&file, text.address);
        assert_eq!(macho::encoding(&file, address), Some(frame), "{address:#x}");
    }
}

/// Where the callback begins: the instructions of its head are found once.
fn callback(file: &File<'_>, text: u64) -> u64 {
    let head: &[u8] = match file.cpu {
        // push rbp; mov rbp, rsp; sub rsp, 64; mov [rsp], rdi
        X86_64 => &[
            0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x40, 0x48, 0x89, 0x3c, 0x24,
        ],
        // sub sp, sp, #80; stp x29, x30, [sp, #64]; add x29, sp, #64; stp x0, x1, [sp]
        _ => &[
            0xff, 0x43, 0x01, 0xd1, 0xfd, 0x7b, 0x04, 0xa9, 0xfd, 0x03, 0x01, 0x91, 0xe0, 0x07,
            0x00, 0xa9,
        ],
    };
    let found: Vec<_> = file
        .bytes
        .windows(head.len())
        .enumerate()
        .filter(|(_, w)| *w == head)
        .collect();
    let [(at, _)] = found[..] else {
        panic!("{} places", found.len())
    };
    assert!(at as u64 >= text);
    at as u64
}

// A callback that begins as that encoding says of the other one, and hands its frame on.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl noting_callback",
    "noting_callback:",
    "push rbp",
    "mov rbp, rsp",
    "mov rdi, rbp",
    "call {note}",
    "pop rbp",
    "ret",
    note = sym note,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl noting_callback",
    "noting_callback:",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, sp",
    "mov x0, x29",
    "bl {note}",
    "ldp x29, x30, [sp], #16",
    "ret",
    note = sym note,
);

unsafe extern "C-unwind" {
    fn noting_callback(
        stream: *const c_void,
        info: *mut c_void,
        n: usize,
        paths: *mut c_void,
        flags: *const u32,
        ids: *const u64,
    );
}

thread_local! {
    /// How many frames lie between the callback and the system.
    static BETWEEN: Cell<usize> = const { Cell::new(0) };
    static RETURNS_TO: RefCell<Vec<usize>> = const { RefCell::new(vec![]) };
}

/// Where an unwinder that leaves these frames by their pointers goes on.
unsafe extern "C" fn note(mut frame: *const usize) {
    // SAFETY: the frame of the callback, and those it was called through.
    unsafe {
        for _ in 0..BETWEEN.get() {
            frame = (*frame) as *const usize;
        }
        RETURNS_TO.with_borrow_mut(|all| all.push(*frame.add(1)));
    }
}

#[test]
fn an_unwinder_comes_back_to_the_system() {
    let Some(library) = library() else { return };
    for (program, between) in [(Program::bare(), 0), (Program::with(library, &[]), 1)] {
        BETWEEN.set(between);
        let stream = program.stream(noting_callback, None, FILES);
        // Whole, and shortened.
        for other in [MODIFIED, XATTR] {
            report(
                &stream,
                &[("/p/a", MODIFIED | FILE), ("/p/b", other | FILE)],
            );
        }
    }
    // All four came from the same place.
    let places = RETURNS_TO.take();
    assert_eq!(places, [places[0]; 4]);
}
