//! `libwatchfix.so`: a preload library that fixes a program's inotify watches.
//!
//! ```text
//! program -> hooks -> rules -> the next symbol (libc, or another preload) -> kernel
//!              ^ config: WATCHFIX_*, read once        next: looked up once each
//! ```
//!
//! The host program is sacred: nothing here allocates, locks, blocks or uses stdio or thread-local
//! storage, errno is the kernel's own, and whatever is in doubt passes through.

#![no_std]

mod attrib;
mod budget;
mod config;
mod fds;
mod hooks;
mod log;
mod look;
mod memory;
mod mounts;
mod next;
mod place;
mod pointer;
mod read;
mod sandbox;
mod sys;
mod watch;
mod written;

/// Runs when the library is loaded, while the environment is still the one the program was started
/// with and there is only one thread. A hook that comes before it does its part of the same.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = at_load;

extern "C" fn at_load() {
    next::look_up();
    config::get();
}

/// No panic is left in the release build: tests/preload looks for this text in the library.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    log::write(2, b"watchfix: panicked\n");
    sys::abort()
}
