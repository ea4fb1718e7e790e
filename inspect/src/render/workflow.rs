//! Workflow commands of GitHub Actions: lines of a job's output that the runner obeys. A name must not become one.
//!
//! To a runner, a line is a command if it begins with `::`, possibly after blanks, or contains `##[` anywhere
//! (src/Runner.Common/ActionCommand.cs of actions/runner). Text is wrapped at blanks, so any word of a name may end up
//! at the beginning of a line.

use std::borrow::Cow;
use std::io::{self, Write};

/// Whether a runner reads the output.
fn is_read() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| !value.is_empty())
}

/// The text as it may be shown here: without commands if a runner reads it.
pub fn inert(text: &str) -> Cow<'_, str> {
    match is_read() {
        true => without_commands(text),
        false => Cow::Borrowed(text),
    }
}

/// The text without commands. A backslash breaks them, and means nothing to a shell that the line is pasted into.
fn without_commands(text: &str) -> Cow<'_, str> {
    if !text.contains("::") && !text.contains("##[") {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    // The line ends of .NET.
    for line in text.split_inclusive(['\n', '\r']) {
        let words = line.trim_start();
        if words.starts_with("::") {
            safe.push_str(line.strip_suffix(words).unwrap_or_default());
            safe.push('\\');
            safe.push_str(&words.replace("##[", "##\\["));
        } else {
            safe.push_str(&line.replace("##[", "##\\["));
        }
    }
    Cow::Owned(safe)
}

/// A writer to a reader that may obey commands: it makes each line [`inert`].
pub struct Guard<W: Write> {
    to: W,
    on: bool,
    line: Vec<u8>,
}

impl<W: Write> Guard<W> {
    /// Guards what is written to `to`.
    pub fn new(to: W) -> Guard<W> {
        Guard {
            to,
            on: is_read(),
            line: Vec::new(),
        }
    }

    /// For text without commands, or that is meant as one.
    pub fn unguarded(&mut self) -> &mut W {
        &mut self.to
    }

    fn end_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        self.to.write_all(without_commands(&text).as_bytes())
    }
}

impl<W: Write> Write for Guard<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.on {
            return self.to.write(bytes);
        }
        for part in bytes.split_inclusive(|&b| b == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a runner does with each line that it reads.
    fn commands(output: &str) -> usize {
        let lines = output.split(['\n', '\r']);
        let is_command = |line: &&str| line.trim().starts_with("::") || line.contains("##[");
        lines.filter(is_command).count()
    }

    fn guarded(text: &str) -> String {
        let mut guard = Guard {
            to: Vec::new(),
            on: true,
            line: Vec::new(),
        };
        // In parts, as a formatter writes it.
        for part in text.as_bytes().chunks(3) {
            guard.write_all(part).unwrap();
        }
        guard.flush().unwrap();
        String::from_utf8(guard.to).unwrap()
    }

    #[test]
    fn text_that_is_not_a_command_stays_as_it_is() {
        for text in ["a::b\n", "std::fs\n  x ::y\n", "## [x]\n# a", "", "größe\n"] {
            assert_eq!(guarded(text), text);
        }
        assert_eq!(
            guarded("  ::error::x\na ##[group]\n"),
            "  \\::error::x\na ##\\[group]\n"
        );
    }

    proptest! {
        #[test]
        fn no_text_holds_a_command(words in proptest::collection::vec(
            prop_oneof![
                Just("::"), Just("##["), Just(" "), Just("\u{a0}"), Just("\n"), Just("\r"), Just(":"),
                Just("#"), Just("["), Just("\\"), Just("x"), Just("::stop-commands::x"), Just("ä"),
            ],
            0..40,
        )) {
            let text = words.concat();
            prop_assert_eq!(commands(&without_commands(&text)), 0, "{:?}", text);
            let guarded = guarded(&text);
            prop_assert_eq!(commands(&guarded), 0, "{:?}", text);
            prop_assert_eq!(guarded.replace('\\', ""), text.replace('\\', ""));
        }
    }
}
