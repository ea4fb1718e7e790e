//! The content of a claim, as a pure function over bytes, and which files look like claims.

use crate::model::ClaimKind;
use serde_json::Value;

/// How much of a file is read: a claim is short.
pub const MOST_BYTES: u64 = 4096;

/// The highest PID (PID_MAX_LIMIT of include/linux/threads.h).
const MAX_PID: u64 = 1 << 22;

/// What a claim says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Empty,
    /// Only a number: a PID or a port.
    Number(u64),
    /// A process.
    Process {
        /// Its PID.
        pid: u32,
        /// Its start, as written.
        start: Option<String>,
    },
    /// An address.
    Address {
        /// The host; `None` when only a port is given.
        host: Option<String>,
        /// The port.
        port: u16,
    },
    /// None of these.
    Other,
}

impl Content {
    /// The process it names.
    pub fn process(&self) -> Option<(u32, Option<&str>)> {
        match self {
            Content::Number(n) => Some((pid(*n)?, None)),
            Content::Process { pid, start } => Some((*pid, start.as_deref())),
            _ => None,
        }
    }

    /// The address it names.
    pub fn address(&self) -> Option<(Option<&str>, u16)> {
        match self {
            Content::Number(n) => Some((None, port(*n)?)),
            Content::Address { host, port } => Some((host.as_deref(), *port)),
            _ => None,
        }
    }
}

/// The kind of claim that a file name suggests; `None` if it does not suggest any.
pub fn kind_of(name: &[u8]) -> Option<ClaimKind> {
    let name = name.to_ascii_lowercase();
    let ends = |list: &[&[u8]]| list.iter().any(|end| name.ends_with(end));
    let is = |list: &[&[u8]]| list.contains(&&name[..]);
    if is(&[b"stopping.lock", b"stop.lock"])
        || ends(&[b".stop", b".stopping", b".stop.lock", b".stopping.lock"])
    {
        Some(ClaimKind::Sentinel)
    } else if is(&[b"pid", b"pidfile"]) || ends(&[b".pid", b".pidfile"]) {
        Some(ClaimKind::Pid)
    } else if is(&[b"port", b"portfile"]) || ends(&[b".port", b".portfile"]) {
        Some(ClaimKind::Port)
    } else if is(&[b"lock", b"lockfile"]) || ends(&[b".lock", b".lck"]) {
        Some(ClaimKind::Lock)
    } else {
        None
    }
}

/// Reads the first bytes of a claim: `PID`, `PID:START`, `PORT`, `HOST:PORT`, a URL, or a JSON object with
/// `pid` (and a start) or `port`. Of several lines the first counts, as in PostgreSQL's postmaster.pid.
pub fn parse(text: &[u8]) -> Content {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if text.is_empty() {
        return Content::Empty;
    }
    if text.starts_with('{') {
        return serde_json::from_str(text).map_or(Content::Other, |value| json(&value));
    }
    line(text.lines().next().unwrap_or_default().trim_end())
}

fn line(text: &str) -> Content {
    if let Ok(number) = text.parse::<u64>() {
        return Content::Number(number);
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return url(scheme, rest);
    }
    if let Some((first, start)) = text.split_once(':')
        && let Some(pid) = first.parse().ok().and_then(pid)
    {
        let start = Some(start.trim().to_owned()).filter(|start| !start.is_empty());
        return Content::Process { pid, start };
    }
    host_and_port(text, None).unwrap_or(Content::Other)
}

fn url(scheme: &str, rest: &str) -> Content {
    let default = match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    host_and_port(authority, default).unwrap_or(Content::Other)
}

/// `host:port`, `[v6]:port`, or with a default a bare host.
fn host_and_port(text: &str, default: Option<u16>) -> Option<Content> {
    let (host, number) = match text.rsplit_once(':') {
        // A colon of a bare IPv6 address does not precede a port.
        Some((host, number)) if !host.contains(':') || host.ends_with(']') => {
            (host, port(number.parse().ok()?)?)
        }
        _ => (text, default?),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let fits =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%' | '*');
    host.chars().all(fits).then(|| Content::Address {
        host: Some(host.to_owned()).filter(|host| !host.is_empty()),
        port: number,
    })
}

fn json(value: &Value) -> Content {
    const START: &[&str] = &[
        "start",
        "start_time",
        "startTime",
        "starttime",
        "started",
        "started_at",
        "startedAt",
    ];
    let number = |key: &str| {
        let value = value.get(key)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    };
    if let Some(pid) = number("pid").and_then(pid) {
        let start = START.iter().find_map(|key| match value.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(n) => Some(n.to_string()),
            _ => None,
        });
        return Content::Process { pid, start };
    }
    if let Some(port) = number("port").and_then(port) {
        let host = ["host", "hostname", "address"]
            .iter()
            .find_map(|key| value.get(key)?.as_str());
        return Content::Address {
            host: host.map(str::to_owned),
            port,
        };
    }
    let text = ["url", "address"]
        .iter()
        .find_map(|key| value.get(key)?.as_str());
    match text.map(line) {
        Some(address @ Content::Address { .. }) => address,
        _ => Content::Other,
    }
}

fn pid(number: u64) -> Option<u32> {
    u32::try_from(number)
        .ok()
        .filter(|_| (1..=MAX_PID).contains(&number))
}

fn port(number: u64) -> Option<u16> {
    u16::try_from(number).ok().filter(|&port| port > 0)
}

/// Whether a link of this name may be a claim.
pub fn may_be_link(name: &[u8]) -> bool {
    name == b"SingletonLock"
        || name.starts_with(b".#")
        || matches!(kind_of(name), Some(ClaimKind::Lock | ClaimKind::Pid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn process(pid: u32, start: Option<&str>) -> Content {
        let start = start.map(str::to_owned);
        Content::Process { pid, start }
    }

    fn address(host: Option<&str>, port: u16) -> Content {
        let host = host.map(str::to_owned);
        Content::Address { host, port }
    }

    #[test]
    fn pid_files_of_all_kinds_are_read() {
        assert_eq!(parse(b"  4711\n"), Content::Number(4711));
        assert_eq!(parse(b"4711:123456\n"), process(4711, Some("123456")));
        assert_eq!(parse(b"4711:"), process(4711, None));
        assert_eq!(parse(b"4711\n/var/lib/pg\n5432\n"), Content::Number(4711));
        assert_eq!(
            parse(br#"{"pid": 7, "startTime": 99}"#),
            process(7, Some("99"))
        );
        assert_eq!(parse(br#"{"pid": "7"}"#), process(7, None));
    }

    #[test]
    fn port_files_of_all_kinds_are_read() {
        assert_eq!(
            parse(b"127.0.0.1:19642\n"),
            address(Some("127.0.0.1"), 19642)
        );
        assert_eq!(parse(b":8080"), address(None, 8080));
        assert_eq!(parse(b"http://[::1]:80/x"), address(Some("::1"), 80));
        assert_eq!(
            parse(b"https://u:p@localhost/"),
            address(Some("localhost"), 443)
        );
        assert_eq!(parse(br#"{"port": 1}"#), address(None, 1));
        assert_eq!(parse(b"8080").address(), Some((None, 8080)));
    }

    #[test]
    fn what_says_nothing_is_not_guessed() {
        assert_eq!(parse(b" \n\0"), Content::Empty);
        for other in [
            &b"hello"[..],
            b"{\"pid\": 0}",
            b"{",
            b"-1",
            b"::1",
            b"a b:1",
            b"x:99999",
        ] {
            assert_eq!(parse(other), Content::Other, "{}", other.escape_ascii());
        }
        assert_eq!(parse(b"0").process(), None);
        assert_eq!(parse(b"99999999").process(), None);
    }

    #[test]
    fn names_of_claims_are_known_and_others_are_not() {
        assert_eq!(kind_of(b"serve.pid"), Some(ClaimKind::Pid));
        assert_eq!(kind_of(b"LOCK"), Some(ClaimKind::Lock));
        for sentinel in [&b"stopping.lock"[..], b"serve.stopping.lock", b"serve.stop"] {
            assert_eq!(kind_of(sentinel), Some(ClaimKind::Sentinel));
        }
        assert_eq!(kind_of(b"nonstop.lock"), Some(ClaimKind::Lock));
        assert_eq!(kind_of(b"pgserve.port"), Some(ClaimKind::Port));
        for none in [&b"report"[..], b"airport", b"pid.c", b"rapid", b"lock.go"] {
            assert_eq!(kind_of(none), None);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let _ = kind_of(&bytes);
        }
    }
}
