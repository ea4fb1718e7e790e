//! The schema `fdscan/1`, as design.md has it, as a table; and what must hold between its values.

mod agree;
mod check_command;
mod events;
mod reach;
mod reading;
mod shape;
mod top;
mod wal;

pub use agree::not_known;
pub use reading::violations as reading_violations;

use serde_json::{Value, json};
use std::sync::OnceLock;

use agree::agree;
use shape::Key::{May, Must};
use shape::Shape::*;
use shape::{Key, Shape, check, check_keys};

const TEXTS: Shape = List(&Text);

const DOCUMENT: Shape = Object(&[
    Must("schema", Const("fdscan/1")),
    Must("fdscan_version", Text),
    Must("taken_at", Time),
    Must("limits", Object(LIMITS)),
    Must("processes", List(&Object(PROCESS))),
    May("errors", List(&Object(ERROR))),
]);

/// What `fdscan claims` answers.
const CLAIMS_DOCUMENT: Shape = Object(&[
    Must("schema", Const("fdscan/1")),
    Must("fdscan_version", Text),
    Must("taken_at", Time),
    Must("claims", List(&Object(CLAIM))),
]);

const CLAIM: &[Key] = &[
    Must("path", Text),
    Must(
        "kind",
        OneOf(&["pid", "port", "lock", "socket", "sentinel", "unknown"]),
    ),
    Must(
        "verdict",
        OneOf(&[
            "live",
            "stale",
            "reused",
            "in_progress",
            "corrupt",
            "expired",
            "held",
            "free",
            "absent",
            "unknown",
        ]),
    ),
    Must("severity", OrNull(&OneOf(SEVERITIES))),
    Must("pid", OrNull(&Count)),
    Must("start", OrNull(&Text)),
    Must("address", OrNull(&Text)),
    Must("holders", List(&Object(HOLDER_OF_CLAIM))),
    Must("age_seconds", OrNull(&Count)),
    Must("why", Text),
    Must("remedy", OrNull(&Text)),
];

const HOLDER_OF_CLAIM: &[Key] = &[
    Must("pid", Count),
    Must("command", OrNull(&Text)),
    Must("lock", OrNull(&OneOf(&["flock", "posix", "ofd"]))),
];

const LIMITS: &[Key] = &[
    Must("max_user_watches", OrNull(&Count)),
    Must("max_user_instances", OrNull(&Count)),
    Must("max_queued_events", OrNull(&Count)),
];

// Null where a name or a port led to no process.
const ERROR: &[Key] = &[Must("pid", OrNull(&Count)), Must("why", Text)];

const PROCESS: &[Key] = &[
    Must("pid", Count),
    Must("ppid", OrNull(&Count)),
    Must("comm", OrNull(&Text)),
    Must("exe", OrNull(&Text)),
    Must("cmdline", OrNull(&TEXTS)),
    Must("uid", OrNull(&Count)),
    Must("start_time", OrNull(&Time)),
    Must("linkage", OrNull(&OneOf(&["static", "dynamic"]))),
    Must("preload", Object(PRELOAD)),
    Must("fds", Object(FDS)),
    Must("inotify", List(&Object(INSTANCE))),
    May("watch_trees", List(&Object(WATCH_TREE))),
    Must("sqlite", List(&Object(wal::DATABASE))),
    Must("findings", List(&Object(FINDING))),
    Must("incomplete", List(&Object(GAP))),
    // The contract's own example is from before.
    May("notes", TEXTS),
    May("healed", OrNull(&Object(HEALED))),
    May("paused", OrNull(&Object(PAUSED))),
    May("state", OrNull(&Text)),
    May("unit", OrNull(&Object(UNIT))),
    May("user", OrNull(&Object(USER))),
    May("user_namespaces", List(&Object(USER))),
    May("session", OrNull(&Count)),
    May("listeners", List(&Object(LISTENER))),
    // null with one sample.
    May("growth", OrNull(&Object(GROWTH))),
];

const HEALED: &[Key] = &[
    Must("at", Time),
    Must("uid", Count),
    Must("watches", Count),
    Must("undo", OrNull(&Text)),
];

const PAUSED: &[Key] = &[
    Must("since", Time),
    Must("until", Time),
    Must("uid", Count),
    Must("watches", Count),
    Must("dirs", List(&Text)),
    Must("command", Text),
    Must("guardian", Count),
    Must("abandoned", Flag),
];

const UNIT: &[Key] = &[
    Must(
        "kind",
        OneOf(&["pod", "container", "service", "scope", "slice"]),
    ),
    Must("name", Text),
    Must(
        "runtime",
        OrNull(&OneOf(&["docker", "containerd", "cri-o", "podman", "lxc"])),
    ),
    Must("container_id", OrNull(&Text)),
    Must("pod_uid", OrNull(&Text)),
    Must("namespace", OrNull(&Text)),
    Must("of_user", Flag),
];

const GROWTH: &[Key] = &[
    Must("seconds", Seconds),
    Must("descriptors", OrNull(&Object(CHANGE))),
    Must("instances", OrNull(&Object(CHANGE))),
    Must("watches", OrNull(&Object(CHANGE))),
    Must("patterns", List(&Object(PATTERN_GROWTH))),
    Must("limits", Object(LIMITS_AHEAD)),
];

const LIMITS_AHEAD: &[Key] = &[
    Must("descriptors", OrNull(&Object(LIMIT_AHEAD))),
    Must("instances", OrNull(&Object(LIMIT_AHEAD))),
    Must("watches", OrNull(&Object(LIMIT_AHEAD))),
];

const LIMIT_AHEAD: &[Key] = &[Must("limit", Count), Must("seconds_left", Count)];

const CHANGE: &[Key] = &[Must("from", Count), Must("to", Count)];

const PATTERN_GROWTH: &[Key] = &[
    Must("directory", Text),
    Must("extension", OrNull(&Text)),
    Must("descriptors", Count),
];

const LISTENER: &[Key] = &[
    Must("fd", Count),
    Must("protocol", OneOf(&["tcp", "tcp6", "udp", "udp6", "unix"])),
    Must("address", OrNull(&Text)),
    Must("port", OrNull(&Count)),
];

const USER: &[Key] = &[
    Must("uid", Count),
    // Not counted for a process without an inotify instance.
    Must("watches", OrNull(&Count)),
    Must("instances", Count),
    Must("at_least", Flag),
    // Null for fdscan's own.
    Must("user_namespace", OrNull(&Count)),
    Must("max_watches", OrNull(&Count)),
    Must("max_instances", OrNull(&Count)),
];

const PRELOAD: &[Key] = &[
    Must("requested", OrNull(&TEXTS)),
    Must("mapped", OrNull(&Flag)),
];

const FDS: &[Key] = &[
    Must("open", OrNull(&Count)),
    Must("soft_limit", OrNull(&Count)),
    Must("hard_limit", OrNull(&Count)),
    Must("by_type", OrNull(&Map(&Count))),
    // Only with --all.
    May("list", List(&Open)),
    May("top_directories", List(&Object(FILE_COUNT))),
    May("top_extensions", List(&Object(EXTENSION_COUNT))),
];

const FILE_COUNT: &[Key] = &[Must("directory", Text), Must("descriptors", Count)];

const EXTENSION_COUNT: &[Key] = &[Must("extension", OrNull(&Text)), Must("descriptors", Count)];

const INSTANCE: &[Key] = &[
    Must("fd", Count),
    Must("watch_count", Count),
    Must("masks", List(&Object(ROLL_UP))),
    Must("watches", List(&Object(WATCH))),
    May("same_instance_as", OrNull(&Count)),
    May("covered_by", OrNull(&OneOf(&["library", "reads", "masks"]))),
    May("thread", Count),
];

const ROLL_UP: &[Key] = &[
    Must("mask", Mask),
    Must("events", TEXTS),
    Must("watches", Count),
];

const WATCH: &[Key] = &[
    Must("wd", Count),
    Must("inode", Count),
    Must("device", Device),
    Must("mask", Mask),
    Must("events", TEXTS),
    Must("path", OrNull(&Text)),
    Must(
        "resolved_by",
        OrNull(&OneOf(&["handle", "candidate", "walk"])),
    ),
    May("deleted", Flag),
    // With --no-paths nothing is looked for.
    May("unresolved", Text),
];

const FINDING: &[Key] = &[
    Must("code", OneOf(CODES)),
    Must("severity", OneOf(SEVERITIES)),
    Must("message", Text),
    Must("evidence", Open),
    // "Where there is one."
    Must("remedy", OrNull(&Text)),
    May("remedy_live", OrNull(&Text)),
];

const GAP: &[Key] = &[
    Must("what", Text),
    Must("why", Text),
    May("count", OrNull(&Count)),
];

const CODES: &[&str] = &[
    "watch-wakes-on-read",
    "watch-wakes-on-attrib",
    "watch-wakes-on-filler",
    "self-watch",
    "child-loops",
    "sqlite-self-watch",
    "watch-limit-near",
    "instance-limit-near",
    "fd-limit-near",
    "sqlite-handle-leak",
    "sqlite-wal-large",
    "sqlite-wal-pinned",
    "sqlite-wal-deleted",
    "sqlite-deleted",
    "sqlite-replaced",
    "sqlite-shm-deleted",
    "sqlite-journal-deleted",
    "sqlite-overwritten",
    "sqlite-renamed",
    "sqlite-write-locked",
    "file-handle-leak",
    "socket-leak",
    "descriptor-leak",
    "deleted-file-held",
    "orphaned-server",
    "duplicate-instance",
    "claim-stale",
    "pause-abandoned",
    "preload-ineffective",
];

/// inotify(7)'s events, by bit. A table of its own: the product's must agree with it.
const EVENTS: &[&str] = &[
    "access",
    "modify",
    "attrib",
    "close_write",
    "close_nowrite",
    "open",
    "moved_from",
    "moved_to",
    "create",
    "delete",
    "delete_self",
    "move_self",
];

/// Worst first.
const SEVERITIES: &[&str] = &["critical", "warning", "info"];

const WATCH_TREE: &[Key] = &[
    Must("tops", List(&Text)),
    Must("more_tops", Count),
    Must("watches", Count),
    Must("found", Count),
];

/// Everything in which `doc` differs from the contract, a line each.
pub fn violations(doc: &Value) -> Vec<String> {
    let mut found = Vec::new();
    match document(doc) {
        "DatabaseScan" => return wal::violations(doc),
        "Top" => return top::violations(doc),
        "EventsScan" => return events::violations(doc),
        "CheckScan" => return check_command::violations(doc),
        "ReachScan" => check("$", doc, &reach::DOCUMENT, &mut found),
        "ClaimScan" => check("$", doc, &CLAIMS_DOCUMENT, &mut found),
        _ => check("$", doc, &DOCUMENT, &mut found),
    }
    if found.is_empty() {
        for process in doc["processes"].as_array().into_iter().flatten() {
            agree(process, &mut found);
        }
    }
    found
}

/// What docs/fdscan.schema.json calls the document, by a key no other has.
fn document(doc: &Value) -> &'static str {
    let names = [
        ("databases", "DatabaseScan"),
        ("users", "Top"),
        ("conclusion", "EventsScan"),
        ("rules", "CheckScan"),
        ("claims", "ClaimScan"),
        ("files", "ReachScan"),
    ];
    let named = names.iter().find(|(key, _)| doc.get(key).is_some());
    named.map_or("Scan", |(_, name)| name)
}

/// In what `doc`, which this fdscan has written, differs from docs/fdscan.schema.json.
pub fn not_as_documented(doc: &Value) -> Vec<String> {
    static COMMITTED: OnceLock<Value> = OnceLock::new();
    let committed = COMMITTED.get_or_init(|| {
        let text = include_str!("../../../../docs/fdscan.schema.json");
        serde_json::from_str(text).unwrap()
    });
    let mut schema = json!({ "$ref": format!("#/$defs/{}", document(doc)) });
    schema["$defs"] = committed["$defs"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors = validator.iter_errors(doc);
    errors
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect()
}
