//! The mask hook of libwatchfix.so, written again with redhook and std: the default rules, masks only.
//!
//! For macOS there is one hook of kevent: what becomes of its pair is seen by tests/dylib.
//!
//! It is what the product is measured against and compared with, not a product: see
//! docs/decisions.md for why.

#![allow(missing_docs, reason = "the items redhook's macro makes have none")]

#[cfg(target_os = "linux")]
mod inotify;
#[cfg(target_os = "macos")]
mod kqueue;
