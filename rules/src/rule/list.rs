//! Lists in a rule's text: a leading `+`, separators, patterns.

use crate::pattern::{self, Items, Patterns};

use super::problem::{Problem, Wrong};

/// A list as it was written.
#[derive(Clone, Copy)]
pub struct List<'a> {
    /// Without its leading `+`.
    pub text: &'a [u8],
    /// It had one: the default stays.
    pub adds: bool,
}

impl<'a> List<'a> {
    pub fn of(text: &'a [u8]) -> List<'a> {
        match text {
            [b'+', rest @ ..] => List {
                text: rest,
                adds: true,
            },
            _ => List { text, adds: false },
        }
    }

    /// `none` empties a list.
    pub fn is_none(self) -> bool {
        self.text == b"none"
    }

    /// Its items, each with where it begins. `Items` has none for an empty text, a lone `+`: that is an error.
    pub fn items(
        self,
        separator: u8,
    ) -> Result<impl Iterator<Item = (usize, &'a [u8])>, Wrong<'a>> {
        match self.text.is_empty() {
            true => Err(self.wrong(0, self.text, Problem::Empty)),
            false => Ok(Items::of(self.text, separator)),
        }
    }

    /// What is wrong with the item that begins at `at`.
    pub fn wrong(self, at: usize, item: &'a [u8], problem: Problem) -> Wrong<'a> {
        Wrong {
            position: usize::from(self.adds) + at + 1,
            item,
            problem,
        }
    }

    /// Patterns, after those of `default` where it adds to them. `check` says what is wrong with one.
    pub fn patterns(
        self,
        default: &'static [u8],
        check: impl Fn(&[u8]) -> Option<Problem>,
    ) -> Result<Patterns<'a>, Wrong<'a>> {
        let default: &[u8] = if self.adds { default } else { b"" };
        if self.is_none() {
            return Ok(Patterns::new(default, b""));
        }
        for (at, item) in self.items(b':')? {
            let problem = match item {
                [] => Some(Problem::Empty),
                _ if pattern::unterminated(item) => Some(Problem::Unterminated),
                _ => check(item),
            };
            if let Some(problem) = problem {
                return Err(self.wrong(at, item, problem));
            }
        }
        Ok(Patterns::new(default, self.text))
    }
}

/// What is wrong with a pattern of directories.
pub fn wrong_directory(item: &[u8], home: Option<&[u8]>) -> Option<Problem> {
    match item {
        [b'/', ..] | [b'*', b'*', b'/', _, ..] => {}
        [b'~'] | [b'~', b'/', ..] if home.is_none() => return Some(Problem::NoHome),
        [b'~'] | [b'~', b'/', ..] => {}
        _ => return Some(Problem::NotAbsolute),
    }
    item.split(|&c| c == b'/')
        .any(|c| c == b"." || c == b"..")
        .then_some(Problem::DotComponent)
}
