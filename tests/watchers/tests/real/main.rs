//! Each watcher in a module of its own; the claims are the same for all (see `watchers::claims`).

mod c_program;
mod chokidar;
mod inotify_simple;
mod inotifyd;
mod inotifywait;
mod node_fs_watch;
mod notify_crate;
mod watchdog;
mod watchfiles;
