//! `sqlite-wal-pinned`: a reader keeps frames of the -wal from being checkpointed.
//!
//! Meaning: A read transaction that does not end stops every checkpoint at its position, and the -wal grows behind it.
//! The cause is often a cursor that was left half read, a dump, or a transaction that nobody ended.
//!
//! Evidence: `database` (path). `pid` and `command` of the reader that keeps the most frames. `slot` is its slot (0 to
//! 4) and `mark` the last frame it sees; slot 0 reads only the database. `frames` and `checkpointed_frames` are those
//! of the log, `kept_frames` those that cannot be checkpointed. `pending_bytes` and `wal_bytes` are sizes. `starved` is
//! null without `--for`, else true if frames were added and none was checkpointed. `held_ms` is for how long at least
//! it was seen to read (milliseconds), or null. `readers` lists all of them with the same figures. From 1,000 frames on
//! a single look takes up to 0.2 s, and readers that end meanwhile do not count.
//!
//! Severity: warning from 1,000 kept frames, the number at which SQLite checkpoints by itself. Info from 100.
//!
//! Remedy: end the read in the program. From 1,000 frames on there is a command that ends the process and then
//! checkpoints. A checkpoint alone would stop at the same frame. What it prints: see `sqlite-wal-large`.
//!
//! Not to be confused with: a request that reads while another one writes, which is over within milliseconds.
//! `sqlite-write-locked`, where others cannot write. `sqlite-wal-large` with another reason.

use super::sqlite_write_locked::seconds;
use super::{Facts, Finding, Remedies, Severity};
use crate::model::{AUTOCHECKPOINT, Change, Database, Pin, Wal};
use crate::words::{bytes, number, plural};
use serde_json::{Value, json};

/// Every reader is behind a busy writer for a moment. One that keeps this many has stopped a checkpoint.
const FRAMES: u32 = AUTOCHECKPOINT;
/// A reader that keeps fewer is a healthy program in the middle of a request.
const FEW: u32 = 100;

pub fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let databases = facts.process.sqlite.iter();
    databases
        .filter_map(|database| of(database, facts.remedies))
        .collect()
}

/// The finding for one database. All its pins are one finding, which describes the worst.
pub fn of(database: &Database, remedies: &Remedies) -> Option<Finding> {
    let wal = database.wal.as_ref()?;
    // A checkpoint that passed a reader meanwhile shows that the reader's transaction has ended.
    let passed = database
        .growth
        .filter(|growth| growth.same_log == Some(true));
    let passed = passed.and_then(|growth| growth.checkpointed_frames);
    let ended = |pin: &Pin<'_>| match (passed, pin.lock.slot, pin.lock.mark) {
        (Some(change), Some(1..), Some(mark)) => change.to > u64::from(mark),
        _ => false,
    };
    let mut pins: Vec<Pin<'_>> = wal.pins().filter(|pin| !ended(pin)).collect();
    pins.sort_by_key(|pin| std::cmp::Reverse(pin.frames));
    let worst = pins.first().filter(|worst| worst.frames >= FEW)?;
    let (pid, command) = (worst.lock.pid, command(database, worst));
    let size = kept_bytes(wal, worst.frames);
    let size = size.map_or_else(String::new, |size| format!(" ({})", bytes(size)));
    let who = match pid {
        Some(pid) => format!("Process {pid} ({})", shorten(&command)),
        None => "A process".into(),
    };
    let kept = plural(worst.frames as usize, "frame", "frames");
    let mut message = match (worst.lock.slot, worst.lock.mark) {
        (Some(0), _) => format!(
            "{who} reads {} itself and holds READ(0): no frame of the -wal can be checkpointed until that read transaction ends. Pending: {kept}{size}.",
            database.database
        ),
        (slot, mark) => format!(
            "{who} reads {} as of frame {} of {} and holds READ({}): no checkpoint gets further, and the {kept} behind it{size} stay in the -wal until that read transaction ends.",
            database.database,
            number(mark.unwrap_or(0).into()),
            number(wal.frames.unwrap_or(0).into()),
            slot.unwrap_or(0),
        ),
    };
    if let Some(held) = worst.lock.held_ms {
        message += &format!(" It has lasted for at least {}.", seconds(held));
    }
    let gone = database.deleted || database.wal_deleted == Some(true);
    let end = pid.filter(|_| worst.frames >= FRAMES && !gone);
    if end.is_some() {
        message += " If the program does not end it, ending the process does; the command given here then brings the frames into the database.";
    }
    let starved = database.growth.and_then(|growth| growth.starved());
    if let Some(growth) = database.growth.filter(|_| starved == Some(true)) {
        let added = growth.frames.and_then(Change::more).unwrap_or(0);
        message += &format!(
            " The log is starved: within {:.1} s {} added and none was checkpointed.",
            growth.seconds,
            plural(added as usize, "frame was", "frames were")
        );
    }
    Some(Finding {
        code: "sqlite-wal-pinned",
        severity: if worst.frames >= FRAMES {
            Severity::Warning
        } else {
            Severity::Info
        },
        message,
        evidence: json!({
            "database": database.database,
            "pid": pid,
            "command": command,
            "slot": worst.lock.slot,
            "mark": worst.lock.mark,
            "frames": wal.frames,
            "checkpointed_frames": wal.checkpointed_frames,
            "kept_frames": worst.frames,
            "pending_bytes": wal.pending_bytes,
            "wal_bytes": database.wal_bytes,
            "starved": starved,
            "held_ms": worst.lock.held_ms,
            "readers": pins.iter().map(|pin| reader(database, pin)).collect::<Vec<_>>(),
        }),
        // A checkpoint alone would stop at the same frame.
        remedy: end.map(|pid| format!("kill {pid}; {}", remedies.checkpoint(&database.database))),
        remedy_live: None,
        change: None,
    })
}

/// Who pins, as the end of a sentence: `process 42 (tool)`.
pub fn culprit(database: &Database) -> Option<String> {
    let wal = database.wal.as_ref()?;
    let worst = wal.pins().max_by_key(|pin| pin.frames)?;
    let command = command(database, &worst);
    Some(match worst.lock.pid {
        Some(pid) => format!("process {pid} ({})", shorten(&command)),
        None => "a process".into(),
    })
}

fn command(database: &Database, pin: &Pin<'_>) -> String {
    let holder = database.holder(pin.lock.pid);
    holder.map_or_else(|| "?".into(), |holder| holder.command())
}

/// A command line, shortened for a sentence. The evidence has all of it.
fn shorten(command: &str) -> String {
    const ROOM: usize = 60;
    match command.char_indices().nth(ROOM) {
        Some((end, _)) => format!("{}...", command.get(..end).unwrap_or_default()),
        None => command.into(),
    }
}

fn kept_bytes(wal: &Wal, frames: u32) -> Option<u64> {
    Some(u64::from(frames) * (u64::from(wal.page_size?) + 24))
}

fn reader(database: &Database, pin: &Pin<'_>) -> Value {
    json!({
        "pid": pin.lock.pid,
        "command": command(database, pin),
        "slot": pin.lock.slot,
        "mark": pin.lock.mark,
        "kept_frames": pin.frames,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::fixture::Fixture;

    #[test]
    fn a_reader_that_a_later_look_does_not_find_pins_nothing() {
        let mut fixture = Fixture::new().with_database("/d/a.db", 1, 4152);
        let mut wal = Wal::sample(2000, 0, &[(77, 0, 0)]);
        assert!(wal.is_pinned());
        wal.locks
            .iter_mut()
            .flatten()
            .for_each(|lock| lock.ended = true);
        assert!(!wal.is_pinned());
        fixture.process.sqlite[0].wal = Some(wal);
        assert!(fixture.look(look).is_empty());
    }

    #[test]
    fn a_reader_a_thousand_frames_behind_is_named_with_pid_command_and_mark() {
        let mut fixture = Fixture::new().with_database("/d/a.db", 1, 8 << 20);
        fixture.process.sqlite[0].wal = Some(Wal::sample(2000, 500, &[(77, 1, 900)]));
        fixture.process.sqlite[0].holders = vec![crate::model::Holder::sample(77, "report --all")];
        let finding = fixture.only(look);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.evidence["pid"], 77);
        assert_eq!(finding.evidence["command"], "report --all");
        assert_eq!(finding.evidence["mark"], 900);
        assert_eq!(finding.evidence["kept_frames"], 1100);
        assert!(finding.message.contains("report --all"));
        let remedy = finding.remedy.unwrap();
        let checkpoint = Remedies::sample().checkpoint(&"/d/a.db".into());
        assert!(checkpoint.contains("; sqlite3 "), "{checkpoint}");
        assert_eq!(remedy, format!("kill 77; {checkpoint}"));
    }

    #[test]
    fn a_reader_a_little_behind_is_info() {
        let mut fixture = Fixture::new().with_database("/d/a.db", 1, 8 << 20);
        fixture.process.sqlite[0].wal = Some(Wal::sample(2000, 500, &[(77, 1, 1900)]));
        assert_eq!(fixture.only(look).severity, Severity::Info);
    }

    #[test]
    fn a_request_that_reads_while_another_one_writes_pins_nothing() {
        let mut fixture = Fixture::new().with_database("/d/a.db", 1, 8 << 20);
        for (slot, mark) in [(1, 1901), (1, 1999)] {
            fixture.process.sqlite[0].wal = Some(Wal::sample(2000, 500, &[(77, slot, mark)]));
            assert!(fixture.look(look).is_empty());
        }
        fixture.process.sqlite[0].wal = Some(Wal::sample(99, 0, &[(77, 0, 0)]));
        assert!(fixture.look(look).is_empty());
    }

    #[test]
    fn read_zero_keeps_exactly_what_is_pending() {
        let mut fixture = Fixture::new().with_database("/d/a.db", 1, 8 << 20);
        fixture.process.sqlite[0].wal = Some(Wal::sample(2000, 500, &[(77, 0, 0)]));
        assert_eq!(fixture.only(look).evidence["kept_frames"], 1500);
        fixture.process.sqlite[0].wal = Some(Wal::sample(2000, 2000, &[(77, 0, 0)]));
        assert!(fixture.look(look).is_empty());
    }

    #[test]
    fn a_reader_at_the_last_frame_pins_nothing() {
        let mut fixture = Fixture::new().with_database("/d/a.db", 1, 8 << 20);
        fixture.process.sqlite[0].wal = Some(Wal::sample(2000, 500, &[(77, 2, 2000)]));
        assert!(fixture.look(look).is_empty());
    }
}
