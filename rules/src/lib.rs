//! The one policy of watchfix: what becomes of a watch, what becomes of an event.
//!
//! No std, no allocation, no I/O: the preload library, `watchfix` and `fdscan` decide by the same code.

#![no_std]
#![forbid(unsafe_code)]

pub mod event;
