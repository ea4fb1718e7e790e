//! `watch-wakes-on-read`: reading a watched file wakes the process.
//!
//! Meaning: Watches with the events `open`, `access` or `close_nowrite` report reads, which change nothing. A program
//! that reads its files when it is woken wakes itself again (incident 1). As long as nobody reads, such a mask costs
//! nothing.
//!
//! Evidence: `watches` is how many have one of these events. `masks` lists their event masks, each with its events and
//! the number of watches. `own_output` is a file that the process has open for writing there, or null. `heard` is null
//! if fdscan did not listen, else it has `seconds` (how long), `events` (how many events reads raised), `inodes`
//! (how many were listened to) and `of_inodes` (how many there are). A single look listens for up to 200 ms, `--for`
//! and `fdscan check -- CMD` for as long as they look.
//!
//! Severity: warning if a read woke it, or if it has its own log or database there. Else info, and also if libwatchfix
//! or `watchfix run` removes these events.
//!
//! Remedy: from the next start on, libwatchfix, or `watchfix run` for a program it cannot be loaded into. For now,
//! `watchfix heal PID`. None if these events are removed.
//!
//! Not to be confused with: `self-watch` and `sqlite-self-watch`, which are about writes. Events that report a change:
//! `fdscan events PID` shows which occur and who causes them.

use super::{Facts, Finding, Severity, self_watch, sqlite_self_watch, watched_files};
use crate::findings::rules_in_force;
use crate::model::{Heal, MaskCount, Name, Process, Restart, WatchChange, Woken};
use crate::words::{agree, list_words, number, plural};
use rules::event;
use rules::watch::hears_nothing;
use serde_json::{Value, json};
use std::time::Duration;
use watched_files::Watches;

/// The events that do not mean a change.
const BITS: u32 = event::OPEN | event::ACCESS | event::CLOSE_NOWRITE;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let process = facts.process;
    let masks = watched_files::masks_with(process, BITS);
    let watches: usize = masks.iter().map(|m| m.watches).sum();
    if watches == 0 {
        return Vec::new();
    }
    let all = masks.iter().fold(0, |bits, m| bits | m.mask.0);
    let words: Vec<_> = [
        (event::OPEN, "opened"),
        (event::ACCESS, "read"),
        (event::CLOSE_NOWRITE, "closed unchanged"),
    ]
    .iter()
    .filter(|(bit, _)| all & bit != 0)
    .map(|&(_, word)| word)
    .collect();
    let mut message = format!(
        "{} when a file is only {}: every read wakes it.",
        watched_files::watches_fire(process, watches, &masks),
        list_words(&words, "or"),
    );
    let judged_by = rules_in_force::judged_by(process);
    let cured = judged_by.is_some();
    let heard = process.woken.as_ref();
    let woken = heard.is_some_and(Woken::by_looks_again);
    let own = own_output(process);
    message += &heard.map_or_else(String::new, sentence);
    if let Some(path) = own.as_ref().filter(|_| !woken) {
        message += &format!(" It writes {path} there itself.");
    }
    if let Some(judge) = judged_by {
        message += &format!(" {judge} removes these events when the process reads them.");
    } else {
        if !woken && own.is_none() {
            message += &quiet(facts, heard);
        }
        message += &reads_alone(&masks);
    }
    vec![Finding {
        code: "watch-wakes-on-read",
        severity: if !cured && (woken || own.is_some()) {
            Severity::Warning
        } else {
            Severity::Info
        },
        message,
        evidence: json!({
            "watches": watches,
            "masks": masks,
            "own_output": own,
            "heard": heard.map(evidence),
        }),
        remedy: None,
        remedy_live: None,
        change: (!cured).then(|| WatchChange {
            start: Some(Restart::default()),
            heal: Some(Heal::default()),
        }),
    }]
}

/// A sentence about watches that ask for nothing else, as an audit tool does on purpose.
fn reads_alone(masks: &[MaskCount]) -> String {
    let alone = masks
        .iter()
        .filter(|m| hears_nothing(m.mask.0, m.mask.0 & !BITS));
    match alone.map(|m| m.watches).sum::<usize>() {
        0 => String::new(),
        count => format!(
            " {} for nothing else: healed, or with the library, {} nothing. A program that watches reads on purpose needs these events.",
            plural(count, "watch asks", "watches ask"),
            agree(count as u64, "it reports", "they report"),
        ),
    }
}

/// A file that it has open for writing itself, under such a watch.
fn own_output(process: &Process) -> Option<Name> {
    let files = self_watch::written_files(process);
    let files = files.into_iter().map(self_watch::written);
    let databases = process.sqlite.iter();
    let databases = databases
        .flat_map(|database| sqlite_self_watch::writes(process, database))
        .map(sqlite_self_watch::written);
    let written: Vec<_> = files.chain(databases).collect();
    let watches = Watches::asking(BITS, process, written.iter().copied());
    let mut under = written.iter().filter(|file| watches.of(file).is_some());
    under.next().map(|file| file.path.clone())
}

fn sentence(heard: &Woken) -> String {
    let seconds = heard.listened.as_secs_f64();
    match heard.looks() {
        0 => String::new(),
        looks => {
            let looks = usize::try_from(looks).unwrap_or(usize::MAX);
            let events = plural(looks, "event", "events");
            let place = match heard.is_whole() {
                true => String::new(),
                false => format!(
                    " at the {} of {} inodes that were listened to",
                    number(heard.inodes as u64),
                    number(heard.watched as u64)
                ),
            };
            format!(" Within {seconds:.1} s, reads raised {events}{place}.")
        }
    }
}

/// A sentence that says that no read was noticed, and how far that goes.
fn quiet(facts: &Facts<'_>, heard: Option<&Woken>) -> String {
    let events = || {
        facts
            .remedies
            .mention(&format!("events {}", facts.process.pid))
    };
    match heard {
        // It was already said.
        Some(heard) if heard.looks() > 0 => String::new(),
        Some(heard) if heard.is_whole() => {
            let seconds = heard.listened.as_secs_f64();
            let longer = match heard.listened < Duration::from_secs(1) {
                true => format!(
                    " A slower loop shows with {}.",
                    facts
                        .remedies
                        .mention(&format!("--for 10 {}", facts.process.pid))
                ),
                false => String::new(),
            };
            format!(" Within {seconds:.1} s there was none.{longer}")
        }
        Some(heard) => format!(
            " Within {:.1} s there was none at the {} of {} inodes that were listened to: {} shows more.",
            heard.listened.as_secs_f64(),
            number(heard.inodes as u64),
            number(heard.watched as u64),
            events(),
        ),
        None => format!(
            " Nothing was listened to: {} shows whether files are read.",
            events(),
        ),
    }
}

fn evidence(heard: &Woken) -> Value {
    json!({
        "seconds": heard.listened.as_secs_f64(),
        "events": heard.looks(),
        "inodes": heard.inodes,
        "of_inodes": heard.watched,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;
    use crate::model::{Bits, CoveredBy};

    #[test]
    fn the_mask_of_incident_1_is_named_with_its_count() {
        let fixture = Fixture::new().with_watches(5299, 0x3ee);
        let finding = fixture.only(look);
        assert_eq!(
            finding.message,
            "5,299 watches with mask 0x3ee fire when a file is only opened: every read wakes it. Nothing was listened to: `fdscan events 42` shows whether files are read."
        );
        assert_eq!(finding.severity, Severity::Info);
        assert_eq!(finding.evidence["masks"][0]["mask"], "0x3ee");
        assert_eq!(finding.evidence["masks"][0]["watches"], 5299);
        assert_eq!(finding.remedy_live.as_deref(), Some("watchfix heal 42"));
    }

    #[test]
    fn a_program_that_asks_only_for_reads_is_told_that_nothing_is_left() {
        let says = |mask| Fixture::new().with_watches(2, mask).only(look).message;
        for mask in [0x20, 0x31, 0xc20] {
            let message = says(mask);
            let wanted =
                "2 watches ask for nothing else: healed, or with the library, they report nothing.";
            assert!(message.contains(wanted), "{message}");
        }
        assert!(!says(0x22).contains("nothing else"));
    }

    #[test]
    fn a_mask_of_changes_alone_has_no_finding() {
        assert!(Fixture::new().with_watches(10, 0x3ca).look(look).is_empty());
    }

    #[test]
    fn a_process_with_the_library_in_force_needs_no_remedy() {
        let mut fixture = Fixture::new().with_watches(1, 0xfff);
        fixture.process.preload.mapped = Some(true);
        let finding = fixture.only(look);
        assert_eq!((finding.severity, finding.remedy), (Severity::Info, None));
    }

    #[test]
    fn what_removes_the_events_is_named() {
        for (covered_by, judge) in [
            (None, "libwatchfix.so removes these events"),
            (Some(CoveredBy::Reads), "watchfix run removes these events"),
        ] {
            let mut fixture = Fixture::new().with_watches(1, 0xfff);
            fixture.process.preload.mapped = Some(covered_by.is_none());
            fixture.process.inotify[0].covered_by = covered_by;
            let message = fixture.only(look).message;
            assert!(message.contains(judge), "{message}");
        }
    }

    #[test]
    fn a_library_that_is_switched_off_does_not_count() {
        let mut fixture = Fixture::new().with_watches(1, 0xfff);
        fixture.process.preload.mapped = Some(true);
        fixture.process.watchfix_rules = vec![("WATCHFIX_OFF".into(), "1".into())];
        assert!(fixture.only(look).remedy.is_some());
    }

    fn heard(mask: u32) -> Woken {
        let mut by = Bits::default();
        by.add(mask);
        Woken {
            listened: Duration::from_millis(200),
            inodes: 3,
            watched: 3,
            events: 1,
            by,
            files: Vec::new(),
        }
    }

    #[test]
    fn observed_reads_make_it_a_warning_and_changes_do_not() {
        let mut fixture = Fixture::new().with_watches(3, 0x3ee);
        for (mask, severity, says) in [
            (event::OPEN, Severity::Warning, "reads raised 1 event."),
            (event::MODIFY, Severity::Info, "there was none."),
        ] {
            fixture.process.woken = Some(heard(mask));
            let finding = fixture.only(look);
            assert_eq!(finding.severity, severity);
            assert!(finding.message.contains(says), "{}", finding.message);
        }
        // Ten seconds are more than one round of a loop.
        let mut longer = heard(event::OPEN);
        longer.listened = Duration::from_secs(10);
        fixture.process.woken = Some(longer.clone());
        assert_eq!(fixture.only(look).severity, Severity::Info);
        longer.by.add(event::OPEN);
        fixture.process.woken = Some(longer);
        assert_eq!(fixture.only(look).severity, Severity::Warning);
        fixture.process.woken = Some(heard(event::OPEN));
        fixture.process.preload.mapped = Some(true);
        assert_eq!(fixture.only(look).severity, Severity::Info);
    }

    #[test]
    fn silence_at_only_some_of_the_inodes_is_reported_as_that() {
        let mut fixture = Fixture::new().with_watches(3, 0x3ee);
        fixture.process.woken = Some(Woken {
            watched: 2000,
            ..heard(0)
        });
        let message = fixture.only(look).message;
        assert!(message.contains("at the 3 of 2,000 inodes"), "{message}");
        fixture.process.woken = Some(Woken {
            watched: 2000,
            ..heard(event::OPEN)
        });
        let message = fixture.only(look).message;
        let wanted = "reads raised 1 event at the 3 of 2,000 inodes that were listened to.";
        assert!(message.contains(wanted), "{message}");
    }

    #[test]
    fn a_process_with_its_own_log_or_database_there_wakes_itself() {
        let watched = || Fixture::new().with_watch(1, 100, 0x20, Some("/srv/app"));
        let log = watched()
            .with_file(5, "/srv/app/out.log", 200, 100)
            .only(look);
        assert_eq!(log.severity, Severity::Warning);
        assert_eq!(log.evidence["own_output"], "/srv/app/out.log");
        let database = watched().with_database("/srv/app/x.db", 100, 0).only(look);
        assert_eq!(database.severity, Severity::Warning);
        let elsewhere = watched()
            .with_file(5, "/srv/log/out.log", 200, 101)
            .only(look);
        assert_eq!(elsewhere.severity, Severity::Info);
    }
}
