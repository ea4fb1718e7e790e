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

/// Prints what each watcher makes of each operation, bare and with the preload:
/// `cargo test -p watchers -- --ignored --nocapture`.
#[test]
#[ignore = "a table for a person, no claim"]
fn table() {
    for (name, watcher) in [
        ("inotifywait", &inotifywait::INOTIFYWAIT),
        ("fs.watch", &node_fs_watch::FS_WATCH),
        ("chokidar", &chokidar::CHOKIDAR),
        ("watchdog", &watchdog::WATCHDOG),
        ("watchfiles", &watchfiles::WATCHFILES),
        ("inotify_simple", &inotify_simple::INOTIFY_SIMPLE),
        ("notify", &notify_crate::NOTIFY),
        ("C, mask fff", &c_program::RAW),
        ("inotifyd", &inotifyd::INOTIFYD),
    ] {
        watchers::claims::print_table(name, watcher);
    }
}
