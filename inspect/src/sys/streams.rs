//! Whether this program was started with its standard output closed.

use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: AtomicBool = AtomicBool::new(false);

extern "C" fn look() {
    // SAFETY: fcntl with F_GETFD takes two integers and touches no memory.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    CLOSED.store(flags < 0, Ordering::Relaxed);
}

/// Called before `main`, as the dynamic section says (DT_INIT_ARRAY of elf(5)): Rust's own start opens /dev/null
/// where a standard descriptor is closed, and what is written there seems to arrive.
// SAFETY: the section is an array of pointers to functions of this kind; this one needs nothing of the runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// Whether standard output was closed when this program began.
pub fn output_was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}
