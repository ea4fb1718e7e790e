//! Databases in `fdscan/1`: those of a process, and the answer of `fdscan wal`.

use serde_json::{Map, Value};

use super::Key::{May, Must};
use super::Shape::*;
use super::{CHANGE, FINDING, GAP, Key, Shape, TEXTS, check, check_keys};

pub const DATABASE: &[Key] = &[
    Must("database", Text),
    Must("handles", Count),
    Must("wal_handles", Count),
    Must("shm_handles", Count),
    Must("database_bytes", OrNull(&Count)),
    Must("wal_bytes", OrNull(&Count)),
    Must("shm_bytes", OrNull(&Count)),
    Must("deleted", Flag),
    Must("wal", OrNull(&Object(WAL))),
    May("journal_handles", Count),
    May("wal_deleted", OrNull(&Flag)),
    May("wal_mode", OrNull(&Flag)),
    May("connections", OrNull(&Count)),
    May("parked", OrNull(&Count)),
    May("libraries", OrNull(&Count)),
    May("rollback_locks", OrNull(&List(&Object(ROLLBACK_LOCK)))),
    May("holders", List(&Object(HOLDER))),
    // null with one sample.
    May("growth", OrNull(&Object(GROWTH))),
];

const GROWTH: &[Key] = &[
    Must("seconds", Seconds),
    Must("handles", OrNull(&Object(CHANGE))),
    Must("wal_handles", OrNull(&Object(CHANGE))),
    Must("shm_handles", OrNull(&Object(CHANGE))),
    Must("wal_bytes", OrNull(&Object(CHANGE))),
    Must("frames", OrNull(&Object(CHANGE))),
    Must("checkpointed_frames", OrNull(&Object(CHANGE))),
    Must("same_log", OrNull(&Flag)),
];

const HOLDER: &[Key] = &[
    Must("pid", Count),
    Must("comm", OrNull(&Text)),
    Must("cmdline", OrNull(&TEXTS)),
    Must("handles", OrNull(&Count)),
    Must("wal_handles", OrNull(&Count)),
    Must("shm_handles", OrNull(&Count)),
];

const ROLLBACK_LOCK: &[Key] = &[
    // Where it was looked at twice.
    May("held_ms", Count),
    Must("pid", OrNull(&Count)),
    Must(
        "lock",
        OneOf(&["shared", "reserved", "pending", "exclusive"]),
    ),
];

const WAL: &[Key] = &[
    Must("page_size", OrNull(&Count)),
    Must("frames", OrNull(&Count)),
    Must("checkpointed_frames", OrNull(&Count)),
    Must("pending_bytes", OrNull(&Count)),
    Must("locks", OrNull(&List(&Object(LOCK)))),
    May("attempted_frames", OrNull(&Count)),
    May("live_bytes", OrNull(&Count)),
    May("read_marks", OrNull(&List(&OrNull(&Count)))),
    May("attached", OrNull(&List(&Count))),
];

const LOCK: &[Key] = &[
    Must("pid", OrNull(&Count)),
    Must("lock", OneOf(&["write", "checkpoint", "recover", "read"])),
    Must("slot", OrNull(&Count)),
    Must("mark", OrNull(&Count)),
    May("exclusive", Flag),
    May("held_ms", Count),
];

/// What `fdscan wal` answers: databases, each as in a process, with findings and gaps of its own.
const DATABASES_DOCUMENT: Shape = Object(&[
    Must("schema", Const("fdscan/1")),
    Must("fdscan_version", Text),
    Must("taken_at", Time),
    Must("databases", List(&Open)),
    Must("errors", List(&Object(PATH_ERROR))),
]);

const PATH_ERROR: &[Key] = &[Must("path", Text), Must("why", Text)];

const DATABASE_REPORT: &[Key] = &[
    Must("findings", List(&Object(FINDING))),
    Must("incomplete", List(&Object(GAP))),
];

/// The same for what `fdscan wal` answers.
pub fn violations(doc: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check("$", doc, &DATABASES_DOCUMENT, &mut found);
    for (i, database) in doc["databases"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let Some(map) = database.as_object() else {
            continue;
        };
        let (report, rest): (Map<_, _>, Map<_, _>) = map
            .clone()
            .into_iter()
            .partition(|(key, _)| ["findings", "incomplete"].contains(&key.as_str()));
        let at = format!("$.databases[{i}]");
        check_keys(&at, &report, DATABASE_REPORT, &mut found);
        check_keys(&at, &rest, DATABASE, &mut found);
        if found.is_empty() {
            agree(database, &mut found);
        }
    }
    found
}

/// What must hold between the values of one database.
pub fn agree(database: &Value, found: &mut Vec<String>) {
    let wal = &database["wal"];
    let number = |key: &str| wal[key].as_u64();
    let mut claim = |holds: bool, sentence: &str| {
        if !holds {
            found.push(format!("{sentence}: {wal}"));
        }
    };
    if let (Some(frames), Some(done), Some(page), Some(pending)) = (
        number("frames"),
        number("checkpointed_frames"),
        number("page_size"),
        number("pending_bytes"),
    ) {
        claim(
            done <= frames,
            "more frames are checkpointed than there are",
        );
        claim(
            pending == frames.saturating_sub(done) * (page + 24),
            "pending_bytes are those of the frames that are not checkpointed",
        );
        if let Some(live) = number("live_bytes").filter(|_| frames > 0) {
            claim(
                live == 32 + frames * (page + 24),
                "live_bytes are those of all frames and the header",
            );
        }
    }
    for lock in wal["locks"].as_array().into_iter().flatten() {
        let read = lock["lock"] == "read";
        claim(
            read == lock["slot"].is_u64(),
            "a reader's lock has a slot, and no other has",
        );
        let slot = lock["slot"].as_u64().unwrap_or(0) as usize;
        claim(
            slot < 5
                && (!read
                    || wal["read_marks"].is_null()
                    || lock["mark"] == wal["read_marks"][slot]),
            "a lock has the mark of its slot",
        );
    }
}
