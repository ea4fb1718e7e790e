//! `child-loops`: a process that this one started loops, not this one itself.
//!
//! Meaning: A descendant is woken by reads or by its own writes. This is common below npm, a shell or a reloader: you
//! know the PID of the parent, but the child does the work. At most 3 children are named, worst first.
//!
//! Evidence: `pid` and `comm` of the child. `finding` is the code of its worst finding: "sqlite-self-watch",
//! "watch-wakes-on-read" or "self-watch". `heard` is the `heard` of that finding, or null. `fdscan PID` looks at up to
//! 64 descendants and listens for 200 ms to the watches of those that have any, with or without `--for`.
//!
//! Severity: that of the child's finding, critical or warning. A child with only an info finding is not reported.
//!
//! Remedy: `fdscan` with the child's PID shows what wakes it and what helps from its next start on. The command for now
//! is that of the child's finding.
//!
//! Not to be confused with: the same findings about the process itself, which have their own entries. A parent that
//! restarts its child after each change is not reported here.

use super::{
    Facts, Finding, Look, Remedies, Severity, of, self_watch, sqlite_self_watch,
    watch_wakes_on_read,
};
use crate::model::{InotifyLimits, Name, Process};
use serde_json::json;

/// Findings that mean a process wakes itself, or is being woken.
const LOOPS: &[Look] = &[
    sqlite_self_watch::look,
    watch_wakes_on_read::look,
    self_watch::look,
];
/// How many children are named.
const MOST: usize = 3;

/// The finding for the parent of these descendants.
pub fn look(children: &[Process], limits: &InotifyLimits, remedies: &Remedies) -> Vec<Finding> {
    let looping = children.iter().filter_map(|process| {
        let facts = Facts {
            process,
            limits,
            remedies,
        };
        let worst = of(&facts, LOOPS).into_iter().next()?;
        (worst.severity >= Severity::Warning).then(|| finding(process, worst, remedies))
    });
    let mut found: Vec<_> = looping.collect();
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found.truncate(MOST);
    found
}

fn finding(child: &Process, theirs: Finding, remedies: &Remedies) -> Finding {
    let pid = child.pid;
    let name = child
        .comm
        .as_ref()
        .map_or_else(|| "?".into(), Name::to_string);
    let heard = child.woken.as_ref().is_some_and(|woken| woken.events > 0);
    let does = match heard {
        true => "is woken again and again",
        // A watch on its own files wakes it at each write, but nothing was listened to.
        false => "watches what it writes itself",
    };
    Finding {
        code: "child-loops",
        severity: theirs.severity,
        message: format!(
            "{name} (PID {pid}), which it started, {does} ({}). fdscan with that PID shows by what, and what helps.",
            theirs.code
        ),
        evidence: json!({
            "pid": pid,
            "comm": child.comm,
            "finding": theirs.code,
            "heard": theirs.evidence.get("heard"),
        }),
        remedy: Some(remedies.scan(pid)),
        remedy_live: theirs.remedy_live,
        change: None,
    }
}
