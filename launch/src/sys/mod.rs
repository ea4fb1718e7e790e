//! System calls std does not offer, one family a module, each in the smallest safe function.

pub mod inotify;
pub mod pidfd;
