//! A line of `fdscan watch --json` in `fdscan/1`.

use serde_json::Value;

use super::Key::Must;
use super::Shape::*;
use super::{Key, Shape, check};

const DOCUMENT: Shape = Object(&[
    Must("schema", Const("fdscan/1")),
    Must("fdscan_version", Text),
    Must("taken_at", Time),
    Must("pid", Count),
    Must("comm", OrNull(&Text)),
    Must("fds", Object(FDS)),
    Must("watches", Object(USER)),
    Must("instances", Object(USER)),
    Must("sqlite", OrNull(&List(&Object(LOG)))),
    Must("seconds_left", OrNull(&Count)),
]);

const FDS: &[Key] = &[
    Must("open", OrNull(&Count)),
    Must("soft_limit", OrNull(&Count)),
    Must("per_second", OrNull(&Number)),
    Must("seconds_left", OrNull(&Count)),
];

const USER: &[Key] = &[
    Must("count", OrNull(&Count)),
    Must("user_count", OrNull(&Count)),
    Must("user_limit", OrNull(&Count)),
    Must("per_second", OrNull(&Number)),
    Must("seconds_left", OrNull(&Count)),
];

const LOG: &[Key] = &[
    Must("database", Text),
    Must("handles", Count),
    Must("wal_handles", Count),
    Must("shm_handles", Count),
    Must("wal_bytes", OrNull(&Count)),
    Must("pending_bytes", OrNull(&Count)),
    Must("per_second", OrNull(&Number)),
    Must("disk_free_bytes", OrNull(&Count)),
    Must("seconds_left", OrNull(&Count)),
];

pub fn violations(doc: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check("$", doc, &DOCUMENT, &mut found);
    found
}
