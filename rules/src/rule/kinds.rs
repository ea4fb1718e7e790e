//! Which rules there are, what they are called, and their defaults.

use crate::event;

/// Events a watch shall not fire on unless asked otherwise.
pub const DEFAULT_STRIP: u32 = event::OPEN | event::ACCESS | event::CLOSE_NOWRITE;

/// The word of a strip list for what is not an event of the kernel's: [`super::Rules::chmod`].
pub const CHMOD: &[u8] = b"chmod";

/// Names of databases and their logs.
pub const DEFAULT_IGNORE: &[u8] = b"*.*-wal:*.*-shm:*.*-journal:*.sqlite:*.sqlite3";

/// What carries the rules out, and so which defaults hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The preload library: it sees every watch and every event.
    Library,
    /// `watchfix run`'s supervisor and `watchfix heal`: they see masks and paths, and no event.
    Masks,
}

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

    /// The environment variable that sets it.
    pub const fn variable(self) -> &'static str {
        match self {
            Rule::Strip => "WATCHFIX_STRIP",
            Rule::Drop => "WATCHFIX_DROP",
            Rule::Ignore => "WATCHFIX_IGNORE",
            Rule::Settle => "WATCHFIX_SETTLE",
            Rule::MaxWatches => "WATCHFIX_MAX_WATCHES",
            Rule::Log => "WATCHFIX_LOG",
            Rule::Off => "WATCHFIX_OFF",
        }
    }

    /// The flag of `watchfix` that sets it, where there is one.
    pub const fn flag(self) -> Option<&'static str> {
        Some(match self {
            Rule::Strip => "--strip",
            Rule::Drop => "--drop",
            Rule::Ignore => "--ignore",
            Rule::Settle => "--settle",
            Rule::MaxWatches => "--max-watches",
            Rule::Log => "--log",
            Rule::Off => return None,
        })
    }

    /// What its text may be, as the end of a sentence.
    pub const fn allowed(self) -> &'static str {
        match self {
            Rule::Strip => {
                "access, modify, attrib, close_write, close_nowrite, open, moved_from, moved_to, \
                 create, delete, delete_self, move_self, close, move, all_events, and chmod, which is \
                 an attrib that is neither a touch nor the end of a file; comma separated; \
                 a leading + adds to the default; none empties it"
            }
            Rule::Drop => {
                "/absolute/path, ~/path or **/name; colon separated (\\: is a colon); \
                 * and ? inside one component; none empties it"
            }
            Rule::Settle => {
                "/absolute/path, ~/path or **/name; colon separated (\\: is a colon); \
                 * and ? inside one component; a leading + adds to the default; none empties it"
            }
            Rule::MaxWatches => "a whole number from 0 to 4294967295, or none",
            Rule::Ignore => {
                "file names with * and ?, without a slash; colon separated (\\: is a colon); \
                 a leading + adds to the default; none empties it"
            }
            Rule::Log => "stderr, or the absolute path of a file that can be written",
            Rule::Off => "1 or 0",
        }
    }
}

impl Engine {
    pub(super) const fn settle_own(self) -> bool {
        matches!(self, Engine::Masks)
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

/// Where decisions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log<'a> {
    /// Nowhere.
    None,
    /// To standard error.
    Stderr,
    /// To the file of this absolute path.
    File(&'a [u8]),
}
