//! What is said about a command line that cannot be read: one line what is wrong, one line what to type.

use super::wrapped_command::command_of;
use crate::words::{list_words, sanitize};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};
use std::error::Error as _;
use std::ffi::OsString;
use std::num::ParseIntError;

/// The two lines about `error`, which `program` has with `args`.
pub fn in_our_words(error: &Error, program: &Command, args: &[OsString]) -> String {
    let command = command_of(args, program);
    let place = command.get_bin_name().unwrap_or(command.get_name());
    let place = place.to_owned();
    let [why, say] = lines(error, command, &place);
    format!("{place}: {why}\n{say}\n")
}

fn lines(error: &Error, mut command: Command, place: &str) -> [String; 2] {
    let help = format!("Type: {place} -h");
    let text = |kind| text_of(error, kind);
    let option = || bare(&text(ContextKind::InvalidArg));
    let value = || text(ContextKind::InvalidValue);
    let suggested = |kind| {
        let near = list_of(error, kind);
        near.first()
            .map(|near| format!("Did you mean {near}? {help}"))
    };
    match error.kind() {
        ErrorKind::UnknownArgument if option().starts_with('-') => [
            format!("there is no option {}", option()),
            suggested(ContextKind::SuggestedArg).unwrap_or(help),
        ],
        ErrorKind::UnknownArgument => [format!("one word too many: '{}'", option()), help],
        ErrorKind::InvalidSubcommand => {
            let word = text(ContextKind::InvalidSubcommand);
            let near = suggested(ContextKind::SuggestedSubcommand);
            [
                format!("there is no command '{word}'"),
                near.unwrap_or(help),
            ]
        }
        ErrorKind::InvalidValue => {
            let all = list_of(error, ContextKind::ValidValue);
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let why = match value().is_empty() {
                true => format!("{} needs a value", option()),
                false => format!("{} cannot be '{}'", option(), value()),
            };
            let say = format!("Type one of these: {}", all.join(", "));
            [why, if all.is_empty() { help } else { say }]
        }
        ErrorKind::ValueValidation => {
            let why = match error.source() {
                Some(why) if why.is::<ParseIntError>() => {
                    "it must be a whole number, 0 or more".into()
                }
                Some(why) => why.to_string(),
                None => "it cannot be read".into(),
            };
            let why = sanitize(&why).into_owned();
            let what = match option().starts_with('-') {
                true => format!("{} '{}'", option(), value()),
                false => format!("'{}'", value()),
            };
            [format!("{what}: {why}"), help]
        }
        ErrorKind::ArgumentConflict => {
            let other = bare(&text(ContextKind::PriorArg));
            let why = match other.as_str() {
                other if other == option() => format!("{other} can be given once"),
                "" => format!("{} cannot be given here", option()),
                other => format!("{} and {other} cannot be given together", option()),
            };
            [why, help]
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = list_of(error, ContextKind::InvalidArg);
            let missing: Vec<String> = missing.iter().map(|name| bare(name)).collect();
            let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
            let usage = command.render_usage().to_string();
            let usage = usage
                .trim_start_matches("Usage: ")
                .lines()
                .next()
                .unwrap_or_default();
            [
                format!("{} is missing", list_words(&missing, "and")),
                format!("Type: {usage}"),
            ]
        }
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => [
            format!("{} has too many values, or too few", option()),
            help,
        ],
        ErrorKind::NoEquals => [format!("{} needs its value after '='", option()), help],
        ErrorKind::InvalidUtf8 => ["a word is not UTF-8, and must be here".into(), help],
        _ => ["this command line cannot be read".into(), help],
    }
}

/// A name as it is typed: `--fail-on` for `--fail-on <SEVERITY>`, `DB` for `<DB>...`.
fn bare(name: &str) -> String {
    let name = name.trim_end_matches("...");
    match name.starts_with('-') {
        true => name.split([' ', '=', '[']).next().unwrap_or(name).into(),
        false => name.trim_matches(['<', '>', '[', ']']).into(),
    }
}

/// Words of the command line are from anywhere.
fn list_of(error: &Error, kind: ContextKind) -> Vec<String> {
    let list = match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(list)) => list.clone(),
        _ => Vec::new(),
    };
    list.iter()
        .map(|text| sanitize(text).into_owned())
        .collect()
}

fn text_of(error: &Error, kind: ContextKind) -> String {
    list_of(error, kind).into_iter().next().unwrap_or_default()
}

/// The one of `words` somebody meant who typed `typed`: it is one slip away, or two where it is long.
pub fn nearest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = words.map(|word| (slips(typed, word), word));
    let near = near.filter(|&(slips, word)| slips <= if word.len() < 5 { 1 } else { 2 });
    near.min().map(|(_, word)| word)
}

/// How many letters were left out, added, changed or swapped with the next (the optimal string alignment distance).
fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=b.len()).collect());
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let changed = at(&last, j) + usize::from(x != y);
            let mut least = changed.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::{CommandFactory, Parser};

    fn said(line: &str) -> String {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let error = Cli::try_parse_from(&args).unwrap_err();
        in_our_words(&error, &Cli::command(), &args)
    }

    #[test]
    fn what_is_wrong_and_what_to_type_are_one_line_each() {
        for (line, why, say) in [
            (
                "fdscan 1 --jsno",
                "fdscan: there is no option --jsno",
                "Did you mean --json? Type: fdscan -h",
            ),
            (
                "fdscan 1 -x",
                "fdscan: there is no option -x",
                "Type: fdscan -h",
            ),
            (
                "fdscan top x",
                "fdscan top: one word too many: 'x'",
                "Type: fdscan top -h",
            ),
            (
                "fdscan wal",
                "fdscan wal: DB is missing",
                "Type: fdscan wal [OPTIONS] <DB>...",
            ),
            (
                "fdscan 1 --fail-on serious",
                "fdscan: --fail-on cannot be 'serious'",
                "Type one of these: info, warning, critical, never",
            ),
            (
                "fdscan wal x --fail-on",
                "fdscan wal: --fail-on needs a value",
                "Type one of these: info, warning, critical, never",
            ),
            (
                "fdscan events 1 --for",
                "fdscan events: --for needs a value",
                "Type: fdscan events -h",
            ),
            (
                "fdscan events 1 --for x",
                "fdscan events: --for 'x': a time is a number of seconds, 0 or more, such as 2 or 0.5",
                "Type: fdscan events -h",
            ),
            (
                "fdscan 0",
                "fdscan: '0': a PID is a whole number from 1 to 4194304, as ps and pgrep show it",
                "Type: fdscan -h",
            ),
            (
                "fdscan export 1 --output x --listen 1",
                "fdscan export: --output and --listen cannot be given together",
                "Type: fdscan export -h",
            ),
            (
                "fdscan check 1 --max-fds x",
                "fdscan check: --max-fds 'x': it must be a whole number, 0 or more",
                "Type: fdscan check -h",
            ),
            (
                "fdscan 1 --json --json",
                "fdscan: --json can be given once",
                "Type: fdscan -h",
            ),
            (
                "fdscan 1 --user",
                "fdscan: --user needs a value",
                "Type: fdscan -h",
            ),
        ] {
            assert_eq!(said(line), format!("{why}\n{say}\n"), "{line}");
        }
    }

    #[test]
    fn a_word_of_the_command_line_is_not_a_command_to_the_terminal() {
        let text = said("fdscan 1 --\x1b[2J\n::error::x");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }

    #[test]
    fn the_nearest_word_is_one_slip_away_or_two_if_it_is_long() {
        let near = |typed| nearest(typed, ["top", "watch", "export", "wal"].into_iter());
        assert_eq!(near("tpo"), Some("top"));
        assert_eq!(near("wathc"), Some("watch"));
        assert_eq!(near("exprot"), Some("export"));
        assert_eq!(near("ecport"), Some("export"));
        assert_eq!(near("vim"), None);
        assert_eq!(near("nginx"), None);
        assert_eq!(slips("", "abc"), 3);
    }
}
