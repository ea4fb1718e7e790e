//! Real watchers, bare and under each engine: one harness, and per watcher a [`Watcher`] that says what
//! is particular to it.
//!
//! That something is *not* noticed is never shown by waiting for a while: it is followed by an edit that
//! must be noticed, and nothing about it may have come before that. Only of the few watchers that do
//! not say what they noticed (`node --watch`) is it shown by three times the silence an edit took.

// A test helper may panic, with a sentence that says what was missing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attributes;
mod build;
mod contract;
mod database;
mod deploy;
mod engine;
mod matrix;
mod operation;
pub mod pausing;
mod process;
pub mod rows;
mod session;
pub mod table;
mod tree;
mod watcher;

pub use deploy::{Change, Deploy};
pub use engine::Engine;
pub use matrix::{Row, Selection, Skip, run};
pub use operation::Operation;
pub use tree::Tree;
pub use watcher::{
    EACH_FILE, Exception, Reach, Ready, Report, Stop, Tells, Watcher, command, report_of, script,
    tabbed,
};
