//! What is a Mac's own: a command line without heal and pause, and `run` with the library alone. Linux compiles it for its
//! tests.

pub mod cli;
pub mod run;
