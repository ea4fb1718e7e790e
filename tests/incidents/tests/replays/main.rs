//! The incidents' claims. Their steps are in the library.

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod apx;
mod codex;
mod common;
mod genie;
mod harper;
mod hermes;
mod uv;
