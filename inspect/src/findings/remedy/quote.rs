//! Quotes words for a shell.

use crate::model::Name;

/// Quotes a name for a POSIX shell. A name with control characters, or with bytes that are not UTF-8, is quoted for
/// shells that know `$'...'` (bash, zsh, ksh, POSIX 2024), so that it can be shown as well as pasted.
pub fn quote(word: &Name) -> String {
    quote_bytes(&word.shown())
}

/// The same for a path of this program.
pub fn quoted(path: &std::path::Path) -> String {
    quote(&Name::from(path.as_os_str().as_encoded_bytes()))
}

pub(super) fn quote_bytes(word: &[u8]) -> String {
    match std::str::from_utf8(word) {
        Ok(text) if text.chars().any(crate::words::is_unsafe) => quote_ansi(word),
        Ok(text) => quote_text(text),
        Err(_) => quote_ansi(word),
    }
}

pub(super) fn quote_text(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn quote_ansi(word: &[u8]) -> String {
    let mut quoted = String::from("$'");
    for &byte in word {
        match byte {
            b'\'' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => quoted += &format!("\\{byte:03o}"),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_quoted_so_that_they_can_be_pasted() {
        assert_eq!(quote_bytes(b"a-b/c.d"), "a-b/c.d");
        assert_eq!(quote_bytes(b""), "''");
        assert_eq!(quote_bytes(b"it's"), r"'it'\''s'");
        assert_eq!(quote_bytes(b"a\nb"), r"$'a\012b'");
        assert_eq!(quote_bytes(b"\xff1"), r"$'\3771'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_shell_reads_a_quoted_word_as_it_was(word in proptest::collection::vec(1u8..=255, 0..40)) {
            let script = format!("printf %s {}", quote_bytes(&word));
            let shell = std::process::Command::new("bash").arg("-c").arg(script).output();
            if let Ok(done) = shell {
                prop_assert_eq!(done.stdout, word);
            }
        }
    }
}
