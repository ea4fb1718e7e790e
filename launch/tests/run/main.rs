//! `watchfix run`, from outside: the real program, real processes, the kernel's own word on their watches.

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod as_started;
mod budget;
mod bursts;
mod conformance;
mod explain;
mod given;
mod held_up;
mod kept;
mod logs;
mod places;
mod reads;
mod rights;
mod rules;
mod subvolumes;
mod survival;
mod terminal;
mod transparency;
mod unreached;
