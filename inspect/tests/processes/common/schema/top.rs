//! The answer of `fdscan top` in `fdscan/1`.

use serde_json::Value;

use super::Key::Must;
use super::Shape::*;
use super::{CODES, GAP, Key, LIMITS, SEVERITIES, Shape, UNIT, check};

const DOCUMENT: Shape = Object(&[
    Must("schema", Const("fdscan/1")),
    Must("fdscan_version", Text),
    Must("taken_at", Time),
    Must("limits", Object(LIMITS)),
    Must("users", List(&Object(USER))),
    Must("units", List(&Object(UNIT_USE))),
    Must("processes", List(&Object(ROW))),
    Must("processes_left_out", Count),
    Must("incomplete", List(&Object(GAP))),
]);

const USER: &[Key] = &[
    Must("uid", Count),
    Must("name", OrNull(&Text)),
    Must("processes", Count),
    Must("unreadable", Count),
    Must("watches", OrNull(&Count)),
    Must("instances", OrNull(&Count)),
    Must("at_least", Flag),
    // Null for fdscan's own.
    Must("user_namespace", OrNull(&Count)),
    Must("max_watches", OrNull(&Count)),
    Must("max_instances", OrNull(&Count)),
    Must("findings", List(&Open)),
];

const ROW: &[Key] = &[
    Must("pid", Count),
    Must("comm", OrNull(&Text)),
    Must("command", OrNull(&Text)),
    Must("unit", OrNull(&Object(UNIT))),
    Must("uid", OrNull(&Count)),
    Must("user", OrNull(&Text)),
    Must("watches", OrNull(&Count)),
    Must("instances", OrNull(&Count)),
    Must("fds", Object(FDS)),
    Must("wal_bytes", OrNull(&Count)),
    Must("sqlite", OrNull(&List(&Object(DATABASE)))),
    Must("findings", OrNull(&List(&Object(FINDING)))),
];

const UNIT_USE: &[Key] = &[
    Must("unit", OrNull(&Object(UNIT))),
    Must("processes", Count),
    Must("unreadable", Count),
    Must("watches", Count),
    Must("instances", Count),
    Must("fds", OrNull(&Count)),
];

const FDS: &[Key] = &[
    Must("open", OrNull(&Count)),
    Must("soft_limit", OrNull(&Count)),
];

const DATABASE: &[Key] = &[
    Must("database", Text),
    Must("wal_handles", Count),
    Must("wal_bytes", OrNull(&Count)),
    Must("pending_bytes", OrNull(&Count)),
];

const FINDING: &[Key] = &[
    Must("code", OneOf(CODES)),
    Must("severity", OneOf(SEVERITIES)),
];

pub fn violations(doc: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check("$", doc, &DOCUMENT, &mut found);
    let list = |key: &str| doc[key].as_array().cloned().unwrap_or_default();
    let hidden = list("processes").iter().any(|row| row["watches"].is_null());
    if hidden && list("incomplete").is_empty() {
        found.push("something is not known, and `incomplete` says nothing".into());
    }
    for row in list("processes") {
        // They are read together: all are known, or none is.
        let nulls = ["watches", "instances", "sqlite"].map(|key| row[key].is_null());
        if nulls.iter().any(|null| *null != nulls[0]) {
            found.push(format!("known in part: {row}"));
        }
    }
    found
}
