//! What must hold between the values of one process, and what must be known.

use serde_json::Value;

use super::shape::mask_bits;
use super::{EVENTS, SEVERITIES, wal};

/// What must hold between the values of one process.
pub fn agree(process: &Value, found: &mut Vec<String>) {
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
