//! The commands that help, ready to be pasted into a shell where this program runs.

mod obstacles;
mod owner;
mod quote;
mod reach;
mod remedies;
mod start;
mod words;

pub use quote::{quote, quoted};
pub use remedies::Remedies;
