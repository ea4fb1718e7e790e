//! `claim-stale`: a PID, port, socket or stop file in a state directory of the process is no longer valid.
//!
//! Meaning: A program that trusts the file mistakes a dead server for a live one, or stops the wrong process (incident
//! 3). fdscan looks into the directories that the process writes to, the one named after the program (`~/.genie`, or
//! the value of GENIE_HOME) and its working directory, but not into shared ones such as /run and /tmp. At most 8 files
//! are reported.
//!
//! Evidence: `path`. `kind`: "pid", "port", "lock", "socket", "sentinel" (a stop file) or "unknown". `verdict`: "stale"
//! (its owner is gone), "reused" (another process has the PID now), "expired" (a stop file older than 30 s) or
//! "corrupt" (it names nothing, or has been empty for more than 30 s). `pid`, `start` and `address` are what the file
//! names. `holders` are the processes it belongs to now. `age_seconds` is the time since it was written. One look
//! decides. fdscan does not connect to, lock or delete anything.
//!
//! Severity: warning in a directory that the process writes to, and in the one named after the program. Info in the
//! working directory, which other programs may use too, and for a corrupt file.
//!
//! Remedy: `rm -- PATH` if the named process does not exist, or nobody listens on the socket, and the file is not on
//! another machine. None in the working directory: there `fdscan claims DIR` judges each file, and whoever owns it
//! decides. Else none.
//!
//! Not to be confused with: a lock file that nobody has locked (Cargo.lock, or that of a package manager), whose
//! existence means nothing. A lock of git, such as index.lock, which holds by its existence. A new empty file, which
//! somebody is about to write. A PID of another PID namespace, which cannot be judged from here.

use super::{Facts, Finding, Severity, quote};
use crate::model::{Claim, Place, Verdict};
use crate::words::{list_words, number};
use serde_json::{Value, json};

/// How many claims one message names. The evidence has all of them.
const NAMED: usize = 3;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let claims = facts.process.surroundings.claims.iter();
    let bad: Vec<_> = claims.filter(|claim| claim.severity.is_some()).collect();
    // The leftovers in one place are one problem, however many files they are.
    let of = |wanted| {
        let claims = bad.iter().copied();
        let claims: Vec<_> = claims.filter(|claim| severity(claim) == wanted).collect();
        let first = claims.first()?;
        Some(finding(facts, first, &claims, wanted))
    };
    let found = [Severity::Warning, Severity::Info].into_iter();
    found.filter_map(of).collect()
}

/// A claim in the working directory may belong to another program. A corrupt file may only look like a claim.
fn severity(claim: &Claim) -> Severity {
    match claim.place != Place::Working && claim.verdict != Verdict::Corrupt {
        true => Severity::Warning,
        false => Severity::Info,
    }
}

/// The finding for `claims`, `first` of them before the others.
fn finding(facts: &Facts<'_>, first: &Claim, claims: &[&Claim], severity: Severity) -> Finding {
    let mut evidence = evidence(first);
    evidence["claims"] = claims.iter().map(|claim| self::evidence(claim)).collect();
    let mut message = match claims {
        [one] => format!(
            "{}, {}, is {}. {} A program that trusts it mistakes a dead server for a live one, or stops the wrong process.",
            one.path,
            place(one),
            one.verdict.name(),
            one.why,
        ),
        all => {
            format!(
                "{} claims are no longer valid: {}. A program that trusts them mistakes a dead server for a live one, or stops the wrong process.",
                number(all.len() as u64),
                named(all),
            )
        }
    };
    let (working, own): (Vec<&Claim>, Vec<_>) = claims
        .iter()
        .partition(|claim| claim.place == Place::Working);
    // All of them lie in one directory.
    if let Some(directory) = working.first().and_then(|claim| claim.path.parent()) {
        message += &format!(
            " What is in the working directory may belong to another program: {} judges each file.",
            facts
                .remedies
                .mention(&format!("claims {}", quote(&directory.into()))),
        );
    }
    // Each remedy is an rm(1) command.
    let remedies = own.iter().filter_map(|claim| claim.remedy.as_deref());
    let removed: Vec<_> = remedies
        .filter_map(|remedy| remedy.strip_prefix("rm -- "))
        .collect();
    Finding {
        code: "claim-stale",
        severity,
        message,
        evidence,
        remedy: (!removed.is_empty()).then(|| format!("rm -- {}", removed.join(" "))),
        remedy_live: None,
        change: None,
    }
}

fn place(claim: &Claim) -> &'static str {
    match claim.place {
        Place::Written => "where it writes",
        Place::Named => "in the directory named after the program",
        Place::Working => "in its working directory",
    }
}

/// `/srv/a.pid, where it writes, is stale and ...`
fn named(claims: &[&Claim]) -> String {
    let named = claims.iter().take(NAMED);
    let named = named.map(|claim| {
        let (path, verdict) = (&claim.path, claim.verdict.name());
        format!("{path} ({}) is {verdict}", place(claim))
    });
    let mut named: Vec<_> = named.collect();
    if let Some(more @ 1..) = claims.len().checked_sub(NAMED) {
        named.push(format!("{} more are of this kind", number(more as u64)));
    }
    let named: Vec<_> = named.iter().map(String::as_str).collect();
    list_words(&named, "and")
}

fn evidence(claim: &Claim) -> Value {
    json!({
        "path": claim.path,
        "kind": claim.kind,
        "verdict": claim.verdict,
        "pid": claim.pid,
        "start": claim.start,
        "address": claim.address,
        "holders": claim.holders,
        "age_seconds": claim.age_seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::{Fixture, claim};

    fn with(verdict: Verdict, place: Place) -> Fixture {
        let mut fixture = Fixture::new();
        fixture.process.surroundings.claims.push(Claim {
            remedy: Some("rm -- /srv/a.pid".into()),
            place,
            ..claim("/srv/a.pid", verdict)
        });
        fixture
    }

    #[test]
    fn a_stale_claim_beside_its_state_is_a_warning_and_elsewhere_info() {
        let finding = with(Verdict::Stale, Place::Written).only(look);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.remedy.as_deref(), Some("rm -- /srv/a.pid"));
        let working = with(Verdict::Stale, Place::Working).only(look);
        assert_eq!(working.severity, Severity::Info);
        // It may be another program's.
        assert_eq!(working.remedy, None);
        let way = "`fdscan claims /srv` judges each file.";
        assert!(working.message.contains(way), "{}", working.message);
        assert_eq!(
            with(Verdict::Corrupt, Place::Written).only(look).severity,
            Severity::Info
        );
    }

    #[test]
    fn many_leftover_files_are_one_finding_with_one_command() {
        let mut fixture = Fixture::new();
        for at in 0..5 {
            let path = format!("/srv/{at}.pid");
            fixture.process.surroundings.claims.push(Claim {
                remedy: (at != 1).then(|| format!("rm -- {path}")),
                ..claim(&path, Verdict::Stale)
            });
        }
        let finding = fixture.only(look);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(
            finding.message.starts_with(
                "5 claims are no longer valid: /srv/0.pid (where it writes) is stale, "
            ) && finding.message.contains(" and 2 more are of this kind. "),
            "{}",
            finding.message
        );
        assert_eq!(finding.evidence["path"], "/srv/0.pid");
        assert_eq!(finding.evidence["claims"][4]["path"], "/srv/4.pid");
        assert_eq!(
            finding.remedy.as_deref(),
            Some("rm -- /srv/0.pid /srv/2.pid /srv/3.pid /srv/4.pid")
        );
        // What may be another program's is less than that, and a finding of its own.
        fixture.process.surroundings.claims.push(Claim {
            place: Place::Working,
            ..claim("/srv/other.pid", Verdict::Stale)
        });
        let found = fixture.look(look);
        let severities: Vec<_> = found.iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, [Severity::Warning, Severity::Info]);
        let other = "/srv/other.pid, in its working directory, is stale. ";
        assert!(found[1].message.starts_with(other), "{}", found[1].message);
    }

    #[test]
    fn valid_claims_are_not_a_finding() {
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
