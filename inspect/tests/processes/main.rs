//! The real `fdscan` on real processes: every state is made by `tests/mkfds`, every answer is read as
//! its users get it.

// A test says what went wrong by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

mod action;
mod bad_input;
mod check;
mod claims;
mod cold;
mod descriptors;
mod docs;
mod events;
mod exit_status;
mod export_command;
mod fleet;
mod growth;
mod hanging;
mod identity;
mod inotify_limits;
mod leaks;
mod live_screen;
mod mounts;
mod moving_targets;
mod names;
mod ordinary_user;
mod pages;
mod pasted;
mod paths;
mod preload;
mod progress;
mod reach;
mod redact;
mod report;
mod respawns;
mod schema_check;
mod served;
mod servers;
mod short;
mod sqlite;
mod sqlite_exclusive;
mod sqlite_kept;
mod sqlite_locks;
mod sqlite_renamed;
mod sqlite_replaced;
mod sqlite_unusual;
mod sqlite_used;
mod sqlite_waiting;
mod targets;
mod text;
mod top_command;
mod units;
mod unseen;
mod user_namespaces;
mod wal_command;
mod walk;
mod watch_command;
mod watches;
mod workflow;
