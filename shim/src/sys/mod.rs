//! The kernel, without libc in between: no errno is touched, no other preload is met, and no symbol
//! version newer than the host's libc is needed.

mod call;
mod files;
mod inotify;
mod process;
mod signals;

pub use call::call;
pub use files::{
    close, fstat, identity, is_path, look, may_read, open, path_of, read, working_directory, write,
};
pub use inotify::{is_inotify, set_next_wd, takes_watch};
pub use process::{abort, from_word, getpid, has_foreign_ids, map, now, send, to_word, unmap};
pub use signals::{block_signals, pending_signals, set_blocked_signals, take_signal};
