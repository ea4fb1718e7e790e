//! `fdscan`: why a process drowns in watches, descriptors or SQLite logs.
//!
//! Four steps, kept apart: [`gather`] reads the kernel's tables, [`model`] holds what was seen,
//! [`findings`] says what is wrong, [`render`] writes it down. [`scan`] does the first three.
//!
//! It looks and never touches: no lock is taken, nothing is created, no real path of a watched file or
//! database is opened, and the scanned process's own watches do not see it.

#[cfg(target_os = "linux")]
mod bug_report;
#[cfg(target_os = "linux")]
pub mod check;
pub mod cli;
#[cfg(target_os = "linux")]
pub mod events;
mod exit;
#[cfg(target_os = "linux")]
pub mod export;
pub mod findings;
pub mod formats;
#[cfg(target_os = "linux")]
pub mod gather;
#[cfg(any(test, target_os = "macos"))]
mod libproc;
#[cfg(any(test, target_os = "macos"))]
mod mac_scan;
#[cfg(target_os = "macos")]
mod macos;
pub mod model;
pub mod output;
pub mod pages;
pub mod process_tree;
pub mod reach;
pub mod render;
#[cfg(target_os = "linux")]
mod scans;
#[cfg(test)]
mod schema;
mod sys;
#[cfg(target_os = "linux")]
pub mod targets;
#[cfg(target_os = "linux")]
pub mod watch;
pub mod words;

#[cfg(target_os = "linux")]
pub use crate::gather::inotify::activity::MOMENT;
#[cfg(target_os = "linux")]
pub use bug_report::bug_report;
pub use exit::{Exit, abort_on_panic};
#[cfg(target_os = "linux")]
pub use gather::{Options, Thread, thread};
#[cfg(target_os = "macos")]
pub use mac_scan::scan_here as scan;
#[cfg(target_os = "macos")]
pub use macos::redact_names;
#[cfg(target_os = "linux")]
pub use scans::{redact_names, scan, scan_claims, scan_databases, top};
pub use sys::{effective_user, output_was_closed, terminal_rows, terminal_width};
