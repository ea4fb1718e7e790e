//! The evidence of any finding as short lines: a new finding needs no code here.

use crate::words::{bytes, number};
use serde_json::Value;

/// How many elements of a list are shown.
const SHOWN: usize = 3;

/// One line for all plain values, then one line for each list.
pub fn lines(evidence: &Value) -> Vec<String> {
    let Value::Object(map) = evidence else {
        return Vec::new();
    };
    let mut plain = Vec::new();
    let mut lists = Vec::new();
    for (key, value) in map {
        match value {
            Value::Null => {}
            Value::Array(list) if list.is_empty() => {}
            Value::Array(list) => lists.push(list_line(key, list)),
            Value::Object(_) => lists.push(format!("{}: {}", label(key), compact(key, value))),
            _ => plain.push(format!("{} {}", label(key), scalar(key, value))),
        }
    }
    let mut lines = Vec::new();
    if !plain.is_empty() {
        lines.push(plain.join(", "));
    }
    lines.extend(lists);
    lines
}

fn list_line(key: &str, list: &[Value]) -> String {
    let shown: Vec<_> = list.iter().take(SHOWN).map(|v| compact(key, v)).collect();
    let between = if list.iter().any(Value::is_object) {
        "; "
    } else {
        ", "
    };
    // There are only a few event names, and all of them matter.
    if key == "events" {
        let names: Vec<_> = list.iter().map(|v| compact(key, v)).collect();
        return format!("events: {}", names.join(" "));
    }
    let more = match list.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(" and {} more", number(n as u64)),
    };
    format!("{}: {}{more}", label(key), shown.join(between))
}

/// A value within a line.
fn compact(key: &str, value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let parts: Vec<_> = map
                .iter()
                // Lists within lists are for programs. The tables show them.
                .filter(|(_, value)| !value.is_null() && !value.is_array())
                .map(|(key, value)| format!("{} {}", label(key), scalar(key, value)))
                .collect();
            parts.join(", ")
        }
        other => scalar(key, other),
    }
}

fn scalar(key: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(n) => match n.as_u64() {
            Some(n) if key.ends_with("bytes") => bytes(n),
            Some(n) if !is_name(key) => number(n),
            _ => n.to_string(),
        },
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        _ => String::new(),
    }
}

/// Whether numbers of this key are names and not amounts: somebody will type them.
fn is_name(key: &str) -> bool {
    matches!(
        key,
        "fd" | "wd"
            | "inode"
            | "uid"
            | "pid"
            | "pids"
            | "unclaimed_pid"
            | "siblings"
            | "holders"
            | "session"
            | "user_namespace"
            | "port"
            | "shared_ports"
    )
}

fn label(key: &str) -> String {
    key.strip_suffix("_bytes").unwrap_or(key).replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_are_readable_numbers_that_are_names_have_no_commas_and_null_is_left_out() {
        let evidence = json!({ "inode": 13010443, "wal_bytes": 2048, "path": null, "count": 5299 });
        assert_eq!(
            lines(&evidence),
            ["count 5,299, inode 13010443, wal 2.00 KiB"]
        );
    }

    #[test]
    fn ports_and_pids_can_be_typed_as_shown() {
        let evidence = json!({ "port": 34731, "session": 3923, "user_namespace": 4026532177u64, "siblings": [4767, 4801] });
        assert_eq!(
            lines(&evidence),
            [
                "port 34731, session 3923, user namespace 4026532177",
                "siblings: 4767, 4801"
            ]
        );
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let evidence = json!({ "files": ["a", "b", "c", "d", "e"] });
        assert_eq!(lines(&evidence), ["files: a, b, c and 2 more"]);
    }

    #[test]
    fn a_list_of_masks_reads_as_one_line() {
        let evidence =
            json!({ "masks": [{ "mask": "0x22", "events": ["modify", "open"], "watches": 9 }] });
        assert_eq!(lines(&evidence), ["masks: mask 0x22, watches 9"]);
    }
}
