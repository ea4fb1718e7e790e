//! Formats of files that anybody may have written, and what follows from them: the same on every system. How a file is
//! found and opened is for who asks.
//!
//! What reads bytes is public, for `inspect/fuzz`.

pub mod claims;
pub mod secrets;
pub mod shared;
pub mod sqlite;
