//! The rules there are. Each has a file, which says what it is called, what it may be, and its default.

use super::about::About;
use super::{drop, ignore, log, max_watches, off, settle, strip};

/// The rules there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Events taken out of every watch's mask.
    Strip,
    /// Directories whose watches are muted.
    Drop,
    /// Names whose events are removed.
    Ignore,
    /// Directories in which a file is reported when its writer closes it, not at every write.
    Settle,
    /// How many watches a process may have.
    MaxWatches,
    /// Where decisions are written.
    Log,
    /// Everything passes through.
    Off,
}

impl Rule {
    /// Every rule, in the order of [`Texts`].
    pub const ALL: [Rule; 7] = [
        Rule::Strip,
        Rule::Drop,
        Rule::Ignore,
        Rule::Settle,
        Rule::MaxWatches,
        Rule::Log,
        Rule::Off,
    ];

    const fn about(self) -> &'static About {
        match self {
            Rule::Strip => &strip::ABOUT,
            Rule::Drop => &drop::ABOUT,
            Rule::Ignore => &ignore::ABOUT,
            Rule::Settle => &settle::ABOUT,
            Rule::MaxWatches => &max_watches::ABOUT,
            Rule::Log => &log::ABOUT,
            Rule::Off => &off::ABOUT,
        }
    }

    /// The environment variable that sets it.
    pub const fn variable(self) -> &'static str {
        self.about().variable
    }

    /// The flag of `watchfix` that sets it, where there is one.
    pub const fn flag(self) -> Option<&'static str> {
        self.about().flag
    }

    /// What its text may be, as the end of a sentence.
    pub const fn allowed(self) -> &'static str {
        self.about().allowed
    }
}

/// The texts of the rules; `None` where one is not set. An empty text counts as not set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts<'a> {
    /// In the order of [`Rule::ALL`].
    pub values: [Option<&'a [u8]>; 7],
    /// What `~` stands for, resolved: `$HOME`.
    pub home: Option<&'a [u8]>,
}

impl<'a> Texts<'a> {
    /// Takes what an entry of the environment, `NAME=VALUE`, says, if it is about any of them.
    pub fn set(&mut self, entry: &'a [u8]) {
        if let Some(home) = entry.strip_prefix(b"HOME=") {
            self.home = Some(home);
        }
        for (rule, value) in Rule::ALL.iter().zip(&mut self.values) {
            // As getenv: the first of two of the same name counts.
            if value.is_none()
                && let Some(rest) = entry.strip_prefix(rule.variable().as_bytes())
                && let Some(text) = rest.strip_prefix(b"=")
            {
                *value = Some(text);
            }
        }
    }
}
