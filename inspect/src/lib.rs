//! `fdscan`: why a process drowns in watches, descriptors or SQLite logs.
//!
//! Four steps, kept apart: [`gather`] reads the kernel's tables, [`model`] holds what was seen,
//! [`findings`] says what is wrong, [`render`] writes it down. [`scan`] does the first three.
//!
//! It looks and never touches: no lock is taken, nothing is created, no real path of a watched file or
//! database is opened, and the scanned process's own watches do not see it.

mod bug_report;
pub mod check;
pub mod cli;
pub mod events;
mod exit;
pub mod export;
pub mod findings;
pub mod gather;
pub mod model;
pub mod output;
pub mod pages;
pub mod reach;
pub mod render;
mod scans;
#[cfg(test)]
mod schema;
mod sys;
pub mod targets;
pub mod watch;
pub mod words;

pub use crate::gather::inotify::activity::MOMENT;
pub use bug_report::bug_report;
pub use exit::{Exit, abort_on_panic};
pub use gather::{Options, Thread, thread};
pub use scans::{redact_names, scan, scan_claims, scan_databases, top};
pub use sys::{effective_user, output_was_closed, terminal_rows, terminal_width};
