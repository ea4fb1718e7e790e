//! The rules in force.

use crate::pattern::Patterns;

use super::engine::Engine;
use super::error::Error;
use super::kinds::{Rule, Texts};
use super::log::Log;
use super::problem::Wrong;
use super::{drop, ignore, log, max_watches, off, settle, strip};

/// The rules in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules<'a> {
    /// Everything passes through.
    pub off: bool,
    /// Bits taken out of every watch's mask, within [`crate::event::ALL_EVENTS`].
    pub strip: u32,
    /// Attribute changes that are neither a touch nor the end of a file are removed
    /// ([`crate::attrib`]). It needs an engine that sees the records: ATTRIB stays in the mask.
    pub chmod: bool,
    /// Directories whose watches are muted.
    pub drop: Patterns<'a>,
    /// Names whose events are removed.
    pub ignore: Patterns<'a>,
    /// Directories in which a file is reported when its writer closes it.
    pub settle: Patterns<'a>,
    /// So are directories in which the watching process itself holds a SQLite database open.
    pub settle_own: bool,
    /// Watches a process may have; `None` for as many as it likes.
    pub max_watches: Option<u32>,
    /// Where decisions are written.
    pub log: Log<'a>,
    /// What `~` in `drop` and `settle` stands for.
    pub home: Option<&'a [u8]>,
}

impl<'a> Rules<'a> {
    /// What holds in the library when nothing is set.
    pub const DEFAULT: Rules<'static> = Rules::of(Engine::Library);

    /// What holds when nothing is set.
    pub const fn of(engine: Engine) -> Rules<'static> {
        Rules {
            off: false,
            strip: strip::DEFAULT_STRIP,
            chmod: true,
            drop: Patterns::EMPTY,
            ignore: Patterns::new(ignore::DEFAULT_IGNORE, b""),
            settle: Patterns::EMPTY,
            settle_own: settle::own_by_default(engine),
            max_watches: None,
            log: Log::None,
            home: None,
        }
    }

    /// Reads the rules. A rule that cannot be read stays at its default, and `wrong` is told.
    pub fn parse(engine: Engine, texts: &Texts<'a>, wrong: &mut dyn FnMut(Error<'a>)) -> Rules<'a> {
        let mut rules = Rules {
            home: texts.home.filter(|h| h.first() == Some(&b'/')),
            ..Rules::of(engine)
        };
        for (rule, text) in Rule::ALL.into_iter().zip(texts.values) {
            if let Some(text) = text.filter(|text| !text.is_empty())
                && let Err(found) = rules.set(engine, rule, text)
            {
                wrong(Error::of(rule, found));
            }
        }
        rules
    }

    fn set(&mut self, engine: Engine, rule: Rule, text: &'a [u8]) -> Result<(), Wrong<'a>> {
        match rule {
            Rule::Strip => (self.strip, self.chmod) = strip::parse(text)?,
            Rule::Drop => self.drop = drop::parse(text, self.home)?,
            Rule::Ignore => self.ignore = ignore::parse(text)?,
            Rule::Settle => {
                (self.settle, self.settle_own) = settle::parse(engine, text, self.home)?;
            }
            Rule::MaxWatches => self.max_watches = max_watches::parse(text)?,
            Rule::Log => self.log = log::parse(text)?,
            Rule::Off => self.off = off::parse(text)?,
        }
        Ok(())
    }
}
