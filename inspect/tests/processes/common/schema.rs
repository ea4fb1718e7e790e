//! The schema `fdscan/1`, as design.md has it, as a table; and what must hold between its values.

mod check_command;
mod events;
mod reading;
mod top;
mod wal;

pub use reading::violations as reading_violations;

use serde_json::{Map, Value, json};
use std::sync::OnceLock;

/// What may stand at one place.
enum Shape {
    Text,
    /// A whole number, 0 or more.
    Count,
    /// A time in seconds, above 0.
    Seconds,
    /// Any number.
    Number,
    Flag,
    /// RFC 3339.
    Time,
    /// `0x` and hexadecimal digits.
    Mask,
    /// `major:minor`.
    Device,
    Const(&'static str),
    OneOf(&'static [&'static str]),
    List(&'static Shape),
    Map(&'static Shape),
    /// An object with any keys.
    Open,
    Object(&'static [Key]),
    OrNull(&'static Shape),
}

/// A key of an object: `Must` is the contract's, `May` was added since and may be left out.
enum Key {
    Must(&'static str, Shape),
    May(&'static str, Shape),
}

use Key::{May, Must};
use Shape::*;

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
    "preload-ineffective",
];

/// Worst first.
const SEVERITIES: &[&str] = &["critical", "warning", "info"];

const WATCH_TREE: &[Key] = &[
    Must("tops", List(&Text)),
    Must("more_tops", Count),
    Must("watches", Count),
    Must("found", Count),
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

/// Everything in which `doc` differs from the contract, a line each.
pub fn violations(doc: &Value) -> Vec<String> {
    let mut found = Vec::new();
    match document(doc) {
        "DatabaseScan" => return wal::violations(doc),
        "Top" => return top::violations(doc),
        "EventsScan" => return events::violations(doc),
        "CheckScan" => return check_command::violations(doc),
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

fn check(at: &str, value: &Value, shape: &Shape, found: &mut Vec<String>) {
    let fits = match shape {
        OrNull(_) if value.is_null() => true,
        OrNull(inner) => return check(at, value, inner, found),
        Text => value.is_string(),
        Count => value.is_u64(),
        Number => value.is_number(),
        Seconds => value.as_f64().is_some_and(|seconds| seconds > 0.0),
        Flag => value.is_boolean(),
        Time => value
            .as_str()
            .is_some_and(|t| t.parse::<jiff::Timestamp>().is_ok()),
        Mask => value.as_str().is_some_and(|t| mask_bits(t).is_some()),
        Device => value.as_str().is_some_and(|t| {
            t.split_once(':').is_some_and(|(major, minor)| {
                major.parse::<u32>().is_ok() && minor.parse::<u32>().is_ok()
            })
        }),
        Const(text) => value == text,
        OneOf(texts) => value.as_str().is_some_and(|t| texts.contains(&t)),
        Open => value.is_object(),
        List(inner) => match value.as_array() {
            Some(list) => {
                for (i, item) in list.iter().enumerate() {
                    check(&format!("{at}[{i}]"), item, inner, found);
                }
                true
            }
            None => false,
        },
        Map(inner) => match value.as_object() {
            Some(map) => {
                for (key, item) in map {
                    check(&format!("{at}.{key}"), item, inner, found);
                }
                true
            }
            None => false,
        },
        Object(keys) => match value.as_object() {
            Some(map) => {
                check_keys(at, map, keys, found);
                true
            }
            None => false,
        },
    };
    if !fits {
        let shown: String = value.to_string().chars().take(80).collect();
        found.push(format!("{at} is {shown}"));
    }
}

fn check_keys(at: &str, map: &Map<String, Value>, keys: &[Key], found: &mut Vec<String>) {
    for key in keys {
        let (name, shape, must) = match key {
            Must(name, shape) => (*name, shape, true),
            May(name, shape) => (*name, shape, false),
        };
        match map.get(name) {
            Some(value) => check(&format!("{at}.{name}"), value, shape, found),
            None if must => found.push(format!("{at}.{name} is missing")),
            None => {}
        }
    }
    for name in map.keys() {
        if !keys
            .iter()
            .any(|k| matches!(k, Must(known, _) | May(known, _) if known == name))
        {
            found.push(format!("{at}.{name} is not in the contract"));
        }
    }
}

/// The bits of a mask written as `0x3ee`.
pub fn mask_bits(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// What must hold between the values of one process.
fn agree(process: &Value, found: &mut Vec<String>) {
    let mut claim = |holds: bool, sentence: String| {
        if !holds {
            found.push(sentence);
        }
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let mut unresolved = 0;
    let mut databases = Vec::new();
    for database in list(&process["sqlite"]) {
        wal::agree(&database, &mut databases);
    }

    for instance in list(&process["inotify"]) {
        let fd = number(&instance["fd"]);
        let watches = list(&instance["watches"]);
        let masks = list(&instance["masks"]);
        if let Some(first) = instance.get("same_instance_as").filter(|v| !v.is_null()) {
            // Its watches stand there once, at the descriptor it names.
            claim(
                list(&process["inotify"]).iter().any(|other| {
                    other["fd"] == *first
                        && other["watch_count"] == instance["watch_count"]
                        && other.get("same_instance_as").is_none_or(Value::is_null)
                }),
                format!("fd {fd} is said to be the instance at {first}"),
            );
            continue;
        }
        claim(
            watches.len() as u64 == number(&instance["watch_count"]),
            format!("fd {fd}: watch_count is not the number of watches"),
        );
        let mut rolled_up = std::collections::BTreeMap::<_, u64>::new();
        let mut wds = std::collections::BTreeSet::new();
        for watch in &watches {
            *rolled_up.entry(watch["mask"].to_string()).or_default() += 1;
            claim(
                wds.insert(number(&watch["wd"])) && number(&watch["wd"]) > 0,
                format!("fd {fd}: wd {} stands there twice, or is 0", watch["wd"]),
            );
            claim(
                watch["path"].is_null() == watch["resolved_by"].is_null(),
                format!("a path and the way it was found go together: {watch}"),
            );
            unresolved += usize::from(watch["path"].is_null());
            claim(
                watch["path"].is_null() || watch.get("unresolved").is_none(),
                format!("what has a path is not unresolved: {watch}"),
            );
        }
        for roll_up in &masks {
            claim(
                rolled_up.remove(&roll_up["mask"].to_string()) == roll_up["watches"].as_u64(),
                format!("fd {fd}: the roll-up of {} is wrong", roll_up["mask"]),
            );
        }
        claim(
            rolled_up.is_empty(),
            format!("fd {fd}: masks without a roll-up: {rolled_up:?}"),
        );
        for item in watches.iter().chain(&masks) {
            let bits = item["mask"].as_str().and_then(mask_bits).unwrap_or(0);
            let named: Vec<Value> = list(&item["events"]);
            let right = EVENTS
                .iter()
                .enumerate()
                .all(|(bit, name)| named.contains(&(*name).into()) == (bits & (1 << bit) != 0));
            claim(
                right,
                format!("{} are not the events of {}", item["events"], item["mask"]),
            );
        }
    }

    if let (Some(open), Some(by_type)) = (
        process["fds"]["open"].as_u64(),
        process["fds"]["by_type"].as_object(),
    ) {
        // Where descriptors could not be looked at, only their number is known.
        let known: u64 = by_type.values().map(number).sum();
        let gaps = !list(&process["incomplete"]).is_empty();
        claim(
            known == open || (gaps && known < open),
            format!("{open} descriptors are open, {known} have a type"),
        );
    }

    let severities: Vec<usize> = list(&process["findings"])
        .iter()
        .filter_map(|f| SEVERITIES.iter().position(|s| f["severity"] == *s))
        .collect();
    claim(
        severities.is_sorted(),
        format!("the worst finding comes first: {severities:?}"),
    );
    for finding in list(&process["findings"]) {
        claim(
            finding["message"]
                .as_str()
                .is_some_and(|m| m.ends_with('.')),
            format!("a message is a sentence: {}", finding["message"]),
        );
    }
    claim(
        unresolved == 0 || !list(&process["incomplete"]).is_empty(),
        format!("{unresolved} watches have no path, and `incomplete` says nothing"),
    );
    found.append(&mut databases);
    let mut claim = |holds: bool, sentence: String| {
        if !holds {
            found.push(sentence);
        }
    };
    let unknown = not_known(process);
    // A kernel thread has no program: nothing is missing.
    let has_none = process["cmdline"].as_array().is_some_and(Vec::is_empty);
    claim(
        unknown.is_empty() || has_none || !list(&process["incomplete"]).is_empty(),
        format!(
            "{} not known, and `incomplete` says nothing",
            unknown.join(", ")
        ),
    );
}

/// The values that are `null` although fdscan must know them of a live process it may read.
pub fn not_known(process: &Value) -> Vec<&'static str> {
    const KNOWN: &[&str] = &[
        "/ppid",
        "/comm",
        "/exe",
        "/cmdline",
        "/uid",
        "/start_time",
        "/linkage",
        "/preload/requested",
        "/preload/mapped",
        "/fds/open",
        "/fds/soft_limit",
        "/fds/hard_limit",
        "/fds/by_type",
    ];
    KNOWN
        .iter()
        .copied()
        .filter(|at| process.pointer(at).is_none_or(Value::is_null))
        .collect()
}
