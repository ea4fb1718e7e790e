//! `watchfix pause`, from outside: real watchers, and every event they hear.

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod diagnosis;
mod ended;
mod given;
mod leases;
mod limits;
mod names;
mod others;
mod places;
mod supervised;
mod told;
