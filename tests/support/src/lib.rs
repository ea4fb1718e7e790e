//! What the tests share: the product as users build it, real victims that never outlive a test, and
//! skips that say why.

// A test helper fails the test by panicking, with a sentence that says what was missing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod build;
mod contents;
mod edit;
mod halting;
mod idle;
mod mach_o;
mod machine;
mod mounts;
mod process;
mod signals;
mod skip;
mod terminal;
mod victim;
mod watches;

pub use build::{
    binary, compile_c, libwatchfix, reference_shim, root, static_binary, target_dir, tool, watchfix,
};
pub use contents::contents;
pub use edit::{
    append, append_times, install, open_and_close, overwrite, rename_before_close, share,
    wait_until_past,
};
pub use halting::Halting;
pub use idle::{Ended, Ending};
pub use mach_o::{MachO, fat};
pub use machine::{free_port, has_btrfs, is_root};
pub use mounts::{in_own_mounts, overlay, subvolumes};
pub use process::{
    as_user, beside, first_child, in_pid_namespace, is_there, pid_namespace, ready, sees_all_pids,
    with_descendants, without_rules,
};
pub use signals::with_usual_signals;
pub use skip::{is_left_out, skip, skip_optional};
pub use terminal::{Terminal, quoted};
pub use victim::{DEADLINE, Next, Victim, wait_until};
pub use watches::{Watch, inotify_fds, unread_bytes, wait_until_drained, watches};
