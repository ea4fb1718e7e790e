//! `preload-ineffective`: LD_PRELOAD names libwatchfix.so, and the library is not loaded, or sees no call.
//!
//! Meaning: The process was meant to be protected, but is not. Its watches wake it as before.
//!
//! Evidence: `requested` lists the entries of LD_PRELOAD; `mapped` is true for "go" alone; `linkage` is "static", "dynamic" or null.
//! `reason`: "static" (no loader reads LD_PRELOAD), "secure" (the program gains privileges, so the loader ignores
//! it), "missing" (there is no such file), "not-elf" (the file is not a shared library), "other-class" (one has 32 bits
//! and the other 64), "go" (a Go program makes its system calls itself; reported if it has an inotify instance), or "unknown"
//! (LD_DEBUG=libs shows more). One look decides.
//!
//! Severity: warning.
//!
//! Remedy: for "missing" and "not-elf", a start with the library that is installed here. For "secure" none: under
//! `watchfix run` it would not gain its privileges. Else `watchfix run`. For now, `watchfix heal PID` if it has an
//! inotify instance.
//!
//! Not to be confused with: a process under `watchfix run`, whose supervisor reaches it without the library. A library
//! that is loaded but switched off (WATCHFIX_OFF). A child whose environment was cleared: without LD_PRELOAD the
//! library was not requested. A process whose memory map this user may not read, which is not judged.

use super::{Facts, Finding, Severity};
use crate::model::{Heal, Library, Linkage, Name, Process, Restart, WatchChange};
use serde_json::json;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let requested = process.preload.requested.iter().flatten();
    let Some(library) = requested
        .into_iter()
        .find(|entry| entry.base() == b"libwatchfix.so")
    else {
        return Vec::new();
    };
    let mapped = match process.preload.mapped {
        // Under `watchfix run` the supervisor reaches programs that the library does not.
        _ if process.supervised => return Vec::new(),
        Some(false) => false,
        Some(true) if process.preload.bypassed && !process.inotify.is_empty() => true,
        _ => return Vec::new(),
    };
    let (reason, why) = match mapped {
        true => (
            "go",
            "a Go program makes its system calls itself, past every library".into(),
        ),
        false => not_loaded(process, library),
    };
    let start = match reason {
        // For such a program the loader ignores LD_PRELOAD, and under `watchfix run` it would not gain its privileges.
        "secure" => None,
        "missing" | "not-elf" => Some(Restart::default()),
        _ => Some(Restart {
            by_run: true,
            ..Restart::default()
        }),
    };
    vec![Finding {
        code: "preload-ineffective",
        severity: Severity::Warning,
        message: match mapped {
            true => {
                format!("LD_PRELOAD names {library}, which is loaded and has no effect: {why}.")
            }
            false => format!("LD_PRELOAD names {library}, but it is not loaded: {why}."),
        },
        evidence: json!({
            "requested": process.preload.requested,
            "mapped": mapped,
            "linkage": process.linkage,
            "reason": reason,
        }),
        remedy: None,
        remedy_live: None,
        change: Some(WatchChange {
            start,
            heal: (!process.inotify.is_empty()).then(Heal::default),
        }),
    }]
}

/// The reason by name and as a clause.
fn not_loaded(process: &Process, library: &Name) -> (&'static str, String) {
    if process.linkage == Some(Linkage::Static) {
        let why = "the program is statically linked, so no loader reads LD_PRELOAD";
        return ("static", why.into());
    }
    if process.gains_privileges == Some(true) {
        let why = "the program gains privileges (set-user-ID, set-group-ID or file capabilities), so the loader ignores LD_PRELOAD";
        return ("secure", why.into());
    }
    match (process.preload.library, process.word_bits) {
        (Some(Library::Missing), _) => ("missing", format!("there is no file {library}")),
        (Some(Library::NotElf), _) => ("not-elf", format!("{library} is not a shared library")),
        (Some(Library::Elf(its)), Some(program)) if its != program => (
            "other-class",
            format!("the program has {program} bits, but the library has {its}"),
        ),
        _ => (
            "unknown",
            "the loader refused it, or the program unloaded it; LD_DEBUG=libs shows which".into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;

    fn asked_for() -> Fixture {
        let mut fixture = Fixture::new();
        fixture.process.preload.requested = Some(vec!["/opt/libwatchfix.so".into()]);
        fixture.process.preload.mapped = Some(false);
        fixture
    }

    #[test]
    fn for_a_static_program_the_remedy_is_watchfix_run() {
        let mut fixture = asked_for();
        fixture.process.linkage = Some(Linkage::Static);
        let finding = fixture.only(look);
        assert_eq!(finding.evidence["reason"], "static");
        assert!(finding.remedy.unwrap().starts_with("watchfix run -- "));
    }

    #[test]
    fn a_missing_library_and_one_of_another_class_are_distinguished() {
        let mut fixture = asked_for();
        fixture.process.preload.library = Some(Library::Missing);
        assert_eq!(fixture.only(look).evidence["reason"], "missing");
        fixture.process.preload.library = Some(Library::Elf(64));
        fixture.process.word_bits = Some(32);
        assert_eq!(fixture.only(look).evidence["reason"], "other-class");
    }

    #[test]
    fn a_program_that_gains_privileges_has_no_remedy() {
        let mut fixture = asked_for();
        fixture.process.gains_privileges = Some(true);
        assert_eq!(fixture.only(look).remedy, None);
    }

    #[test]
    fn a_go_program_that_watches_something_is_reported_though_the_library_is_loaded() {
        let mut fixture = asked_for();
        fixture.process.linkage = Some(Linkage::Dynamic);
        fixture.process.preload.mapped = Some(true);
        fixture.process.preload.bypassed = true;
        assert!(fixture.look(look).is_empty());
        let mut fixture = fixture.with_watch(1, 100, 0x3ee, Some("/d"));
        let finding = fixture.only(look);
        assert_eq!(finding.evidence["reason"], "go");
        assert_eq!(finding.evidence["mapped"], true);
        assert!(finding.remedy.unwrap().starts_with("watchfix run -- "));
        fixture.process.supervised = true;
        assert!(fixture.look(look).is_empty());
    }

    #[test]
    fn a_process_under_watchfix_run_is_not_reported() {
        let mut fixture = asked_for();
        fixture.process.linkage = Some(Linkage::Static);
        fixture.process.supervised = true;
        assert!(fixture.look(look).is_empty());
    }

    #[test]
    fn a_library_that_is_loaded_or_may_be_is_not_reported() {
        let mut fixture = asked_for();
        fixture.process.preload.mapped = Some(true);
        assert!(fixture.look(look).is_empty());
        fixture.process.preload.mapped = None;
        assert!(fixture.look(look).is_empty());
    }
}
