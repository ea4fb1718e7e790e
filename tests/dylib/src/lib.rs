//! What dyld does to a dylib, on Linux: segments, fixups, initialisers and `__interpose`, with stand-ins for what a Mac has.
//!
//! ```text
//! a file --[macho]--> what is in it --[image]--> mapped, bound to [system] --[program]--> called as a program would
//! ```
//!
//! The machine code is the library's own. What dyld, AMFI and fseventsd themselves do is not executed here: docs/macos.md
//! says which claim rests on what.

// Test support: it fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    clippy::missing_panics_doc
)]

pub mod image;
pub mod library;
pub mod macho;
pub mod program;
pub mod system;

pub use library::library;
pub use program::Program;
