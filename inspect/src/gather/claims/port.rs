//! A port that the user asked about by its number.

use super::owners;
use crate::formats::claims::claim;
use crate::gather::servers::listeners::on_port;
use crate::gather::subject::gaps::errno_text;
use crate::model::{Claim, ClaimKind, Name, Verdict};

/// Judges a port that the user asked about by its number, for TCP or UDP, by its listeners.
pub fn bare_port(name: Name, port: u16) -> Claim {
    let mut claim = claim(name, Verdict::Unknown, String::new());
    claim.kind = ClaimKind::Port;
    claim.address = Some(port.to_string().as_str().into());
    (claim.verdict, claim.why) = match on_port(port) {
        Err(e) => (
            Verdict::Unknown,
            format!("/proc cannot be listed: {}.", errno_text(&e)),
        ),
        // Nobody has claimed it: it is free.
        Ok(found) if found.sockets.is_empty() => (
            Verdict::Free,
            format!("Nobody listens on port {port}, for TCP or UDP."),
        ),
        Ok(found) => {
            let pids = found.pids.iter().take(owners::NAMED);
            claim.holders = pids.map(|&pid| owners::holder(pid, None)).collect();
            let why = format!(
                "Port {port} is listened on {}{}.",
                found.place(),
                found.unseen()
            );
            (Verdict::Live, why)
        }
    };
    claim.severity = claim.verdict.severity();
    claim
}

/// `8080` or `:8080`.
pub fn port_of(path: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(path).ok()?;
    let digits = text.strip_prefix(':').unwrap_or(text);
    let port = digits.parse().ok().filter(|&port| port > 0);
    port.filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))
}
