//! Command lines as one text.

use super::Name;
use serde::{Serialize, Serializer};
use std::fmt;

/// The words of a command line, shown and serialised with blanks between them. They are kept apart, as a
/// name in the middle is recognised only when it stands alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommandLine(Vec<Name>);

impl CommandLine {
    /// The words; where there are none, the name of the main thread in brackets, as ps(1) has it.
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
