//! The incidents, replayed with real processes. The steps of each replay are here, so that the tests
//! and the demo (`replay`) do the same things and differ only in what they do with the outcome.

// A step that fails ends the replay by panicking, with a sentence that says what was missing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod apx;
pub mod codex;
mod count;
mod product;

pub use count::counted;
pub use product::{Product, fdscan_findings};
