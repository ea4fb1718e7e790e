//! The rules and how they are read from a text: a variable's value or a flag's.

mod error;
mod kinds;
mod parse;
mod rules;

pub use error::{Error, Problem};
pub use kinds::{CHMOD, DEFAULT_IGNORE, DEFAULT_STRIP, Engine, Log, Rule, Texts};
pub use rules::Rules;

#[cfg(test)]
mod tests;
