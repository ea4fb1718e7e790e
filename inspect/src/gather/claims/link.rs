//! Claims that are dangling symbolic links. Creating one is atomic on every file system, and its text names the machine
//! and the process (as Firefox, Chromium and Emacs do).

use super::judge::Judge;
use crate::formats::claims::claim;
use crate::model::{Claim, ClaimKind, Name, Verdict};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// Setting the clock moves the boot time that the kernel computes.
const BOOT_SLACK: u64 = 60;
/// The highest PID (PID_MAX_LIMIT of include/linux/threads.h).
const MAX_PID: u32 = 1 << 22;

/// What the text of a link claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The machine, by name or address.
    pub host: Option<Name>,
    /// The process.
    pub pid: u32,
    /// When the machine was started, in seconds since 1970.
    pub boot: Option<u64>,
}

/// Parses `HOST:+PID` and `HOST:PID` (Firefox), `HOST-PID` (Chromium), `USER@HOST.PID:BOOT` (Emacs), `HOST+PID` or
/// `PID`.
pub fn parse(text: &[u8]) -> Option<Target> {
    let text = std::str::from_utf8(text).ok()?;
    let (place, boot, between) = match text.rsplit_once('@') {
        Some((_, rest)) => match rest.split_once(':') {
            Some((place, boot)) => (place, Some(boot.parse().ok()?), &["."][..]),
            None => (rest, None, &["."][..]),
        },
        None => (text, None, &[":+", "+", ":", "-"][..]),
    };
    let host = place.trim_end_matches(|c: char| c.is_ascii_digit());
    let pid = place.get(host.len()..)?.parse::<u32>().ok()?;
    let host = match host {
        "" => None,
        _ => Some(between.iter().find_map(|end| host.strip_suffix(end))?),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let named = host.is_none_or(|host| !host.is_empty() && host.chars().all(fits));
    let host = host.map(Name::from);
    (named && (1..=MAX_PID).contains(&pid)).then_some(Target { host, pid, boot })
}

impl Judge<'_> {
    /// Judges a dangling link by its text.
    pub fn link(&self, path: Name, text: &[u8], made: Option<SystemTime>) -> Claim {
        let mut claim = claim(path, Verdict::Absent, String::new());
        let age = made.map(|made| SystemTime::now().duration_since(made).unwrap_or_default());
        claim.age_seconds = age.as_ref().map(Duration::as_secs);
        match parse(text) {
            Some(target) => {
                claim.kind = ClaimKind::Lock;
                self.target(&mut claim, &target);
            }
            None => {
                let text = Name::from(text);
                claim.why =
                    format!("It is a link to {text}, which does not exist, and so no claim.");
            }
        }
        claim.severity = claim.verdict.severity();
        claim
    }

    fn target(&self, claim: &mut Claim, target: &Target) {
        if let Some(host) = target.host.as_ref().filter(|host| !is_here(host)) {
            claim.pid = None;
            claim.verdict = Verdict::Unknown;
            claim.why = format!(
                "It names process {} of {host}, which is not this machine.",
                target.pid
            );
            return;
        }
        let booted = procfs::boot_time_secs().ok();
        if let (Some(then), Some(now)) = (target.boot, booted)
            && then.saturating_add(BOOT_SLACK) < now
        {
            claim.pid = Some(target.pid);
            let why = "It was made before this machine was started.".into();
            return self.stale(claim, why);
        }
        let path = claim.path.clone();
        self.process(claim, path.as_bytes(), target.pid, None);
    }
}

/// Whether a name or address is that of this machine. Names are not resolved, because that would ask a server.
fn is_here(host: &Name) -> bool {
    let Ok(host) = std::str::from_utf8(host.as_bytes()) else {
        return false;
    };
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.is_loopback() || is_own(address);
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let first = |name: &str| name.trim().split('.').next().map(str::to_ascii_lowercase);
    host == "localhost" || first(host) == first(&name)
}

/// Whether an address belongs to this network namespace: `|-- ADDRESS` before `/32 host LOCAL` in /proc/net/fib_trie,
/// and the first field of /proc/net/if_inet6.
fn is_own(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let text = std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
            let leaf = format!("|-- {address}");
            let mut lines = text.lines().map(str::trim);
            // The details of a leaf are in the lines after it.
            lines.any(|line| line == leaf) && lines.next().is_some_and(|l| l == "/32 host LOCAL")
        }
        IpAddr::V6(address) => {
            let text = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
            let digits = format!("{:032x}", u128::from(address));
            text.lines().any(|line| line.starts_with(&digits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target<'a>(host: impl Into<Option<&'a str>>, pid: u32, boot: Option<u64>) -> Target {
        let host = host.into().map(Name::from);
        Target { host, pid, boot }
    }

    #[test]
    fn the_links_of_known_programs_are_parsed() {
        for (text, wanted) in [
            ("127.0.1.1:+4711", target("127.0.1.1", 4711, None)),
            ("127.0.1.1:4711", target("127.0.1.1", 4711, None)),
            ("web-1-4711", target("web-1", 4711, None)),
            (
                "ann@web.example.4711:1700000000",
                target("web.example", 4711, Some(1_700_000_000)),
            ),
            ("ann@b@web.4711", target("web", 4711, None)),
            ("web+4711", target("web", 4711, None)),
            ("4711", target(None, 4711, None)),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(wanted), "{text}");
        }
    }

    #[test]
    fn other_links_claim_nothing() {
        for text in [
            "",
            "../lib/a-1",
            "serve",
            "-1",
            "web-0",
            "web-99999999",
            "web4711",
            "a b-1",
            "a@b:1",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_name_and_the_loopback() {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let here = |host: &str| is_here(&host.into());
        assert!(here(name.trim()) && here("localhost") && here("127.0.1.1"));
        assert!(!here("another.example") && !here("192.0.2.1") && !here("2001:db8::1"));
    }
}
