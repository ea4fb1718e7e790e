//! Each program at work: nothing more than a note.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod browsers;
mod databases;
mod servers;
mod sqlite;
mod watchers;

/// The value, or the end of the test with a skip that says why.
macro_rules! or_skip {
    ($value:expr) => {
        match $value {
            Ok(value) => value,
            Err(why) => return support::skip(&why),
        }
    };
}
use or_skip;
