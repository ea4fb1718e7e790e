//! What `fdscan check` answers.

use super::Key::{self, May, Must};
use super::Shape::{self, *};
use super::{CODES, ERROR, GAP, SEVERITIES};
use serde_json::Value;

const DOCUMENT: Shape = Object(&[
    Must("schema", Const("fdscan/1")),
    Must("fdscan_version", Text),
    Must("taken_at", Time),
    Must("passed", Flag),
    Must("command", OrNull(&Object(RUN))),
    Must("rules", List(&Object(RULE))),
    Must("findings", List(&Object(FOUND))),
    Must("processes", List(&Object(PROCESS))),
    Must("errors", List(&Object(ERROR))),
    Must("incomplete", List(&Object(GAP))),
]);

const RELATIVE: &[Key] = &[Must("pid", Count), Must("comm", Text)];

const RUN: &[Key] = &[
    Must("command", Text),
    Must("pid", Count),
    Must("exit_status", Count),
    Must("seconds", Seconds),
    Must("samples", Count),
    Must("left_running", List(&Object(RELATIVE))),
];

const RULE: &[Key] = &[
    Must(
        "rule",
        OneOf(&[
            "max-fds",
            "max-watches",
            "max-wal",
            "max-connections",
            "deny-event",
            "fail-on",
        ]),
    ),
    Must("limit", Count),
    May("events", List(&Text)),
    May("severity", OneOf(SEVERITIES)),
    Must("passed", OrNull(&Flag)),
    Must("measured", OrNull(&Count)),
    Must("process", OrNull(&Object(RELATIVE))),
    Must("path", OrNull(&Text)),
    Must("first", OrNull(&Object(FIRST))),
    Must("message", Text),
];

const FIRST: &[Key] = &[
    Must("seconds", Seconds),
    Must("value", Count),
    Must("process", Object(RELATIVE)),
];

const FOUND: &[Key] = &[
    Must("process", Object(RELATIVE)),
    Must("seconds", OrNull(&Seconds)),
    Must("code", OneOf(CODES)),
    Must("severity", OneOf(SEVERITIES)),
    Must("message", Text),
    Must("evidence", Open),
    Must("remedy", OrNull(&Text)),
    May("remedy_live", OrNull(&Text)),
];

const PROCESS: &[Key] = &[
    Must("pid", Count),
    Must("comm", Text),
    Must("command", OrNull(&Text)),
    Must("fds", OrNull(&Count)),
    Must("watches", OrNull(&Count)),
    Must("wal_bytes", OrNull(&Count)),
    Must("connections", OrNull(&Count)),
];

/// In what `doc` differs from the schema, and where its values contradict each other.
pub fn violations(doc: &Value) -> Vec<String> {
    let mut found = Vec::new();
    super::check("$", doc, &DOCUMENT, &mut found);
    let mut broken = false;
    for rule in doc["rules"].as_array().into_iter().flatten() {
        let over = rule["measured"]
            .as_u64()
            .map(|value| Some(value) <= rule["limit"].as_u64());
        if over != rule["passed"].as_bool() {
            found.push(format!("a rule holds if nothing is over its limit: {rule}"));
        }
        broken |= rule["passed"] == false;
        if !rule["message"].as_str().is_some_and(|m| m.ends_with('.')) {
            found.push(format!("a message is a sentence: {rule}"));
        }
    }
    if doc["passed"] == broken {
        found.push("it passed if no rule is broken".into());
    }
    found
}
