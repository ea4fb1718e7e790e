//! What can be wrong with a rule's text.

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
    /// Not a whole number from 0 to 2^32 - 1.
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

/// An item that cannot be used, and where it stands.
pub struct Wrong<'a> {
    /// Where in the text the item begins, in bytes from 1.
    pub position: usize,
    /// The item.
    pub item: &'a [u8],
    /// What is wrong with it.
    pub problem: Problem,
}

impl<'a> Wrong<'a> {
    /// The whole text.
    pub fn whole(text: &'a [u8], problem: Problem) -> Wrong<'a> {
        Wrong {
            position: 1,
            item: text,
            problem,
        }
    }
}
