//! Fitting sentences to the terminal.

use std::io::{self, Write};

/// Writes `text` in lines of at most `width` columns, each indented by `indent`. A word that is longer than a line,
/// such as a path, stays whole so that it can be copied.
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

/// Breaks a command into lines of at most `width` columns that a shell joins again: each but the last ends in a
/// backslash, and none ends inside quotes. A word that is longer than a line stays whole.
pub fn wrap_command(command: &str, width: u16, indent: &str) -> String {
    const JOIN: &str = " \\";
    let room = usize::from(width).saturating_sub(indent.len()).max(20);
    let mut text = String::from(indent);
    let mut length = 0;
    let mut words = shell_words(command).into_iter().peekable();
    while let Some(word) = words.next() {
        let more = word.chars().count();
        // The last word needs no room for a backslash.
        let after = if words.peek().is_some() {
            JOIN.len()
        } else {
            0
        };
        if length > 0 && length + 1 + more + after > room {
            text.push_str(JOIN);
            text.push('\n');
            text.push_str(indent);
            length = 0;
        }
        if length > 0 {
            text.push(' ');
            length += 1;
        }
        text.push_str(word);
        length += more;
    }
    text.push('\n');
    text
}

/// Splits at blanks outside quotes, which `findings::remedy` writes as `'...'`, or as `$'...'` with backslashes.
fn shell_words(command: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut quoted, mut ansi, mut escaped, mut before) = (0, false, false, false, ' ');
    for (at, c) in command.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' && (!quoted || ansi) {
            escaped = true;
        } else if c == '\'' {
            ansi = !quoted && before == '$';
            quoted = !quoted;
        } else if c == ' ' && !quoted {
            words.extend(command.get(start..at));
            start = at + 1;
        }
        before = c;
    }
    words.extend(command.get(start..));
    words
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
    fn a_wrapped_command_is_the_same_to_a_shell_and_never_cut_inside_quotes() {
        assert_eq!(
            wrap_command("tool --flag 'two words' $'a\\' b' last", 26, "  "),
            "  tool --flag \\\n  'two words' $'a\\' b' \\\n  last\n"
        );
        assert_eq!(
            wrap_command("watchfix heal 42", 80, "  "),
            "  watchfix heal 42\n"
        );
    }

    #[test]
    fn shortened_text_ends_in_dots() {
        assert_eq!(shorten("abcdefgh", 6), "abc...");
        assert_eq!(shorten("abc", 6), "abc");
    }
}
