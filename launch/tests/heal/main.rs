//! `watchfix heal`, from outside: real processes, and the kernel's own word on their watches.

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod follow;
mod hanging;
mod identity;
mod masks;
mod permission;
mod places;
mod races;
mod remedies;
mod several;
mod stage;
mod still_woken;
mod transparency;
mod undo;
mod unwritten;
mod workflow;
