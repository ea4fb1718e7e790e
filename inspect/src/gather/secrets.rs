//! Secrets in command lines. They are taken out where a command line is read, so that nothing that is
//! shown, written or suggested can carry them.
//!
//! What looks like one: the value of a flag, variable, header or parameter with a telling name; the
//! credentials of a URL; a word that begins as the tokens of a known service do; a long random word.
//! A password that looks like a word, in a place with an ordinary name, cannot be told from a word.

use crate::model::Name;

/// Stands where a secret stood.
const HIDDEN: &[u8] = b"***";

/// The words of a name, one of which makes the value a secret. `ENDINGS` are also found at the end of
/// a longer word: `dbpassword`.
const WORDS: &[&[u8]] = &[
    b"key",
    b"pass",
    b"pwd",
    b"pw",
    b"psk",
    b"pat",
    b"auth",
    b"authorization",
    b"credential",
    b"credentials",
    b"creds",
    b"cookie",
    b"bearer",
    b"jwt",
    b"sig",
    b"signature",
];
const ENDINGS: &[&[u8]] = &[
    b"token",
    b"secret",
    b"password",
    b"passwd",
    b"passphrase",
    b"apikey",
];
/// Last words of a name that say where the secret is, or what it is like, and not the secret itself.
const ABOUT: &[&[u8]] = &[
    b"file", b"path", b"dir", b"name", b"type", b"env", b"fd", b"length", b"size", b"limit", b"ttl",
];
/// How the tokens of known services begin, and how many characters follow at least.
const PREFIXES: &[(&[u8], usize)] = &[
    (b"AKIA", 12),
    (b"ASIA", 12),
    (b"AIza", 30),
    (b"ya29.", 10),
    (b"ghp_", 16),
    (b"gho_", 16),
    (b"ghu_", 16),
    (b"ghs_", 16),
    (b"ghr_", 16),
    (b"github_pat_", 16),
    (b"glpat-", 16),
    (b"sk-", 16),
    (b"sk_live_", 10),
    (b"rk_live_", 10),
    (b"sk_test_", 10),
    (b"xoxa-", 8),
    (b"xoxb-", 8),
    (b"xoxe-", 8),
    (b"xoxp-", 8),
    (b"xoxr-", 8),
    (b"xoxs-", 8),
    (b"xapp-", 8),
    (b"npm_", 20),
    (b"pypi-", 16),
    (b"hf_", 16),
    (b"dop_v1_", 16),
    (b"SG.", 16),
    // A JSON Web Token: base64 of `{"`.
    (b"eyJ", 16),
];
/// A word of random characters is as long as a key of 128 bits in hexadecimal.
const RANDOM: usize = 32;

/// The command line without its secrets.
pub fn hide(words: Vec<Name>) -> Vec<Name> {
    let mut hidden = Vec::with_capacity(words.len());
    let mut value_follows = false;
    for word in words {
        let word = word.as_bytes();
        if std::mem::take(&mut value_follows) && !is_flag(word) {
            hidden.push(HIDDEN.into());
            continue;
        }
        value_follows = word.starts_with(b"-") && is_secret_name(word);
        hidden.push(in_word(word).into());
    }
    hidden
}

/// A flag where a value was expected: the flag before it had none.
fn is_flag(word: &[u8]) -> bool {
    word.starts_with(b"--") || (word.len() == 2 && word.starts_with(b"-"))
}

fn in_word(word: &[u8]) -> Vec<u8> {
    if word.iter().any(u8::is_ascii_whitespace) {
        return in_text(word);
    }
    let word = in_url(word);
    let word = in_pairs(&word);
    let word = by_prefix(&word);
    random(&word)
}

/// A word with blanks in it: a script, a header, a process title.
fn in_text(text: &[u8]) -> Vec<u8> {
    let mut hidden = Vec::with_capacity(text.len());
    let mut place = Place::Plain;
    for piece in text.split_inclusive(u8::is_ascii_whitespace) {
        let word = piece.trim_ascii_end();
        if !word.is_empty() {
            hidden.extend(place.step(word));
        }
        hidden.extend_from_slice(piece.get(word.len()..).unwrap_or_default());
    }
    hidden
}

/// Where in a text of several words one stands.
#[derive(Clone, Copy)]
enum Place {
    Plain,
    /// The next word is a value.
    Value,
    /// Within a value that ends with this quote.
    Quoted(u8),
    /// Within a header, which ends with any quote or the text.
    Header,
}

impl Place {
    /// Takes one word, and says what is shown of it.
    fn step(&mut self, word: &[u8]) -> Vec<u8> {
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
            Place::Plain | Place::Value if word.ends_with(b":") && is_secret_name(word) => {
                (Place::Header, word.to_vec())
            }
            Place::Plain | Place::Value => {
                let names_one = word.starts_with(b"-") || word.ends_with(b"=");
                let next = match opened(word) {
                    Some(quote) => Place::Quoted(quote),
                    None if is_scheme(word) || (names_one && is_secret_name(word)) => Place::Value,
                    None => Place::Plain,
                };
                (next, in_word(word))
            }
        };
        *self = next;
        shown
    }
}

/// The quote with which a secret value begins that does not end in this word: `TOKEN='a`.
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

/// Whether what is called so is a secret: `--api-key`, `DB_PASSWORD`, `authToken`. Only the last run of
/// letters, digits, `-`, `_` and `.` is the name.
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
        WORDS.contains(&&word[..]) || ENDINGS.iter().any(|ending| word.ends_with(ending))
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
        hidden.push(first);
        before = first;
        rest = next;
    }
    hidden
}

/// Long words that look drawn by lot. A path is none: its hashes are names, as in /nix/store.
fn random(word: &[u8]) -> Vec<u8> {
    let mut hidden = Vec::with_capacity(word.len());
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+' | b'/');
    for run in word.chunk_by(|a, b| base64(a) == base64(b)) {
        if !run.starts_with(b"/") && is_random(run) {
            hidden.extend_from_slice(HIDDEN);
        } else {
            hidden.extend_from_slice(run);
        }
    }
    hidden
}

/// Among random characters, kinds (upper, lower, digit) change from one to the next; in words and paths
/// they rarely do.
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hidden(words: &[&str]) -> String {
        let words = words.iter().map(|&word| word.into()).collect();
        let words: Vec<_> = hide(words).iter().map(Name::to_string).collect();
        words.join(" ")
    }

    #[test]
    fn the_value_of_a_flag_with_a_telling_name_is_hidden() {
        assert_eq!(hidden(&["a", "--token", "x1"]), "a --token ***");
        assert_eq!(hidden(&["a", "--api-key=x1", "b"]), "a --api-key=*** b");
        assert_eq!(hidden(&["a", "--dbPassword", "x 1"]), "a --dbPassword ***");
        assert_eq!(hidden(&["a", "DB_PASSWORD=x1"]), "a DB_PASSWORD=***");
        assert_eq!(hidden(&["a", "-Dauth.secret=x1"]), "a -Dauth.secret=***");
        assert_eq!(
            hidden(&["a", "--token", "--verbose"]),
            "a --token --verbose"
        );
    }

    #[test]
    fn a_name_that_only_sounds_like_one_hides_nothing() {
        for plain in [
            "a --tokenizer gpt2",
            "a --keyboard de",
            "a --password-file /run/x",
            "a --monkey=1",
            "a --author me",
            "a --max-tokens 100",
        ] {
            let words: Vec<_> = plain.split(' ').collect();
            assert_eq!(hidden(&words), plain);
        }
    }

    #[test]
    fn urls_headers_and_scripts_lose_their_credentials_only() {
        assert_eq!(
            hidden(&["postgres://u:p@ss@db:5432/x?sslkey=k1&n=2"]),
            "postgres://***@db:5432/x?sslkey=k1&n=2"
        );
        assert_eq!(
            hidden(&["https://h/x?token=t1&n=2"]),
            "https://h/x?token=***&n=2"
        );
        assert_eq!(
            hidden(&["curl", "-H", "Authorization: Bearer t1", "x"]),
            "curl -H Authorization: Bearer *** x"
        );
        assert_eq!(hidden(&["-H", "Cookie: a=b; c=d"]), "-H Cookie: *** ***");
        assert_eq!(
            hidden(&["sh", "-c", "export TOKEN='t 1'; run --secret t2 --fast"]),
            "sh -c export TOKEN='*** *** run --secret *** --fast"
        );
        assert_eq!(
            hidden(&[r#"{"password":"p1","n":2}"#]),
            r#"{"password":"***","n":2}"#
        );
        assert_eq!(
            hidden(&[r#"{"password": "p1", "n": 2}"#]),
            r#"{"password": *** "n": 2}"#
        );
        assert_eq!(
            hidden(&["tool --password p1 serve"]),
            "tool --password *** serve"
        );
    }

    #[test]
    fn tokens_of_known_services_are_hidden_wherever_they_stand() {
        for token in [
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_abcdefghijklmnopqrstuvwxyzabcdefghij",
            "sk-proj-abcdefghijklmnop",
            "xoxb-123456789012-abcdef",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        ] {
            assert_eq!(hidden(&["a", token, "b"]), "a *** b");
            assert_eq!(hidden(&["a", &format!("--x={token}")]), "a --x=***");
        }
        assert_eq!(hidden(&["sk-learn", "eyJ", "SG.x"]), "sk-learn eyJ SG.x");
    }

    #[test]
    fn long_random_words_are_hidden_and_paths_names_and_uuids_are_not() {
        assert_eq!(hidden(&["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"]), "***");
        assert_eq!(hidden(&["x", "9f86d081884c7d659a2feaa0c55ad015"]), "x ***");
        for plain in [
            "/nix/store/0c5q9jfdv7bcxmgcd4kdpgs9x5m9k2wb-node-22.1.0/bin/node",
            "packages/MyLibrary2/src/main/java/com/Example.java",
            "550e8400-e29b-41d4-a716-446655440000",
            "a-rather-long-name-of-a-branch-with-2-digits",
            "3000000000000000000000000000000000000000",
        ] {
            assert_eq!(hidden(&[plain]), plain);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_and_a_given_secret_never_survives(
            words in proptest::collection::vec(proptest::collection::vec(1u8..=255, 0..40), 0..6),
            secret in "[a-z]{8}Q",
        ) {
            let mut words: Vec<Name> = words.into_iter().map(Name::from).collect();
            for planted in [
                "--token",
                &secret,
                &format!("https://u:{secret}@h/"),
                &format!("x --password {secret}"),
            ] {
                words.push(planted.into());
            }
            let shown: Vec<_> = hide(words).iter().map(Name::to_string).collect();
            prop_assert!(!shown.join(" ").contains(&secret));
        }
    }
}
