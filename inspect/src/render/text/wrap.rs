//! Fitting sentences to the terminal.

use std::io::{self, Write};

/// Writes `text` in lines of at most `width` columns, each with `indent` in front. A word that is longer
/// than a line, such as a path, stays whole: it must be possible to copy it.
pub fn wrap(text: &str, width: u16, indent: &str, to: &mut impl Write) -> io::Result<()> {
    let room = usize::from(width).saturating_sub(indent.len()).max(20);
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let more = word.chars().count();
        if length > 0 && length + 1 + more > room {
            writeln!(to, "{indent}{line}")?;
            line.clear();
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += more;
    }
    writeln!(to, "{indent}{line}")
}

/// At most `room` characters of `text`, with `...` for the rest.
pub fn shorten(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.into();
    }
    let kept: String = text.chars().take(room.saturating_sub(3)).collect();
    format!("{kept}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, width: u16) -> String {
        let mut out = Vec::new();
        wrap(text, width, "  ", &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_end_between_words_within_the_width() {
        assert_eq!(
            wrapped("one two three four five six", 22),
            "  one two three four\n  five six\n"
        );
    }

    #[test]
    fn a_path_longer_than_the_line_stays_whole() {
        let path = "/very/long/path/that/does/not/fit/into/a/line";
        assert!(wrapped(&format!("see {path} now"), 30).contains(path));
    }

    #[test]
    fn what_is_shortened_says_so() {
        assert_eq!(shorten("abcdefgh", 6), "abc...");
        assert_eq!(shorten("abc", 6), "abc");
    }
}
