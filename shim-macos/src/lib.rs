//! `libwatchfix.dylib`: a library for DYLD_INSERT_LIBRARIES that fixes a program's file watches on macOS.
//!
//! ```text
//! program -> dyld's pairs (hooks) -> kqueue:   a note's mask is asked for, its events are judged when they are read
//!                                 -> fsevents: a stream's callback is called through ours, with what is left
//!                                 -> children: one that would be ended for the library is started without it
//!                                     ^ config: WATCHFIX_*, read once
//! ```
//!
//! The host program is sacred: nothing here locks or uses stdio or thread-local storage, errno is the system's own, and
//! whatever is in doubt passes through.
//!
//! On other systems this crate is empty.

#![cfg(target_os = "macos")]
#![no_std]

mod children;
mod config;
mod fsevents;
mod hooks;
mod kqueue;
mod log;
mod notes;
mod pointer;
mod sys;

/// Runs when the library is loaded, while the environment is still the one the program was started with and there is
/// only one thread.
#[used]
#[unsafe(link_section = "__DATA,__mod_init_func")]
static AT_LOAD: extern "C" fn() = at_load;

extern "C" fn at_load() {
    config::get();
}

/// No panic is left in the release build: tests/dylib looks for this text in the library.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::write(2, b"watchfix: panicked\n");
    sys::abort()
}
