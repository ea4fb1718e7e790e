//! Makes names safe to print. A name can contain anything and a terminal obeys control characters, so they are shown as
//! text.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character moves the cursor, ends the line, changes the writing direction or is invisible. With such a
/// character a name could pass for another name or for output of this program.
pub fn is_unsafe(c: char) -> bool {
    // Most characters are ASCII.
    if c.is_ascii() {
        return c.is_control();
    }
    // C1 control characters, and the two characters that some programs take for the end of a line. After them come the
    // invisible characters: those with the property Default_Ignorable_Code_Point (DerivedCoreProperties.txt of Unicode
    // 16). They include the bidirectional marks, embeddings, overrides and isolates of UAX #9, zero-width characters
    // and tags.
    c.is_control()
        || matches!(c,
            '\u{2028}' | '\u{2029}'
            | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
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
    fn invisible_characters_are_shown_as_text() {
        assert_eq!(
            sanitize("a\u{200b}b\u{200d}\u{feff}\u{e0061}\u{ad}"),
            "a\\u{200b}b\\u{200d}\\u{feff}\\u{e0061}\\u{ad}"
        );
        assert_eq!(sanitize("größe 日本 😀"), "größe 日本 😀");
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
