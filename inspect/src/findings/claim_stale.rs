//! `claim-stale`: a PID, port or stop file where the process works holds no longer (incident 3).

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
