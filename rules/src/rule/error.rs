//! What cannot be read in a rule's text, and where.

use core::fmt;

use super::kinds::Rule;

/// What is wrong with a rule's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No event has this name.
    UnknownEvent,
    /// There is nothing between two separators.
    Empty,
    /// The text ends after a backslash.
    Unterminated,
    /// A directory that does not begin with `/`, `~/` or `**/`.
    NotAbsolute,
    /// `.` and `..` do not occur in resolved paths.
    DotComponent,
    /// `~` without a home directory.
    NoHome,
    /// A slash in a file name.
    Slash,
    /// None of the words the rule knows.
    UnknownWord,
    /// No whole number from 0 to 2^32 - 1.
    NotNumber,
    /// The file cannot be opened for writing; found by who opens it, not by the parser.
    CannotOpen,
}

impl Problem {
    /// As the middle of a sentence, after the item.
    pub const fn text(self) -> &'static str {
        match self {
            Problem::UnknownEvent => "is not an event",
            Problem::Empty => "is empty",
            Problem::Unterminated => "ends in the middle of an escape",
            Problem::NotAbsolute => "is not an absolute directory",
            Problem::DotComponent => "has a . or .. that no resolved path has",
            Problem::NoHome => "needs HOME, which is not an absolute path",
            Problem::Slash => "has a slash, which no file name has",
            Problem::UnknownWord => "is not known",
            Problem::NotNumber => "is not a number of watches",
            Problem::CannotOpen => "cannot be opened for writing",
        }
    }
}

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

impl Error<'_> {
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
