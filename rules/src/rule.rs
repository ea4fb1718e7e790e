//! The rules and how they are read from a text: a variable's value or a flag's.

use core::fmt;

use crate::event;
use crate::pattern::{self, Items, Patterns};

/// Events a watch shall not fire on unless asked otherwise.
pub const DEFAULT_STRIP: u32 = event::OPEN | event::ACCESS | event::CLOSE_NOWRITE;

/// The word of a strip list for what is not an event of the kernel's: [`Rules::chmod`].
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
    const fn settle_own(self) -> bool {
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

/// The rules in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules<'a> {
    /// Everything passes through.
    pub off: bool,
    /// Bits taken out of every watch's mask, within [`event::ALL_EVENTS`].
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

impl<'a> Rules<'a> {
    /// What holds in the library when nothing is set.
    pub const DEFAULT: Rules<'static> = Rules::of(Engine::Library);

    /// What holds when nothing is set.
    pub const fn of(engine: Engine) -> Rules<'static> {
        Rules {
            off: false,
            strip: DEFAULT_STRIP,
            chmod: true,
            drop: Patterns::EMPTY,
            ignore: Patterns::new(DEFAULT_IGNORE, b""),
            settle: Patterns::EMPTY,
            settle_own: engine.settle_own(),
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
                && let Err(error) = rules.set(engine, rule, text)
            {
                wrong(error);
            }
        }
        rules
    }

    fn set(&mut self, engine: Engine, rule: Rule, text: &'a [u8]) -> Result<(), Error<'a>> {
        match rule {
            Rule::Strip => (self.strip, self.chmod) = parse_strip(text)?,
            Rule::Drop => self.drop = parse_patterns(rule, text, self.home)?,
            Rule::Ignore => self.ignore = parse_patterns(rule, text, None)?,
            Rule::Settle => {
                self.settle = parse_patterns(rule, text, self.home)?;
                self.settle_own = plus(text).2 && engine.settle_own();
            }
            Rule::MaxWatches => self.max_watches = parse_number(text)?,
            Rule::Log => self.log = parse_log(text)?,
            Rule::Off => self.off = parse_off(text)?,
        }
        Ok(())
    }
}

/// Splits a leading `+` off: the text, where it begins, and whether the default stays.
fn plus(text: &[u8]) -> (&[u8], usize, bool) {
    match text {
        [b'+', rest @ ..] => (rest, 1, true),
        _ => (text, 0, false),
    }
}

/// The bits, and whether [`CHMOD`] is among the words.
fn parse_strip(text: &[u8]) -> Result<(u32, bool), Error<'_>> {
    let (list, start, add) = plus(text);
    let (mut strip, mut chmod) = if add {
        (DEFAULT_STRIP, true)
    } else {
        (0, false)
    };
    if list == b"none" {
        return Ok((strip, chmod));
    }
    let error = |at, item, problem| Error {
        rule: Rule::Strip,
        position: start + at + 1,
        item,
        problem,
    };
    // `Items` has none for an empty text: a lone `+`.
    if list.is_empty() {
        return Err(error(0, list, Problem::Empty));
    }
    for (at, item) in Items::of(list, b',') {
        match item.trim_ascii() {
            [] => return Err(error(at, item, Problem::Empty)),
            CHMOD => chmod = true,
            name => match event::bits(name) {
                Some(bits) => strip |= bits,
                None => return Err(error(at, item, Problem::UnknownEvent)),
            },
        }
    }
    Ok((strip, chmod))
}

fn parse_patterns<'a>(
    rule: Rule,
    text: &'a [u8],
    home: Option<&[u8]>,
) -> Result<Patterns<'a>, Error<'a>> {
    let (own, start, add) = plus(text);
    let default: &[u8] = match rule {
        Rule::Ignore if add => DEFAULT_IGNORE,
        _ => b"",
    };
    if own == b"none" {
        return Ok(Patterns::new(default, b""));
    }
    // `Items` has none for an empty text: a lone `+`.
    if own.is_empty() {
        return Err(Error {
            rule,
            position: start + 1,
            item: own,
            problem: Problem::Empty,
        });
    }
    for (at, item) in Items::of(own, b':') {
        let problem = if item.is_empty() {
            Some(Problem::Empty)
        } else if pattern::unterminated(item) {
            Some(Problem::Unterminated)
        } else if matches!(rule, Rule::Drop | Rule::Settle) {
            wrong_directory(item, home)
        } else {
            item.contains(&b'/').then_some(Problem::Slash)
        };
        if let Some(problem) = problem {
            return Err(Error {
                rule,
                position: start + at + 1,
                item,
                problem,
            });
        }
    }
    Ok(Patterns::new(default, own))
}

fn wrong_directory(item: &[u8], home: Option<&[u8]>) -> Option<Problem> {
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

fn parse_number(text: &[u8]) -> Result<Option<u32>, Error<'_>> {
    if text == b"none" {
        return Ok(None);
    }
    // Digits alone: `parse` would take a leading + as well.
    let number = text.iter().all(u8::is_ascii_digit).then_some(text);
    match number.and_then(|digits| core::str::from_utf8(digits).ok()?.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(Error {
            problem: Problem::NotNumber,
            ..word(Rule::MaxWatches, text)
        }),
    }
}

fn parse_log(text: &[u8]) -> Result<Log<'_>, Error<'_>> {
    match text {
        b"none" => Ok(Log::None),
        b"stderr" => Ok(Log::Stderr),
        [b'/', _, ..] => Ok(Log::File(text)),
        _ => Err(word(Rule::Log, text)),
    }
}

fn parse_off(text: &[u8]) -> Result<bool, Error<'_>> {
    match text {
        b"1" => Ok(true),
        b"0" => Ok(false),
        _ => Err(word(Rule::Off, text)),
    }
}

fn word(rule: Rule, text: &[u8]) -> Error<'_> {
    Error {
        rule,
        position: 1,
        item: text,
        problem: Problem::UnknownWord,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn one(rule: Rule, text: &[u8]) -> (Rules<'_>, Option<Error<'_>>) {
        one_of(Engine::Library, rule, text)
    }

    fn one_of(engine: Engine, rule: Rule, text: &[u8]) -> (Rules<'_>, Option<Error<'_>>) {
        let mut texts = Texts {
            home: Some(b"/home/me"),
            ..Texts::default()
        };
        let place = Rule::ALL.iter().position(|&r| r == rule).unwrap();
        texts.values[place] = Some(text);
        let mut found = None;
        let rules = Rules::parse(engine, &texts, &mut |error| {
            assert!(error.rule == rule && found.is_none());
            found = Some(error);
        });
        (rules, found)
    }

    #[test]
    fn nothing_set_is_the_default() {
        let rules = Rules::parse(Engine::Library, &Texts::default(), &mut |error| {
            panic!("{error}")
        });
        assert_eq!(rules, Rules::DEFAULT);
        assert_eq!((rules.strip, rules.chmod), (0x31, true));
    }

    #[test]
    fn a_list_of_events_replaces_the_default_and_a_plus_adds_to_it() {
        assert_eq!(one(Rule::Strip, b"open,modify").0.strip, 0x22);
        assert_eq!(one(Rule::Strip, b" open , modify").0.strip, 0x22);
        assert_eq!(one(Rule::Strip, b"+modify").0.strip, 0x33);
        assert_eq!(one(Rule::Strip, b"none").0.strip, 0);
        assert_eq!(one(Rule::Strip, b"close").0.strip, 0x18);
    }

    /// `attrib` is the bit itself, `chmod` is what is judged when it is read.
    #[test]
    fn chmod_is_a_word_of_its_own_beside_attrib() {
        let strip = |text| {
            let rules = one(Rule::Strip, text).0;
            (rules.strip, rules.chmod)
        };
        assert_eq!(strip(b"chmod"), (0, true));
        assert_eq!(strip(b"open, chmod "), (0x20, true));
        assert_eq!(strip(b"open"), (0x20, false));
        assert_eq!(strip(b"attrib"), (0x4, false));
        assert_eq!(strip(b"+attrib"), (0x35, true));
        assert_eq!(strip(b"+none"), (0x31, true));
        assert_eq!(strip(b"none"), (0, false));
        assert!(Rule::Strip.allowed().contains("chmod"));
    }

    #[test]
    fn an_unknown_event_is_named_with_variable_position_and_what_is_allowed() {
        let (rules, error) = one(Rule::Strip, b"open,opne");
        assert_eq!(
            rules,
            Rules {
                home: rules.home,
                ..Rules::DEFAULT
            }
        );
        let text = error.unwrap().to_string();
        assert!(
            text.starts_with(
                "WATCHFIX_STRIP: \"opne\" at byte 6 is not an event; allowed: access, "
            ),
            "{text}"
        );
        assert_eq!(one(Rule::Strip, b"+opne").1.unwrap().position, 2);
        assert_eq!(
            one(Rule::Strip, b"open,,").1.unwrap().problem,
            Problem::Empty
        );
        assert_eq!(
            one(Rule::Strip, b"onlydir").1.unwrap().problem,
            Problem::UnknownEvent
        );
    }

    #[test]
    fn what_is_allowed_names_every_event_and_group() {
        for (_, name) in event::EVENTS.iter().chain(event::GROUPS) {
            assert!(Rule::Strip.allowed().contains(name), "{name}");
        }
    }

    #[test]
    fn an_ignore_list_replaces_the_default_and_a_plus_adds_to_it() {
        assert!(!one(Rule::Ignore, b"*.log").0.ignore.match_name(b"a.sqlite"));
        let added = one(Rule::Ignore, b"+*.log").0.ignore;
        assert!(added.match_name(b"a.sqlite") && added.match_name(b"a.log"));
        assert!(one(Rule::Ignore, b"none").0.ignore.is_empty());
        assert!(Rules::DEFAULT.ignore.match_name(b"state_5.sqlite-wal"));
        assert!(Rules::DEFAULT.ignore.match_name(b"x.db-journal"));
        assert!(!Rules::DEFAULT.ignore.match_name(b"config.toml"));
    }

    #[test]
    fn engines_that_see_masks_only_settle_directories_of_own_databases() {
        let masks = |text| one_of(Engine::Masks, Rule::Settle, text).0;
        let default = Rules::of(Engine::Masks);
        assert!(default.settle_own && !Rules::DEFAULT.settle_own);
        assert!(masks(b"+/x").settle_own && masks(b"+/x").settle.match_below(b"/x/y", None));
        assert!(!masks(b"/x").settle_own && masks(b"/x").settle.match_below(b"/x", None));
        assert!(!masks(b"none").settle_own && masks(b"none").settle.is_empty());
        assert!(!one(Rule::Settle, b"+/x").0.settle_own);
    }

    #[test]
    fn a_budget_is_a_whole_number() {
        assert_eq!(one(Rule::MaxWatches, b"1000").0.max_watches, Some(1000));
        assert_eq!(one(Rule::MaxWatches, b"0").0.max_watches, Some(0));
        assert_eq!(one(Rule::MaxWatches, b"none").0.max_watches, None);
        for wrong in [&b"-1"[..], b"+1", b"1k", b"4294967296", b"1.0", b" 1"] {
            let (rules, error) = one(Rule::MaxWatches, wrong);
            assert_eq!(rules.max_watches, None);
            assert_eq!(error.unwrap().problem, Problem::NotNumber);
        }
    }

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        for (i, a) in Rule::ALL.iter().enumerate() {
            for b in Rule::ALL.iter().skip(i + 1) {
                assert_ne!(a.variable(), b.variable());
                assert_ne!(a.flag(), b.flag());
            }
        }
    }

    #[test]
    fn a_pattern_that_can_never_match_is_an_error() {
        let problem = |rule, text| one(rule, text).1.map(|e| e.problem);
        assert_eq!(problem(Rule::Ignore, b"a/b"), Some(Problem::Slash));
        assert_eq!(problem(Rule::Ignore, b"a\\"), Some(Problem::Unterminated));
        assert_eq!(problem(Rule::Ignore, b"a\\\\"), None);
        assert_eq!(problem(Rule::Ignore, b"+"), Some(Problem::Empty));
        assert_eq!(problem(Rule::Ignore, b"a::b"), Some(Problem::Empty));
        assert_eq!(problem(Rule::Drop, b"state"), Some(Problem::NotAbsolute));
        assert_eq!(problem(Rule::Settle, b"state"), Some(Problem::NotAbsolute));
        assert_eq!(problem(Rule::Drop, b"**/"), Some(Problem::NotAbsolute));
        assert_eq!(problem(Rule::Drop, b"/a/../b"), Some(Problem::DotComponent));
        assert_eq!(problem(Rule::Drop, b"~/x"), None);
        assert_eq!(problem(Rule::Log, b"log.txt"), Some(Problem::UnknownWord));
        assert_eq!(problem(Rule::Off, b"yes"), Some(Problem::UnknownWord));
    }

    #[test]
    fn off_and_the_log_have_words_of_their_own() {
        assert!(one(Rule::Off, b"1").0.off);
        assert_eq!(one(Rule::Off, b"0"), one(Rule::Off, b""));
        assert_eq!(one(Rule::Log, b"stderr").0.log, Log::Stderr);
        assert_eq!(one(Rule::Log, b"none"), one(Rule::Log, b""));
        assert_eq!(one(Rule::Log, b"/x").0.log, Log::File(b"/x"));
        assert!(one(Rule::Log, b"/").1.is_some());
    }

    #[test]
    fn an_error_says_where_its_item_begins() {
        let position = |rule, text| one(rule, text).1.unwrap().position;
        assert_eq!(position(Rule::Ignore, b"+"), 2);
        assert_eq!(position(Rule::Ignore, b"a/b"), 1);
        assert_eq!(position(Rule::Ignore, b"*.log:a/b"), 7);
        assert_eq!(position(Rule::Ignore, b"+*.log:a/b"), 8);
        assert_eq!(position(Rule::Drop, b"/a:~/b:c"), 8);
    }

    #[test]
    fn a_tilde_without_a_home_is_an_error() {
        let mut texts = Texts::default();
        texts.values[1] = Some(b"~/x");
        let mut found = None;
        Rules::parse(Engine::Library, &texts, &mut |error| found = Some(error));
        assert_eq!(found.unwrap().problem, Problem::NoHome);
    }

    #[test]
    fn an_empty_text_counts_as_not_set() {
        assert_eq!(one(Rule::Ignore, b"").0.ignore, Rules::DEFAULT.ignore);
    }
}
