//! Secrets in command lines. They are removed where a command line is read, so nothing that is shown, written or
//! suggested can contain them.
//!
//! These count as secrets: the value of a flag, variable, header or parameter with a telling name; the credentials of a
//! URL; a word that begins like the tokens of a known service; a long random word. A password that looks like an
//! ordinary word and follows an ordinary name cannot be recognised.

mod program;
mod tables;

use crate::formats::secrets::program::{Flag, Programs};
use crate::formats::secrets::tables::{ABOUT, ENDINGS, HIDDEN, NO_PASS, PREFIXES, WORDS};
use crate::model::Name;

/// A word of random characters counts as a key if it is at least as long as 128 bits in hexadecimal.
const RANDOM: usize = 32;

/// The command line without its secrets.
pub fn hide(words: Vec<Name>) -> Vec<Name> {
    let programs = Programs::of(words.iter().map(Name::as_bytes));
    let mut hidden = Vec::with_capacity(words.len());
    let mut before = Flag::None;
    for word in words {
        let word = word.as_bytes();
        match std::mem::take(&mut before) {
            Flag::Secret if !is_flag(word) => {
                hidden.push(HIDDEN.into());
                continue;
            }
            Flag::Login if !is_flag(word) => {
                hidden.push(program::login(word).into());
                continue;
            }
            _ => {}
        }
        before = match word.starts_with(b"-") && is_secret_name(word) {
            true => Flag::Secret,
            false => programs.flag(word),
        };
        hidden.push(in_word(word, programs).into());
    }
    hidden
}

/// Whether this word is a flag although a value was expected. The flag before it then had no value.
fn is_flag(word: &[u8]) -> bool {
    word.starts_with(b"--") || (word.len() == 2 && word.starts_with(b"-"))
}

fn in_word(word: &[u8], programs: Programs) -> Vec<u8> {
    if word.iter().any(u8::is_ascii_whitespace) {
        return in_text(word, programs);
    }
    if let Some(shown) = programs.glued(word) {
        return shown;
    }
    let word = in_url(word);
    let word = in_pairs(&word);
    let word = by_prefix(&word);
    random(&word, programs)
}

/// A word with blanks in it: a script, a header, a process title.
fn in_text(text: &[u8], programs: Programs) -> Vec<u8> {
    let mut hidden = Vec::with_capacity(text.len());
    let mut place = Place::Plain;
    for piece in text.split_inclusive(u8::is_ascii_whitespace) {
        let word = piece.trim_ascii_end();
        if !word.is_empty() {
            hidden.extend(place.step(word, programs));
        }
        hidden.extend_from_slice(piece.get(word.len()..).unwrap_or_default());
    }
    hidden
}

/// The position in a text of several words.
#[derive(Clone, Copy)]
enum Place {
    Plain,
    /// The next word is a value.
    Value,
    /// The next word is a user's name and a password.
    Login,
    /// Inside a value that ends with this quote.
    Quoted(u8),
    /// Inside a header, which ends with any quote or with the text.
    Header,
}

impl Place {
    /// Takes one word, and returns what is shown of it.
    fn step(&mut self, word: &[u8], programs: Programs) -> Vec<u8> {
        let (next, shown) = match *self {
            // `Authorization: Bearer ...`
            Place::Value | Place::Header if is_scheme(word) => (*self, word.to_vec()),
            Place::Value if !is_flag(word) => {
                let quote = word.first().filter(|b| matches!(b, b'"' | b'\''));
                let open = quote.filter(|&&b| word.len() == 1 || last_quote(word) != Some(b));
                let next = open.map_or(Place::Plain, |&b| Place::Quoted(b));
                (next, HIDDEN.to_vec())
            }
            Place::Quoted(quote) if last_quote(word) != Some(quote) => (*self, HIDDEN.to_vec()),
            Place::Header if last_quote(word).is_none() => (*self, HIDDEN.to_vec()),
            Place::Quoted(_) | Place::Header => (Place::Plain, HIDDEN.to_vec()),
            Place::Login if !is_flag(word) => {
                let quote = word.first().filter(|b| matches!(b, b'"' | b'\''));
                let open = quote.filter(|&&b| word.len() == 1 || last_quote(word) != Some(b));
                let next = open.map_or(Place::Plain, |&b| Place::Quoted(b));
                (next, program::login(word))
            }
            _ if word.ends_with(b":") && is_secret_name(word) => (Place::Header, word.to_vec()),
            Place::Plain | Place::Value | Place::Login => {
                let names_one = word.starts_with(b"-") || word.ends_with(b"=");
                let next = match opened(word) {
                    Some(quote) => Place::Quoted(quote),
                    None if is_scheme(word) || (names_one && is_secret_name(word)) => Place::Value,
                    None => match programs.flag(word) {
                        Flag::Secret => Place::Value,
                        Flag::Login => Place::Login,
                        Flag::None => Place::Plain,
                    },
                };
                (next, in_word(word, programs))
            }
        };
        *self = next;
        shown
    }
}

/// The quote that begins a secret value and does not end it in this word: `TOKEN='a`.
fn opened(word: &[u8]) -> Option<u8> {
    let at = word.iter().rposition(|b| matches!(b, b'=' | b':'))?;
    let (name, value) = word.split_at(at);
    let quote = *value.get(1).filter(|b| matches!(b, b'"' | b'\''))?;
    let rest = value.get(2..).unwrap_or_default();
    (is_secret_name(name) && !rest.contains(&quote)).then_some(quote)
}

fn last_quote(word: &[u8]) -> Option<u8> {
    let end = word
        .iter()
        .rposition(|b| !matches!(b, b',' | b'}' | b')' | b';'))?;
    word.get(end).copied().filter(|b| matches!(b, b'"' | b'\''))
}

fn is_scheme(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"bearer") || word.eq_ignore_ascii_case(b"basic")
}

/// `scheme://user:password@host`: everything before the last `@` of the authority.
fn in_url(word: &[u8]) -> Vec<u8> {
    let mut hidden = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.windows(3).position(|three| three == b"://") {
        let (scheme, authority) = rest.split_at(at + 3);
        hidden.extend_from_slice(scheme);
        let end = authority
            .iter()
            .position(|b| matches!(b, b'/' | b'?' | b'#' | b'"' | b'\''));
        let end = end.unwrap_or(authority.len());
        let (host, after) = authority.split_at(end);
        match host.iter().rposition(|&b| b == b'@') {
            Some(at) => {
                hidden.extend_from_slice(HIDDEN);
                hidden.extend_from_slice(host.get(at..).unwrap_or_default());
            }
            None => hidden.extend_from_slice(host),
        }
        rest = after;
    }
    hidden.extend_from_slice(rest);
    hidden
}

/// `--token=x`, `TOKEN=x`, `?token=x&`, `"token":"x"`.
fn in_pairs(word: &[u8]) -> Vec<u8> {
    let mut hidden = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.iter().position(|b| matches!(b, b'=' | b':')) {
        let (name, value) = rest.split_at(at);
        let (equals, value) = value.split_at(1);
        hidden.extend_from_slice(name);
        hidden.extend_from_slice(equals);
        rest = value;
        if value.starts_with(b"//") || !is_secret_name(name) {
            continue;
        }
        let quotes = value
            .iter()
            .take_while(|b| matches!(b, b'"' | b'\'' | b'\\'))
            .count();
        let (quotes, value) = value.split_at(quotes);
        let end = value
            .iter()
            .position(|b| matches!(b, b'&' | b';' | b',' | b'"' | b'\'' | b'`' | b'}' | b')'));
        let (value, after) = value.split_at(end.unwrap_or(value.len()));
        hidden.extend_from_slice(quotes);
        hidden.extend_from_slice(if value.is_empty() { b"" } else { HIDDEN });
        rest = after;
    }
    hidden.extend_from_slice(rest);
    hidden
}

/// Whether a value with this name is a secret: `--api-key`, `DB_PASSWORD`, `authToken`. Only the last run of letters,
/// digits, `-`, `_` and `.` is the name.
fn is_secret_name(text: &[u8]) -> bool {
    let text = text
        .strip_suffix(b":")
        .or(text.strip_suffix(b"="))
        .unwrap_or(text);
    let text = text
        .strip_suffix(b"\"")
        .or(text.strip_suffix(b"'"))
        .unwrap_or(text);
    let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let start = text.iter().rposition(|b| !part(b)).map_or(0, |at| at + 1);
    let words = words_of(text.get(start..).unwrap_or_default());
    let about = words.last().is_some_and(|last| ABOUT.contains(&&last[..]));
    let secret = |word: &Vec<u8>| {
        WORDS.contains(&&word[..])
            || ENDINGS.iter().any(|ending| word.ends_with(ending))
            || (word.ends_with(b"pass") && !NO_PASS.contains(&&word[..]))
    };
    !about && words.iter().any(secret)
}

/// `apiKey`, `API_KEY`, `--api-key`: api, key.
fn words_of(name: &[u8]) -> Vec<Vec<u8>> {
    let mut words = vec![Vec::new()];
    let mut before = b'A';
    for &byte in name {
        let splits = !byte.is_ascii_alphanumeric();
        if splits || (byte.is_ascii_uppercase() && before.is_ascii_lowercase()) {
            words.push(Vec::new());
        }
        if let Some(word) = words.last_mut()
            && !splits
        {
            word.push(byte.to_ascii_lowercase());
        }
        before = byte;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'/' | b'=')
}

fn by_prefix(word: &[u8]) -> Vec<u8> {
    let mut hidden = Vec::with_capacity(word.len());
    let mut rest = word;
    let mut before = b' ';
    while let Some((&first, next)) = rest.split_first() {
        let found = (!before.is_ascii_alphanumeric())
            .then(|| PREFIXES.iter().find(|(prefix, _)| rest.starts_with(prefix)))
            .flatten();
        if let Some((prefix, least)) = found {
            let tail = rest.get(prefix.len()..).unwrap_or_default();
            let length = tail.iter().take_while(|b| is_token(b)).count();
            if length >= *least {
                hidden.extend_from_slice(HIDDEN);
                before = b'*';
                rest = tail.get(length..).unwrap_or_default();
                continue;
            }
        }
        if !before.is_ascii_alphanumeric()
            && let Some(length) = old_vault(rest)
        {
            hidden.extend_from_slice(HIDDEN);
            before = b'*';
            rest = rest.get(length..).unwrap_or_default();
            continue;
        }
        hidden.push(first);
        before = first;
        rest = next;
    }
    hidden
}

/// The length of a token of Vault before 1.10: `s.` and 24 letters and digits, with at least one lower-case letter, one
/// upper-case letter and one digit.
fn old_vault(rest: &[u8]) -> Option<usize> {
    let tail = rest.strip_prefix(b"s.")?;
    let length = tail
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric())
        .count();
    let token = tail.get(..length)?;
    let has = |kind: fn(&u8) -> bool| token.iter().any(kind);
    let mixed =
        has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    (length == 24 && mixed).then_some(length + 2)
}

/// Hides long words that look random. Words in a path stay: hashes there are names, as in /nix/store, and so is what
/// `mktemp` adds.
fn random(word: &[u8], programs: Programs) -> Vec<u8> {
    let mut hidden = Vec::with_capacity(word.len());
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+' | b'/');
    let mut in_path = false;
    for run in word.chunk_by(|a, b| base64(a) == base64(b)) {
        // The path of a URL is examined, because it may contain a key.
        in_path = match in_path {
            true => run.first().is_some_and(base64) || run.iter().all(|b| b".~@%".contains(b)),
            false => run.starts_with(b"/") && !run.starts_with(b"//"),
        };
        let is_key = is_random(run) || (programs.keys_are_uuids() && is_uuid(run));
        if !in_path && is_key {
            hidden.extend_from_slice(HIDDEN);
        } else {
            hidden.extend_from_slice(run);
        }
    }
    hidden
}

/// Among random characters, the kind (upper, lower, digit) often changes from one character to the next. In words and
/// paths it rarely does.
fn is_random(run: &[u8]) -> bool {
    let kind = |b: &u8| match b {
        b'a'..=b'z' => Some(0),
        b'A'..=b'Z' => Some(1),
        b'0'..=b'9' => Some(2),
        _ => None,
    };
    let changes = run
        .iter()
        .zip(run.iter().skip(1))
        .filter_map(|(a, b)| Some((kind(a)?, kind(b)?)))
        .filter(|(a, b)| a != b)
        .count();
    let digits = run.iter().any(u8::is_ascii_digit) && run.iter().any(u8::is_ascii_alphabetic);
    run.len() >= RANDOM && digits && changes * 4 >= run.len() && !is_uuid(run)
}

/// 8-4-4-4-12 hexadecimal digits: the name of a session or a volume.
fn is_uuid(run: &[u8]) -> bool {
    let lengths = run.split(|&b| b == b'-').map(<[u8]>::len);
    lengths.eq([8, 4, 4, 4, 12]) && run.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-')
}

#[cfg(test)]
mod tests;
