//! What a command is about: processes by PID, by name, by the port they listen on, and by their user.
//!
//! [`Target::parse`] reads one word of a command line, [`resolve`] finds the processes. Nothing is followed that a
//! process could have chosen: names and links are compared as text.

mod resolve;

pub use resolve::{Found, command_line, resolve};

use crate::model::Name;
use std::ffi::OsStr;

/// The largest PID there can be (PID_MAX_LIMIT, include/linux/threads.h).
const LARGEST: u32 = 1 << 22;

/// One word of a command line that stands for processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `812` or `812,813`.
    Pids(Vec<u32>),
    /// `:8080`: who listens there.
    Port(u16),
    /// What a process or its program is called, or a program's path.
    Name(Name),
}

impl Target {
    /// Reads one word.
    ///
    /// # Errors
    /// What a PID or a port is, for a word that begins as one and is none.
    pub fn parse(word: &OsStr) -> Result<Target, String> {
        let bytes = word.as_encoded_bytes();
        if bytes.is_empty() {
            return Err(
                "a process is given by its PID, its name or the :PORT it listens on".into(),
            );
        }
        // The name of a process may be any bytes.
        let text = word.to_str().unwrap_or_default();
        if let Some(port) = text.strip_prefix(':') {
            let number = port.parse().ok().filter(|&port| port > 0);
            return match number.filter(|_| is_digits(port)) {
                Some(port) => Ok(Target::Port(port)),
                None => Err("a port is a whole number from 1 to 65535, as :8080".into()),
            };
        }
        match text
            .split(',')
            .all(|part| part.is_empty() || is_digits(part))
            && !text.is_empty()
        {
            true => text
                .split(',')
                .map(pid)
                .collect::<Result<_, _>>()
                .map(Target::Pids),
            false => Ok(Target::Name(bytes.into())),
        }
    }

    /// Whether a word is one that no program is called by: PIDs or a port.
    pub fn is_number(word: &OsStr) -> bool {
        let parts = word.as_encoded_bytes();
        !parts.is_empty()
            && parts
                .iter()
                .all(|&b| b.is_ascii_digit() || b == b',' || b == b':')
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn pid(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(pid) if (1..=LARGEST).contains(&pid) => Ok(pid),
        _ if text.is_empty() => Err("PIDs have a comma between them, such as 812,813".into()),
        _ => Err(format!(
            "a PID is a whole number from 1 to {LARGEST}, as ps and pgrep show it"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(word: &str) -> Result<Target, String> {
        Target::parse(OsStr::new(word))
    }

    #[test]
    fn digits_are_pids_a_colon_is_a_port_and_the_rest_is_a_name() {
        assert_eq!(parse("812"), Ok(Target::Pids(vec![812])));
        assert_eq!(
            parse("812,1,4194304"),
            Ok(Target::Pids(vec![812, 1, LARGEST]))
        );
        assert_eq!(parse(":8080"), Ok(Target::Port(8080)));
        for name in [
            "nginx",
            "12x",
            "1.5",
            "7z",
            "a:80",
            "/usr/bin/vi",
            "kworker/0:1",
            "0x10",
        ] {
            assert_eq!(parse(name), Ok(Target::Name(name.into())), "{name}");
        }
        use std::os::unix::ffi::OsStrExt;
        let odd = &b"a\xff"[..];
        assert_eq!(
            Target::parse(OsStr::from_bytes(odd)),
            Ok(Target::Name(odd.into()))
        );
    }

    #[test]
    fn what_begins_with_a_digit_and_is_not_a_number_is_an_error() {
        for wrong in [
            "",
            "0",
            "4194305",
            "99999999999999999999",
            "1,",
            ",1",
            "1,,2",
            ",",
            ":",
            ":0",
            ":65536",
            ":x",
            ":+1",
            ":-1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_digits_commas_and_colons_are_surely_no_command() {
        for number in ["1", "1,2", ":80"] {
            assert!(Target::is_number(OsStr::new(number)));
        }
        for word in ["", "npm", "./1", "1x"] {
            assert!(!Target::is_number(OsStr::new(word)));
        }
    }
}
