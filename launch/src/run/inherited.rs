//! What is changed before main, and the command must not see. By the Rust runtime: SIGPIPE is ignored, and /dev/null is
//! opened for standard streams that were closed (library/std/src/sys/pal/unix/mod.rs). Here: SIGXFSZ is ignored, so that
//! a log at its limit (setrlimit(2), RLIMIT_FSIZE) ends nothing.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Streams that were closed, one bit each; and which of [`SIGNALS`] were ignored already.
static FOUND: AtomicU8 = AtomicU8::new(0);

/// With their bits.
const SIGNALS: [(libc::c_int, u8); 2] = [(libc::SIGPIPE, 1 << 7), (libc::SIGXFSZ, 1 << 6)];

/// Runs before the runtime does: elf(5), DT_INIT_ARRAY.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    let mut found = 0;
    for stream in 0..=2 {
        // SAFETY: integers only.
        if unsafe { libc::fcntl(stream, libc::F_GETFD) } < 0 {
            found |= 1 << stream;
        }
    }
    for (signal, bit) in SIGNALS {
        // SAFETY: SIG_IGN is not a function of ours. The runtime ignores SIGPIPE next.
        if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_IGN {
            found |= bit;
        }
    }
    FOUND.store(found, Relaxed);
}

/// Puts all of it back, right before the command takes this process over.
pub fn restore() {
    let found = FOUND.load(Relaxed);
    for stream in 0..=2 {
        if found & 1 << stream != 0 {
            // SAFETY: the runtime opened it and nothing uses it.
            unsafe { libc::close(stream) };
        }
    }
    for (signal, bit) in SIGNALS {
        if found & bit == 0 {
            // SAFETY: SIG_DFL is not a function of ours.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}

/// Takes that back, where the command did not: a sentence about it ends this process by no signal.
pub fn ignore_again() {
    for (signal, _) in SIGNALS {
        // SAFETY: SIG_IGN is not a function of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}
