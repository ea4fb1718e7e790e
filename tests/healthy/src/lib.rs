//! Real programs in good health and at work: `fdscan` must raise neither a warning nor a critical finding
//! against any process of theirs.

// A test helper fails the test by panicking, with a sentence that says what was missing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod callers;
mod look;
mod processes;
mod stage;

pub use callers::Callers;
pub use look::must_be_healthy;
pub use stage::{Program, Stage, script};
