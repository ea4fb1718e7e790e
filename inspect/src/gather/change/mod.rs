//! What changes between two looks: cheaply read counters, the window of `--for`, and whether anything has changed at
//! all.

pub(crate) mod fingerprint;
pub(crate) mod sample;
pub(crate) mod window;
