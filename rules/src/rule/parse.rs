//! The text of each rule, read.

use crate::event;
use crate::pattern::{self, Items, Patterns};

use super::error::{Error, Problem};
use super::kinds::{CHMOD, DEFAULT_IGNORE, DEFAULT_STRIP, Log, Rule};

/// Splits a leading `+` off: the text, where it begins, and whether the default stays.
pub fn plus(text: &[u8]) -> (&[u8], usize, bool) {
    match text {
        [b'+', rest @ ..] => (rest, 1, true),
        _ => (text, 0, false),
    }
}

/// The bits, and whether [`CHMOD`] is among the words.
pub fn parse_strip(text: &[u8]) -> Result<(u32, bool), Error<'_>> {
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

pub fn parse_patterns<'a>(
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

pub fn parse_number(text: &[u8]) -> Result<Option<u32>, Error<'_>> {
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

pub fn parse_log(text: &[u8]) -> Result<Log<'_>, Error<'_>> {
    match text {
        b"none" => Ok(Log::None),
        b"stderr" => Ok(Log::Stderr),
        [b'/', _, ..] => Ok(Log::File(text)),
        _ => Err(word(Rule::Log, text)),
    }
}

pub fn parse_off(text: &[u8]) -> Result<bool, Error<'_>> {
    match text {
        b"1" => Ok(true),
        b"0" => Ok(false),
        _ => Err(word(Rule::Off, text)),
    }
}

pub fn word(rule: Rule, text: &[u8]) -> Error<'_> {
    Error {
        rule,
        position: 1,
        item: text,
        problem: Problem::UnknownWord,
    }
}
