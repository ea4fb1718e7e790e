//! What the exit status means.

use crate::model::{
    CheckScan, Claim, ClaimScan, DatabaseScan, FailureKind, Finding, ReachScan, Row, Scan,
    Severity, Top, User, Verdict,
};

/// The exit statuses of fdscan, by meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; nothing at or above `--fail-on`.
    Done = 0,
    /// Findings at or above `--fail-on`.
    Found = 1,
    /// The command line was not understood, or the report could not be written where it should go.
    Usage = 2,
    /// No such process, or it ended before anything was read.
    NoProcess = 3,
    /// Not permitted: none of its descriptors could be read.
    NotPermitted = 4,
}

impl Exit {
    /// The status of a scan. A finding outweighs a PID that failed: who asked for `--fail-on` wants to
    /// know it. `None` stands for `never`.
    pub fn of(scan: &Scan, fail_on: Option<Severity>) -> Exit {
        let findings = scan.processes.iter().flat_map(|p| &p.findings);
        Exit::from_parts(findings, scan.errors.iter().map(|e| e.kind), fail_on)
    }

    /// The status of `fdscan wal`: a file that is missing or no database counts as a process that is not
    /// there.
    pub fn of_databases(scan: &DatabaseScan, fail_on: Option<Severity>) -> Exit {
        let findings = scan.databases.iter().flat_map(|d| &d.findings);
        Exit::from_parts(findings, scan.errors.iter().map(|e| e.kind), fail_on)
    }

    /// The status of `fdscan claims`: a missing file is an answer, a file nobody may read is none.
    pub fn of_claims(scan: &ClaimScan, fail_on: Option<Severity>) -> Exit {
        let bad = |claim: &Claim| {
            fail_on.is_some_and(|least| claim.severity.is_some_and(|severity| severity >= least))
        };
        let denied = |claim: &Claim| claim.verdict == Verdict::Unknown && claim.denied;
        if scan.claims.iter().any(bad) {
            Exit::Found
        } else if !scan.claims.is_empty() && scan.claims.iter().all(denied) {
            Exit::NotPermitted
        } else {
            Exit::Done
        }
    }

    /// The status of `fdscan reach`: a file that is missing counts as a process that is not there.
    pub fn of_reach(scan: &ReachScan, fail_on: Option<Severity>) -> Exit {
        let worst = scan.files.iter().filter_map(|file| file.severity).max();
        if fail_on.is_some_and(|least| worst.is_some_and(|worst| worst >= least)) {
            return Exit::Found;
        }
        Exit::from_parts([].iter(), scan.errors.iter().map(|e| e.kind), None)
    }

    /// The status of `fdscan top`, of all processes asked for: that none is left to be listed counts as a
    /// process that is not there.
    pub fn of_top(top: &Top, fail_on: Option<Severity>) -> Exit {
        // A limit is its user's, and of those only who has a process here was asked for.
        let asked = |user: &&User| {
            let mut rows = top.processes.iter();
            rows.any(|row| row.uid == Some(user.account.uid))
        };
        let users = top
            .users
            .iter()
            .filter(asked)
            .flat_map(|user| &user.findings);
        let rows = top.processes.iter().filter_map(Row::worst);
        let worst = rows.chain(users.map(|brief| brief.severity)).max();
        if top.processes.is_empty() {
            Exit::NoProcess
        } else if fail_on.is_some_and(|least| worst.is_some_and(|worst| worst >= least)) {
            Exit::Found
        } else {
            Exit::Done
        }
    }

    /// The status of `fdscan check PID...`: a rule that could not be measured is not permitted to pass.
    pub fn of_check(scan: &CheckScan) -> Exit {
        let failed = Exit::from_parts([].iter(), scan.errors.iter().map(|e| e.kind), None);
        match failed {
            _ if !scan.passed => Exit::Found,
            Exit::Done if scan.rules.iter().any(|rule| rule.passed.is_none()) => Exit::NotPermitted,
            other => other,
        }
    }

    fn from_parts<'a>(
        mut findings: impl Iterator<Item = &'a Finding>,
        failures: impl Iterator<Item = FailureKind> + Clone,
        fail_on: Option<Severity>,
    ) -> Exit {
        if fail_on.is_some_and(|least| findings.any(|f| f.severity >= least)) {
            return Exit::Found;
        }
        let failed = |kind| failures.clone().any(|failure| failure == kind);
        if failed(FailureKind::NoProcess) {
            Exit::NoProcess
        } else if failed(FailureKind::NotPermitted) {
            Exit::NotPermitted
        } else {
            Exit::Done
        }
    }
}

impl From<FailureKind> for Exit {
    fn from(kind: FailureKind) -> Exit {
        match kind {
            FailureKind::NoProcess => Exit::NoProcess,
            FailureKind::NotPermitted => Exit::NotPermitted,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        (exit as u8).into()
    }
}

/// Ends the program at a panic, in whatever thread: as `panic = "abort"` does, which the release profile has. The debug
/// profile unwinds, as tests always do, so that programs and tests are built from the same libraries.
pub fn abort_on_panic() {
    #[cfg(panic = "unwind")]
    {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            before(info);
            std::process::abort();
        }));
    }
}
