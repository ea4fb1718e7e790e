//! Which file of a crate takes names from which, read from the source.
//!
//! A name counts for the file that defines it, however many `pub use` it was handed on by: so a `mod.rs` that hands names
//! on is nobody's source for them. What `#[cfg(test)]` guards does not count. Methods are not followed: to call one, a file
//! needs no name of the file that defines it.

mod graph;
mod read;
mod resolve;

pub use graph::Graph;
