//! Names come from anywhere, a terminal obeys what it is sent: control characters are shown, not sent.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character moves the cursor, ends the line or turns the writing direction, so that a name
/// could pass for another one or for output of this program.
pub fn is_unsafe(c: char) -> bool {
    // C0, DEL and C1; then the bidirectional marks, embeddings, overrides and isolates of Unicode UAX #9,
    // and the two characters that end a line in some programs.
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with unsafe characters as `\n`, `\x1b` or `\u{202e}`.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\t' => safe.push_str("\\t"),
            '\r' => safe.push_str("\\r"),
            c if !is_unsafe(c) => safe.push(c),
            // Writing to a String cannot fail.
            c if c.is_ascii() => drop(write!(safe, "\\x{:02x}", u32::from(c))),
            c => drop(write!(safe, "\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_and_bidirectional_characters_are_shown_as_text() {
        assert_eq!(sanitize("a\x1b[2J\nb\x7f"), "a\\x1b[2J\\nb\\x7f");
        assert_eq!(sanitize("x\u{202e}gpj.exe"), "x\\u{202e}gpj.exe");
        assert_eq!(
            sanitize("\u{85}\u{2066}\u{61c}"),
            "\\u{85}\\u{2066}\\u{61c}"
        );
    }

    #[test]
    fn an_ordinary_name_is_not_copied() {
        assert!(matches!(sanitize("/srv/größe"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn what_comes_out_is_always_safe(text: String) {
            prop_assert!(!sanitize(&text).contains(is_unsafe));
        }
    }
}
