//! The rules, a file for each: what it does, what it is called, what it may be, its default, and how its text is
//! read, be it a variable's value or a flag's. [`Rules`] holds those in force.

mod about;
mod drop;
mod engine;
mod error;
mod ignore;
mod kinds;
mod list;
mod log;
mod max_watches;
mod off;
mod problem;
mod rules;
mod settle;
mod strip;

pub use engine::Engine;
pub use error::Error;
pub use ignore::DEFAULT_IGNORE;
pub use kinds::{Rule, Texts};
pub use log::Log;
pub use problem::Problem;
pub use rules::Rules;
pub use strip::{CHMOD, DEFAULT_STRIP};

#[cfg(test)]
mod tests;
