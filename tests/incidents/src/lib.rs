//! The incidents, replayed with real processes. The programs are what `watchfix demo` is shown with, too.

// A step that fails ends the replay by panicking, with a sentence that says what was missing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod apx;
pub mod codex;
mod count;
pub mod genie;
pub mod harper;
pub mod hermes;
mod product;
mod table;
pub mod uv;

pub use count::counted;
pub use product::{Product, Way};
pub use table::{Part, Table};
