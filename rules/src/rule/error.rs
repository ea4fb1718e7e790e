//! A rule whose text cannot be used, as a sentence.

use core::fmt;

use crate::line::Line;

use super::kinds::Rule;
use super::problem::{Problem, Wrong};

/// A rule whose text cannot be used. The rule stays at its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error<'a> {
    /// Which rule.
    pub rule: Rule,
    /// Where in its text the item begins, in bytes from 1.
    pub position: usize,
    /// The item that is wrong.
    pub item: &'a [u8],
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.about(self.rule.variable(), f)
    }
}

impl<'a> Error<'a> {
    pub(super) fn of(rule: Rule, wrong: Wrong<'a>) -> Error<'a> {
        Error {
            rule,
            position: wrong.position,
            item: wrong.item,
            problem: wrong.problem,
        }
    }

    /// The sentence that is displayed, without the size of `core::fmt`.
    pub fn put(&self, line: &mut Line<'_>) {
        line.text(self.rule.variable().as_bytes()).text(b": ");
        line.quoted(self.item).text(b" at byte ");
        line.number(self.position as u32).text(b" ");
        line.text(self.problem.text().as_bytes());
        line.text(b"; allowed: ");
        line.text(self.rule.allowed().as_bytes());
    }

    /// The sentence, with `name` for where the text came from: a variable or a flag.
    pub fn about(&self, name: &str, f: &mut dyn fmt::Write) -> fmt::Result {
        write!(
            f,
            "{name}: \"{}\" at byte {} {}; allowed: {}",
            self.item.escape_ascii(),
            self.position,
            self.problem.text(),
            self.rule.allowed()
        )
    }
}
