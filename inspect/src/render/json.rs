//! The schema `fdscan/1`.

use crate::words::is_unsafe;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io::{self, Write};

/// Writes `scan` as one line of JSON, straight from the model: the text of 100,000 watches is never in memory.
///
/// # Errors
/// What writing to `to` failed with.
pub fn json(scan: &impl Serialize, to: &mut impl Write) -> io::Result<()> {
    scan.serialize(&mut Serializer::with_formatter(&mut *to, Terminal))?;
    to.write_all(b"\n")
}

/// Compact JSON that can be shown on a terminal: JSON itself does not escape DEL, C1 and bidirectional characters.
struct Terminal;

impl Formatter for Terminal {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        to: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // What a runner of GitHub Actions takes for a command, anywhere in a line.
        if let Some((before, after)) = fragment.split_once("##[") {
            self.write_string_fragment(to, before)?;
            to.write_all(b"#\\u0023[")?;
            return self.write_string_fragment(to, after);
        }
        // Nearly every name: printable ASCII.
        if fragment.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return to.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(is_unsafe) {
            let (safe, tail) = rest.split_at(at);
            to.write_all(safe.as_bytes())?;
            let mut characters = tail.chars();
            if let Some(c) = characters.next() {
                // Characters beyond the basic plane are a pair of surrogates (RFC 8259, section 7).
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(to, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        to.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        text.serialize(&mut Serializer::with_formatter(&mut out, Terminal))
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn characters_that_a_terminal_would_obey_are_escaped_and_read_back_the_same() {
        let name = "a\u{7f}\u{9b}2J\u{202e}\u{2028}\n\"größe\u{e0061}####[x]##[";
        let json = written(name);
        assert_eq!(
            json,
            r#""a\u007f\u009b2J\u202e\u2028\n\"größe\udb40\udc61###\u0023[x]#\u0023[""#
        );
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), name);
    }
}
