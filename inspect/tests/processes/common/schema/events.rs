//! What `fdscan events` answers.

use super::Key::{self, Must};
use super::Shape::{self, *};
use super::{EVENTS, GAP};
use serde_json::Value;

const DOCUMENT: Shape = Object(&[
    Must("schema", Const("fdscan/1")),
    Must("fdscan_version", Text),
    Must("taken_at", Time),
    Must("pid", Count),
    Must("comm", OrNull(&Text)),
    Must("command", OrNull(&Text)),
    Must("seconds", Seconds),
    Must("watched", Count),
    Must("listened", Count),
    Must("total", Count),
    Must("overflows", Count),
    Must("events", COUNTS),
    Must("directories", List(&Object(PLACE))),
    Must("files", List(&Object(FILE))),
    Must("causes", OrNull(&List(&Object(CAUSE)))),
    Must("hints", List(&Object(HINT))),
    Must("conclusion", Object(CONCLUSION)),
    Must("incomplete", List(&Object(GAP))),
]);

const COUNTS: Shape = List(&Object(&[
    Must("event", OneOf(EVENTS)),
    Must("count", Count),
]));

const PLACE: &[Key] = &[
    Must("path", OrNull(&Text)),
    Must("inode", Count),
    Must("count", Count),
];

const FILE: &[Key] = &[
    Must("path", Text),
    Must("count", Count),
    Must("events", COUNTS),
];

const CAUSE: &[Key] = &[
    Must("pids", List(&Count)),
    Must("processes", Count),
    Must(
        "relation",
        OneOf(&["itself", "descendant", "other", "unknown"]),
    ),
    Must("comm", OrNull(&Text)),
    Must("command", OrNull(&Text)),
    Must("count", Count),
    Must("events", COUNTS),
    Must(
        "names",
        List(&Object(&[Must("name", Text), Must("count", Count)])),
    ),
];

const HINT: &[Key] = &[
    Must("path", Text),
    Must("pid", Count),
    Must("command", OrNull(&Text)),
    Must("writes", Flag),
];

const CONCLUSION: &[Key] = &[
    Must("message", Text),
    Must("remedy", OrNull(&Text)),
    Must("remedy_live", OrNull(&Text)),
    Must("ask", OrNull(&Text)),
    Must("notes", List(&Text)),
];

/// In what `doc` differs from the schema, and where its values contradict each other.
pub fn violations(doc: &Value) -> Vec<String> {
    let mut found = Vec::new();
    super::check("$", doc, &DOCUMENT, &mut found);
    let sum = |list: &Value| -> u64 {
        let counts = list.as_array().into_iter().flatten();
        counts.filter_map(|entry| entry["count"].as_u64()).sum()
    };
    let total = doc["total"].as_u64().unwrap_or(0);
    for (key, holds) in [
        // A record may have more than one event, and never none.
        ("events", sum(&doc["events"]) >= total),
        ("directories", sum(&doc["directories"]) <= total),
        (
            "listened",
            doc["listened"].as_u64() <= doc["watched"].as_u64(),
        ),
    ] {
        if !holds {
            found.push(format!("{key} does not fit {total} events"));
        }
    }
    let message = doc["conclusion"]["message"].as_str().unwrap_or_default();
    if !message.ends_with('.') {
        found.push(format!("a conclusion is a sentence: {message}"));
    }
    found
}
