//! `watch-wakes-on-filler`: events that watchfix removes still wake the process.
//!
//! Meaning: The library, or `watchfix run`, removes events by name when the process reads them, so each still ends a read. If
//! nothing else is left, the read returns one record with watch descriptor -1, which watchers skip. But a program that
//! acts on every read, whatever it contains, writes again each time and so loops (such as pyinotify).
//!
//! Evidence: `files` are up to 8 files whose events are removed and came again and again, each with `path`, `count` and
//! `held` (the process has it open for writing). `seconds` is for how long fdscan listened: up to 200
//! ms, or as long as `--for` and `fdscan check -- CMD` look.
//!
//! Severity: info. From outside, a program that skips these records looks like one that acts on them.
//!
//! Remedy: masks that ask for less, so that nothing has to be removed. `watchfix run --settle DIRECTORY` reports a file
//! there when it is closed. For files that are not held open, `--drop DIRECTORY` reports nothing there; it is better to
//! write them elsewhere. For now, `watchfix heal` with the same rule.
//!
//! Not to be confused with: `self-watch` and `sqlite-self-watch`, for files that are not hidden. As root,
//! `fdscan events PID` shows who causes the events.

use super::{Facts, Finding, Severity};
use crate::findings::rules_in_force;
#[cfg(target_os = "linux")]
use crate::model::Attrib;
use crate::model::{Heal, Name, Process, Restart, WatchChange, WokenFile};
use crate::words::{list_words, number};
use rules::event;
use serde_json::json;

/// The events that mean a change of content or name.
const CHANGES: u32 =
    event::ALL_EVENTS & !(event::OPEN | event::ACCESS | event::CLOSE_NOWRITE | event::ATTRIB);
/// At least once in each of two rounds.
const AGAIN: u64 = 2;
/// How many files are named.
const MOST: usize = 8;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let Some(woken) = process.woken.as_ref() else {
        return Vec::new();
    };
    let again = |file: &&WokenFile| file.by.most_of(CHANGES) >= AGAIN;
    let ignored = |file: &&WokenFile| rules_in_force::ignores(process, file.path.base());
    let files: Vec<_> = woken.files.iter().filter(again).filter(ignored).collect();
    let Some(files) = files.get(..MOST.min(files.len())).filter(|f| !f.is_empty()) else {
        return Vec::new();
    };
    let by_file = files.iter().map(|file| {
        let closed = file.by.of(event::CLOSE_WRITE) > 0;
        (&file.path, closed)
    });
    let Some(ends) = of_files(process, by_file) else {
        return Vec::new();
    };
    let held = files.iter().filter(|file| is_held(process, &file.path));
    let whose = match (held.count(), files.len()) {
        (0, _) => String::new(),
        (1, 1) => " It has that file open for writing itself.".into(),
        (held, _) => format!(" It has {} of these open for writing itself.", held),
    };
    let names = files.iter().map(|file| Name::from(file.path.base()));
    let names: Vec<_> = names.map(|name| name.to_string()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let count = files.iter().map(|file| file.by.sum()).sum::<u64>();
    vec![Finding {
        code: "watch-wakes-on-filler",
        severity: Severity::Info,
        message: format!(
            "{} removed {} events of {} within {:.1} s, as the rules of this process say.{whose} {SKIPPED} {}",
            rules_in_force::judged_by(process).unwrap_or("watchfix"),
            number(count),
            list_words(&names, "and"),
            woken.listened.as_secs_f64(),
            ends.what,
        ),
        evidence: json!({
            "seconds": woken.listened.as_secs_f64(),
            "files": files.iter().map(|file| json!({
                "path": file.path,
                "count": file.by.sum(),
                "held": is_held(process, &file.path),
            })).collect::<Vec<_>>(),
        }),
        remedy: None,
        remedy_live: None,
        change: Some(ends.change),
    }]
}

/// What becomes of a read if nothing of it is left.
pub const SKIPPED: &str = "In place of each removed read it gets a record with wd -1, which watchers skip. If it loops \
    nevertheless, it acts on every read(), and only masks that ask for less end that.";

/// What ends the reads.
pub struct Ends {
    /// It in sentences.
    pub what: String,
    pub change: WatchChange,
}

/// What ends reads of attribute changes. Only `fdscan events` asks for it.
#[cfg(target_os = "linux")]
pub fn of_attributes() -> Ends {
    Ends {
        what: "Masks without attrib report no chmod, but no touch either.".into(),
        change: WatchChange {
            start: Some(Restart {
                attrib: Attrib::Out,
                // It also reaches watches that are placed without the library.
                by_run: true,
                ..Restart::default()
            }),
            heal: Some(Heal {
                attrib: true,
                ..Heal::default()
            }),
        },
    }
}

/// What ends reads of files that are written to, each with whether it is closed again and again. `None` if no directory
/// is known.
pub fn of_files<'a>(
    process: &Process,
    files: impl Iterator<Item = (&'a Name, bool)>,
) -> Option<Ends> {
    let mut start = Restart {
        by_run: true,
        ..Restart::default()
    };
    let mut heal = Heal::default();
    let mut what: Vec<String> = Vec::new();
    let files = files.filter_map(|(path, closed)| {
        let settles = is_held(process, path) && !closed;
        Some((Name::from(path.parent()?), path, settles))
    });
    let mut files: Vec<_> = files.collect();
    // There is nothing else to say about a muted directory.
    files.sort_by_key(|(_, _, settles)| *settles);
    for (dir, path, settles) in files {
        if start.drop.contains(&dir) || start.settle.contains(&dir) {
            continue;
        }
        let base = Name::from(path.base());
        if settles {
            what.push(format!(
                "With settle, {dir} reports {base} only when it is closed, and it is held open."
            ));
            // heal settles the databases of a process unasked.
            if !is_of_database(process, path) {
                heal.settle.push(dir.clone());
            }
            start.settle.push(dir);
        } else {
            what.push(format!(
                "Muted, {dir} reports nothing at all, not even edits: it is better to write {base} elsewhere."
            ));
            heal.drop.push(dir.clone());
            start.drop.push(dir);
        }
    }
    let change = WatchChange {
        start: Some(start),
        heal: Some(heal),
    };
    (!what.is_empty()).then(|| Ends {
        what: what.join(" "),
        change,
    })
}

fn is_held(process: &Process, path: &Name) -> bool {
    let mut descriptors = process.descriptors.iter();
    descriptors.any(|d| d.writable == Some(true) && !d.deleted && d.target == *path)
}

fn is_of_database(process: &Process, path: &Name) -> bool {
    let mut parts = process.database_parts();
    parts.any(|part| part.path == *path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;
    use crate::model::{Bits, CoveredBy, Linkage, Woken};
    use std::time::Duration;

    fn woken(files: &[(&str, u32, usize)]) -> Woken {
        let files = files.iter().map(|&(path, mask, times)| {
            let mut by = Bits::default();
            for _ in 0..times {
                by.add(mask);
            }
            WokenFile {
                path: path.into(),
                by,
            }
        });
        Woken {
            listened: Duration::from_millis(200),
            inodes: 1,
            watched: 1,
            events: 1,
            by: Bits::default(),
            files: files.collect(),
        }
    }

    /// A process with the library in force that has a log open in a watched directory.
    fn filtered() -> Fixture {
        let mut fixture = Fixture::new()
            .with_watch(1, 100, 0x3ca, Some("/d"))
            .with_file(5, "/d/app.log", 200, 100);
        let process = &mut fixture.process;
        process.linkage = Some(Linkage::Dynamic);
        process.preload.mapped = Some(true);
        process.watchfix_rules = vec![("WATCHFIX_IGNORE".into(), "+app.log:new".into())];
        fixture
    }

    #[test]
    fn a_hidden_file_that_is_written_again_and_again_is_reported_with_what_ends_a_loop() {
        let mut fixture = filtered();
        fixture.process.woken = Some(woken(&[("/d/app.log", event::MODIFY, 9)]));
        let finding = fixture.only(look);
        assert!(finding.message.contains("wd -1"), "{}", finding.message);
        assert_eq!(finding.evidence["files"][0]["held"], true);
        assert_eq!(
            finding.remedy.as_deref(),
            Some("WATCHFIX_IGNORE=+app.log:new watchfix run --settle +/d -- tool")
        );
        assert_eq!(
            finding.remedy_live.as_deref(),
            Some("watchfix heal --ignore +app.log:new --settle +/d 42")
        );
    }

    #[test]
    fn what_removes_the_events_is_named() {
        let mut fixture = filtered();
        fixture.process.woken = Some(woken(&[("/d/app.log", event::MODIFY, 9)]));
        let message = fixture.only(look).message;
        assert!(
            message.starts_with("libwatchfix.so removed 9 "),
            "{message}"
        );
        fixture.process.preload.mapped = Some(false);
        fixture.process.inotify[0].covered_by = Some(CoveredBy::Reads);
        let message = fixture.only(look).message;
        assert!(message.starts_with("watchfix run removed 9 "), "{message}");
    }

    #[test]
    fn a_file_that_is_closed_each_time_can_only_be_muted() {
        let mut fixture = filtered();
        let closed = event::CLOSE_WRITE;
        let files = [("/d/new", closed, 4), ("/d/app.log", event::MODIFY, 9)];
        fixture.process.woken = Some(woken(&files));
        let finding = fixture.only(look);
        let start = finding.remedy.unwrap();
        assert!(start.contains("run --drop +/d -- tool"), "{start}");
    }

    #[test]
    fn single_events_and_events_that_no_library_hides_are_not_a_finding() {
        let quiet = |files: &[_], change: &dyn Fn(&mut Process)| {
            let mut fixture = filtered();
            fixture.process.woken = Some(woken(files));
            change(&mut fixture.process);
            assert!(fixture.look(look).is_empty(), "{files:?}");
        };
        let loops = ("/d/app.log", event::MODIFY, 9);
        quiet(&[("/d/app.log", event::MODIFY, 1)], &|_| {});
        quiet(&[("/d/app.log", event::OPEN, 9)], &|_| {});
        quiet(&[("/d/main.rs", event::MODIFY, 9)], &|_| {});
        quiet(&[loops], &|process| process.woken = None);
        quiet(&[loops], &|process| process.preload.mapped = Some(false));
        quiet(&[loops], &|process| {
            process
                .watchfix_rules
                .push(("WATCHFIX_OFF".into(), "1".into()));
        });
    }
}
