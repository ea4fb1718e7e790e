//! `claim-stale`: a PID, port, socket or stop file where the process keeps its state does not hold any more.
//!
//! Meaning: A program that believes the file takes a dead server for a live one, or stops the wrong process (incident
//! 3). fdscan looks into the directories the process writes to, the one named after the program (`~/.genie`, or what
//! GENIE_HOME names) and its working directory; not into shared ones such as /run and /tmp. At most 8 files are
//! reported.
//!
//! Evidence: `path`. `kind`: "pid", "port", "lock", "socket", "sentinel" (a stop file) or "unknown". `verdict`: "stale"
//! (nobody is behind it), "reused" (another process has the PID now), "expired" (a stop file older than 30 s) or
//! "corrupt" (it names nothing, or has been empty for more than 30 s). `pid`, `start` and `address` are what the file
//! names. `holders` are the processes it belongs to now. `age_seconds` is the time since it was written. One look
//! decides; nothing is connected to, locked or deleted.
//!
//! Severity: warning where the process writes and in the directory named after the program. Info in the working
//! directory, where other programs may work too, and for a corrupt file.
//!
//! Remedy: `rm -- PATH` where the process it names does not exist, or nobody listens on the socket, and the file does
//! not lie on another machine. Else none.
//!
//! Not to be confused with: a lock file that nobody has locked (Cargo.lock, or that of a package manager): its being
//! there means nothing. A lock of git's, such as index.lock, which counts by being there. An empty file that is new:
//! somebody is about to write it. A PID of another PID namespace, which cannot be judged from here.

use super::{Facts, Finding, Severity};
use crate::model::{Claim, Place, Verdict};
use serde_json::json;

/// Claims reported: more of them are one problem.
const MOST: usize = 8;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let claims = facts.process.around.claims.iter();
    claims
        .filter(|claim| claim.severity.is_some())
        .take(MOST)
        .map(finding)
        .collect()
}

fn finding(claim: &Claim) -> Finding {
    // A claim in a mere working directory may be another program's, and a file that only looks like a
    // claim is corrupt.
    let severity = if claim.place != Place::Working && claim.verdict != Verdict::Corrupt {
        Severity::Warning
    } else {
        Severity::Info
    };
    let place = match claim.place {
        Place::Written => "where it writes",
        Place::Named => "in the directory named after the program",
        Place::Working => "in its working directory",
    };
    Finding {
        code: "claim-stale",
        severity,
        message: format!(
            "{}, {place}, is {}. {} Who believes it takes a dead server for a live one, or stops the wrong process.",
            claim.path,
            claim.verdict.name(),
            claim.why,
        ),
        evidence: json!({
            "path": claim.path,
            "kind": claim.kind,
            "verdict": claim.verdict,
            "pid": claim.pid,
            "start": claim.start,
            "address": claim.address,
            "holders": claim.holders,
            "age_seconds": claim.age_seconds,
        }),
        remedy: claim.remedy.clone(),
        remedy_live: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::{Fixture, claim};

    fn with(verdict: Verdict, place: Place) -> Fixture {
        let mut fixture = Fixture::new();
        fixture.process.around.claims.push(Claim {
            remedy: Some("rm -- /srv/a.pid".into()),
            place,
            ..claim("/srv/a.pid", verdict)
        });
        fixture
    }

    #[test]
    fn a_stale_claim_beside_its_state_is_a_warning_and_elsewhere_a_remark() {
        let finding = with(Verdict::Stale, Place::Written).only(look);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.remedy.as_deref(), Some("rm -- /srv/a.pid"));
        assert_eq!(
            with(Verdict::Stale, Place::Working).only(look).severity,
            Severity::Info
        );
        assert_eq!(
            with(Verdict::Corrupt, Place::Written).only(look).severity,
            Severity::Info
        );
    }

    #[test]
    fn claims_that_hold_are_no_finding() {
        for verdict in [
            Verdict::Live,
            Verdict::Held,
            Verdict::Free,
            Verdict::InProgress,
        ] {
            assert!(
                with(verdict, Place::Named).look(look).is_empty(),
                "{verdict:?}"
            );
        }
    }
}
