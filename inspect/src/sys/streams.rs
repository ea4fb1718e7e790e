//! Whether this program was started with its standard output closed.

use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: AtomicBool = AtomicBool::new(false);

extern "C" fn look() {
    // SAFETY: fcntl with F_GETFD takes two integers and touches no memory.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    CLOSED.store(flags < 0, Ordering::Relaxed);
}

/// Called before `main`, as the dynamic section says (DT_INIT_ARRAY of elf(5), S_MOD_INIT_FUNC_POINTERS of mach-o/loader.h): Rust's own start opens /dev/null
/// where a standard descriptor is closed, and what is written there seems to arrive.
// SAFETY: the section is an array of pointers to functions of this kind; this one needs nothing of the runtime.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static LOOK: extern "C" fn() = look;

/// Whether standard output was closed when this program began.
pub fn output_was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}
