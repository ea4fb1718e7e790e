//! The checker itself: a check that accepts everything would prove nothing.

use serde_json::{Value, json};

use crate::common::violations;

/// A document that keeps the contract, made by hand from design.md.
fn kept() -> Value {
    json!({
        "schema": "fdscan/1", "fdscan_version": "0.2.0", "taken_at": "2026-11-22T23:30:00Z",
        "limits": {
            "max_user_watches": 192536, "max_user_instances": 128, "max_queued_events": 16384
        },
        "processes": [{
            "pid": 7, "ppid": 1, "comm": "tool", "exe": "/bin/tool", "cmdline": ["tool"],
            "uid": 0, "start_time": "2026-11-22T23:29:58.120Z", "linkage": "dynamic",
            "preload": { "requested": [], "mapped": false },
            "fds": {
                "open": 4, "soft_limit": 1024, "hard_limit": 4096,
                "by_type": { "file": 3, "inotify": 1 }
            },
            "inotify": [{
                "fd": 3, "watch_count": 1,
                "masks": [{ "mask": "0x22", "events": ["modify", "open"], "watches": 1 }],
                "watches": [{
                    "wd": 1, "inode": 12, "device": "8:1", "mask": "0x22",
                    "events": ["modify", "open"], "path": "/tmp", "resolved_by": "handle"
                }]
            }],
            "sqlite": [{
                "database": "/x.db", "handles": 1, "wal_handles": 1, "shm_handles": 1,
                "database_bytes": 4096, "wal_bytes": 0, "shm_bytes": null, "deleted": false,
                "wal": {
                    "page_size": 4096, "frames": 1, "checkpointed_frames": 0,
                    "pending_bytes": 4120,
                    "locks": [{ "pid": 7, "lock": "read", "slot": 1, "mark": 1 }]
                }
            }],
            "findings": [
                {
                    "code": "watch-wakes-on-read", "severity": "warning", "message": "It wakes.",
                    "evidence": {}, "remedy": "watchfix heal 7"
                },
                {
                    "code": "watch-wakes-on-attrib", "severity": "info", "message": "It wakes.",
                    "evidence": {}, "remedy": null
                }
            ],
            "incomplete": []
        }]
    })
}

#[test]
fn the_contracts_example_is_kept() {
    assert_eq!(violations(&kept()), Vec::<String>::new());
}

/// Changes one place of the example and expects the checker to notice.
#[track_caller]
fn noticed(at: &str, value: Value) {
    let mut doc = kept();
    *doc.pointer_mut(at).unwrap() = value;
    assert!(
        !violations(&doc).is_empty(),
        "a change of {at} is not noticed"
    );
}

#[test]
fn every_key_is_needed_and_no_other_is_taken() {
    fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                // Kinds of descriptors and evidence are open.
                if !at.ends_with("/by_type") && !at.ends_with("/evidence") {
                    found.push(at.to_owned());
                }
                for (key, inner) in map {
                    objects(inner, &format!("{at}/{key}"), found);
                }
            }
            Value::Array(list) => {
                for (i, inner) in list.iter().enumerate() {
                    objects(inner, &format!("{at}/{i}"), found);
                }
            }
            _ => {}
        }
    }
    let doc = kept();
    let mut all = Vec::new();
    objects(&doc, "", &mut all);
    assert!(all.len() > 10);
    for at in all {
        let keys: Vec<String> = match doc.pointer(&at) {
            Some(Value::Object(map)) => map.keys().cloned().collect(),
            _ => Vec::new(),
        };
        for key in keys {
            let mut without = doc.clone();
            let map = without.pointer_mut(&at).and_then(Value::as_object_mut);
            map.unwrap().remove(&key);
            assert!(!violations(&without).is_empty(), "{at} without {key}");
        }
        let mut with = doc.clone();
        let map = with.pointer_mut(&at).and_then(Value::as_object_mut);
        map.unwrap().insert("extra".into(), json!(1));
        assert!(!violations(&with).is_empty(), "{at} with another key");
    }
}

#[test]
fn wrong_types_are_noticed() {
    noticed("/schema", json!("fdscan/2"));
    noticed("/taken_at", json!("yesterday"));
    noticed("/processes/0/pid", json!("7"));
    noticed("/processes/0/pid", json!(-7));
    noticed("/processes/0/pid", Value::Null);
    noticed("/processes/0/linkage", json!("both"));
    noticed("/processes/0/inotify/0/watches/0/mask", json!(34));
    noticed("/processes/0/inotify/0/watches/0/mask", json!("22"));
    noticed("/processes/0/inotify/0/watches/0/device", json!("0x801"));
    noticed("/processes/0/inotify/0/watches/0/inode", json!(1.5));
    noticed("/processes/0/findings/0/code", json!("something-else"));
    noticed("/processes/0/findings/0/severity", json!("bad"));
    noticed("/processes/0/sqlite/0/handles", Value::Null);
}

#[test]
fn values_that_contradict_each_other_are_noticed() {
    noticed("/processes/0/inotify/0/watch_count", json!(2));
    noticed("/processes/0/inotify/0/masks/0/watches", json!(2));
    noticed("/processes/0/inotify/0/watches/0/wd", json!(0));
    noticed("/processes/0/inotify/0/watches/0/mask", json!("0x32"));
    noticed("/processes/0/inotify/0/watches/0/events", json!(["modify"]));
    noticed("/processes/0/inotify/0/watches/0/resolved_by", Value::Null);
    noticed("/processes/0/fds/by_type/file", json!(2));
    noticed("/processes/0/findings/1/severity", json!("critical"));
    // Not known, and no reason given.
    noticed("/processes/0/exe", Value::Null);
}
