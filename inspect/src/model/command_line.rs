//! Command lines as one text.

use super::Name;
use serde::{Serialize, Serializer};
use std::fmt;

/// The words of a command line, shown and serialised with blanks between them. They are kept apart, as a
/// name in the middle is recognised only when it stands alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommandLine(Vec<Name>);

impl CommandLine {
    /// The words; without any, the name of the main thread in brackets, as in ps(1).
    pub fn of(words: Vec<Name>, comm: Option<Name>) -> Option<CommandLine> {
        if !words.is_empty() {
            return Some(CommandLine(words));
        }
        let bracketed = [b"[", comm?.as_bytes(), b"]"].concat();
        Some(CommandLine(vec![bracketed.into()]))
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for word in &self.0 {
            write!(f, "{between}{word}")?;
            between = " ";
        }
        Ok(())
    }
}

impl Serialize for CommandLine {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// `nginx: worker process`, `celery: w1 (-A proj worker)`: a first word no program is started by.
pub fn is_title(word: &Name) -> bool {
    let text = word.as_bytes();
    text.contains(&b' ') && !text.starts_with(b"/") && !text.starts_with(b".")
}

/// Whom a title is of: `gunicorn` of `gunicorn: master [app]`. `None` for a word that is not a title.
pub fn of_title(word: &Name) -> Option<Name> {
    let first = word.as_bytes().split(|&b| b == b' ').next()?;
    let first = first.strip_suffix(b":").unwrap_or(first);
    is_title(word).then(|| first.into())
}
