//! The one policy of watchfix: what becomes of a watch, what becomes of an event.
//!
//! No std, no allocation, no I/O, no unsafe: the preload library, `watchfix` and `fdscan` decide by
//! the same code.
//!
//! ```text
//! WATCHFIX_* text --[rule]--> Rules --[watch]--> the mask the kernel is asked for
//!                               |
//!                               +-----[record]--> what becomes of each record, and so of the buffer
//! ```
//!
//! | rule | its file in [`rule`] | carried out by |
//! | --- | --- | --- |
//! | strip | `strip.rs` | [`watch`]; its word `chmod` by [`record`] and [`attrib`] |
//! | drop | `drop.rs` | [`watch`] |
//! | ignore | `ignore.rs` | [`record`]; for a watch on the file itself, [`watch`] |
//! | settle | `settle.rs` | [`watch`], [`record`] and [`written`] |
//! | max-watches | `max_watches.rs` | [`budget`] |
//! | log, off | `log.rs`, `off.rs` | the programs |

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod attrib;
pub mod budget;
pub mod event;
pub mod file_system;
pub mod line;
pub mod pattern;
pub mod record;
pub mod rule;
pub mod watch;
pub mod written;

pub use rule::{Engine, Error, Rule, Rules, Texts};
