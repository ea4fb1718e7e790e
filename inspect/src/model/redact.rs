//! Names that may be shown to strangers (`--redact`).
//!
//! A [`Name`](super::Name) is the only type that carries text from outside, and it becomes text in one
//! place. That place asks here, so that no table, message, command or key can forget to. Equal names
//! become equal tokens within one run; they are numbered as they are met, so nothing can be looked up.

mod harmless;

use harmless::{
    EXTENSIONS, SYSTEM_NAMES, SYSTEM_ROOTS, is_plain, of_the_kernel, split_extension, split_flag,
    split_side,
};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, OnceLock, PoisonError};

static TOKENS: OnceLock<Mutex<Tokens>> = OnceLock::new();

/// From now on every name is shown redacted, until this program ends.
pub fn redact_names(host: &[u8], users: &[Vec<u8>]) {
    TOKENS.get_or_init(|| Mutex::new(Tokens::knowing(host, users)));
}

/// What is shown of a name; `None` when names are shown as they are.
pub(super) fn shown(name: &[u8]) -> Option<String> {
    let tokens = TOKENS.get()?;
    let mut tokens = tokens.lock().unwrap_or_else(PoisonError::into_inner);
    Some(tokens.name(name))
}

/// What stands for each name that was met.
struct Tokens {
    tokens: HashMap<Vec<u8>, String>,
    counts: HashMap<&'static str, usize>,
}

impl Tokens {
    fn new() -> Tokens {
        Tokens {
            tokens: HashMap::new(),
            counts: HashMap::new(),
        }
    }

    /// Users and the host are met first: wherever their names turn up, they are told from other names.
    fn knowing(host: &[u8], users: &[Vec<u8>]) -> Tokens {
        let mut tokens = Tokens::new();
        tokens.token("host", host);
        if let Some(first) = host.split(|&b| b == b'.').next() {
            tokens.token("host", first);
        }
        for user in users {
            tokens.token("user", user);
        }
        tokens
    }

    fn token(&mut self, kind: &'static str, name: &[u8]) -> String {
        if let Some(token) = self.tokens.get(name) {
            return token.clone();
        }
        let count = self.counts.entry(kind).or_insert(0);
        *count += 1;
        let token = format!("{kind}{count}");
        self.tokens.insert(name.into(), token.clone());
        token
    }

    /// A path, an argument, a process's or a socket's name.
    fn name(&mut self, name: &[u8]) -> String {
        if let Some(text) = of_the_kernel(name) {
            return text.into();
        }
        if let Some((flag, rest)) = split_flag(name) {
            return format!("{flag}{}", self.name(rest));
        }
        if name.contains(&b'/') {
            return self.path(name);
        }
        // The name of a thread of the kernel, or of a process without a command line.
        if let Some(inner) = name
            .strip_prefix(b"[")
            .and_then(|rest| rest.strip_suffix(b"]"))
        {
            return format!("[{}]", self.name(inner));
        }
        if let Some(text) = self.address(name) {
            return text;
        }
        // A program of the system is not a private name.
        let text = std::str::from_utf8(name)
            .ok()
            .filter(|text| is_plain(text.as_bytes()));
        let known = |text: &&str| {
            let dirs = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].iter();
            EXTENSIONS.contains(text)
                || dirs
                    .map(std::path::Path::new)
                    .any(|dir| dir.join(text).exists())
        };
        match text.filter(known) {
            Some(text) if !self.tokens.contains_key(name) => text.into(),
            _ => self.component(name, "name"),
        }
    }

    fn path(&mut self, path: &[u8]) -> String {
        let of_system = |root: &&[u8]| {
            path.strip_prefix(*root)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        if SYSTEM_ROOTS.iter().any(of_system) && !path.starts_with(b"/usr/local/") && is_plain(path)
        {
            return String::from_utf8_lossy(path).into_owned();
        }
        let mut above: &[u8] = b"";
        let mut parts = Vec::new();
        for part in path.split(|&b| b == b'/') {
            let kind = match above {
                b"home" | b"Users" => "user",
                _ => "name",
            };
            parts.push(self.component(part, kind));
            above = part;
        }
        parts.join("/")
    }

    /// `host:port` or a number of IP: what is not this machine itself is hidden.
    fn address(&mut self, text: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(text).ok()?;
        let bare = |text: &str| {
            text.trim_start_matches('[')
                .trim_end_matches(']')
                .parse::<IpAddr>()
        };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if bare(text).is_err() && port.parse::<u16>().is_ok() => {
                (host, format!(":{port}"))
            }
            _ => (text, String::new()),
        };
        let own = match bare(host) {
            Ok(ip) => ip.is_loopback() || ip.is_unspecified(),
            Err(_) if port.is_empty() => return None,
            Err(_) => matches!(host, "localhost" | "*"),
        };
        let host = if own {
            host.into()
        } else {
            self.token("host", host.as_bytes())
        };
        Some(host + &port)
    }

    fn component(&mut self, part: &[u8], kind: &'static str) -> String {
        let text = std::str::from_utf8(part).unwrap_or_default();
        // A PID, a descriptor, a port: PID_MAX_LIMIT has seven digits.
        let number = part.len() <= 7 && part.iter().all(u8::is_ascii_digit);
        let mask = text.strip_prefix("0x").is_some_and(|digits| {
            digits.len() <= 8 && digits.bytes().all(|b| b.is_ascii_hexdigit())
        });
        let known =
            mask || part.iter().all(|&b| b == b'.') || number || SYSTEM_NAMES.contains(&text);
        if known && !self.tokens.contains_key(part) {
            return text.into();
        }
        let (stem, side) = split_side(part);
        let (stem, extension) = split_extension(stem);
        // `dir` and `dir.db` are told apart by their extension.
        format!("{}{extension}{side}", self.token(kind, stem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redacted(names: &[&str]) -> Vec<String> {
        let mut tokens = Tokens::new();
        names
            .iter()
            .map(|name| tokens.name(name.as_bytes()))
            .collect()
    }

    #[test]
    fn equal_names_stay_equal_and_a_database_keeps_its_side_files() {
        assert_eq!(
            redacted(&[
                "/home/alice/.codex/logs_2.sqlite",
                "/home/alice/.codex/logs_2.sqlite-wal",
                "/srv/alice",
                "logs_2.sqlite-wal",
            ]),
            [
                "/home/user1/name1/name2.sqlite",
                "/home/user1/name1/name2.sqlite-wal",
                "/srv/user1",
                "name2.sqlite-wal",
            ]
        );
    }

    #[test]
    fn names_of_the_system_and_of_the_kernel_stay() {
        for same in [
            "/usr/lib/python3.11/os.py",
            "/proc/812/fd/3",
            "/dev/null",
            "/",
            "socket:[123]",
            "anon_inode:[eventfd]",
            "anon_inode:inotify",
            "127.0.0.1",
            "[::1]:80",
            "jsonl",
            "sh",
            "--watch",
            "0x3ee",
            "***",
        ] {
            assert_eq!(redacted(&[same]), [same]);
        }
    }

    #[test]
    fn nothing_private_hides_in_flags_addresses_or_odd_places() {
        for (name, shown) in [
            ("--dir=/home/bob/x", "--dir=/home/user1/name1"),
            ("-I/home/bob", "-I/home/user1"),
            ("PROJECT=acme", "PROJECT=name1"),
            ("build7:8080", "host1:8080"),
            ("10.1.2.3", "host1"),
            ("[acme-worker]", "[name1]"),
            (
                "/usr/bin/python3 /home/bob/x",
                "/name1/bin/name2 /name3/user1/name4",
            ),
            ("/usr/local/lib/acme", "/usr/local/lib/name1"),
            ("/memfd:acme", "/name1"),
            ("acme:[12]x", "name1"),
            ("--Acme Corp=1", "name1"),
        ] {
            let seen = redacted(&[name]);
            for private in ["bob", "acme", "Acme", "build7", "10.1"] {
                assert!(!seen[0].contains(private), "{name} is shown as {seen:?}");
            }
            if !name.contains("python3") {
                assert_eq!(seen, [shown]);
            }
        }
    }

    proptest! {
        #[test]
        fn a_planted_name_never_survives(before in ".{0,12}", after in ".{0,12}") {
            for name in [format!("{before}Zq7xPlanted{after}"), format!("/{before}/Zq7xPlanted/{after}")] {
                prop_assert!(!Tokens::new().name(name.as_bytes()).contains("Zq7xPlanted"));
            }
        }
    }
}
