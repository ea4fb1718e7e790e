//! What the Rust runtime changes before main, and the command must not see: SIGPIPE is ignored, and /dev/null is opened
//! for standard streams that were closed (library/std/src/sys/pal/unix/mod.rs).

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Streams that were closed, one bit each; and that SIGPIPE was ignored already.
static FOUND: AtomicU8 = AtomicU8::new(0);

const SIGPIPE_IGNORED: u8 = 1 << 7;

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
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the kernel writes one structure, of which zeros are a valid value.
    let handler = unsafe {
        libc::sigaction(libc::SIGPIPE, std::ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction
    };
    if handler == libc::SIG_IGN {
        found |= SIGPIPE_IGNORED;
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
    if found & SIGPIPE_IGNORED == 0 {
        // SAFETY: SIG_DFL is no function of ours.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    }
}
