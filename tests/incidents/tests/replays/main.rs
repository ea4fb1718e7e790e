//! The incidents' claims. Their steps are in the library, which the demo runs, too.

mod apx;
mod codex;
mod common;
