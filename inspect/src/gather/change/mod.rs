//! What changes between two looks: counters read cheaply, the window of `--for`, and whether anything has changed at
//! all.

pub(crate) mod fingerprint;
pub(crate) mod sample;
pub(crate) mod window;
